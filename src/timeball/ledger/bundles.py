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
Sizes = NDArray[np.int64]
# Fills row i of uint8[n, m] with the file at path i, and gives its size in sizes[i]: MISSING when there is none; when
# it is above m, what the row holds is worth nothing. Rows are contiguous, sizes of any stride.
Fill = Callable[[Sequence[str], Buffer, Sizes], None]
# Bytes of a row, to begin with: of entries, of a tile and one byte more, of payloads
_FIRST_ROWS = (1 << 16, BUNDLE * kernels.HASH_BYTES + 1, 1 << 17)
# Rows that are longer are read one bundle at a time, not a span: memory stays flat
_LONG_ROW = 1 << 20
_ENTRIES, _TILE, _PAYLOADS = range(3)


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
    """The arrays that `count` bundles are read and judged in; one thread's, used for one span after the other."""

    def __init__(self, count: int) -> None:
        self.files = [np.empty((count, length), np.uint8) for length in _FIRST_ROWS]
        self.sizes = np.zeros((count, 3), np.int64)
        self.hashes = np.empty((BUNDLE, kernels.HASH_BYTES), np.uint8)
        self.facts = np.empty((count, kernels.FACTS), np.int64)
        self.judged = np.empty((count, BUNDLE, kernels.JUDGED_COLUMNS), np.int64)
        self.roots = np.empty((count, kernels.HASH_BYTES), np.uint8)


def fill_by(read: Read) -> Fill:
    """A `Fill` where there is only a `Read`."""

    def fill(paths: Sequence[str], rows: Buffer, sizes: Sizes) -> None:
        for i, path in enumerate(paths):
            data = read(path)
            sizes[i] = MISSING if data is None else len(data)
            if data is not None and len(data) <= rows.shape[1]:
                rows[i, : len(data)] = np.frombuffer(data, np.uint8)

    return fill


class BundleJudge:
    """Judges the complete bundles of one log; `payloads` is None when payloads are not at hand."""

    def __init__(self, log: Fill, payloads: Fill | None, has_envelopes: bool) -> None:
        self._log = log
        self._payloads = payloads if has_envelopes else None
        self._has_envelopes = has_envelopes
        self._spare: dict[int, list[_Tables]] = {SPAN: [], 1: []}

    def judge_span(self, numbers: range) -> list[JudgedBundle | None]:
        """Judge some bundles in a row, in order; ValueError for more than SPAN of them."""
        if len(numbers) > SPAN:
            raise ValueError(f"a span has at most {SPAN} bundles, not {len(numbers)}")
        spare = self._spare[SPAN if len(numbers) > 1 else 1]
        tables = spare.pop() if spare else _Tables(SPAN if len(numbers) > 1 else 1)
        try:
            if not self._read(numbers, tables):
                return [judged for number in numbers for judged in self.judge_span(range(number, number + 1))]
            count = len(numbers)
            kernels.judge_bundles(
                numbers.start * BUNDLE,
                tables.files[_ENTRIES],
                tables.files[_TILE],
                tables.files[_PAYLOADS],
                tables.sizes[:count],
                self._has_envelopes,
                self._payloads is not None,
                tables.hashes,
                tables.facts,
                tables.judged,
                tables.roots,
            )
            facts = tables.facts[:count, : kernels.NAMES].tolist()
            return [
                None if facts[i][0] == kernels.REFUSED else self._describe(number * BUNDLE, tables, i, facts[i])
                for i, number in enumerate(numbers)
            ]
        finally:
            spare.append(tables)

    def _read(self, numbers: range, tables: _Tables) -> bool:
        """Read the files of some bundles; False when they are too long to be read together."""
        names = [index_path(number) for number in numbers]
        wanted = [
            (_ENTRIES, self._log, [f"tile/{ENTRIES}/{name}" for name in names]),
            (_TILE, self._log, [f"tile/0/{name}" for name in names]),
        ]
        tables.sizes[:, _PAYLOADS] = 0
        if self._payloads is not None:
            wanted.append((_PAYLOADS, self._payloads, names))
        for kind, fill, paths in wanted:
            sizes = tables.sizes[: len(paths), kind]
            fill(paths, tables.files[kind], sizes)
            while kind != _TILE and (longest := int(sizes.max())) > tables.files[kind].shape[1]:
                if longest > _LONG_ROW and len(paths) > 1:
                    return False
                tables.files[kind] = np.empty((len(tables.files[kind]), longest + longest // 4), np.uint8)
                fill(paths, tables.files[kind], sizes)
        return True

    def _describe(self, base: int, tables: _Tables, row: int, facts: list[int]) -> JudgedBundle:
        root = tables.roots[row].tobytes()
        length, tile, payload_bytes = tables.sizes[row].tolist()
        if not self._has_envelopes:
            return JudgedBundle(root, 2, length + tile)
        entries, payloads, judged = tables.files[_ENTRIES][row], tables.files[_PAYLOADS][row], tables.judged[row]
        first, last, streams, types, waiting, erased, withheld = facts
        names = tables.facts[row, kernels.NAMES : kernels.NAMES + kernels.NAME_COLUMNS * (streams + types)]
        numbers = [
            (str(entries[at : at + size].data, "ascii"), one, other)
            for at, size, one, other in names.reshape(-1, kernels.NAME_COLUMNS).tolist()
        ]
        return JudgedBundle(
            root,
            2,
            length + tile,
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
            payload_bytes,
        )
