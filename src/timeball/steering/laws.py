"""The laws of a laboratory: what it looks at when a bulletin comes out, and the change of rate that follows.

x is UTC(k) − UTC (s) and y its rate. Four are kept: the two common practices, and pole placement and LQG on a filtered
estimate. A law is a struct of its parameters; `propose` holds its answer inside the envelope and the smallest step.
It is pure, it commands nothing, and what it decides never enters TA(k).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from timeball.ensemble.noise import ClockNoise
from timeball.steering.bulletins import CIRCULAR_T, UTCR
from timeball.steering.lqg import LQG
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.view import FloatArray, View, filtered, line

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


class Law(Protocol):
    """What a law is: the bulletin it waits for, what it makes of the points, and its answer."""

    @property
    def source(self) -> str:
        """Name of the bulletin after whose publication it steers."""

    @property
    def words(self) -> str:
        """What it is after, for the sentence of a proposal."""

    def estimate(self, view: View) -> tuple[FloatArray, FloatArray]:
        """Offset x (s) and rate y of UTC(k) − UTC that it answers, float64[runs]; raises ``OffsetUnknown``."""

    def correct(self, x_s: FloatArray, y: FloatArray) -> FloatArray:
        """Change of rate for offsets and rates."""


class WeeklyOnUTCr(msgspec.Struct, frozen=True, kw_only=True, tag_field="law", tag="weekly on UTCr"):
    """Weekly, when UTCr comes out: u = −(gain_rate · slope of the last week + gain_offset · offset / 7 days).

    UTC(AUS) is steered so, with both gains at 0.5. `carried` takes the own steers out of the week and carries the line
    to the day of the steer; without it slope and offset are read as they stand in the bulletin, as is often done.
    """

    gain_rate: float = 0.5
    gain_offset: float = 0.5
    window_s: float = WEEK_S
    carried: bool = True

    @property
    def source(self) -> str:
        """Steers when UTCr is out."""
        return UTCR

    @property
    def words(self) -> str:
        """The practice and its gains."""
        return f"by the week's slope and offset on UTCr (gains {self.gain_rate:g} and {self.gain_offset:g})"

    def estimate(self, view: View) -> tuple[FloatArray, FloatArray]:
        """Line through the last week of points."""
        return _practice(view.part(UTCR, self.window_s), self.carried)

    def correct(self, x_s: FloatArray, y: FloatArray) -> FloatArray:
        """Change of rate."""
        return -(self.gain_rate * y + self.gain_offset * x_s / WEEK_S)


class MonthlyOnCircularT(msgspec.Struct, frozen=True, kw_only=True, tag_field="law", tag="monthly on Circular T"):
    """Monthly, when Circular T comes out: u = −(rate of its month + offset / T), T of 30 to 60 days."""

    time_constant_s: float = 45 * DAY_S
    window_s: float = 30 * DAY_S
    carried: bool = True

    @property
    def source(self) -> str:
        """Steers when Circular T is out."""
        return CIRCULAR_T

    @property
    def words(self) -> str:
        """The practice and its time constant."""
        return f"by the month's rate and offset on Circular T (offset over {self.time_constant_s / DAY_S:g} days)"

    def estimate(self, view: View) -> tuple[FloatArray, FloatArray]:
        """Line through the last month of points."""
        return _practice(view.part(CIRCULAR_T, self.window_s), self.carried)

    def correct(self, x_s: FloatArray, y: FloatArray) -> FloatArray:
        """Change of rate."""
        return -(y + x_s / self.time_constant_s)


class OnEstimate(msgspec.Struct, frozen=True, kw_only=True, tag_field="law", tag="on estimate"):
    """Pole placement or LQG on the Kalman estimate from all published points.

    gains: the control law, its interval that of the bulletin. noise: the free scale against UTC. source: the bulletin
    after which it steers; the estimate uses both.
    """

    gains: PolePlacement | LQG
    noise: ClockNoise
    source: str = UTCR
    window_s: float = 365 * DAY_S

    @property
    def words(self) -> str:
        """The control law's own words."""
        return self.gains.words

    def estimate(self, view: View) -> tuple[FloatArray, FloatArray]:
        """Kalman filter through what is known, carried to now."""
        seen = view.part(UTCR, self.window_s)
        x, y = filtered(seen.epochs, seen.free, seen.u_s, self.noise, view.now)
        return x + view.steered_now, y + view.rate_now

    def correct(self, x_s: FloatArray, y: FloatArray) -> FloatArray:
        """Change of rate."""
        return -(self.gains.gain_x * x_s + self.gains.gain_y * y)


def _practice(seen: View, carried: bool) -> tuple[FloatArray, FloatArray]:
    if carried:
        x, y = line(seen.epochs, seen.free, seen.now)
        return x + seen.steered_now, y + seen.rate_now
    return line(seen.epochs, seen.x, int(seen.epochs[-1]) if seen.epochs.size else seen.now)
