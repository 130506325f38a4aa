"""Uncertainty of a link: what its own scatter says (uA), what its calibration says (uB), and both together.

uA is a standard error by batch means: of averages over 1, 2, 4, … epochs, as long as eight are left, the largest is
taken, because the errors of satellites and multipath last longer than a track and do not average down as white noise
does. A line is taken out before: a rate between the clocks is no error of the link. All are k = 1.
"""

from __future__ import annotations

import math

import numpy as np

from timeball.readings import EpochArray, FloatArray

BATCHES = 8
DAY_NS = 86_400 * 10**9
YEAR_DAYS = 365.25


def standard_error(epoch: EpochArray, x_s: FloatArray) -> float:
    """Give uA (s) of the mean of a series; NaN for fewer than three values."""
    n = x_s.size
    if n < 3:
        return math.nan
    residual = _without_line(epoch, x_s)
    largest, length = 0.0, 1
    while length == 1 or n // length >= BATCHES:
        count = n // length
        means = residual[: count * length].reshape(count, length).mean(axis=1)
        freedom = max(count - 2, 1) if length == 1 else count - 1  # a line took two
        largest = max(largest, float(np.sqrt(((means - means.mean()) ** 2).sum() / freedom / count)))
        length *= 2
    return largest


def aged(u_s: float, age_days: float, ageing_s_per_year: float) -> float:
    """Give the uncertainty of a calibration of that age: u² and what its delays may have moved since, in squares."""
    return math.hypot(u_s, ageing_s_per_year * max(age_days, 0.0) / YEAR_DAYS)


def together(*parts_s: float) -> float:
    """Add uncertainties in squares; those that are not known (NaN) are left out, and NaN when none is."""
    known = [part for part in parts_s if math.isfinite(part)]
    return math.hypot(*known) if known else math.nan


def _without_line(epoch: EpochArray, x_s: FloatArray) -> FloatArray:
    t = (epoch - epoch[0]) / DAY_NS
    t = t - t.mean()
    spread = float((t * t).sum())
    slope = float((t * (x_s - x_s.mean())).sum()) / spread if spread > 0 else 0.0
    residual: FloatArray = x_s - x_s.mean() - slope * t
    return residual
