"""Outliers of a series with several values at an epoch, by the median of what lies near and the median deviation.

The level is a running median, so a clock's rate and a step are no outliers. Scale: 1.4826 times the median absolute
deviation, which is the standard deviation of a normal law; at least the resolution of the files. Where values are
expected to scatter differently, each is measured by its own.
"""

from __future__ import annotations

import numpy as np

from timeball.readings import EpochArray, FloatArray
from timeball.transfer.tracks import MaskArray

NORMAL = 1.4826
WINDOW_S = 3 * 3600.0
RESOLUTION_S = 0.1e-9 / 12**0.5  # CGGTTS prints tenths of ns
ROUNDS = 10


def outliers(
    epoch: EpochArray, x_s: FloatArray, sigmas: float, window_s: float = WINDOW_S, variance: FloatArray | None = None
) -> tuple[MaskArray, FloatArray]:
    """Tell which values are more than ``sigmas`` scales from the running median, and give every residual (s).

    epoch: int64[n], rising; x_s: float64[n], finite. variance: float64[n], relative, by which the values are expected
    to scatter (a low satellite is no outlier); None: alike. Repeated without those found until none is new.
    """
    out = np.zeros(x_s.shape, dtype=bool)
    residual = np.zeros(x_s.shape)
    root = np.ones(x_s.shape) if variance is None else np.sqrt(variance / np.median(variance))
    level = _Level(epoch, x_s, window_s)
    for _ in range(ROUNDS):
        if out.all():
            break
        residual = x_s - level.without(out)
        scale_s = max(NORMAL * float(np.median(np.abs(residual[~out]) / root[~out])), RESOLUTION_S)
        found = np.abs(residual) > sigmas * scale_s * np.maximum(root, RESOLUTION_S / scale_s)
        if np.array_equal(found, out):
            break
        out = out | found
    return out, residual


class _Level:
    """The median of the values within half a window of each epoch; where none is left, of all that are."""

    def __init__(self, epoch: EpochArray, x_s: FloatArray, window_s: float) -> None:
        epochs, row = np.unique(epoch, return_inverse=True)
        half_ns = round(window_s * 1e9 / 2)
        self.x_s, self.row = x_s, row
        self.low = np.searchsorted(epoch, epochs - half_ns, side="left")
        self.high = np.searchsorted(epoch, epochs + half_ns, side="right")
        self.medians = np.full(epochs.shape, np.nan)
        self.gone = np.full(epochs.shape, -1)  # values out of each window at the last call

    def without(self, out: MaskArray) -> FloatArray:
        """Give it for every value, with those that are out left out. Only windows that lost one are looked at again."""
        before = np.concatenate([[0], np.cumsum(out)])
        gone = before[self.high] - before[self.low]
        good, place = self.x_s[~out], np.arange(before.size) - before  # of each value among the good ones
        low, high = place[self.low].tolist(), place[self.high].tolist()
        for window in np.flatnonzero(gone != self.gone).tolist():
            values = good[low[window] : high[window]]
            self.medians[window] = _median(values) if values.size else np.nan
        self.gone = gone
        level: FloatArray = np.nan_to_num(self.medians, nan=_median(good))[self.row]
        return level


def _median(values: FloatArray) -> float:
    """Give the median of finite values: numpy's own, without what it does for others."""
    middle = values.size // 2
    if values.size % 2:
        return float(np.partition(values, middle)[middle])
    both = np.partition(values, (middle - 1, middle))
    return float(both[middle - 1] + both[middle]) / 2
