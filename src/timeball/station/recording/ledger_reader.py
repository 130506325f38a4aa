"""Reading the ledger while the recorder writes it: only what a signed head covers, each leaf checked up to that head.

Polling costs a stat while nothing is new. A partial tile that vanishes because a wider one replaced it is looked for
again under the newer head, so no reader ever sees half an entry. It never waits for the writer and takes no lock.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.entry import Envelope, parse_envelope, verify_payload
from timeball.ledger.errors import EntryError, EvidenceError, LedgerError, TileError
from timeball.ledger.log import AttestedLog, MissingTileError
from timeball.ledger.merkle import EMPTY_ROOT
from timeball.ledger.note import Verifier, parse_vkey
from timeball.ledger.payload import HEADER, frame_length, parse_frame
from timeball.ledger.tiles import WIDTH, index_path
from timeball.station.keeping.cold import PayloadBundles

_TRIES = 100
_PAUSE_S = 0.005
_REMEMBERED_BUNDLES = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its envelope, and its payload's canonical bytes (None when erased)."""

    index: int
    envelope: Envelope
    payload: bytes | None


class LedgerReader:
    """Reads the ledger below `state_dir`; before the log exists it is empty.

    `log` is the key the log must be signed with; by default the one in STATE/ledger/log.vkey.
    Reading raises EvidenceError where bytes do not lead to the signed head, and for a head that contradicts an earlier.
    """

    def __init__(self, state_dir: Path, log: Verifier | None = None) -> None:
        self._ledger = state_dir / "ledger"
        self._payloads = PayloadFiles(state_dir / "payloads")
        self._verifier = log
        self._seen: tuple[int, int, int] | None = None
        self._head: Checkpoint | None = None
        self._log = AttestedLog(self._read, 0, EMPTY_ROOT)

    def checkpoint(self) -> Checkpoint | None:
        """The newest signed head, verified; None before the log exists."""
        path = self._ledger / "checkpoint"
        try:
            status = os.stat(path)
        except FileNotFoundError:
            if self._head is not None:
                raise EvidenceError("ledger/checkpoint", "the signed head has vanished") from None
            return None
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            self._take_head(path.read_bytes())
            self._seen = seen
        return self._head

    def size(self) -> int:
        """Entries under the newest signed head."""
        head = self.checkpoint()
        return 0 if head is None else head.size

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Entries start … stop − 1 (to the newest head by default), payloads verified against their digests."""
        size = self.size()
        end = size if stop is None else min(stop, size)
        while start < end:
            last = min(end, (start // WIDTH + 1) * WIDTH)
            with self._payloads.reading(start // WIDTH) as frames:
                for index, envelope in self.envelopes(start, last):
                    yield Entry(index, envelope, self._payload(index, envelope, frames))
            start = last

    def envelopes(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Envelope]]:
        """Index and envelope of entries start … stop − 1, without their payloads."""
        size = self.size()
        end = size if stop is None else min(stop, size)
        while start < end:
            bundle = start // WIDTH
            leaves = self._bundle(bundle)
            last = min(end, (bundle + 1) * WIDTH)
            for index in range(start, last):
                yield index, _parse(index, leaves[index - bundle * WIDTH])
            start = last

    def last(self, kind: str, before: int | None = None, *, by: str = "", since: int = 0) -> Entry | None:
        """The last entry of a type (by a stream, below index `before`, from `since` on), None when there is none."""
        return self._scan_back((b'"type":"%b"' % kind.encode(), *_by(by)), before, since)

    def find_stream_tail(self, stream: str) -> Entry | None:
        """The last entry of a stream, None when it has none."""
        return self._scan_back(_by(stream), None, 0)

    def _scan_back(self, marks: tuple[bytes, ...], before: int | None, since: int) -> Entry | None:
        # an envelope holds no free text, so its canonical bytes name a type or a stream in one way only
        size = self.size()
        end = size if before is None else min(before, size)
        for bundle in range((end - 1) // WIDTH, since // WIDTH - 1, -1):
            leaves = self._bundle(bundle)[: end - bundle * WIDTH]
            for position in range(len(leaves) - 1, max(since - bundle * WIDTH, 0) - 1, -1):
                if all(mark in leaves[position] for mark in marks):
                    index = bundle * WIDTH + position
                    envelope = _parse(index, leaves[position])
                    with self._payloads.reading(bundle) as frames:
                        return Entry(index, envelope, self._payload(index, envelope, frames))
        return None

    def _take_head(self, data: bytes) -> None:
        if self._verifier is None:
            self._verifier = parse_vkey((self._ledger / "log.vkey").read_text())
        try:
            head = open_checkpoint(data, self._verifier)
        except LedgerError as error:
            raise EvidenceError("ledger/checkpoint", str(error)) from error
        known = self._head
        if known and head.size < known.size:
            raise EvidenceError("ledger/checkpoint", f"rolled back from {known.size} entries to {head.size}")
        if known and head.size == known.size and head.root != known.root:
            raise EvidenceError("ledger/checkpoint", f"two heads of {head.size} entries with different roots")
        if known != head:
            self._head = head
            self._log = AttestedLog(self._read, head.size, head.root)

    def _bundle(self, bundle: int) -> list[bytes]:
        for attempt in range(_TRIES):
            try:
                return self._log.attested_bundle(bundle)
            except MissingTileError:
                # replaced by a wider one under a head that is newer or about to be
                if attempt == _TRIES - 1:
                    raise
                before = self._head
                self.checkpoint()
                if self._head == before:
                    time.sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    def _payload(self, index: int, envelope: Envelope, frames: OpenFrames) -> bytes | None:
        try:
            salt, payload = frames.read(index % WIDTH)
            if payload is not None:
                verify_payload(envelope, salt, payload)
        except (EntryError, TileError, OSError) as error:
            raise EvidenceError(f"payloads/{index_path(index // WIDTH)}", str(error), index) from error
        return payload

    def _read(self, path: str) -> bytes | None:
        try:
            return (self._ledger / path).read_bytes()
        except FileNotFoundError:
            return None


class PayloadFiles:
    """Finds frames in payload files, or in cold storage; remembers where the frames of a few bundles begin."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bundles = PayloadBundles(folder)
        self._starts: OrderedDict[int, list[int]] = OrderedDict()

    def read(self, index: int) -> tuple[bytes, bytes | None]:
        """Salt and payload of an entry (empty and None when erased); raises TileError or OSError."""
        bundle, position = divmod(index, WIDTH)
        with self.reading(bundle) as frames:
            return frames.read(position)

    def reading(self, bundle: int) -> OpenFrames:
        """The frames of one bundle, for reading many of them; the file is opened at the first one read."""
        starts = self._starts.setdefault(bundle, [0])
        self._starts.move_to_end(bundle)
        if len(self._starts) > _REMEMBERED_BUNDLES:
            self._starts.popitem(last=False)
        return OpenFrames(self._folder, index_path(bundle), starts, self._bundles)


class OpenFrames:
    """One payload file, open from the first frame read until the `with` ends: bundles are read a frame at a time.

    A bundle that is in cold storage is there as a whole.
    """

    def __init__(self, folder: Path, path: str, starts: list[int], bundles: PayloadBundles) -> None:
        self._folder, self._path, self._starts, self._bundles = folder, path, starts, bundles
        self._descriptor = -1
        self._cold: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self, position: int) -> tuple[bytes, bytes | None]:
        """Salt and payload of the entry at a position (empty and None when erased); raises TileError or OSError."""
        if self._descriptor < 0 and self._cold is None:
            self._open()
        starts = self._starts
        while len(starts) <= position + 1:
            starts.append(starts[-1] + frame_length(self._pread(HEADER.size, starts[-1])))
        frame = parse_frame(self._pread(starts[position + 1] - starts[position], starts[position]))
        return frame.salt, frame.payload

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._folder / self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._cold = self._bundles.read(self._path)
            if self._cold is None:
                raise

    def _pread(self, length: int, offset: int) -> bytes:
        if self._cold is None:
            return os.pread(self._descriptor, length, offset)
        return self._cold[offset : offset + length]


def _by(stream: str) -> tuple[bytes, ...]:
    return (b'"by":"%b"' % stream.encode(),) if stream else ()


def _parse(index: int, leaf: bytes) -> Envelope:
    try:
        return parse_envelope(leaf)
    except EntryError as error:
        raise EvidenceError(f"ledger/tile/entries/{index_path(index // WIDTH)}", str(error), index) from error
