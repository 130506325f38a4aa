"""Fuzz target: any bytes as a week of UTCr or a series of one laboratory. Only FormatError may escape."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.formats import FormatError, read_lab_series, read_utcr
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")
WEEK = b"""UTCr_2549
2025 DECEMBER 10, 12h UTC
Date 2025    0h UTC         DEC  1   DEC  2
       MJD                   61010    61011
Laboratory k            [UTCr-UTC(k)]/ns
OP   (Paris)                   0.2     -0.1
CAO  (Cagliari)                  -        -
"""
SERIES = b"# UTCr-UTC(AUS)\n57048 -451.0\n57049 -453.4 0.2 1.1\n57050 -\n"


def seeds() -> Iterable[bytes]:
    """Give one file of each kind to start from."""
    return WEEK, SERIES


def target(data: bytes) -> None:
    """Read the bytes as either; a series read in both ways gives the same values."""
    try:
        week = read_utcr(data, "fuzz", LEAPS, "LAB")
    except FormatError:
        week = None
    if week is not None:
        assert all(row.values_s.shape == week.epochs.shape for row in week.labs.values())
        assert len(week.readings()) <= len(week.labs) * len(week.mjd)
    try:
        points, defects = read_lab_series(data, "fuzz", LEAPS, "LAB")
    except FormatError:
        return
    assert np.all(np.diff(points.epochs) > 0)
    assert np.all(np.isfinite(points.values_s))
    if b"[UTCr-UTC(k)]" not in data and week is not None:
        values_s = week.labs["LAB"].values_s
        assert np.array_equal(values_s[np.isfinite(values_s)], points.values_s)
        assert list(week.defects) == defects
