"""The rules of the anomaly detectors: everything that decides what is called an anomaly, and nothing else.

They are recorded in the ledger with what they found. What they do not hold: noise levels (those are learned from the
clocks and stand in the state).
"""

from __future__ import annotations

import math

import msgspec

LEVELS_MOST = 10


class AnomalyError(ValueError):
    """The detectors cannot do what was asked: rules that contradict, epochs out of order, a state that is none."""


class AnomalyRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of the detectors.

    interval_s: the grid the epochs are put on, the interval of the scale (s).
    threshold: sigmas beyond which a step or a drift is told; raised as Student's law asks while noise is not well
    known. variance_threshold: the same for a change of noise.
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
