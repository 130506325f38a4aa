"""The rules of the anomaly detectors: everything that decides what is called an anomaly, and nothing else.

They are recorded in the ledger with what they found. What they do not hold: noise levels (those are learned from the
clocks and stand in the state).
"""

from __future__ import annotations

import math

import msgspec

LEVELS_MOST = 10
LONG_CELL_S = 3600.0
RAISED = 2.7725887222397811  # 2 ln 4: the tails of a normal fall with exp(−z²/2), and there are four times the tests


class AnomalyError(ValueError):
    """The detectors cannot do what was asked: rules that contradict, epochs out of order, a state that is none."""


class AnomalyRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of the detectors.

    interval_s: the grid the epochs are put on, the interval of the scale (s).
    threshold: sigmas beyond which a step or a drift is told by cells of an hour or longer; `thresholds` says what that
    is for shorter ones. It is raised as Student's law asks while noise is not well known.
    variance_threshold: the same for a change of noise.
    levels: averaging levels, each four times as long as the one before; the longest window looks at 4 cells of
    4^(levels−1) intervals on either side of a change. memory: contrasts that a learned noise level remembers.
    min_freedom: degrees of freedom a noise level must rest on before anything is judged by it.
    """

    interval_s: float = 300.0
    threshold: float = 5.0
    variance_threshold: float = 6.0
    levels: int = 6
    memory: int = 1000
    min_freedom: float = 8.0
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ``AnomalyError`` naming the field."""
        for name in ("interval_s", "threshold", "variance_threshold", "min_freedom"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise AnomalyError(f"{name} must be a positive number, not {value}")
        if not 1 <= self.levels <= LEVELS_MOST:
            raise AnomalyError(f"levels must be between 1 and {LEVELS_MOST}, not {self.levels}")
        if self.memory < 20:
            raise AnomalyError(f"memory must be at least 20, not {self.memory}")

    def thresholds(self) -> list[float]:
        """Sigmas asked for, by level: so many more for cells below an hour that false alarms a year stay as rare.

        Only + × √: what is found must be the same on any machine.
        """
        limits = []
        for level in range(self.levels):
            cell_s, square = self.interval_s * float(4**level), self.threshold * self.threshold
            while cell_s * 2.0 < LONG_CELL_S:
                cell_s, square = cell_s * 4.0, square + RAISED
            limits.append(math.sqrt(square))
        return limits
