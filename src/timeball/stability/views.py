"""A record as people look at it: its phase, its frequency over a time, and so few points that a screen can show them.

Frequency at an averaging time is that of blocks side by side, not overlapping. A missing value (NaN) stays missing in
whatever needs it: no view bridges a gap. Sign: as the record, clock minus what it was compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.errors import FactorError
from timeball.stability.records import check_interval, check_values, phase_from_frequency

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """Values float64[n] at times t_s float64[n] (s from the first sample of the record), rising; NaN where missing."""

    t_s: FloatArray
    values: FloatArray


def phase_view(values: ArrayLike, tau0_s: float, *, kind: str = "phase") -> View:
    """Phase (s) of a record of phase or of fractional frequency, which gives one value more.

    Raises RecordError; FrequencyGapError for a record of frequency with a gap, after which its phase is not known.
    """
    tau0_s = check_interval(tau0_s)
    x = phase_from_frequency(values, tau0_s) if kind == "frequency" else check_values(values, "x")
    return View(_times(np.arange(x.size), tau0_s), x)


def frequency_view(values: ArrayLike, tau0_s: float, m: int = 1, *, kind: str = "phase") -> View:
    """Fractional frequency over m intervals, one value a block of them, at the middle of the block.

    Of phase it is (x[k+m] − x[k])/(m τ₀): a gap inside the block costs nothing, one at its ends the value. Of frequency
    it is the mean, and every value of the block must be there. Raises RecordError, and FactorError for a block longer
    than the record.
    """
    tau0_s = check_interval(tau0_s)
    known = check_values(values, "values")
    intervals = known.size - (0 if kind == "frequency" else 1)
    if not 1 <= m <= intervals:
        raise FactorError(f"frequency over {m} intervals of a record of {max(intervals, 0)}")
    blocks = intervals // m
    if kind == "frequency":
        y = known[: blocks * m].reshape(blocks, m).mean(axis=1)
    else:
        y = np.diff(known[: blocks * m + 1 : m]) / (m * tau0_s)
    return View(_times(np.arange(blocks) + 0.5, m * tau0_s), np.asarray(y))


def thinned(view: View, most: int = 6000) -> View:
    """Keep about `most` points: of each bucket its lowest and its highest, so that no excursion is lost.

    A bucket without any value leaves one NaN, so that a gap stays one.
    """
    size = -(-2 * view.values.size // most)
    if view.values.size <= most or size < 2:
        return view
    buckets = -(-view.values.size // size)
    padded = np.full(buckets * size, np.nan)
    padded[: view.values.size] = view.values
    table = padded.reshape(buckets, size)
    missing = np.isnan(table)
    low = np.argmin(np.where(missing, np.inf, table), axis=1)
    high = np.argmax(np.where(missing, -np.inf, table), axis=1)
    places = np.unique((np.arange(buckets) * size + np.array([low, high])).ravel())
    places = places[places < view.values.size]
    return View(view.t_s[places], view.values[places])


def _times(places: ArrayLike, step_s: float) -> FloatArray:
    times: FloatArray = np.asarray(places, dtype=np.float64) * step_s
    return times


def alone(values: FloatArray) -> NDArray[np.bool_]:
    """Mark values without a neighbour on either side, which a line alone would not show."""
    there = np.concatenate(([False], np.isfinite(values), [False]))
    return np.asarray(there[1:-1] & ~there[:-2] & ~there[2:])
