"""ALGOS: the BIPM's way to a free scale, window by window, the same code for a batch and for the live station.

Sign: readings come as x_i − x_pivot (the pivot cancels); x_i alone is clock i minus the scale. Within a window every
clock is predicted by a quadratic, with the rate of the window before and a drift, and counts with a weight that was
settled when the window began: one over how badly the rates of past windows were foretold, none above A/N.
The quadratic is taken step by step from a clock's own last reading: with every clock measured at every epoch it is the
BIPM's prediction from the start of the window, to the last term; and when a clock is missing the scale does not jump
by what that clock's error has grown to. Single readings are tested as well, which a monthly scale can leave to people.
What it does not do: steer, choose parameters (`batch.py` does), know drifts against TT (they can be given).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.algos import kernels
from timeball.ensemble.algos.parameters import ALGOSParameters
from timeball.ensemble.algos.state import NAME, ALGOSState, FloatArray, IntArray
from timeball.ensemble.algos.windows import windows_of
from timeball.ensemble.order import check_order
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

__all__ = ["NAME", "ALGOSParameters", "ALGOSState", "advance", "begin_window"]
OUT = ("x", "y", "weight", "error", "sigma", "figure", "code")
# the columns of the state that the two kernels change, in the order of their arguments
ADVANCED = (
    *("window", "x", "noise2", "base", "drift", "sigma2", "sum_s", "sum_tau_s", "weight_s", "rate_step"),
    *("streak_s", "streak_tau_s", "rates", "squares", "seen", "seen_count", "error_count", "rate_count", "judged"),
    *("standing", "held", "streak", "beyond"),
)
TURNED = (
    *("window", "base", "drift", "sigma2", "sum_s", "sum_tau_s", "weight_s", "rate_step", "rates", "mids", "squares"),
    *("rate_count", "judged", "standing", "absent", "held", "own"),
)


def advance(state: ALGOSState, parameters: ALGOSParameters, table: PhaseTable) -> tuple[ALGOSState, Steps]:
    """Process the epochs of a table after those the state has seen; the given state is left as it was.

    One call or many over the same epochs give the same bits: windows are weighed by those before them alone, whatever
    `iterations` says (`batch.run_algos` has the BIPM's rounds). Clocks that the state does not know join; clocks that
    the table does not know are missing. Raises ``EnsembleError`` when an epoch is not after the one before.
    """
    check_order(state.epoch, table)
    after = state.with_clocks(table.clocks)
    m, n = len(table.epochs), len(after.clocks)
    epochs = np.ascontiguousarray(table.epochs, dtype=np.int64)
    starts, ends = windows_of(_middles(state.epoch, epochs), parameters.window_s)
    phases = np.full((m, n), np.nan)
    place = {name: column for column, name in enumerate(after.clocks)}
    phases[:, [place[name] for name in table.clocks]] = table.x
    out = {name: np.empty((m, n), dtype=np.int8 if name == "code" else np.float64) for name in OUT}
    cuts = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), m] if m else []
    for first, last in itertools.pairwise(cuts):
        if int(starts[first]) != int(after.window[0]) or int(ends[first]) != int(after.window[1]):
            after = begin_window(after, parameters, int(starts[first]), int(ends[first]))
        rows = slice(first, last)
        _within_window(after, parameters, epochs[rows], phases[rows], [column[rows] for column in out.values()])
    if m:
        after.epoch = int(epochs[-1])
        after.code = out["code"][-1].astype(np.int64)
    return after, Steps(NAME, table.epochs, after.clocks, parameters=parameters, **out)


def begin_window(state: ALGOSState, parameters: ALGOSParameters, start: int, end: int) -> ALGOSState:
    """A copy of the state whose window is closed, if it was in one, and the one from start to end (ns of TAI) begun."""
    after = state.with_clocks(())
    if after.window[0] == after.window[1]:
        # a start that was given rates knows from where they hold
        after.window[:] = start, end
        since_s = (start - after.mids[:, 0]) / 1e9
        after.base = np.where(after.rate_count > 0, after.rates[:, 0] + after.drift * since_s, 0.0)
        return after
    kernels.turn_window(
        start,
        end,
        _eligible(after, parameters),
        np.array([parameters.drift_by_clock.get(name, np.nan) for name in after.clocks], dtype=np.float64),
        float(parameters.cap),
        parameters.min_windows,
        parameters.max_windows,
        parameters.drift_windows,
        parameters.least_drift_windows,
        float(parameters.coverage),
        float(parameters.abnormal),
        *(getattr(after, name) for name in TURNED),
    )
    return after


def _within_window(
    state: ALGOSState, parameters: ALGOSParameters, epochs: IntArray, phases: FloatArray, out: Sequence[Any]
) -> None:
    """Process epochs that lie in the state's window; state and out change in place."""
    kernels.advance_epochs(
        epochs,
        phases,
        _eligible(state, parameters),
        float(parameters.interval_s),
        float(parameters.cap),
        parameters.min_windows,
        float(parameters.outlier_reject),
        parameters.step_epochs,
        parameters.noise_epochs,
        *(getattr(state, name) for name in ADVANCED),
        *out,
    )


def _middles(last: int | None, epochs: IntArray) -> IntArray:
    """The middle of the interval that ends with each epoch; of the first of all the epoch itself."""
    before = np.empty_like(epochs)
    if len(epochs):
        before[0] = epochs[0] if last is None else last
        before[1:] = epochs[:-1]
    return before + (epochs - before) // 2


def _eligible(state: ALGOSState, parameters: ALGOSParameters) -> npt.NDArray[np.bool_]:
    return np.array([name not in parameters.zero_weight for name in state.clocks], dtype=np.bool_)
