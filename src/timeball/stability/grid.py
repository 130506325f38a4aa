"""Samples with time tags put on an even grid, NaN where nothing was measured.

No sample is moved by interpolation: one that lies between two places of the grid is left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.stability.errors import RecordError
from timeball.stability.records import check_interval

NS_PER_S = 1_000_000_000
# A tag may be this part of an interval away from its place: rounded tags pass, a sample at half the interval does not.
TOLERANCE = 0.1
# The shortest step may be the interval of a grid that has, half the time, so many places between two samples at most.
SPARSEST = 20.0
# One stray tag (a year mistyped) must not ask for a grid that fills the memory.
LONGEST = 200_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """An even record: values float64[n], one every tau0_s (s) from start_ns (TAI ns); what was left out is counted."""

    start_ns: int
    tau0_s: float
    values: NDArray[np.float64]
    off_grid: int
    repeated: int

    @property
    def missing(self) -> int:
        """Places of the grid without a value."""
        return int(np.isnan(self.values).sum())


def on_grid(epoch: NDArray[np.int64], values: NDArray[np.float64], tau0_s: float | None = None) -> Grid:
    """Put samples on a grid that starts at the earliest of them.

    epoch: int64[n], TAI ns, in any order; values: float64[n], in any unit. tau0_s: the interval of the grid in s,
    default the step of the tags. Of two samples at one place the first in time (then in order) is taken.
    Raises RecordError for an empty record, an interval that is not a positive time, or a grid out of all proportion.
    """
    if epoch.shape != values.shape or epoch.ndim != 1 or epoch.size == 0:
        raise RecordError(f"a record needs samples, and one tag for each: {epoch.shape} tags, {values.shape} values")
    order = np.argsort(epoch, kind="stable")
    since_ns = epoch[order] - epoch[order[0]]
    interval_ns = _interval_ns(since_ns) if tau0_s is None else check_interval(tau0_s) * NS_PER_S
    if since_ns[-1] / interval_ns >= LONGEST:
        raise RecordError(
            f"tags {since_ns[-1] / NS_PER_S:g} s apart on a grid of {interval_ns / NS_PER_S:g} s: too many"
        )
    place = np.rint(since_ns / interval_ns).astype(np.int64)
    near = np.abs(since_ns - place * interval_ns) <= TOLERANCE * interval_ns
    places, first = np.unique(place[near], return_index=True)
    grid = np.full(int(places[-1]) + 1, np.nan)
    grid[places] = values[order][near][first]
    off_grid = int(near.size - near.sum())
    return Grid(int(epoch[order[0]]), interval_ns / NS_PER_S, grid, off_grid, int(near.sum()) - places.size)


def _interval_ns(since_ns: NDArray[np.int64]) -> float:
    """Estimate the interval, made exact over the whole record: the step that every other is a multiple of.

    It is looked for among the median, the commonest and the shortest. When some samples lie off every grid, it is the
    commonest step (the longer of two equally common).
    """
    if since_ns.size == 1:
        raise RecordError("the record is a single sample: there is no interval")
    steps = np.diff(since_ns)
    steps = steps[steps > 0]
    if steps.size == 0:
        raise RecordError("all samples have the same time tag: there is no interval")
    values, count = np.unique(steps, return_counts=True)
    commonest = float(values[count == count.max()][-1])
    # of tags that are rounded or shake no two steps are alike: those about the shortest one are averaged
    shortest = float(steps[steps < 1.5 * values[0]].mean())
    median = float(np.median(steps))
    for step in (median, commonest, *([shortest] if shortest * SPARSEST >= median else [])):
        multiples = np.rint(steps / step)
        if np.all(np.abs(steps - multiples * step) <= TOLERANCE * step) and np.all(multiples >= 1):
            return float(since_ns[-1] / multiples.sum())
    return commonest
