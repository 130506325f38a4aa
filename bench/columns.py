"""Plain columns: what a long file costs in time and memory, with tags and without, fed piece by piece.

The file is white phase noise, 20 MB, made up on the way, so that what is measured is the reader's memory and not the
file's. The peer is numpy's loadtxt, which reads one column, knows no tags and stops at the first bad line.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np

from bench.figure import Figure, Skip
from bench.measure import medians
from timeball.formats import ColumnsReader

ROOM = "formats"
BYTES = 20_000_000
PIECE_LINES = 50_000
SEED = 20_261_123
Lines = Callable[[int], bytes]


def figures() -> Iterator[Figure | Skip]:
    """Give rate and memory of both forms, and the ratio to numpy's reader."""
    values = [f"{x:.14e}" for x in np.random.default_rng(SEED).normal(0, 1e-9, PIECE_LINES)]
    plain = ("\n".join(values) + "\n").encode()

    def tagged(piece: int) -> bytes:
        first = piece * PIECE_LINES
        return "".join(f"{60_000 + (first + k) / 86_400:.11f} {x}\n" for k, x in enumerate(values)).encode()

    part = plain * (BYTES // 4 // len(plain))
    taken = medians({"ours": lambda: _read(lambda _: part, 1), "numpy": lambda: np.loadtxt(BytesIO(part))}, rounds=3)
    ours, peer = taken["ours"], taken["numpy"]
    rate = len(part) / 1e6 / ours
    told = f"numpy.loadtxt {len(part) / 1e6 / peer:.0f} MB/s"
    yield Figure("columns: one column read", ROOM, rate, "MB/s", told, peer / ours)
    pieces = [tagged(piece) for piece in range(2)]
    size = sum(map(len, pieces))
    seconds = medians({"tagged": lambda: _read(pieces.__getitem__, len(pieces))}, rounds=3)["tagged"]
    yield Figure("columns: tagged with MJD, read", ROOM, size / 1e6 / seconds, "MB/s")
    for name, lines in (("one column", lambda _: plain), ("tagged with MJD", tagged)):
        yield _memory(f"columns: memory for 20 MB, {name}", lines)


def _memory(name: str, lines: Lines) -> Figure:
    count = BYTES // len(lines(0))
    tracemalloc.start()
    _read(lines, count)
    factor = tracemalloc.get_traced_memory()[1] / BYTES
    tracemalloc.stop()
    return Figure(name, ROOM, factor, "× its size", None, None, "< 4 ×", factor < 4)


def _read(lines: Lines, count: int) -> int:
    reader = ColumnsReader("bench")
    for piece in range(count):
        reader.feed(lines(piece))
    return len(reader.finish().readings)
