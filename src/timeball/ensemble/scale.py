"""A scale computed from a whole record at once, by whichever algorithm, and a clock against the scale without it.

Sign: x is clock minus scale (s). What it does not do: decide anything (the algorithms do), or judge the stability of
the result (the caller has the room `stability` for that).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble import codes
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScaleRun:
    """A computed scale: the rules used, every step, the state after the last one, and each clock's mean weight.

    parameters, state: of the algorithm that `steps.algorithm` names.
    """

    parameters: Any
    steps: Steps
    state: Any
    weights: dict[str, float]


def without(table: PhaseTable, clock: str) -> PhaseTable:
    """The table without one clock; raises ``EnsembleError`` when it has no such clock.

    The pivot of a row may be the clock itself: it is common to the others and cancels.
    """
    if clock not in table.clocks:
        raise EnsembleError(f"no such clock in the table: {clock}")
    rest = [j for j, name in enumerate(table.clocks) if name != clock]
    names = tuple(table.clocks[j] for j in rest)
    return PhaseTable(table.epochs, names, table.x[:, rest], table.pivot, table.reference)


def leave_one_out(table: PhaseTable, clock: str, run: Callable[[PhaseTable], ScaleRun]) -> FloatArray:
    """Phases float64[m] (s) of a clock against the scale that `run` makes without it; NaN where either is missing.

    A `run` that fits its rules fits them anew without the clock, so that nothing of it is left in the scale.
    """
    others = without(table, clock)
    steps = run(others).steps
    order = [steps.clocks.index(name) for name in others.clocks]
    apart = steps.x[:, order] - others.x
    phases: FloatArray = table.x[:, table.clocks.index(clock)] + through_clocks(apart, counted_weight(steps)[:, order])
    return phases


def grid_phases(epochs: npt.NDArray[np.int64], x: FloatArray, interval_s: float) -> FloatArray:
    """Put phases [m] or [m, n] on an even grid, NaN in the gaps; of two in one cell the last stays."""
    if not len(epochs):
        return x
    cells = np.rint((epochs - epochs[0]) / (interval_s * 1e9)).astype(np.int64)
    if cells[-1] > 50 * len(epochs):  # a record with vast gaps: its rows in order serve better than an empty grid
        return x
    grid = np.full((int(cells[-1]) + 1, *x.shape[1:]), np.nan)
    grid[cells] = x
    return grid


def mean_weights(steps: Steps) -> dict[str, float]:
    """Each clock's mean weight over the epochs at which there was a scale."""
    epochs = int((steps.weight.sum(axis=1) > 0).sum())
    total = steps.weight.sum(axis=0) / max(epochs, 1)
    return {name: float(total[j]) for j, name in enumerate(steps.clocks)}


def counted_weight(steps: Steps) -> FloatArray:
    """The weights [m, n] of readings that counted; 0 for the others."""
    weight: FloatArray = np.where(np.isin(steps.code, codes.NOT_COUNTED), 0.0, steps.weight)
    return weight


def through_clocks(apart: FloatArray, weight: FloatArray) -> FloatArray:
    """One number an epoch from what every clock says of it, [m, n]: the weighted mean; NaN where nobody says anything.

    Where x are the readings themselves (AT1, ALGOS) all clocks say the same. Where they are estimates (Kalman), each
    brings the noise of its own reading.
    """
    shares = np.where(np.isfinite(apart), weight, 0.0)
    total = shares.sum(axis=1)
    mean = (shares * np.where(np.isfinite(apart), apart, 0.0)).sum(axis=1) / np.where(total > 0, total, 1.0)
    out: FloatArray = np.where(total > 0, mean, _first_finite(apart))
    return out


def _first_finite(values: FloatArray) -> FloatArray:
    """The first value of each row that is not NaN; NaN where there is none."""
    known = np.isfinite(values)
    first = np.argmax(known, axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), first], np.nan)
