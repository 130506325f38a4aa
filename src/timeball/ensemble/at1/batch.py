"""AT1 on a whole record at once: rules fitted to the data, and a start from the data.

Sign: x is clock minus scale (s). Nothing is tuned by hand: tau_min of each clock is where its Allan deviation against a
preliminary scale is least; rates and mean square errors at the first epoch come from running forward and then backward
through the record. So a batch uses its own span to start, which a live scale cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from timeball.ensemble.algorithms import Algorithm
from timeball.ensemble.at1 import NAME, AT1Parameters, AT1State, advance
from timeball.ensemble.at1.parameters import DAY_S
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import ScaleRun, grid_phases, mean_weights
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

LONGEST_MEMORY_S = 20 * DAY_S
CARRIED = ("y", "eps2", "rate_count", "error_count", "learned")


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
    return ScaleRun(rules, steps, state, mean_weights(steps))


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


def _tau_min(steps: Steps, interval_s: float) -> dict[str, float]:
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


def _require_clocks(table: PhaseTable, parameters: AT1Parameters) -> None:
    carrying = [name for name in table.clocks if name not in parameters.zero_weight]
    if not carrying:
        raise EnsembleError("a scale needs a clock that may carry it, here is none")


ALGORITHM = Algorithm(NAME, AT1Parameters, AT1State, advance, fit_parameters, run_at1)
