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
    for _ in range(ROUNDS):
        if out.all():
            break
        residual = x_s - _level(epoch, x_s, ~out, window_s)
        scale_s = max(NORMAL * float(np.median(np.abs(residual[~out]) / root[~out])), RESOLUTION_S)
        found = np.abs(residual) > sigmas * scale_s * np.maximum(root, RESOLUTION_S / scale_s)
        if np.array_equal(found, out):
            break
        out = out | found
    return out, residual


def _level(epoch: EpochArray, x_s: FloatArray, good: MaskArray, window_s: float) -> FloatArray:
    """Give the median of the good values within half a window of each epoch; with none there, of all."""
    epochs, row = np.unique(epoch, return_inverse=True)
    half_ns = round(window_s * 1e9 / 2)
    near, values = epoch[good], x_s[good]
    low = np.searchsorted(near, epochs - half_ns, side="left").tolist()
    high = np.searchsorted(near, epochs + half_ns, side="right").tolist()
    whole = float(np.median(values))
    levels = [float(np.median(values[i:j])) if j > i else whole for i, j in zip(low, high, strict=True)]
    return np.array(levels)[row]
