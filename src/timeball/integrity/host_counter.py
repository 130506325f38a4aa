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


class CounterUnknown(ValueError):
    """Too few readings to say what the counter shows."""


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


def fit_counter(epochs: NDArray[np.int64], x: NDArray[np.float64], anchor_ns: int, floor_s: float = 0.0) -> CounterLine:
    """Fit x(epoch) by least squares, outliers left out, and give the line at the last epoch.

    epochs: int64[n] ns of output time, increasing; x: float64[n] s. `floor_s`: least standard deviation of a reading,
    which keeps a few lucky ones from promising too much. Raises `CounterUnknown` below three readings.
    """
    if len(epochs) < LEAST_SAMPLES:
        raise CounterUnknown(f"{len(epochs)} readings of the host counter, {LEAST_SAMPLES} are needed")
    t = (epochs - epochs[-1]) / 1e9
    keep = np.ones(len(t), bool)
    for _ in range(3):
        offset, y, residuals = _line(t, x, keep)
        scale = max(1.4826 * float(np.median(np.abs(residuals[keep]))), floor_s, 1e-12)
        fresh = np.abs(residuals) <= OUTLIER * scale
        if fresh.sum() < LEAST_SAMPLES or bool((fresh == keep).all()):
            break
        keep = fresh
    spread = max(float(np.sqrt(np.mean(residuals[keep] ** 2) * len(t[keep]) / max(len(t[keep]) - 2, 1))), floor_s)
    centred = t[keep] - t[keep].mean()
    s_tt = float(np.dot(centred, centred)) or 1.0
    u = spread * float(np.sqrt(1 / keep.sum() + t[keep].mean() ** 2 / s_tt))
    return _at_last(int(epochs[-1]), anchor_ns, offset, y, u, spread / s_tt**0.5, int(keep.sum()))


def _line(
    t: NDArray[np.float64], x: NDArray[np.float64], keep: NDArray[np.bool_]
) -> tuple[float, float, NDArray[np.float64]]:
    """Offset at t = 0, slope, and the residuals of every reading."""
    mean_t, mean_x = float(t[keep].mean()), float(x[keep].mean())
    centred = t[keep] - mean_t
    s_tt = float(np.dot(centred, centred))
    slope = float(np.dot(centred, x[keep] - mean_x)) / s_tt if s_tt else 0.0
    offset = mean_x - slope * mean_t
    return offset, slope, x - (offset + slope * t)


def _at_last(epoch: int, anchor_ns: int, x_s: float, y: float, u_s: float, u_rate: float, used: int) -> CounterLine:
    """The line at a whole nanosecond of RAW; what is left of it goes into the fraction."""
    whole_ns = int(np.floor(x_s * 1e9))
    left_ns = x_s * 1e9 - whole_ns
    rate = 1.0 / (1.0 + y) - 1.0
    behind_fs = round(left_ns * (1.0 + rate) * 1e6)
    tai_ns, frac_fs = epoch, -behind_fs
    carry, frac_fs = divmod(frac_fs, 1_000_000)
    return CounterLine(epoch - anchor_ns + whole_ns, tai_ns + carry, frac_fs, rate, u_s, u_rate, used)
