"""Complete bundles judged by compiled loops: their framing, leaves, tile, envelopes, payload digests and payloads.

A bundle that holds in itself comes out as a `JudgedBundle`; of one that does not, or that is not to be had, nothing is
said but None, and the caller asks the plain code for the reason. What depends on the entries before (the numbers of a
stream, time, keys) is the caller's to judge. Several threads may judge spans of one log at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.ledger import kernels
from timeball.ledger.kernels import BUNDLE
from timeball.ledger.log import Read
from timeball.ledger.tiles import ENTRIES, index_path

SPAN = 64
MISSING = -1
Buffer = NDArray[np.uint8]
# Fills a buffer with the file at a path and gives the file's size: MISSING when there is none; when it is more than the
# buffer holds, what the buffer holds is worth nothing.
Fill = Callable[[str, Buffer], int]
# Bytes, to begin with: of entries, of a tile and one byte more, of payloads
_FIRST_BUFFERS = (1 << 16, BUNDLE * kernels.HASH_BYTES + 1, 1 << 17)
_NOTHING: Buffer = np.zeros(0, np.uint8)


@dataclass(slots=True)
class Waiting:
    """A payload still to be judged (key, erasure, signed batch); its frame begins at `offset` of the bundle."""

    index: int
    offset: int
    frame: bytes
    leaf: bytes


@dataclass(slots=True)
class JudgedBundle:
    """What a sound bundle says: root of its tile; first and last sequence number by stream; entries by type; times."""

    root: bytes
    files: int
    bytes_read: int
    first_time_ns: int = 0
    last_time_ns: int = 0
    streams: Sequence[tuple[str, int, int]] = ()
    types: Sequence[tuple[str, int]] = ()
    erased: Sequence[int] = ()
    withheld: int = 0
    waiting: Sequence[Waiting] = ()
    payload_bytes: int = 0


class _Tables:
    """The arrays that a bundle is read and judged in; one thread's, used for one bundle after the other."""

    def __init__(self) -> None:
        self.entries, self.tile, self.payloads = (np.empty(size, np.uint8) for size in _FIRST_BUFFERS)
        self.hashes = np.empty((BUNDLE, kernels.HASH_BYTES), np.uint8)
        self.facts = np.empty(kernels.FACTS, np.int64)
        self.judged = np.empty((BUNDLE, kernels.JUDGED_COLUMNS), np.int64)


def fill_by(read: Read) -> Fill:
    """A `Fill` where there is only a `Read`."""

    def fill(path: str, buffer: Buffer) -> int:
        data = read(path)
        if data is None:
            return MISSING
        if len(data) <= buffer.size:
            buffer[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data)

    return fill


class BundleJudge:
    """Judges the complete bundles of one log; `payloads` is None when payloads are not at hand."""

    def __init__(self, log: Fill, payloads: Fill | None, has_envelopes: bool) -> None:
        self._log = log
        self._payloads = payloads if has_envelopes else None
        self._has_envelopes = has_envelopes
        self._spare: list[_Tables] = []

    def judge_span(self, numbers: range) -> list[JudgedBundle | None]:
        """Judge some bundles, in order."""
        tables = self._spare.pop() if self._spare else _Tables()
        found = [self._judge(number, tables) for number in numbers]
        self._spare.append(tables)
        return found

    def _judge(self, number: int, tables: _Tables) -> JudgedBundle | None:
        path = index_path(number)
        tables.entries, entries = _read_whole(self._log, f"tile/{ENTRIES}/{path}", tables.entries)
        tables.tile, tile = _read_whole(self._log, f"tile/0/{path}", tables.tile)
        payloads = _NOTHING
        if self._payloads is not None:
            tables.payloads, payloads = _read_whole(self._payloads, path, tables.payloads)
        sound = kernels.judge_bundle(
            number * BUNDLE,
            entries,
            tile,
            payloads,
            self._has_envelopes,
            self._payloads is not None,
            tables.hashes,
            tables.facts,
            tables.judged,
        )
        return self._describe(number * BUNDLE, entries, entries.size + tile.size, payloads, tables) if sound else None

    def _describe(self, base: int, entries: Buffer, bytes_read: int, payloads: Buffer, tables: _Tables) -> JudgedBundle:
        root = tables.hashes[0].tobytes()
        if not self._has_envelopes:
            return JudgedBundle(root, 2, bytes_read)
        first, last, streams, types, waiting, erased, withheld = tables.facts[: kernels.NAMES].tolist()
        names = tables.facts[kernels.NAMES : kernels.NAMES + kernels.NAME_COLUMNS * (streams + types)]
        numbers = [
            (str(entries[at : at + length].data, "ascii"), one, other)
            for at, length, one, other in names.reshape(-1, kernels.NAME_COLUMNS).tolist()
        ]
        judged = tables.judged
        return JudgedBundle(
            root,
            2,
            bytes_read,
            first,
            last,
            numbers[:streams],
            [(text, count) for text, count, _ in numbers[streams:]],
            [base + at for at in judged[BUNDLE - erased :, kernels.POSITION].tolist()] if erased else (),
            withheld,
            [
                Waiting(base + at, start, payloads[start:end].tobytes(), entries[a:b].tobytes())
                for at, start, end, a, b in judged[:waiting].tolist()
            ]
            if waiting
            else (),
            payloads.size,
        )


def _read_whole(fill: Fill, path: str, buffer: Buffer) -> tuple[Buffer, Buffer]:
    """The buffer, a larger one where the file asked for it, and the part of it that the file fills: none if missing."""
    size = fill(path, buffer)
    while size > buffer.size:
        buffer = np.empty(size + size // 4, np.uint8)
        size = fill(path, buffer)
    # a missing file is as good as an empty one: neither is a sound bundle, and neither has the length of a tile
    return buffer, buffer[: max(size, 0)]
