"""Retention: payload bundles older than a time go from beside the ledger into cold storage; the tree stays.

The order is the invariant. The ledger says where cold storage is, so that an erasure finds every copy; a part is
written and synced; it is read back, and every bundle rebuilt from it must be the bytes beside the ledger, each payload
matching its digest under the signed head; only then are the files beside it removed. So whatever fails, each payload is
in one place at least, and running it again goes on. Only whole bundles move. Nothing is ever deleted from cold storage
here, except what was erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from timeball.ledger.entry import parse_envelope, verify_payload, write_envelope
from timeball.ledger.errors import EntryError, TileError
from timeball.ledger.payload import erase_frames, parse_frame
from timeball.ledger.tiles import WIDTH, index_path
from timeball.station.keeping.cold import COLD, ENTRIES, READINGS, ColdStorage, Part, parse_name
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.keeping.parts import PartWriter, arrow
from timeball.station.recording.filesystem import FileSystem, replace
from timeball.station.recording.integration import LEDGER, PAYLOADS, payload_path
from timeball.station.recording.ledger_reader import LedgerReader

PART_BYTES = 64 << 20
Leaves = Callable[[int], list[bytes]]
Progress = Callable[[int, int], None]


@dataclass
class Archived:
    """What a run moved: bundles, parts written, bytes before and after; `present` bundles were in cold storage."""

    bundles: int = 0
    present: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    parts: list[str] = field(default_factory=list)


class Archive:
    """One run: from `state`, whose leaves `leaves(bundle)` gives under the signed head, to `cold`, found at `where`."""

    def __init__(self, state: FileSystem, cold: FileSystem, where: str, leaves: Leaves) -> None:
        arrow()
        self._state = state
        self._cold = cold
        self._where = where
        self._leaves = leaves
        self._storage = ColdStorage(cold)
        self.done = Archived()

    def run(self, end: int, progress: Progress | None = None) -> Archived:
        """Move the bundles below `end` that are still beside the ledger; raises ColdStorageError and OSError."""
        # the head that `end` was taken from may be seen and yet not be durable: below it no payloads may be missing
        self._state.sync_dir(LEDGER)
        sweep(self._cold)
        ranges = list(self._missing(end))
        if end:
            self._point()
        for number in range(end):
            if not any(first <= number <= last for first, last in ranges):
                self._remove_archived(number)
        todo = sum(last - first + 1 for first, last in ranges)
        for first, last in ranges:
            start = first
            while start <= last:
                start = self._move(start, last) + 1
                if progress:
                    progress(self.done.bundles, todo)
        return self.done

    def _missing(self, end: int) -> Iterator[tuple[int, int]]:
        """The ranges below `end` that no part holds."""
        start = 0
        for part in self._storage.parts():
            if part.first > start:
                yield start, min(part.first, end) - 1
            start = max(start, part.last + 1)
        if start < end:
            yield start, end - 1

    def _remove_archived(self, number: int) -> None:
        """What an interrupted run left beside the ledger though cold storage has it."""
        data = self._state.read(payload_path(number))
        if data is not None:
            self._expect(number, data, self._storage.read_bundle(number))
            self._remove([number])
            self.done.present += 1

    def _move(self, first: int, last: int) -> int:
        """Move bundles from `first` on, as many as make a part; gives the last one moved."""
        writer, number = PartWriter(), first
        while True:
            writer.add(number, self._leaves(number), self._beside(number))
            if number == last or writer.bytes_in >= PART_BYTES:
                break
            number += 1
        part, before = Part(first, number), writer.bytes_in
        size = write_part(self._cold, part, writer)
        for each in range(first, number + 1):
            self._expect(each, self._beside(each), self._storage.read_bundle(each))
        self._remove(range(first, number + 1))
        self.done.bundles += number - first + 1
        self.done.bytes_before += before
        self.done.bytes_after += size
        self.done.parts.append(part.file(ENTRIES))
        return number

    def _beside(self, number: int) -> bytes:
        data = self._state.read(payload_path(number))
        if data is None:
            raise ColdStorageError(payload_path(number), "the file is missing, and cold storage does not have it")
        return data

    def _expect(self, number: int, beside: bytes, cold: bytes | None) -> None:
        """The two copies are the same, and what they hold is what the ledger commits to."""
        if cold != beside:
            raise ColdStorageError(
                payload_path(number), "what cold storage gives back differs from it; nothing was deleted"
            )
        check_bundle(number, self._leaves(number), beside)

    def _point(self) -> None:
        path, text = f"{PAYLOADS}/{COLD}", self._where.encode("utf-8", "surrogateescape") + b"\n"
        if self._state.read(path) != text:
            replace(self._state, path, text)
        else:
            # an earlier attempt may have failed after the rename
            self._state.sync_dir(PAYLOADS)

    def _remove(self, numbers: range | list[int]) -> None:
        paths = [payload_path(number) for number in numbers]
        for path in paths:
            self._state.unlink(path)
            # an erasure that broke off may have left one, and the next would look for its payloads elsewhere
            self._state.unlink(f"{path}.tmp")
        for folder in sorted({path.rpartition("/")[0] for path in paths}):
            self._state.sync_dir(folder)


def write_part(cold: FileSystem, part: Part, writer: PartWriter) -> int:
    """Write a part durably, the file that makes it count last; gives its bytes."""
    entries, readings = writer.close()
    replace(cold, part.file(READINGS), readings)
    replace(cold, part.file(ENTRIES), entries)
    return len(entries) + len(readings)


def check_bundle(number: int, leaves: list[bytes], bundle: bytes) -> None:
    """Raise ColdStorageError unless every payload of a bundle is erased or matches its digest in the ledger."""
    offset = 0
    for position, leaf in enumerate(leaves):
        try:
            frame = parse_frame(bundle, offset)
            if frame.payload is not None:
                verify_payload(parse_envelope(leaf), frame.salt, frame.payload)
        except (TileError, EntryError) as error:
            raise ColdStorageError(
                payload_path(number), f"{error}; nothing was deleted", number * WIDTH + position
            ) from error
        offset = frame.end
    if offset != len(bundle):
        raise ColdStorageError(payload_path(number), "bytes after the last payload; nothing was deleted", None, offset)


def erase_cold(cold: FileSystem, leaves: Leaves, indices: list[int]) -> None:
    """Put zeros in place of payloads in cold storage; parts without them stay. Safe to repeat; raises OSError."""
    storage = ColdStorage(cold)
    wanted: dict[Part, list[int]] = {}
    for index in indices:
        part = storage.find(index // WIDTH)
        if part is not None:
            wanted.setdefault(part, []).append(index)
    for part, inside in wanted.items():
        if not all(_is_erased(storage, index) for index in inside):
            write_part(cold, part.next(), _erased(storage, part, leaves, inside))
    # a name that an earlier attempt left may not be durable, and older files may still be there
    cold.sync_dir("")
    sweep(cold)


def _is_erased(storage: ColdStorage, index: int) -> bool:
    bundle = storage.read_bundle(index // WIDTH) or b""
    return erase_frames(bundle, [index % WIDTH]) == bundle


def sweep(cold: FileSystem) -> None:
    """Remove what no part needs: older generations, and files of parts that were never finished."""
    storage = ColdStorage(cold)
    newest = set(storage.parts())
    for kind in (READINGS, ENTRIES):  # in this order: while an entries file is there, its part is found again
        for name in cold.list(""):
            part = parse_name(name, kind)
            if name.endswith(".tmp") or (part is not None and part not in newest):
                cold.unlink(name)
        cold.sync_dir("")


def _erased(storage: ColdStorage, part: Part, leaves: Leaves, indices: list[int]) -> PartWriter:
    writer = PartWriter()
    for number in range(part.first, part.last + 1):
        bundle = storage.read_bundle(number)
        if bundle is None:
            raise ColdStorageError(part.file(ENTRIES), f"it does not hold bundle {index_path(number)}")
        positions = [index % WIDTH for index in indices if index // WIDTH == number]
        writer.add(number, leaves(number), erase_frames(bundle, positions))
    return writer


def bundles_before(reader: LedgerReader, time_ns: int) -> int:
    """How many bundles from the front are whole and hold only entries older than `time_ns` (TAI)."""
    low, high = 0, reader.size() // WIDTH
    while low < high:
        middle = (low + high) // 2
        last = (middle + 1) * WIDTH - 1
        [(_, envelope)] = reader.envelopes(last, last + 1)
        if envelope.time_ns < time_ns:
            low = middle + 1
        else:
            high = middle
    return low


def leaves_of(reader: LedgerReader) -> Leaves:
    """The leaves of whole bundles, each checked up to the signed head."""

    def leaves(number: int) -> list[bytes]:
        start = number * WIDTH
        return [write_envelope(envelope) for _, envelope in reader.envelopes(start, start + WIDTH)]

    return leaves
