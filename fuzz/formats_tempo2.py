"""Fuzz target: any bytes as a clock correction file of tempo2. Only FormatError may escape."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.formats import FormatError, WriteError, recognise, write_tempo2_clock
from timeball.formats.tempo2 import parse_tempo2_clock
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")


def seeds() -> Iterable[bytes]:
    """Give a small file to start from."""
    return (b"# UTC(AO) UTC(GPS) 1\n# remark\n0.0 0.0\n58000.0 1.5e-06\n58001.5 -2D-6  remark\n65000 1e-6\n",)


def target(data: bytes) -> None:
    """Read the bytes with a heading in front, and as they are."""
    for text in (data, b"# UTC(A) UTC(B)\n" + data):
        try:
            recognise(text)
            parsed = parse_tempo2_clock(text, "fuzz", LEAPS)
        except FormatError:
            continue
        assert len(parsed.readings) > 0
        assert np.all(np.isfinite(parsed.readings.x))
        assert parsed.header["from"] != parsed.header["to"]
        try:
            written = b"".join(write_tempo2_clock(parsed.readings, LEAPS))
        except WriteError:
            continue  # a heading may have given a name that has another form when it stands alone
        assert parse_tempo2_clock(written, "written", LEAPS).readings.equals(parsed.readings)
