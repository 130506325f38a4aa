"""Which terms of a deviation a record with gaps has, and how many pairs of them at each lag."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.stability.records import Record

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def has_gaps(record: Record) -> bool:
    """Whether any point is missing, or phase is cut into stretches."""
    return record.starts.size != 1 or bool(np.isnan(record.x).any())


def present_terms(record: Record, points: IntArray) -> BoolArray:
    """Places i at which every phase i + points is there and in the same stretch: bool[n − last point]."""
    last = int(points[-1])
    size = record.x.size - last
    there = np.zeros(size, dtype=bool)
    for start, stop in zip(record.starts.tolist(), record.stops.tolist(), strict=True):
        there[start : max(stop - last, start)] = True
    known = ~np.isnan(record.x)
    for offset in points.tolist():
        there &= known[offset : offset + size]
    return there


def windows(record: Record, span: int) -> BoolArray:
    """Places at which `span` consecutive points are there and in the same stretch."""
    there = np.zeros(record.x.size - span + 1, dtype=bool)
    whole = record.finite_stretches()
    for start, stop in zip(whole.starts.tolist(), whole.stops.tolist(), strict=True):
        there[start : max(stop - span + 1, start)] = True
    return there


def pairs_at(there: BoolArray | int, lags: IntArray) -> NDArray[np.float64]:
    """Pairs of terms (i, i + lag) that are both there; an integer stands for that many terms without a gap."""
    if isinstance(there, int):
        return np.maximum(there - lags, 0).astype(np.float64)
    # a byte a term: no slower than by Fourier transform for the lags that are asked for, and a sixteenth of its memory
    size = there.size
    return np.array([np.count_nonzero(there[lag:] & there[: size - lag]) for lag in lags.tolist()], dtype=np.float64)
