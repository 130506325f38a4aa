"""UTC(k) on paper: its offset from the free scale, a line of phase and rate that only steers change.

s(t) = UTC(k)(t) − TA(k)(t) in seconds. A steer changes the rate from an epoch on and never the phase, so UTC(k) has no
steps. Pure; nothing here decides a rate.
"""

from __future__ import annotations

import msgspec


class PaperOffset(msgspec.Struct, frozen=True):
    """UTC(k) − TA(k): `phase_s` (s) at `epoch` (TAI ns), and `rate` (dimensionless) until `next_rate` from `change` on."""

    epoch: int
    phase_s: float
    rate: float
    change: int | None = None
    next_rate: float = 0.0

    def at(self, epoch: int) -> float:
        """s (s) at `epoch` (TAI ns), before and after the pending change of rate."""
        if self.change is None or epoch <= self.change:
            return self.phase_s + self.rate * ((epoch - self.epoch) / 1e9)
        return self.at(self.change) + self.next_rate * ((epoch - self.change) / 1e9)

    def rate_at(self, epoch: int) -> float:
        """The rate of UTC(k) against TA(k) that holds just after `epoch`."""
        return self.rate if self.change is None or epoch < self.change else self.next_rate

    def steered(self, change: int, rate: float) -> PaperOffset:
        """The same line with a new rate from `change` on; a change that was pending before then has taken effect."""
        if self.change is None:
            return PaperOffset(self.epoch, self.phase_s, self.rate, change, rate)
        return PaperOffset(self.change, self.at(self.change), self.next_rate, change, rate)
