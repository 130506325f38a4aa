"""Entries on their way into one journal group: refused, recognised as repeated, or given their indices.

Nothing is recorded here; what is staged counts once the journal is synced. What a batch has in common is checked once,
so an entry of a batch costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from timeball.ledger.entry import Envelope, make_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.payload import MAX_PAYLOAD
from timeball.station.recording.errors import EntryRefusedError, SequenceRefusedError, StoreDamagedError
from timeball.station.recording.group import SALT_BYTES, Group, Run, make_group
from timeball.station.recording.tails import StreamTails

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


@dataclass(frozen=True, slots=True)
class EntryBatch:
    """Entries alike but for their payloads (canonical JSON), numbered from `first_seq` on."""

    stream: str
    first_seq: int
    type: str
    version: int
    payloads: Sequence[bytes]
    supersedes: int | None = None


Asked = Sequence[NewEntry] | EntryBatch


class Staging:
    """One journal group in the making, for a log of `size` entries at `time_ns`.

    `find(stream, seq)` gives an entry that is already recorded: its index, envelope and payload (None when erased).
    """

    def __init__(self, size: int, time_ns: int, tails: StreamTails, find: Callable[[str, int], Recorded]) -> None:
        self.time_ns = time_ns
        self.runs: list[Run] = []
        self.payloads: list[bytes] = []
        self._base = size
        self._tails = tails
        self._find = find
        self._next_seq: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Entries of the log when this group is recorded."""
        return self._base + len(self.payloads)

    def group(self, entropy: Callable[[int], bytes]) -> Group:
        """What is staged, salted and framed."""
        return make_group(self._base, self.runs, self.payloads, entropy)

    def stage_group(self, asked: Asked) -> list[int]:
        """Stage entries and give their indices; when one is refused, none of the group stays staged."""
        runs, payloads, next_seq = len(self.runs), len(self.payloads), dict(self._next_seq)
        try:
            if isinstance(asked, EntryBatch):
                return self._stage(asked)
            return [index for batch in _batches(asked) for index in self._stage(batch)]
        except (SequenceRefusedError, EntryRefusedError) as error:
            del self.runs[runs:], self.payloads[payloads:]
            self._next_seq = next_seq
            if isinstance(error, SequenceRefusedError):
                # the next number is the one before this group was tried
                raise SequenceRefusedError(
                    error.stream, error.seq, self._expected(error.stream), error.reason
                ) from error
            raise

    def _expected(self, stream: str) -> int:
        return self._next_seq.get(stream) or self._tails.next_seq(stream)

    def _stage(self, batch: EntryBatch) -> list[int]:
        expected = self._expected(batch.stream)
        if batch.first_seq > expected:
            raise SequenceRefusedError(batch.stream, batch.first_seq, expected, "leaves a gap")
        if batch.first_seq < 1:
            raise SequenceRefusedError(batch.stream, batch.first_seq, expected, "is below 1")
        repeated = min(len(batch.payloads), expected - batch.first_seq)
        indices = [self._repeated(batch, position, expected) for position in range(repeated)]
        if repeated < len(batch.payloads):
            indices += self._add(batch, expected, batch.payloads[repeated:] if repeated else batch.payloads)
        return indices

    def _add(self, batch: EntryBatch, first_seq: int, payloads: Sequence[bytes]) -> range:
        run = Run(batch.stream, first_seq, len(payloads), batch.type, batch.version, batch.supersedes, self.time_ns)
        first = self.size
        if batch.supersedes is not None and batch.supersedes >= first:
            raise EntryRefusedError(f"entry {batch.supersedes} cannot be superseded: it is not recorded")
        longest = max(map(len, payloads))
        if longest > MAX_PAYLOAD:
            raise EntryRefusedError(f"a payload has at most {MAX_PAYLOAD} bytes, not {longest}")
        _check_run(run)
        self.runs.append(run)
        self.payloads += payloads
        self._next_seq[run.stream] = first_seq + run.count
        return range(first, self.size)

    def _repeated(self, batch: EntryBatch, position: int, expected: int) -> int:
        seq = batch.first_seq + position
        index, *recorded, payload = self._staged(batch.stream, seq) or self._recorded(batch.stream, seq)
        asked = [batch.type, batch.version, batch.supersedes]
        if recorded != asked or payload not in (None, batch.payloads[position]):
            raise SequenceRefusedError(batch.stream, seq, expected, "is taken by other content")
        return index

    def _staged(self, stream: str, seq: int) -> tuple[int, str, int, int | None, bytes | None] | None:
        before = 0
        for run in self.runs:
            if run.stream == stream and 0 <= seq - run.first_seq < run.count:
                position = before + seq - run.first_seq
                return self._base + position, run.type, run.version, run.supersedes, self.payloads[position]
            before += run.count
        return None

    def _recorded(self, stream: str, seq: int) -> tuple[int, str, int, int | None, bytes | None]:
        try:
            index, envelope, payload = self._find(stream, seq)
        except (LedgerError, StoreDamagedError) as error:
            # one damaged file must not end the recording of everybody else
            raise EntryRefusedError(
                f"stream {stream}: sequence number {seq} is recorded, unreadably: {error}"
            ) from error
        return index, envelope.type, envelope.version, envelope.supersedes, payload


def _check_run(run: Run) -> None:
    """Raise EntryRefusedError unless every envelope of the run can stand: its last one has the largest numbers."""
    try:
        make_envelope(
            by=run.stream,
            seq=run.first_seq + run.count - 1,
            time_ns=run.time_ns,
            type=run.type,
            version=run.version,
            salt=bytes(SALT_BYTES),
            payload=b"",
            supersedes=run.supersedes,
        )
    except LedgerError as error:
        raise EntryRefusedError(str(error)) from error


def _batches(entries: Sequence[NewEntry]) -> Iterator[EntryBatch]:
    """Entries that follow each other and are alike, together; each batch is complete when it is given."""
    shared: tuple[object, ...] = ()
    batch: EntryBatch | None = None
    payloads: list[bytes] = []
    for entry in entries:
        mine = (entry.stream, entry.type, entry.version, entry.supersedes)
        if batch is None or mine != shared or entry.seq != batch.first_seq + len(payloads):
            if batch is not None:
                yield batch
            shared, payloads = mine, []
            batch = EntryBatch(entry.stream, entry.seq, entry.type, entry.version, payloads, entry.supersedes)
        payloads.append(entry.payload)
    if batch is not None:
        yield batch
