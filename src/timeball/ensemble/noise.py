"""A clock's noise as the ensemble knows it: five coefficients, in the terms of the Allan deviation.

Every coefficient is the ADEV that this noise alone gives at τ = 1 s, as in `simulation.models`; so the clock's AVAR is

    wpm² / τ² + wfm² / τ + ffm² + rwfm² · τ + rrfm² · τ³

and its diffusion coefficients are q1 = wfm², q2 = 3 rwfm², q3 = 20 rrfm² (Zucca and Tavella, IEEE Trans. UFFC 52,
2005). It holds no drift: that is a state to be estimated, not a noise.
"""

from __future__ import annotations

import math

import msgspec

from timeball.ensemble.errors import EnsembleError


class ClockNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Noise of one clock and of its reading; ADEV at 1 s of each kind alone.

    wpm: white phase noise of the reading; one reading's phase has the standard deviation wpm/√3 (s).
    wfm, ffm, rwfm, rrfm: white, flicker and random-walk frequency noise, and random run (a drift that walks).
    drifts: whether the clock has a third state, its drift.
    """

    wpm: float = 0.0
    wfm: float = 0.0
    ffm: float = 0.0
    rwfm: float = 0.0
    rrfm: float = 0.0
    drifts: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no noise; raises ``EnsembleError`` naming the field."""
        for name in COEFFICIENTS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise EnsembleError(f"{name} must be a number of at least 0, not {value}")

    def avar(self, tau_s: float) -> float:
        """Allan variance at τ (s)."""
        return (
            self.wpm**2 / tau_s**2 + self.wfm**2 / tau_s + self.ffm**2 + self.rwfm**2 * tau_s + self.rrfm**2 * tau_s**3
        )


COEFFICIENTS = ("wpm", "wfm", "ffm", "rwfm", "rrfm")
