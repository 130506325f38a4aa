"""Readings put on an even grid, so that records taken at different times of day can be compared.

Sign: as the readings, x_a − x_b. Between two readings of a pair the phase is a straight line; nothing is carried past
the first or the last of them, nor across a gap. What it does not do: average, or smooth.
"""

from __future__ import annotations

import numpy as np

from timeball.instants import DAY_NS, MJD_OF_1970
from timeball.readings.record import Readings, ReadingsError

# days of the grid of Circular T, MJD ending in 4 and 9, counted from 1970
CIRCULAR_T_PHASE_NS = ((4 - MJD_OF_1970) % 5) * DAY_NS


def on_grid(readings: Readings, every_s: float, phase_ns: int = 0, gap_s: float | None = None) -> Readings:
    """Every pair of clocks by straight lines at the epochs phase_ns + k · every_s (ns of TAI).

    gap_s: a gap wider than that is not bridged; default two grid intervals. u is the larger of the two neighbours'.
    Raises ``ReadingsError`` for an interval that is not positive.
    """
    every_ns = round(every_s * 1e9)
    if every_ns <= 0:
        raise ReadingsError(f"a grid of {every_s} s is none")
    gap_ns = 2 * every_ns if gap_s is None else round(gap_s * 1e9)
    parts = [readings.take(np.zeros(len(readings), dtype=bool))]
    for a, b in sorted(set(zip(readings.a.tolist(), readings.b.tolist(), strict=True))):
        pair = readings.take((readings.a == a) & (readings.b == b) & np.isfinite(readings.x)).sorted()
        if len(pair):
            parts.append(_pair_on_grid(pair, every_ns, phase_ns, gap_ns))
    return Readings.concat(parts)


def _pair_on_grid(pair: Readings, every_ns: int, phase_ns: int, gap_ns: int) -> Readings:
    epochs, places = np.unique(pair.epoch, return_index=True)
    x, u = pair.x[places], pair.u[places]
    first = -((phase_ns - int(epochs[0])) // every_ns)
    last = (int(epochs[-1]) - phase_ns) // every_ns
    wanted = phase_ns + every_ns * np.arange(first, last + 1, dtype=np.int64)
    right = np.searchsorted(epochs, wanted)  # the first reading at or after each
    left = np.where(epochs[np.minimum(right, len(epochs) - 1)] == wanted, right, right - 1)
    near = (left >= 0) & (right < len(epochs))
    wanted, left, right = wanted[near], left[near], right[near]
    apart = epochs[right] - epochs[left]
    near = apart <= gap_ns
    wanted, left, right, apart = wanted[near], left[near], right[near], apart[near]
    part = (wanted - epochs[left]) / np.maximum(apart, 1)
    values = x[left] + part * (x[right] - x[left])
    count = len(wanted)
    a, b = np.full(count, pair.a[0]), np.full(count, pair.b[0])
    return Readings.from_columns(pair.clocks, wanted, a, b, values, np.maximum(u[left], u[right]))
