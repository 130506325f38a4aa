"""A scale from a whole record at once: rules fitted to the data, a start from the data, and leave-one-out phases.

Sign: x is clock minus scale (s). Nothing is tuned by hand: tau_min of each clock is where its Allan deviation against a
preliminary scale is least; rates and mean square errors at the first epoch come from running forward and then backward
through the record. So a batch uses its own span to start, which a live scale cannot.
What it does not do: judge the stability of the result (the caller has the room `stability` for that).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from timeball.ensemble.at1 import AT1Parameters, AT1State, AT1Steps, advance
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.parameters import DAY_S
from timeball.readings import PhaseTable

FloatArray = npt.NDArray[np.float64]
LONGEST_MEMORY_S = 20 * DAY_S
CARRIED = ("y", "eps2", "rate_count", "error_count", "learned")


@dataclass(frozen=True, eq=False)
class ScaleRun:
    """A computed scale: the rules used, every step, the state after the last one, and each clock's mean weight."""

    parameters: AT1Parameters
    steps: AT1Steps
    state: AT1State
    weights: dict[str, float]


def run_at1(table: PhaseTable, parameters: AT1Parameters | None = None) -> ScaleRun:
    """Compute the scale of a record; without parameters they are fitted (`fit_parameters`).

    The start is taken from the data in two passes: forward from nothing, then backward through time from what that has
    learned; the rates (negated) and errors at the first epoch are where the third, the real pass begins. Raises
    ``EnsembleError`` when there is nothing to make a scale of.
    """
    rules = fit_parameters(table) if parameters is None else parameters
    _require_clocks(table, rules)
    learned, _ = advance(AT1State.empty(), rules, table)
    learned, _ = advance(_start_from(learned), rules, _reversed(table))
    state, steps = advance(_start_from(learned), rules, table)
    return ScaleRun(rules, steps, state, _mean_weights(steps))


def fit_parameters(table: PhaseTable, zero_weight: Sequence[str] = (), cap: float | None = 0.3) -> AT1Parameters:
    """Rules from the record itself: interval, memory and learning time from its span, tau_min from each clock."""
    if len(table.epochs) < 3:
        raise EnsembleError(f"a scale needs at least 3 epochs, here are {len(table.epochs)}")
    interval_s = float(np.median(np.diff(table.epochs))) / 1e9
    span_s = float(table.epochs[-1] - table.epochs[0]) / 1e9
    draft = AT1Parameters(
        memory_s=min(LONGEST_MEMORY_S, span_s),
        cap=cap,
        min_epochs=max(3, min(30, len(table.epochs) // 8)),
        tau_min_s=max(interval_s, span_s / 4),
        interval_s=interval_s,
        zero_weight=tuple(zero_weight),
    )
    _require_clocks(table, draft)
    _, steps = advance(AT1State.empty(), draft, table)
    return msgspec.structs.replace(draft, tau_min_s_by_clock=_tau_min(steps, interval_s))


def leave_one_out(table: PhaseTable, clock: str, parameters: AT1Parameters | None = None) -> FloatArray:
    """Phases float64[m] (s) of a clock against the scale computed without it; NaN where either is missing.

    The rules are fitted anew without the clock when none are given, so that nothing of it is left in the scale.
    """
    if clock not in table.clocks:
        raise EnsembleError(f"no such clock in the table: {clock}")
    column = table.clocks.index(clock)
    rest = [j for j in range(len(table.clocks)) if j != column]
    # the pivot of a row may be the clock itself: it is common to the others and cancels
    others = PhaseTable(
        table.epochs, tuple(table.clocks[j] for j in rest), table.x[:, rest], table.pivot, table.reference
    )
    steps = run_at1(others, parameters).steps
    order = [steps.clocks.index(name) for name in others.clocks]
    return table.x[:, column] + _first_finite(steps.x[:, order] - others.x)


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


def _tau_min(steps: AT1Steps, interval_s: float) -> dict[str, float]:
    """tau (s) of the least overlapping Allan deviation of each clock against the scale, up to a quarter of the span."""
    grid = grid_phases(steps.epochs, steps.x, interval_s)
    found: dict[str, float] = {}
    for j, name in enumerate(steps.clocks):
        best = np.inf
        m = 1
        while m <= max(1, (len(grid) - 1) // 4):
            second = grid[2 * m :, j] - 2 * grid[m:-m, j] + grid[: -2 * m, j]
            second = second[np.isfinite(second)]
            variance = float(np.mean(second * second)) / (m * m) if second.size else np.inf
            if variance < best:
                best, found[name] = variance, m * interval_s
            m *= 2
    return found


def _start_from(learned: AT1State) -> AT1State:
    """A state before its first epoch that knows rates and errors, for a run through time the other way."""
    start = AT1State.of_clocks(learned.clocks)
    for name in CARRIED:
        setattr(start, name, getattr(learned, name).copy())
    start.y = -start.y
    return start


def _reversed(table: PhaseTable) -> PhaseTable:
    """The table run backward: time counted down from its last epoch."""
    epochs = int(table.epochs[-1]) - table.epochs[::-1]
    return PhaseTable(epochs, table.clocks, table.x[::-1], table.pivot[::-1], table.reference)


def _mean_weights(steps: AT1Steps) -> dict[str, float]:
    epochs = int((steps.weight.sum(axis=1) > 0).sum())
    total = steps.weight.sum(axis=0) / max(epochs, 1)
    return {name: float(total[j]) for j, name in enumerate(steps.clocks)}


def _first_finite(values: FloatArray) -> FloatArray:
    """The first value of each row that is not NaN; NaN where there is none."""
    known = np.isfinite(values)
    first = np.argmax(known, axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), first], np.nan)


def _require_clocks(table: PhaseTable, parameters: AT1Parameters) -> None:
    carrying = [name for name in table.clocks if name not in parameters.zero_weight]
    if not carrying:
        raise EnsembleError("a scale needs a clock that may carry it, here is none")
