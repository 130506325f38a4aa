"""Readings put on an even grid, so that records taken at different times of day can be compared.

Sign: as the readings, x_a − x_b. The reading nearest to a grid epoch is carried there with the rate around it, the
median of the slopes between its neighbours: a step between two readings stays a step, which a straight line between
them would smear over two grid epochs. What it does not do: average, smooth, or carry across a gap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.instants import DAY_NS, MJD_OF_1970
from timeball.readings.record import EpochArray, FloatArray, Readings, ReadingsError

# days of the grid of Circular T, MJD ending in 4 and 9, counted from 1970
CIRCULAR_T_PHASE_NS = ((4 - MJD_OF_1970) % 5) * DAY_NS


def on_grid(readings: Readings, every_s: float, phase_ns: int = 0) -> Readings:
    """Every pair of clocks at the epochs phase_ns + k · every_s (ns of TAI).

    A grid epoch without a reading within half the interval stays empty. Raises ``ReadingsError`` for an interval that
    is not positive.
    """
    every_ns = round(every_s * 1e9)
    if every_ns <= 0:
        raise ReadingsError(f"a grid of {every_s} s is none")
    parts = [readings.take(np.zeros(len(readings), dtype=bool))]
    for a, b in sorted(set(zip(readings.a.tolist(), readings.b.tolist(), strict=True))):
        pair = readings.take((readings.a == a) & (readings.b == b) & np.isfinite(readings.x)).sorted()
        if len(pair):
            parts.append(_pair_on_grid(pair, every_ns, phase_ns))
    return Readings.concat(parts)


def _pair_on_grid(pair: Readings, every_ns: int, phase_ns: int) -> Readings:
    epochs, places = np.unique(pair.epoch, return_index=True)
    x, u = pair.x[places], pair.u[places]
    first = (int(epochs[0]) - phase_ns - every_ns // 2) // every_ns
    last = (int(epochs[-1]) - phase_ns + every_ns // 2) // every_ns
    wanted = phase_ns + every_ns * np.arange(first, last + 1, dtype=np.int64)
    right = np.clip(np.searchsorted(epochs, wanted), 0, len(epochs) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(epochs[left] - wanted) <= np.abs(epochs[right] - wanted), left, right)
    near = 2 * np.abs(epochs[nearest] - wanted) <= every_ns
    wanted, nearest = wanted[near], nearest[near]
    values = x[nearest] + _slopes(epochs, x, nearest) * (wanted - epochs[nearest])
    count = len(wanted)
    a, b = np.full(count, pair.a[0]), np.full(count, pair.b[0])
    return Readings.from_columns(pair.clocks, wanted, a, b, values, u[nearest])


def _slopes(epochs: EpochArray, x: FloatArray, nearest: npt.NDArray[np.intp]) -> FloatArray:
    """Median slope (s/ns) of the five intervals around each reading; 0 where the record has one reading only."""
    if len(epochs) < 2:
        return np.zeros(len(nearest))
    slopes = np.diff(x) / np.diff(epochs)
    around = np.clip(nearest[:, None] + np.arange(-3, 2), 0, len(slopes) - 1)
    median: FloatArray = np.median(slopes[around], axis=1)
    return median
