"""What a report is made of, whatever it came from: the scale epoch by epoch, UTC − UTC(k), steers and events.

Sign: x is clock minus TA(k) (s); points are UTC − UTC(k) (s), as the BIPM prints it. Epochs are ns of TAI.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
EpochArray = npt.NDArray[np.int64]
LINK, CIRCULAR_T, UTCR = "link", "Circular T", "UTCr"


class ReportError(ValueError):
    """No report can be made of this: the record is empty, or does not reach the period."""


@dataclass(frozen=True, eq=False, slots=True)
class Points:
    """UTC − UTC(k) at epochs: int64[p], float64[p] in s, and its standard uncertainty (NaN where unknown)."""

    epochs: EpochArray
    x_s: FloatArray
    u_s: FloatArray

    def within(self, begins: int, ends: int) -> Points:
        """The points from `begins` to `ends`, both counted in."""
        keep = (self.epochs >= begins) & (self.epochs <= ends)
        return Points(self.epochs[keep], self.x_s[keep], self.u_s[keep])


@dataclass(frozen=True, slots=True)
class SteerLine:
    """A change of the rate of UTC(k) against TA(k): from `epoch` on it is `rate`; `why` in words.

    change: from the rate before; NaN where that is not known.
    """

    epoch: int
    rate: float
    why: str
    change: float = math.nan


@dataclass(frozen=True, slots=True)
class Event:
    """Something out of the ordinary: when, which clocks, link or reference, what, and a sentence."""

    epoch: int
    clocks: str
    kind: str
    words: str


@dataclass(frozen=True, eq=False)
class Record:
    """A stretch of a laboratory's life.

    laboratory: k of UTC(k). source: where the numbers are from, in words. epochs int64[m]; x, weight float64[m, n] and
    code int8[m, n] by `clocks`, as `ensemble.steps` has them. kinds: what a clock is. signals: columns that are none,
    such as the output. utck_minus_ta: float64[m] (s), NaN where UTC(k) is not known. points: by origin.
    """

    laboratory: str
    source: str
    algorithm: str
    epochs: EpochArray
    clocks: tuple[str, ...]
    x: FloatArray
    weight: FloatArray
    code: npt.NDArray[np.int8]
    simulated: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)
    signals: tuple[str, ...] = ()
    utck_minus_ta: FloatArray = field(default_factory=lambda: np.empty(0))
    points: Mapping[str, Points] = field(default_factory=dict)
    steers: tuple[SteerLine, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def interval_s(self) -> float:
        """The usual interval between two epochs (s)."""
        return float(np.median(np.diff(self.epochs))) / 1e9 if len(self.epochs) > 1 else 1.0

    def within(self, begins: int, ends: int) -> Record:
        """The part from `begins` to `ends` (ns of TAI), both counted in."""
        keep = (self.epochs >= begins) & (self.epochs <= ends)
        return replace(
            self,
            epochs=self.epochs[keep],
            x=self.x[keep],
            weight=self.weight[keep],
            code=self.code[keep],
            utck_minus_ta=self.utck_minus_ta[keep] if self.utck_minus_ta.size else self.utck_minus_ta,
            points={origin: points.within(begins, ends) for origin, points in self.points.items()},
            steers=tuple(each for each in self.steers if begins <= each.epoch <= ends),
            events=tuple(each for each in self.events if begins <= each.epoch <= ends),
        )
