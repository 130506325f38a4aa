"""The envelope: soft limits within which steers are automatic. A quorum may order more; the hard limit lies below both.

Sign convention: a rate is that of UTC(k) against TA(k). The envelope knows no phase steps: within it there are none.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

DAY_S = 86_400.0
NS_PER_DAY = DAY_S * 1e9


class Clipped(NamedTuple):
    """A rate inside the envelope, whether that is less than was wanted, and which limit held (empty if none)."""

    rate: float
    limited: bool
    why: str


class Envelope(msgspec.Struct, frozen=True):
    """Soft limits.

    Attributes
    ----------
    max_rate_change : float
        Largest change of rate in one steer.
    max_rate : float
        Largest total rate of UTC(k) against TA(k).
    max_phase_per_day_s : float
        Largest phase, s, that the rate may move UTC(k) against TA(k) in 86 400 s.

    Raises
    ------
    ValueError
        If a limit is not a positive number (an unlimited envelope is not one).
    """

    max_rate_change: float
    max_rate: float
    max_phase_per_day_s: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"envelope: {name} = {getattr(self, name)!r} is not a positive number")

    def clip(self, rate: float, rate_now: float) -> Clipped:
        """Give the rate nearest to `rate` that the envelope admits when `rate_now` is in force.

        The change is limited last: when a lowered limit leaves `rate_now` outside, the rate comes back inside in
        steps no greater than `max_rate_change`.

        Raises
        ------
        ValueError
            If either rate is not a finite number.
        """
        if not (math.isfinite(rate) and math.isfinite(rate_now)):
            raise ValueError(f"envelope: {rate!r} after {rate_now!r} is no rate")
        reasons: list[str] = []
        inside = self._within(rate, self.max_rate, "the largest rate", reasons)
        inside = self._within(inside, self.max_phase_per_day_s / DAY_S, "the largest phase a day", reasons)
        change = self._within(inside - rate_now, self.max_rate_change, "the largest change of rate", reasons)
        # An allowed change gives `inside` as it stands: rate_now + (inside − rate_now) may be a bit away from it.
        clipped = inside if change == inside - rate_now else rate_now + change
        return Clipped(clipped, bool(reasons), "; ".join(reasons))

    @staticmethod
    def _within(value: float, limit: float, name: str, reasons: list[str]) -> float:
        if -limit <= value <= limit:
            return value
        reasons.append(f"{value * NS_PER_DAY:+.4f} ns/day is beyond {name}, {limit * NS_PER_DAY:.4f} ns/day")
        return limit if value > 0.0 else -limit
