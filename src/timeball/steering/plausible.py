"""Whether a published value can be: far from what its neighbours in time allow, it is more likely an error of typing.

x is UTC(k) − UTC without the own steers (s), the line of the free scale, which clocks bend slowly. A value is held
against the median of the three nearest known ones, carried to its epoch by the slope of the ten nearest (median of
pairwise slopes: Theil 1950, Sen 1968); what it may be off is so many times √(u² + u₀² + (w · gap)²), gap being the time
to the nearest one and u₀ that one's uncertainty. w² is `wander` squared plus the spread of the pairwise slopes squared,
1.4826 times their median absolute deviation: how much the rate of this scale has been seen to change. It finds gross
errors and says nothing of small ones. + − × ÷ √ in a fixed order, so a recorded judgement replays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from timeball.steering.stepper import NS_PER_S

LEVEL_OF, SLOPE_OF = 3, 10
"""Nearest values that the level and the slope are taken from; with fewer than the first nothing can be said."""


# standard deviation of a normal distribution over its median absolute deviation
MAD_TO_SIGMA = 1.4826


class Value(NamedTuple):
    """x (s) of the free scale at an epoch (TAI ns), and its standard uncertainty (s)."""

    epoch: int
    x_s: float
    u_s: float


class Off(NamedTuple):
    """How far a value is from what its neighbours foretell (s), and how far it may be (s)."""

    off_s: float
    may_s: float

    @property
    def fits(self) -> bool:
        """Whether it can be."""
        return abs(self.off_s) <= self.may_s


def deviation(value: Value, known: Sequence[Value], sigmas: float, wander: float) -> Off | None:
    """How far a value is from the known ones around it; None with fewer than three of them.

    sigmas: so many of its uncertainty are allowed. wander: change of rate (standard deviation) that is always allowed
    for since the nearest known value.
    """
    near = sorted(known, key=lambda other: (abs(other.epoch - value.epoch), other))[:SLOPE_OF]
    if len(near) < LEVEL_OF:
        return None
    slope, spread = _slope(near)
    level = median(other.x_s + slope * _seconds(other, value) for other in near[:LEVEL_OF])
    return Off(value.x_s - level, _allowed(value, near[0], sigmas, wander, spread))


def agree(one: Value, other: Value, known: Sequence[Value], sigmas: float, wander: float) -> bool:
    """Whether two values tell of the same line: the slope of the known ones carries the one to the other."""
    near = sorted(known, key=lambda each: (abs(each.epoch - one.epoch), each))[:SLOPE_OF]
    slope, spread = _slope(near) if len(near) >= LEVEL_OF else (0.0, 0.0)
    off_s = one.x_s - (other.x_s + slope * _seconds(other, one))
    return abs(off_s) <= _allowed(one, other, sigmas, wander, spread)


def _allowed(value: Value, nearest: Value, sigmas: float, wander: float, spread: float) -> float:
    drifted_s = math.sqrt(wander * wander + spread * spread) * abs(_seconds(nearest, value))
    return sigmas * math.sqrt(value.u_s * value.u_s + nearest.u_s * nearest.u_s + drifted_s * drifted_s)


def _slope(values: Sequence[Value]) -> tuple[float, float]:
    """Median of the slopes between all pairs of different epochs, and their spread (1 σ); 0 where there is none."""
    slopes = [
        (two.x_s - one.x_s) / _seconds(one, two)
        for at, one in enumerate(values)
        for two in values[at + 1 :]
        if one.epoch != two.epoch
    ]
    if not slopes:
        return 0.0, 0.0
    middle = median(slopes)
    return middle, MAD_TO_SIGMA * median(abs(slope - middle) for slope in slopes)


def _seconds(since: Value, until: Value) -> float:
    return (until.epoch - since.epoch) / NS_PER_S
