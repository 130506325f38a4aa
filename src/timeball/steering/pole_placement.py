"""Pole placement: the steer that brings offset and rate to zero together, without overshoot.

State: x = UTC(k) − UTC (s) and y its rate; each interval τ the rate is changed by u, so x' = x + τ (y + u), y' = y + u.
With u = −(g_x x + g_y y), g_x = (1 − p)² / τ and g_y = 1 − p², both poles of the closed loop lie at p (Koppang and
Leland, IEEE Trans. UFFC 46, 1999, treat the general case). This module knows no limits (`envelope` does) and estimates
nothing.
"""

from __future__ import annotations

import msgspec

DAY_S = 86_400.0


class PolePlacement(msgspec.Struct, frozen=True):
    """The control law for one steering interval and one time constant.

    Attributes
    ----------
    interval_s : float
        τ, the time from one steer to the next, s.
    time_constant_s : float
        T, the time in which an offset decays by about e, s.

    Raises
    ------
    ValueError
        If either is not a positive finite number.
    """

    interval_s: float
    time_constant_s: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(
                    f"pole placement: {name} = {getattr(self, name)!r} is not a positive number of seconds"
                )

    @property
    def pole(self) -> float:
        """p = T / (T + τ).

        This is the backward-Euler form of exp(−τ/T): equal to first order, between 0 and 1 for every τ and T, and made
        of + and ÷ alone. exp comes from the C library and may differ in the last bit between machines, and then a
        recorded steer would not replay.
        """
        return self.time_constant_s / (self.time_constant_s + self.interval_s)

    @property
    def gain_x(self) -> float:
        """g_x in 1/s."""
        distance = 1.0 - self.pole
        return distance * distance / self.interval_s

    @property
    def gain_y(self) -> float:
        """g_y, dimensionless."""
        return 1.0 - self.pole * self.pole

    @property
    def words(self) -> str:
        """What the law is after, for the sentence of a proposal."""
        return f"to bring it back with a time constant of {self.time_constant_s / DAY_S:.2f} days"

    def correction(self, x_s: float, y: float) -> float:
        """Change of rate u = −(g_x x + g_y y) for an offset `x_s` (s) and a rate `y` of UTC(k) − UTC."""
        return -(self.gain_x * x_s + self.gain_y * y)
