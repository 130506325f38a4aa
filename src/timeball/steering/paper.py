"""UTC(k) on paper: its offset from the free scale, a line of phase and rate that only steers change.

s(t) = UTC(k)(t) − TA(k)(t) in seconds. A steer changes the rate from an epoch on and never the phase, so UTC(k) has no
steps. Pure; nothing here decides a rate.
"""

from __future__ import annotations

import msgspec


class PaperOffset(msgspec.Struct, frozen=True):
    """UTC(k) − TA(k): `phase_s` (s) at `epoch` (TAI ns) and `rate` after it; from `change` (TAI ns) on, `next_rate`."""

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
        """The same line up to `change`, and a new rate from there on.

        A change that comes before `change` has taken effect by then; one that was to come at `change` or later never
        does: the newer word holds.
        """
        if self.change is None or change <= self.change:
            return PaperOffset(self.epoch, self.phase_s, self.rate, change, rate)
        return PaperOffset(self.change, self.at(self.change), self.next_rate, change, rate)
