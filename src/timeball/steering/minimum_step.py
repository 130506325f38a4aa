"""The smallest step: what a stepper can do at all, and what is worth doing.

A rate is that of UTC(k) against its source. A phase stepper takes rates in multiples of its resolution (1e-19 to 1e-16
for those in use), and a laboratory leaves the rate alone when the change would drown in the noise of the link. Every
change that is left out shows in the next estimate, so nothing is lost but time.
"""

from __future__ import annotations

import math

import msgspec

WHOLE = 2.0**53  # from here on every float is a whole number


class MinimumStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a rate is rounded to, and the least change that is ordered.

    Attributes
    ----------
    resolution : float
        The rate is rounded to a multiple of this; 0 for a stepper without steps.
    least_change : float
        A change of rate below this is not ordered.

    Raises
    ------
    ValueError
        If one is negative or not finite.
    """

    resolution: float = 0.0
    least_change: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"minimum step: {name} = {getattr(self, name)!r} is not a number of at least 0")

    def settle(self, rate: float, rate_now: float) -> tuple[float, str]:
        """The rate to order instead of `rate`, and why the rate in force stays, empty when it does not."""
        if abs(rate - rate_now) < self.least_change:
            return rate_now, f"left as it is: a change of {abs(rate - rate_now):.1e} is below {self.least_change:.1e}"
        steps = rate / self.resolution if self.resolution > 0.0 else math.inf
        # a quotient beyond 2⁵³ is rounded already
        return (round(steps) * self.resolution if abs(steps) < WHOLE else rate), ""
