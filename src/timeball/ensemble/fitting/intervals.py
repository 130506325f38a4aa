"""Confidence intervals of coefficients by turning a test round: every value at which the estimate is no surprise.

The unconstrained estimate of a coefficient θ is linear in the mean squares, so for any true value θ0 its mean is θ0,
its variance a quadratic in θ0, and its skewness that of a sum of squares; its quantiles are those of Pearson's type III
by Wilson and Hilferty's cube. The interval holds every θ0 ≥ 0 for which the estimate lies between its quantiles: near
zero it begins at zero, and far from zero with few degrees of freedom it is that of a chi-square.

Skewness: the third cumulant of three mean squares is 8 tr(A B C) and not known from their covariances; it is taken as
2 C_ab C_bc C_ca / ∛(C_aa V_a · C_bb V_b · C_cc V_c), which is exact when the three are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
DOUBLINGS, HALVINGS = 60, 50
LARGEST_SKEW = 2.5


@dataclass(frozen=True, eq=False)
class Estimator:
    """How the estimate of one coefficient spreads, as a function of its true value.

    estimate: the unconstrained one. gain: float64[l], what it takes of the mean squares of its own clock. rest: the
    variance that does not depend on θ0. constant, linear, square: float64[l, l], covariance of those mean squares by
    powers of θ0. level, slope: float64[l], their expectations.
    """

    estimate: float
    gain: FloatArray
    rest: float
    constant: FloatArray
    linear: FloatArray
    square: FloatArray
    level: FloatArray
    slope: FloatArray

    def quantile(self, theta: float, z: float) -> float:
        """Quantile, at the normal deviate z, of the estimate when the true value is θ."""
        covariance = self.constant + theta * (self.linear + theta * self.square)
        variance = self.rest + float(self.gain @ covariance @ self.gain)
        sigma = math.sqrt(max(variance, 0.0))
        if sigma == 0.0:
            return theta
        own = np.maximum(np.diag(covariance) * (self.level + theta * self.slope), 1e-300)
        turned = (self.gain / np.cbrt(own))[:, None] * covariance
        skew = 2.0 * float(np.trace(turned @ turned @ turned)) / sigma**3
        return theta + sigma * _deviate(max(-LARGEST_SKEW, min(LARGEST_SKEW, skew)), z)


def interval(estimator: Estimator, confidence: float) -> tuple[float, float]:
    """Lower and upper end of the interval for θ at a confidence between 0 and 1."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    start = max(estimator.estimate, math.sqrt(max(estimator.rest, 0.0)), 1e-300)
    low = _root(lambda theta: estimator.quantile(theta, z) - estimator.estimate, start)
    # an estimate below zero says no more against a coefficient than one of zero
    high = _root(lambda theta: estimator.quantile(theta, -z) - max(estimator.estimate, 0.0), start)
    return low, high


def _deviate(skew: float, z: float) -> float:
    """Standardised quantile of Pearson's type III of this skewness at the normal deviate z (Wilson and Hilferty)."""
    if skew < 0.0:
        return -_deviate(-skew, -z)
    if skew < 1e-3:
        return z + skew * (z * z - 1.0) / 6.0
    cube = max(1.0 + skew * z / 6.0 - skew * skew / 36.0, 0.0)
    return (2.0 / skew) * (cube**3 - 1.0)


def _root(rising: Callable[[float], float], start: float) -> float:
    """Where a rising function of θ ≥ 0 reaches zero; 0 where it begins above."""
    if rising(0.0) >= 0.0:
        return 0.0
    high = start
    for _ in range(DOUBLINGS):
        if rising(high) >= 0.0:
            break
        high *= 2.0
    low = 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if rising(middle) < 0.0 else (low, middle)
    return high
