"""Records prepared for the kernels: one phase array, and the stretches of it inside which phase is continuous.

A missing phase (NaN) spoils the terms that touch it and no other. A missing frequency does more: the phase after it has
lost its tie to the phase before it, so no term may reach across.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.errors import FrequencyGapError, RecordError


@dataclass(frozen=True, slots=True)
class Record:
    """Phase x (s) and its stretches [start, stop): terms lie wholly inside one stretch. gaps: whether any x is NaN."""

    x: NDArray[np.float64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    gaps: bool = False

    def finite_stretches(self) -> Record:
        """Cut the stretches at every NaN, so that those which remain have none."""
        if not self.gaps:
            return self
        inside = np.zeros(self.x.size, dtype=bool)
        for start, stop in zip(self.starts, self.stops, strict=True):
            inside[start:stop] = True
        # only phase records hold NaN, and those are one stretch: runs never join two stretches
        starts, stops = _runs(inside & ~np.isnan(self.x))
        return Record(self.x, starts, stops)


def check_interval(tau0_s: float) -> float:
    """Give the interval back as a float, or raise RecordError: it must be a finite time above zero."""
    if not (math.isfinite(tau0_s) and tau0_s > 0):
        raise RecordError(f"the interval between points must be a positive time in seconds, not {tau0_s!r}")
    return float(tau0_s)


def check_values(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Give a flat float64 array, or raise RecordError; NaN means missing, infinities are refused."""
    return _check(values, name)[0]


def _check(values: ArrayLike, name: str) -> tuple[NDArray[np.float64], bool]:
    """As `check_values`, and tell whether any value is missing."""
    try:
        # writeable and contiguous, so that the kernels are compiled for one layout only
        array = np.require(values, dtype=np.float64, requirements=["C", "W"])
    except (TypeError, ValueError) as error:
        raise RecordError(f"{name} must be a line of numbers: {error}") from error
    if array.ndim != 1:
        raise RecordError(f"{name} must be one line of numbers, not an array of shape {array.shape}")
    # most records are whole, and one sum says so faster than a look at each value; a huge one says nothing
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(array.sum()):
            return array, False
    infinite = np.flatnonzero(np.isinf(array))
    if infinite.size:
        raise RecordError(f"{name}[{infinite[0]}] is infinite; a missing value is NaN")
    return array, bool(np.isnan(array).any())


def phase_record(x: ArrayLike) -> Record:
    """Prepare phase x in seconds: one stretch, NaN where missing."""
    phase, gaps = _check(x, "x")
    return Record(phase, np.zeros(1, dtype=np.int64), np.array([phase.size], dtype=np.int64), gaps)


def frequency_record(y: ArrayLike, tau0_s: float, *, with_rate: bool = False) -> Record:
    """Prepare fractional frequency y, one value an interval: each run without a gap becomes a stretch of phase.

    Each stretch starts at zero: its phase against the others is unknown. Its mean frequency is taken off, so that small
    numbers keep their digits; not so with_rate, for what depends on a constant frequency.
    """
    frequency = check_values(y, "y")
    starts, stops = _runs(~np.isnan(frequency))
    x = np.zeros(frequency.size + 1)
    for start, stop in zip(starts, stops, strict=True):
        run, phase = frequency[start:stop], x[start + 1 : stop + 1]
        np.subtract(run, 0.0 if with_rate else run.mean(), out=phase)
        np.cumsum(phase, out=phase)
        phase *= tau0_s
    return Record(x, starts, stops + 1)


def phase_from_frequency(y: ArrayLike, tau0_s: float) -> NDArray[np.float64]:
    """Sum fractional frequency y (dimensionless) to phase in seconds: n values give n + 1 phases, the first of them 0.

    Raises FrequencyGapError when a value is missing: the deviations take such a record with `kind="frequency"`.
    """
    frequency = check_values(y, "y")
    tau0_s = check_interval(tau0_s)
    missing = np.flatnonzero(np.isnan(frequency))
    if missing.size:
        raise FrequencyGapError(f"y[{missing[0]}] is missing ({missing.size} in all): phase across a gap is unknown")
    return np.concatenate(([0.0], np.cumsum(frequency) * tau0_s))


def _runs(present: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], present, [False])).astype(np.int8)))
    return edges[0::2].astype(np.int64), edges[1::2].astype(np.int64)
