"""A link: the difference of two clocks that do not stand together, at epochs, with its uncertainty.

Sign: x is x_a − x_b, clock a minus clock b (s).
What it does not do: smooth, or put epochs on a grid (see `smoothing`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from timeball.readings import EpochArray, FloatArray, Readings
from timeball.transfer.rejected import Rejected, Rejections, by_reason
from timeball.transfer.tracks import IntArray, TextArray
from timeball.transfer.uncertainty import standard_error, together


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What was compared, value by value, for plots: one row a track pair (or a track of one side, or a session).

    epoch: of its middle, ns of TAI. satellite: empty for two-way. x_s: its value; residual_s: less the link's own.
    elevation_deg, azimuth_deg: as station a saw it (b, where it is b's track), NaN for two-way.
    """

    epoch: EpochArray
    satellite: TextArray
    x_s: FloatArray
    residual_s: FloatArray
    elevation_deg: FloatArray
    azimuth_deg: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """m epochs of a − b, and what stands behind them.

    epoch: int64[m], ns of TAI, rising; x_s: float64[m]; u_s: float64[m], what the scatter says of each (NaN: unknown);
    count: int64[m], tracks or sessions in each. mean_s: of all n values; spread_s: their standard deviation; u_a_s: of
    the mean (see `uncertainty`); u_b_s: of the calibration, NaN when there is none. notes: in words, for people.
    systems_s: for each satellite system its offset from the first, where there are several.
    """

    a: str
    b: str
    method: str
    epoch: EpochArray
    x_s: FloatArray
    u_s: FloatArray
    count: IntArray
    mean_s: float
    spread_s: float
    n: int
    u_a_s: float
    u_b_s: float
    rejected: Rejections
    shown: Shown
    codes: dict[str, str] = field(default_factory=dict)
    systems_s: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def u_total_s(self) -> float:
        """The standard uncertainty of the mean, uA and uB together; uA alone when no calibration is known."""
        return together(self.u_a_s, self.u_b_s)

    def readings(self) -> Readings:
        """Give the link as readings of clock a against clock b, with the uncertainty of each from its scatter.

        A calibration's error is the same at every epoch: it moves no weight in an ensemble and is not in it.
        """
        m = self.epoch.size
        return Readings.from_columns((self.a, self.b), self.epoch, np.zeros(m), np.ones(m), self.x_s, self.u_s)

    def with_series(self, epoch: EpochArray, x_s: FloatArray, u_s: FloatArray, note: str) -> Link:
        """Give the same link with a smoothed series; mean, spread and counts remain those of what was measured."""
        count = np.zeros(epoch.size, dtype=np.int64)
        return replace(self, epoch=epoch, x_s=x_s, u_s=u_s, count=count, notes=(*self.notes, note))

    def as_json(self) -> dict[str, Any]:
        """Give the document of `--json`, SI units throughout."""
        series = zip(*(each.tolist() for each in (self.epoch, self.x_s, self.u_s, self.count)), strict=True)
        return {
            "method": self.method,
            "a": self.a,
            "b": self.b,
            "mean_s": self.mean_s,
            "u_s": self.u_total_s,
            "u_a_s": self.u_a_s,
            "u_b_s": self.u_b_s,
            "calibrated": math.isfinite(self.u_b_s),
            "spread_s": self.spread_s,
            "n": self.n,
            "rejected": [_rejected_json(each) for each in self.rejected],
            "reasons": by_reason(self.rejected),
            "codes": self.codes,
            "systems_s": self.systems_s,
            "notes": list(self.notes),
            "epochs": [{"tai_ns": str(t), "x_s": x, "u_s": u, "n": n} for t, x, u, n in series],
        }


def summary_of(epoch: EpochArray, x_s: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Give weighted mean, weighted standard deviation (n − 1 where the weights are equal) and uA of values."""
    if not x_s.size:
        return math.nan, math.nan, math.nan
    share = weight / weight.sum()
    mean = float((share * x_s).sum())
    left = 1.0 - float((share * share).sum())
    spread = math.sqrt(float((share * (x_s - mean) ** 2).sum()) / left) if left > 1e-12 else math.nan
    return mean, spread, standard_error(epoch, x_s)


def _rejected_json(each: Rejected) -> dict[str, Any]:
    return {
        "file": each.file,
        "line": each.line,
        "satellite": each.satellite or None,
        "tai_ns": str(each.epoch),
        "reason": each.reason,
        "value": each.value or None,
    }
