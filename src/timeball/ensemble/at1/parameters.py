"""The rules of the AT1 algorithm: everything that decides about weights, rates and rejections, and nothing else.

They are recorded in the ledger with the decisions they led to. What they do not hold: what was learned from the clocks
(that is the state).
"""

from __future__ import annotations

import math

import msgspec

from timeball.ensemble.errors import EnsembleError

DAY_S = 86400.0


class AT1Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of AT1 (Varnum, Brown, Allan, Peppler, PTTI 1987; Weiss and Weissert).

    memory_s: averaging time of the mean square prediction error, from which weights come (s).
    cap: greatest weight of one clock; None means 2.5/n of the clocks that may carry the scale, at least 0.1.
    outlier_reduce, outlier_reject: beyond the first (in sigma) a clock counts less, beyond the second not at all.
    min_epochs: predictions a clock must have survived before it gets weight.
    tau_min_s, tau_min_s_by_clock: averaging time at which a clock's Allan deviation is least; sets the rate filter.
    interval_s: the interval (s) that mean square errors are quoted for; longer ones are scaled by the clock's model.
    drift_by_clock: frequency drift (1/s) to predict with; 0 for clocks not named.
    zero_weight: clocks that are measured and judged but never carry the scale.
    step_epochs: consecutive errors beyond `outlier_reject`, all of one sign, that make a rate step (one or more, and
    then an ordinary epoch, make a phase step). noise_epochs: consecutive ones of any sign after which the clock's
    noise is learned anew.
    """

    memory_s: float = 20 * DAY_S
    cap: float | None = 0.3
    outlier_reduce: float = 3.0
    outlier_reject: float = 4.0
    min_epochs: int = 30
    tau_min_s: float = DAY_S
    tau_min_s_by_clock: dict[str, float] = {}
    interval_s: float = 300.0
    drift_by_clock: dict[str, float] = {}
    zero_weight: tuple[str, ...] = ()
    step_epochs: int = 3
    noise_epochs: int = 10
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ``EnsembleError`` naming the field."""
        for name, value in [
            ("memory_s", self.memory_s),
            ("tau_min_s", self.tau_min_s),
            ("interval_s", self.interval_s),
            *((f"tau_min_s_by_clock[{clock}]", tau_s) for clock, tau_s in self.tau_min_s_by_clock.items()),
        ]:
            if not (math.isfinite(value) and value > 0):
                raise EnsembleError(f"{name} must be a positive number of seconds, not {value}")
        if self.cap is not None and not 0 < self.cap <= 1:
            raise EnsembleError(f"cap must be above 0 and at most 1, not {self.cap}")
        if not 0 < self.outlier_reduce < self.outlier_reject:
            raise EnsembleError(
                "outlier_reduce must be above 0 and below outlier_reject, "
                f"not {self.outlier_reduce} and {self.outlier_reject}"
            )
        if min(self.min_epochs, self.step_epochs - 1, self.noise_epochs - 1) < 1:
            raise EnsembleError("min_epochs must be at least 1, step_epochs and noise_epochs at least 2")
        if not all(math.isfinite(drift) for drift in self.drift_by_clock.values()):
            raise EnsembleError("drift_by_clock must hold finite numbers")

    def greatest_weight(self, n: int) -> float:
        """The cap for an ensemble in which n clocks may carry the scale."""
        if self.cap is not None:
            return self.cap
        return min(1.0, max(0.1, 2.5 / max(n, 1)))

    def tau_min_of(self, clock: str) -> float:
        """tau_min in s of one clock."""
        return self.tau_min_s_by_clock.get(clock, self.tau_min_s)
