"""The judgement of a log's contents, entry by entry: does all that was decided follow from what was signed?

The same fold that decides (`fold.replay`) decides again; around it stand the numbers of streams, the times, the
signatures, and the moments at which witnesses saw heads that did not yet hold an entry. The first contradiction is
final. What cannot be checked is listed with its range and is never counted as agreement. It reads no files and no
clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from timeball.ledger import canonical
from timeball.ledger.contents import ERASURE
from timeball.ledger.entry import Envelope
from timeball.ledger.errors import CanonicalError, LedgerError
from timeball.station.auditing.signatures import KEY, Keys, NotSigned
from timeball.station.auditing.statement import (
    AGREES,
    CANNOT_CHECK,
    CONTRADICTION,
    Finding,
    Statement,
    Unchecked,
    shorten,
    shorten_unchecked,
)
from timeball.station.fold.replay import Replay, ReplayError
from timeball.station.fold.timekeeping import INPUTS, STREAM
from timeball.station.publishing.access import PUBLIC
from timeball.station.recording.ledger_reader import Entry

# a head is cosigned some time after it was signed, and clocks differ
TOLERANCE_S = 120
KNOWN_VERSION = 1
DELETED = "deleted, or recorded twice"


class Judge:
    """Takes the entries of one log in their order; `accepted` are collectors' keys that a person has accepted."""

    def __init__(self, accepted: Collection[str] = ()) -> None:
        self.size = 0
        self.contradiction: Finding | None = None
        self.findings: list[Finding] = []
        self.bounds = 0
        self._replay = Replay()
        self._keys = Keys(accepted)
        self._streams: dict[str, int] = {}
        self._time_ns = 0
        self._seen: deque[tuple[int, int]] = deque()
        self._not_before_ns = 0
        self._fold: list[Unchecked] = []
        self._contents: list[Unchecked] = []
        self._said = 0
        self._skipped = 0
        self._foreign_key: Unchecked | None = None
        self._stopped: Unchecked | None = None

    def saw(self, size: int, time_s: int) -> None:
        """A head of `size` entries was cosigned at `time_s` (POSIX s): every later entry was recorded after it."""
        self._seen.append((size, time_s))
        self.bounds += 1

    def take(self, entry: Entry) -> None:
        """One entry; nothing it may hold raises."""
        self.size = entry.index + 1
        if self.contradiction is not None:
            return
        try:
            self._envelope(entry.index, entry.envelope)
            self._content(entry)
        except (ReplayError, NotSigned) as error:
            reason = error.reason if isinstance(error, ReplayError) else str(error)
            self.contradiction = Finding(entry.index, reason)
        except CanonicalError as error:
            # its digest holds, so the log itself recorded bytes that no entry may have
            self.contradiction = Finding(entry.index, f"its payload is not canonical JSON: {error}")

    def statement(self, origin: str, root: bytes, time_s: int) -> Statement:
        """What was found so far, under the head of `size` entries and `root`."""
        report = self._replay.report()
        unchecked = self._unchecked()
        agreed = sum(report.agreed.values())
        index, verdict = None, AGREES
        words = f"{agreed} decisions follow from the signed readings"
        if self.contradiction is not None:
            index, verdict, words = self.contradiction.index, CONTRADICTION, self.contradiction.words
        elif unchecked:
            verdict, words = CANNOT_CHECK, f"{words}; what could not be checked is listed"
        return Statement(
            origin,
            self.size,
            root,
            time_s,
            verdict,
            words,
            index,
            self.size,
            agreed,
            report.pending,
            self.bounds,
            shorten_unchecked(unchecked),
            shorten(self.findings),
        )

    def _envelope(self, index: int, envelope: Envelope) -> None:
        expected = self._streams.get(envelope.by, 0) + 1
        if envelope.seq != expected:
            raise ReplayError(
                index, f"stream {envelope.by} goes from number {expected - 1} to {envelope.seq}: {DELETED}"
            )
        if envelope.time_ns < self._time_ns:
            raise ReplayError(index, f"time goes back from {self._time_ns} to {envelope.time_ns} ns of TAI")
        if envelope.supersedes is not None and envelope.supersedes >= index:
            raise ReplayError(index, f"it supersedes entry {envelope.supersedes}, which is not before it")
        self._streams[envelope.by], self._time_ns = envelope.seq, envelope.time_ns
        self._expect_after_heads(index, envelope.time_ns)

    def _expect_after_heads(self, index: int, time_ns: int) -> None:
        while self._seen and self._seen[0][0] <= index:
            _, time_s = self._seen.popleft()
            # TAI is ahead of POSIX time by the leap seconds: leaving them out errs on the side of the accused
            self._not_before_ns = max(self._not_before_ns, (time_s - TOLERANCE_S) * 10**9)
        if time_ns < self._not_before_ns:
            late_s = (self._not_before_ns - time_ns) / 1e9 + TOLERANCE_S
            raise ReplayError(
                index, f"back-dated: its time lies {late_s:.0f} s before a witness cosigned a head without it"
            )

    def _content(self, entry: Entry) -> None:
        index, envelope = entry.index, entry.envelope
        known = _is_known(envelope)
        if entry.payload is not None and known:
            self._signed(index, envelope, entry.payload)
        if self._stopped is None:
            self._refold(entry)
        if self._fold and self._fold[-1].last == index:
            return
        if entry.payload is None:
            self._mark(index, f"the payload of this {envelope.type} entry was erased, or is withheld")
        elif not known:
            self._mark(index, f"{envelope.type} of version {envelope.version} is not known here")

    def _signed(self, index: int, envelope: Envelope, data: bytes) -> None:
        payload = canonical.decode(data)
        if envelope.type == KEY:
            found = self._keys.take(envelope.by, payload)
            if found is not None:
                self.findings.append(Finding(index, found))
            if self._keys.unaccepted is None:
                self._close_foreign(index)
            elif self._foreign_key is None:
                self._foreign_key = Unchecked(index, index, f"nobody accepted the key {self._keys.unaccepted}")
        elif envelope.type == ERASURE and isinstance(payload, dict):
            reason = payload.get("reason")
            self.findings.append(Finding(index, f"payloads were erased: {reason}"))
        else:
            self._keys.check(envelope.type, envelope.by, payload)

    def _close_foreign(self, index: int) -> None:
        if self._foreign_key is not None:
            self._contents.append(Unchecked(self._foreign_key.first, index - 1, self._foreign_key.words))
            self._foreign_key = None

    def _refold(self, entry: Entry) -> None:
        try:
            self._replay.take(entry)
        except (ReplayError, CanonicalError):
            raise
        except (ArithmeticError, AttributeError, LedgerError, LookupError, TypeError, ValueError) as error:
            # whatever a payload may hold, an auditor goes on, and says from where it could not
            self._stopped = Unchecked(entry.index, entry.index, f"the fold stopped here: {error}")
            return
        report = self._replay.report()
        if len(report.cannot_check) > self._said:
            words = report.cannot_check[self._said].removeprefix(f"entry {entry.index}: ")
            self._fold.append(Unchecked(entry.index, entry.index, words))
        elif report.unchecked > self._skipped:
            last = self._fold.pop() if self._fold else Unchecked(entry.index, entry.index, "not checked")
            self._fold.append(Unchecked(last.first, entry.index, last.words))
        self._said, self._skipped = len(report.cannot_check), report.unchecked

    def _mark(self, index: int, words: str) -> None:
        if self._contents and self._contents[-1].last == index - 1 and self._contents[-1].words == words:
            last = self._contents.pop()
            self._contents.append(Unchecked(last.first, index, words))
        else:
            self._contents.append(Unchecked(index, index, words))

    def _unchecked(self) -> list[Unchecked]:
        still = [each for each in (self._foreign_key, self._stopped) if each is not None]
        open_ended = [Unchecked(each.first, max(each.first, self.size - 1), each.words) for each in still]
        return sorted([*self._fold, *self._contents, *open_ended], key=lambda each: (each.first, each.last))


def _is_known(envelope: Envelope) -> bool:
    """Whether this software knows what the entry says; the fold judges the versions of what it decides itself."""
    versions = INPUTS.get((envelope.type, envelope.by), (KNOWN_VERSION,))
    return envelope.by == STREAM or (envelope.type in PUBLIC and envelope.version in versions)
