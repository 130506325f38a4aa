"""The rules of the ALGOS algorithm: everything that decides about windows, weights and rates, and nothing else.

They are recorded in the ledger with the decisions they led to. What they do not hold: what was learned from the clocks
(that is the state).
"""

from __future__ import annotations

import math

import msgspec

from timeball.ensemble.errors import EnsembleError

MOST_WINDOWS = 12
"""Windows that a clock is judged by at most; the state has room for no more."""


class ALGOSParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of ALGOS (Panfilo, Harmegnies, Tisserand, Metrologia 2012 49 49 and 2014 51 285; Metrologia 2016 53 1185).

    window_s: length of a window (s), counted from a date of the 5-day grid; None means the BIPM's months, from the last
    date of a month whose MJD ends with 4 or 9 to the next month's (25, 30 or 35 days).
    interval_s: the usual interval between epochs (s), to which mean square errors of one epoch are put.
    cap: A of the greatest weight A/N. min_windows: windows a clock must have been predicted over before it gets
    weight. max_windows: windows it is judged by. drift_windows: rates behind a drift, which is 0 for fewer than
    `least_drift_windows`. drift_by_clock: drifts (1/s) to predict with instead, say against TT(BIPM).
    coverage: share of a window that must have been measured for it to count.
    outlier_reject: sigmas beyond which one reading is left out. step_epochs: consecutive such errors of one sign that
    make a rate step. noise_epochs: consecutive ones of any sign after which the clock's noise is learned anew.
    abnormal: sigmas beyond which an error over a window is cut to that size, and in a batch takes the weight of that
    very window. zero_weight: clocks that are measured and judged but never carry the scale.
    iterations: rounds of weights → scale → errors in a batch, each with the window's own errors; 0 looks back alone.
    A live scale always does, for it cannot know how the window ends.
    """

    window_s: float | None = None
    interval_s: float = 3600.0
    cap: float = 4.0
    min_windows: int = 5
    max_windows: int = MOST_WINDOWS
    drift_windows: int = 6
    least_drift_windows: int = 4
    drift_by_clock: dict[str, float] = {}
    coverage: float = 0.5
    outlier_reject: float = 4.0
    step_epochs: int = 3
    noise_epochs: int = 10
    abnormal: float = 5.0
    zero_weight: tuple[str, ...] = ()
    iterations: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ``EnsembleError`` naming the field."""
        for name in ("window_s", "interval_s", "cap", "outlier_reject", "abnormal"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise EnsembleError(f"{name} must be a positive number, not {value}")
        if self.window_s is not None and self.window_s < 1.0:
            raise EnsembleError(f"window_s must be at least one second, not {self.window_s}")
        if not 0 < self.coverage <= 1:
            raise EnsembleError(f"coverage must be above 0 and at most 1, not {self.coverage}")
        if not 1 <= self.min_windows <= self.max_windows <= MOST_WINDOWS:
            raise EnsembleError(f"1 ≤ min_windows ≤ max_windows ≤ {MOST_WINDOWS} must hold")
        if not 2 <= self.least_drift_windows <= self.drift_windows <= MOST_WINDOWS:
            raise EnsembleError(f"2 ≤ least_drift_windows ≤ drift_windows ≤ {MOST_WINDOWS} must hold")
        if min(self.step_epochs, self.noise_epochs) < 2 or self.iterations < 0:
            raise EnsembleError("step_epochs and noise_epochs must be at least 2, iterations at least 0")
        if not all(math.isfinite(drift) for drift in self.drift_by_clock.values()):
            raise EnsembleError("drift_by_clock must hold finite numbers")

    @property
    def min_epochs(self) -> int:
        """What the sentences on learning count up to: here windows, not epochs."""
        return self.min_windows
