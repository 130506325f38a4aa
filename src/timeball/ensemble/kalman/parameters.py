"""The rules of the Kalman scale: the clocks' noise, and everything that decides about rejections and weights.

They are recorded in the ledger with the decisions they led to. What they do not hold: what was learned from the clocks
(that is the state).
"""

from __future__ import annotations

import math

import msgspec

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.noise import ClockNoise

DAY_S = 86400.0


class KalmanParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of the structured Kalman scale.

    noise_by_clock: noise of each clock and of its channel, as `fit_noise` finds it; noise: of clocks not named there.
    interval_s: the usual interval between epochs (s); flicker stages and weights are laid out for it.
    flicker_stages: Markov stages of a clock with flicker FM, each sixteen times slower than the one before; what is
    slower than the last walks. 0: flicker walks altogether.
    outlier_reduce, outlier_reject: beyond the first (in sigma) a clock counts less, beyond the second not at all.
    min_epochs: predictions a clock must have survived before it carries the scale.
    step_epochs: consecutive errors beyond `outlier_reject` that each went further the same way and make a rate step;
    noise_epochs: consecutive ones of any sign after which the clock's noise is learned anew.
    hold_epochs: epochs a clock may be missing and still stand in the conditions that define the scale.
    pivot_epochs: epochs the pivot may be missing before another clock takes its place.
    forget_s: time (s) after which a clock that is missing is forgotten.
    memory_s: averaging time (s) of the mean square error that says whether a clock is noisier than its coefficients.
    cap: greatest share of one clock in each condition; None: no cap, the coefficients decide.
    zero_weight: clocks that are measured against the scale and have no part in it.
    """

    noise_by_clock: dict[str, ClockNoise] = {}
    noise: ClockNoise = ClockNoise(wpm=2e-11, wfm=1e-11, ffm=1e-14, rwfm=3e-18)
    interval_s: float = 3600.0
    flicker_stages: int = 3
    outlier_reduce: float = 3.5
    outlier_reject: float = 5.0
    min_epochs: int = 30
    step_epochs: int = 3
    noise_epochs: int = 10
    hold_epochs: int = 3
    pivot_epochs: int = 10
    forget_s: float = 90 * DAY_S
    memory_s: float = 30 * DAY_S
    cap: float | None = None
    zero_weight: tuple[str, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ``EnsembleError`` naming the field."""
        for name in ("interval_s", "forget_s", "memory_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise EnsembleError(f"{name} must be a positive number of seconds, not {value}")
        if self.cap is not None and not 0 < self.cap <= 1:
            raise EnsembleError(f"cap must be above 0 and at most 1, not {self.cap}")
        if not 0 < self.outlier_reduce < self.outlier_reject < math.inf:
            raise EnsembleError(
                "outlier_reduce must be above 0 and below outlier_reject, "
                f"not {self.outlier_reduce} and {self.outlier_reject}"
            )
        if min(self.min_epochs, self.step_epochs - 1, self.noise_epochs - 1, self.pivot_epochs) < 1:
            raise EnsembleError(
                "min_epochs and pivot_epochs must be at least 1, step_epochs and noise_epochs at least 2"
            )
        if self.hold_epochs < 0 or not 0 <= self.flicker_stages <= 8:
            raise EnsembleError("hold_epochs must be at least 0, flicker_stages 0 to 8")

    def noise_of(self, clock: str) -> ClockNoise:
        """The noise of one clock."""
        return self.noise_by_clock.get(clock, self.noise)
