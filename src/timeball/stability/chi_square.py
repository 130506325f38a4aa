"""Quantiles of the chi-square distribution, for a real number of degrees of freedom: the limits of an interval.

P(a, x), the regularised lower incomplete gamma function, by its series below the mean and by Legendre's continued
fraction above it (Abramowitz and Stegun, 6.5.29 and 6.5.31); the quantile by Newton steps kept inside a bracket.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from timeball.stability.errors import StabilityError

NORMAL = NormalDist()
# Beyond this many degrees of freedom the expansion about the normal law is exact to 1e-13 and the series is slow.
MANY = 20_000.0
STEPS = 200
TERMS = 100_000
TINY = 1e-300


class ConfidenceError(StabilityError):
    """A confidence is not between 0 and 1, or the degrees of freedom are not above 0."""


@lru_cache(maxsize=8192)
def chi_square_quantile(p: float, edf: float) -> float:
    """The value that a chi-square of `edf` degrees of freedom (any number above 0) stays below with probability p.

    Raises ConfidenceError for p outside (0, 1) or edf that is not a number above 0.
    """
    if not 0.0 < p < 1.0:
        raise ConfidenceError(f"a probability lies between 0 and 1, not at {p!r}")
    if not (edf > 0.0 and math.isfinite(edf)):
        raise ConfidenceError(f"degrees of freedom are a number above 0, not {edf!r}")
    if edf > MANY:
        return _expansion(p, edf)
    return 2.0 * _gamma_quantile(p, 0.5 * edf)


def gamma_below(a: float, x: float) -> float:
    """P(a, x): the probability that a gamma variable of shape a and scale 1 stays below x."""
    if x <= 0.0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        return min(front * _series(a, x), 1.0)
    return max(1.0 - front * _fraction(a, x), 0.0)


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    for n in range(1, TERMS):
        term *= x / (a + n)
        total += term
        if term < 1e-17 * total:
            break
    return total


def _fraction(a: float, x: float) -> float:
    """Lentz's way through the continued fraction of Q(a, x), which never divides by zero."""
    b = x + 1.0 - a
    c, d = 1.0 / TINY, 1.0 / b
    value = d
    for n in range(1, TERMS):
        b += 2.0
        factor = -n * (n - a)
        d = 1.0 / _apart(factor * d + b)
        c = _apart(b + factor / c)
        value *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return value


def _apart(value: float) -> float:
    return value if abs(value) > TINY else TINY


def _gamma_quantile(p: float, a: float) -> float:
    x = _start(p, a)
    if x < 1e-16:
        # so near zero the first term of the series is all there is
        return x
    low, high = 0.0, math.inf
    for _ in range(STEPS):
        error = gamma_below(a, x) - p
        if error > 0.0:
            high = x
        else:
            low = x
        slope = math.exp((a - 1.0) * math.log(x) - x - math.lgamma(a))
        following = x - error / slope if slope > 0.0 else math.nan
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * x
        if abs(following - x) <= 1e-15 * following:
            return following
        x = following
    return x


def _start(p: float, a: float) -> float:
    """Wilson and Hilferty's cube, or for few degrees of freedom the first term of the series turned round."""
    cube = 1.0 - 1.0 / (9.0 * a) + NORMAL.inv_cdf(p) / (3.0 * math.sqrt(a))
    small = math.exp((math.log(p) + math.lgamma(a + 1.0)) / a)
    return max(a * cube**3 if cube > 0.3 else small, TINY)


def _expansion(p: float, edf: float) -> float:
    """Cornish and Fisher's expansion to the power −3/2 of edf (Goldberg and Levine 1946)."""
    z = NORMAL.inv_cdf(p)
    root = math.sqrt(2.0 * edf)
    quantile: float = (
        edf
        + root * z
        + (2.0 / 3.0) * (z**2 - 1.0)
        + (z**3 - 7.0 * z) / (9.0 * root)
        - (6.0 * z**4 + 14.0 * z**2 - 32.0) / (405.0 * edf)
        + (9.0 * z**5 + 256.0 * z**3 - 433.0 * z) / (4860.0 * math.sqrt(2.0) * edf**1.5)
    )
    return quantile
