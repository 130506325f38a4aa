"""Between which normal deviates an estimate is no surprise, near a bound and far from it, and skewed deviates.

A coefficient cannot be negative, its unconstrained estimate can. Feldman and Cousins (Phys. Rev. D 57, 1998) order the
estimates by the likelihood ratio against the best value allowed: far from zero the deviates are ±z of a two-sided test,
at zero the upper is that of a one-sided test, and no interval is ever empty.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
NORMAL = NormalDist()
POINTS = 129
HALVINGS = 40


def deviates(distance: float, confidence: float) -> tuple[float, float]:
    """Lower and upper deviate for a true value that lies `distance` standard deviations of its estimate above zero."""
    grid, above = _table(confidence)
    if distance <= 0.0:
        return -float("inf"), float(above[0])
    if distance >= grid[-1]:
        return -float(above[-1]), float(above[-1])
    upper = float(np.interp(distance, grid, above))
    return -0.5 * (upper * upper / distance + distance), upper


def skewed(skew: float, z: float) -> float:
    """Standardised quantile of Pearson's type III of this skewness at the normal deviate z (Wilson and Hilferty)."""
    if skew < 0.0:
        return -skewed(-skew, -z)
    if skew < 1e-3:
        return z + skew * (z * z - 1.0) / 6.0 if abs(z) < 1e3 else z
    cube = max(1.0 + skew * z / 6.0 - skew * skew / 36.0, 0.0)
    return (2.0 / skew) * (cube**3 - 1.0)


@lru_cache(maxsize=16)
def _table(confidence: float) -> tuple[FloatArray, FloatArray]:
    """Distances from 0 to where both sides are alike, and the upper deviate at each."""
    both = NORMAL.inv_cdf(0.5 + 0.5 * confidence)
    grid = np.linspace(0.0, both, POINTS)
    above = np.array([_upper(float(t), confidence, both) for t in grid])
    return grid, above


def _upper(distance: float, confidence: float, both: float) -> float:
    """The upper deviate z: Φ(z) − Φ(−(z²/t + t)/2) = confidence, t the distance, up to where t = z."""
    if distance == 0.0:
        return NORMAL.inv_cdf(confidence)
    low, high = NORMAL.inv_cdf(confidence), both
    for _ in range(HALVINGS):
        z = 0.5 * (low + high)
        inside = NORMAL.cdf(z) - NORMAL.cdf(-0.5 * (z * z / distance + distance))
        low, high = (z, high) if inside < confidence else (low, z)
    return 0.5 * (low + high)
