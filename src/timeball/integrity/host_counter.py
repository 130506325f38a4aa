"""The host's counter as a clock: the straight line between CLOCK_MONOTONIC_RAW and the output signal.

A reading is x = (RAW + anchor) − output time, in seconds at an epoch of output time; `anchor` (ns) is fixed for a boot.
`fit_counter` turns the latest readings into the line that the clock page carries. It does not judge the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SAMPLES = 3
OUTLIER = 6.0
"""A reading further than this many robust standard deviations from the line is left out."""
LEAST_SPREAD_S = 1e-12
MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for normal noise."""
ROUNDS = 3
FS_PER_NS = 1_000_000

FloatArray = NDArray[np.float64]


class CounterUnknown(ValueError):
    """The readings do not say what the counter shows; one sentence."""


@dataclass(frozen=True, slots=True)
class CounterLine:
    """RAW `raw_ns` is output time `tai_ns` + `tai_frac_fs` fs; `rate` is d(output time)/d(RAW) − 1.

    `u_s` and `u_rate` are standard uncertainties (k = 1) at `raw_ns`; `used` readings stand behind them.
    """

    raw_ns: int
    tai_ns: int
    tai_frac_fs: int
    rate: float
    u_s: float
    u_rate: float
    used: int


@dataclass(frozen=True, slots=True)
class _Line:
    """x = offset + y t, with standard uncertainties (k = 1) of both at t = 0."""

    offset: float
    y: float
    u_s: float
    u_y: float


def fit_counter(epochs: NDArray[np.int64], x: FloatArray, anchor_ns: int, floor_s: float = 0.0) -> CounterLine:
    """Fit x(epoch) by least squares, outliers left out, and give the line at the last epoch.

    epochs: int64[n] ns of output time, increasing; x: float64[n] s. `floor_s`: least standard deviation of a reading,
    which keeps a few lucky ones from promising too much. Raises `CounterUnknown` below three readings, and when the
    last three have all left the line: then the counter, or what it is read against, has jumped.
    """
    if len(epochs) < LEAST_SAMPLES:
        raise CounterUnknown(f"{len(epochs)} readings of the host counter, {LEAST_SAMPLES} are needed")
    t = (epochs - epochs[-1]) / 1e9
    keep = _in_line(t, x, floor_s)
    if not bool(keep[-LEAST_SAMPLES:].any()):
        raise CounterUnknown(
            f"the last {LEAST_SAMPLES} readings of the host counter do not lie in line with the others"
        )
    line = _least_squares(t[keep], x[keep], floor_s)
    return _at_last(int(epochs[-1]), anchor_ns, line, int(keep.sum()))


def _in_line(t: FloatArray, x: FloatArray, floor_s: float) -> NDArray[np.bool_]:
    """Which readings lie in one line: first against the median line, which a third of them cannot bend, then anew."""
    slope = _median_slope(t, x)
    residuals = x - slope * t
    residuals = residuals - np.median(residuals)
    keep = np.ones(len(t), bool)
    for _ in range(ROUNDS):
        spread = max(MAD_TO_SIGMA * float(np.median(np.abs(residuals[keep]))), floor_s, LEAST_SPREAD_S)
        fresh = np.abs(residuals) <= OUTLIER * spread
        if fresh.sum() < LEAST_SAMPLES or bool((fresh == keep).all()):
            break
        keep = fresh
        line = _least_squares(t[keep], x[keep], floor_s)
        residuals = x - (line.offset + line.y * t)
    return keep


def _median_slope(t: FloatArray, x: FloatArray) -> float:
    """Median of the slopes of all pairs (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(t), 1)
    span = t[second] - t[first]
    apart = span > 0.0
    return float(np.median((x[second] - x[first])[apart] / span[apart])) if bool(apart.any()) else 0.0


def _least_squares(t: FloatArray, x: FloatArray, floor_s: float) -> _Line:
    """The line through three readings or more; its uncertainties come from their scatter, at least `floor_s`."""
    n = len(t)
    mean_t, mean_x = float(t.mean()), float(x.mean())
    centred = t - mean_t
    s_tt = float(np.dot(centred, centred))
    y = float(np.dot(centred, x - mean_x)) / s_tt if s_tt else 0.0
    residuals = (x - mean_x) - y * centred
    spread = max(float(np.sqrt(np.dot(residuals, residuals) / (n - 2))), floor_s)
    u_y = spread / float(np.sqrt(s_tt)) if s_tt else float("inf")
    u_s = spread * float(np.sqrt(1 / n + mean_t**2 / s_tt)) if s_tt else float("inf")
    return _Line(mean_x - y * mean_t, y, u_s, u_y)


def _at_last(epoch: int, anchor_ns: int, line: _Line, used: int) -> CounterLine:
    """The line at a whole nanosecond of RAW; what is left of it goes into the fraction."""
    whole_ns = int(np.floor(line.offset * 1e9))
    left_ns = line.offset * 1e9 - whole_ns
    rate = 1.0 / (1.0 + line.y) - 1.0
    carry, frac_fs = divmod(-round(left_ns * (1.0 + rate) * FS_PER_NS), FS_PER_NS)
    return CounterLine(epoch - anchor_ns + whole_ns, epoch + carry, frac_fs, rate, line.u_s, line.u_y, used)
