"""CGGTTS: how long a day of all in view takes to be read and written, and what a file of years takes.

The day is a real one: a GTR51 that follows Galileo on four codes, 2 236 tracks. Years are that day 230 times over. The
peer is our own reader, line by line: what the arrays are worth; no other reader is at hand.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure, Skip
from bench.measure import medians
from timeball.formats.cggtts import read_cggtts
from timeball.formats.cggtts.writer import write_cggtts
from timeball.station.hosttime.leaps import load_leap_table

ROOM = "formats"
DAY = Path(__file__).resolve().parents[2] / "shared" / "data" / "nav-solutions-data" / "CGGTTS" / "EZGTR60.258"
DAYS = 230
HEADER_LINES = 19


def figures() -> Iterator[Figure | Skip]:
    """Give the times of a day, and the rate and the memory of years."""
    if not DAY.exists():
        yield Skip("a day of CGGTTS", "the real file is not here")
        return
    leaps, data = load_leap_table(), DAY.read_bytes()
    day = read_cggtts(data, DAY.name, leaps)
    taken = medians(
        {
            "read": lambda: read_cggtts(data, DAY.name, leaps),
            "lines": lambda: read_cggtts(data, DAY.name, leaps, arrays=False),
            "write": lambda: write_cggtts(day),
        },
        rounds=5,
    )
    read, lines, write = (taken[name] for name in ("read", "lines", "write"))
    name, peer = f"CGGTTS: a day of {len(day.tracks)} tracks read", f"line by line {lines * 1e3:.0f} ms"
    yield Figure(name, ROOM, read * 1e3, "ms", peer, lines / read, "< 20 ms", read < 0.02)
    yield Figure("CGGTTS: the same written", ROOM, write * 1e3, "ms", None, None, "< 100 ms", write < 0.1)
    yield from _years(data)


def _years(data: bytes) -> Iterator[Figure]:
    lines = data.split(b"\n")
    body = b"\n".join(lines[HEADER_LINES:]) + b"\r\n"
    long = b"\n".join(lines[:HEADER_LINES]) + b"\n" + body * DAYS
    leaps = load_leap_table()
    taken = medians({"read": lambda: read_cggtts(long, "long", leaps)}, rounds=1)
    rate = len(long) / 1e6 / taken["read"]
    yield Figure(f"CGGTTS: {len(long) / 1e6:.0f} MB read", ROOM, rate, "MB/s", None, None, "> 20 MB/s", rate > 20)
    tracemalloc.start()
    read_cggtts(long, "long", leaps)
    factor = tracemalloc.get_traced_memory()[1] / len(long)
    tracemalloc.stop()
    yield Figure("CGGTTS: memory for it, beside its bytes", ROOM, factor, "× its size", None, None, "< 4 ×", factor < 4)
