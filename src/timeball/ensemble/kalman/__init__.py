"""The structured Kalman scale: clock differences are filtered, the common mode is moved open loop.

Sign: readings come as x_i − x_pivot; x_i alone is clock i minus the scale, as filtered: free of the channel's noise as
far as the clock's model allows. The filter holds differences against a pivot clock only (Yan et al., arXiv:2305.05894),
in which nothing grows without bound. The scale is defined by conditions on its corrections, each with weights of its
own (Stein, Proc. FCS 1993): Σ a Δx̂ = 0 with a ∝ 1/q1 and Σ b Δŷ = 0 with b ∝ 1/q2, so that it has the white noise of
the best clocks at short times and the random walk of the best at long ones; drifts likewise, where no clock is without
one. Flicker stages need no condition: they are bounded, and the filter shares them out by their variances. What it does
not do: steer, find coefficients (`fitting` does), or repair readings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.ensemble.codes import MISSING
from timeball.ensemble.kalman import kernels
from timeball.ensemble.kalman.layout import is_anchored, places, settled, with_clocks, with_pivot
from timeball.ensemble.kalman.model import clock_models, stage_constants
from timeball.ensemble.kalman.parameters import KalmanParameters
from timeball.ensemble.kalman.state import NAME, KalmanState
from timeball.ensemble.kalman.watching import watch
from timeball.ensemble.order import check_order
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

__all__ = ["NAME", "KalmanParameters", "KalmanState", "advance"]

FloatArray = npt.NDArray[np.float64]
FIELDS = ("x", "y", "weight", "error", "sigma", "figure")


def advance(state: KalmanState, parameters: KalmanParameters, table: PhaseTable) -> tuple[KalmanState, Steps]:
    """Process the epochs of a table after those the state has seen; the given state is left as it was.

    One call or many over the same epochs give the same bits. Clocks that the state does not know join at their first
    reading; clocks that the table does not know are missing. Raises ``EnsembleError`` when an epoch is not after the
    one before.
    """
    check_order(state.epoch, table)
    after = state.copy()
    names = tuple(sorted(set(state.clocks) | set(table.clocks)))
    m, n = len(table.epochs), len(names)
    outputs = {field: np.full((m, n), np.nan) for field in FIELDS}
    outputs["weight"][:] = 0.0
    code = np.full((m, n), MISSING, dtype=np.int8)
    offset = np.full(m, np.nan)
    columns = {name: j for j, name in enumerate(table.clocks)}
    carriers = [name for name in table.clocks if name not in parameters.zero_weight]
    row = 0
    after = _regrouped(after, parameters)
    while row < m:
        joining = [name for name in carriers if name not in after.carrying and np.isfinite(table.x[row, columns[name]])]
        if joining:
            after = with_clocks(after, parameters, [*after.carrying, *joining])
        if not after.carrying:
            row += 1
            continue
        present = [name for name in after.carrying if name in columns and np.isfinite(table.x[row, columns[name]])]
        after = settled(after, parameters, int(table.epochs[row]), present)
        last = _next_join(table, [columns[name] for name in carriers if name not in after.carrying], row)
        row = _run(after, parameters, table, names, row, last, outputs, offset, code)
    after = watch(after, parameters, table, names, offset, outputs, code)
    if m:
        after.epoch = int(table.epochs[-1])
    return after, Steps(
        NAME,
        table.epochs,
        names,
        outputs["x"],
        outputs["y"],
        outputs["weight"],
        outputs["error"],
        outputs["sigma"],
        outputs["figure"],
        code,
        parameters,
    )


def _regrouped(state: KalmanState, parameters: KalmanParameters) -> KalmanState:
    """The state with each clock where the rules want it now: in the filter, or watched."""
    stay = [name for name in state.carrying if name not in parameters.zero_weight]
    if state.carrying and state.pivot not in stay and stay:
        state = with_pivot(state, stay[0])
    return with_clocks(state, parameters, stay)


def _next_join(table: PhaseTable, columns: list[int], row: int) -> int:
    """The first row after `row` at which one of the columns has a reading; the end when none has."""
    found = np.isfinite(table.x[row + 1 :, columns]).any(axis=1)
    return row + 1 + int(np.argmax(found)) if found.any() else len(table.epochs)


def _run(
    state: KalmanState,
    parameters: KalmanParameters,
    table: PhaseTable,
    names: tuple[str, ...],
    first: int,
    last: int,
    outputs: dict[str, FloatArray],
    offset: FloatArray,
    code: npt.NDArray[np.int8],
) -> int:
    """Run the rows first..last−1 with one set of clocks, as far as the pivot may stay; gives the next row."""
    clocks = state.carrying
    m, n = last - first, len(clocks)
    models = clock_models(parameters, clocks)
    drift, stage = places(state)
    anchored, pivot = is_anchored(state), clocks.index(state.pivot)
    if not anchored:
        drift[pivot] = -1
    X = np.full((m, n), np.nan)
    known = [(i, table.clocks.index(name)) for i, name in enumerate(clocks) if name in table.clocks]
    for i, j in known:
        X[:, i] = table.x[first:last, j]
    phase_noise = kernels.nominal_noise(
        parameters.interval_s, models.q, models.stage_variance, stage_constants(parameters)
    )
    when = np.array([state.epoch or 0, state.rows], dtype=np.int64)
    found = {field: np.empty((m, n)) for field in FIELDS}
    found_code, found_offset = np.empty((m, n), dtype=np.int8), np.empty(m)
    done = kernels.advance_rows(
        np.ascontiguousarray(table.epochs[first:last], dtype=np.int64),
        X,
        models.q,
        models.R,
        phase_noise,
        models.stage_variance,
        stage_constants(parameters),
        drift,
        stage,
        pivot,
        anchored,
        float(parameters.outlier_reduce),
        float(parameters.outlier_reject),
        1.0 if parameters.cap is None else float(parameters.cap),
        float(parameters.memory_s),
        int(parameters.forget_s * 1e9),
        parameters.hold_epochs,
        parameters.pivot_epochs,
        parameters.min_epochs,
        parameters.step_epochs,
        parameters.noise_epochs,
        when,
        state.x,
        state.P,
        state.common,
        state.counts,
        state.marks,
        found["x"],
        found["y"],
        found["weight"],
        found["error"],
        found["sigma"],
        found["figure"],
        found_offset,
        found_code,
    )
    place = [names.index(name) for name in clocks]
    for field in FIELDS:
        outputs[field][first : first + done, place] = found[field][:done]
    code[first : first + done, place] = found_code[:done]
    offset[first : first + done] = found_offset[:done]
    state.epoch, state.rows = int(when[0]), int(when[1])
    return first + done
