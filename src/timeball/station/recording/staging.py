"""Entries on their way into one journal group: refused, recognised as repeated, or given an envelope and an index.

Nothing is recorded here; what is staged counts once the journal is synced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timeball.ledger.entry import Envelope, make_envelope, write_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.payload import MAX_PAYLOAD
from timeball.station.recording.errors import EntryRefusedError, SequenceRefusedError
from timeball.station.recording.journal import JournalFrame
from timeball.station.recording.tails import StreamTails

SALT_BYTES = 16
Recorded = tuple[int, Envelope, bytes | None]


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be recorded; `payload` is canonical JSON."""

    stream: str
    seq: int
    type: str
    version: int
    payload: bytes
    supersedes: int | None = None


class Staging:
    """One journal group in the making, for a log of `size` entries at `time_ns`.

    `find(stream, seq)` gives an entry that is already recorded: its index, envelope and payload (None when erased).
    """

    def __init__(
        self,
        size: int,
        time_ns: int,
        tails: StreamTails,
        find: Callable[[str, int], Recorded],
        entropy: Callable[[int], bytes],
    ) -> None:
        self.time_ns = time_ns
        self.entries: list[NewEntry] = []
        self.frames: list[JournalFrame] = []
        self._base = size
        self._tails = tails
        self._find = find
        self._entropy = entropy
        self._next_seq: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Entries of the log when this group is recorded."""
        return self._base + len(self.entries)

    def stage_group(self, group: Sequence[NewEntry]) -> list[int]:
        """Stage entries and give their indices; when one is refused, none of the group stays staged."""
        mark = len(self.entries)
        try:
            return [self._stage(entry) for entry in group]
        except (SequenceRefusedError, EntryRefusedError) as error:
            for entry in reversed(self.entries[mark:]):
                self._next_seq[entry.stream] = entry.seq
            del self.entries[mark:], self.frames[mark:]
            if isinstance(error, SequenceRefusedError):
                # the next number is the one before this group was tried
                raise SequenceRefusedError(
                    error.stream, error.seq, self._expected(error.stream), error.reason
                ) from error
            raise

    def _expected(self, stream: str) -> int:
        return self._next_seq.get(stream) or self._tails.next_seq(stream)

    def _stage(self, entry: NewEntry) -> int:
        expected = self._expected(entry.stream)
        if entry.seq > expected:
            raise SequenceRefusedError(entry.stream, entry.seq, expected, "leaves a gap")
        if entry.seq < 1:
            raise SequenceRefusedError(entry.stream, entry.seq, expected, "is below 1")
        if entry.seq < expected:
            return self._repeated(entry, expected)
        frame = self._frame(entry)
        self.entries.append(entry)
        self.frames.append(frame)
        self._next_seq[entry.stream] = entry.seq + 1
        return frame.index

    def _frame(self, entry: NewEntry) -> JournalFrame:
        if entry.supersedes is not None and entry.supersedes >= self.size:
            raise EntryRefusedError(f"entry {entry.supersedes} cannot be superseded: it is not recorded")
        if len(entry.payload) > MAX_PAYLOAD:
            raise EntryRefusedError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(entry.payload)}")
        salt = self._entropy(SALT_BYTES)
        try:
            envelope = make_envelope(
                by=entry.stream,
                seq=entry.seq,
                time_ns=self.time_ns,
                type=entry.type,
                version=entry.version,
                salt=salt,
                payload=entry.payload,
                supersedes=entry.supersedes,
            )
        except LedgerError as error:
            raise EntryRefusedError(str(error)) from error
        return JournalFrame(self.size, write_envelope(envelope), salt, entry.payload)

    def _repeated(self, entry: NewEntry, expected: int) -> int:
        taken = SequenceRefusedError(entry.stream, entry.seq, expected, "is taken by other content")
        for other, frame in zip(self.entries, self.frames, strict=True):
            if (other.stream, other.seq) == (entry.stream, entry.seq):
                if other != entry:
                    raise taken
                return frame.index
        index, envelope, payload = self._find(entry.stream, entry.seq)
        recorded = (envelope.type, envelope.version, envelope.supersedes)
        if recorded != (entry.type, entry.version, entry.supersedes) or payload not in (None, entry.payload):
            raise taken
        return index
