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

import numpy as np

from timeball.ensemble.algos import kernels
from timeball.ensemble.algos.parameters import ALGOSParameters
from timeball.ensemble.algos.state import NAME, ALGOSState
from timeball.ensemble.algos.windows import windows_of
from timeball.ensemble.order import check_order
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

__all__ = ["NAME", "ALGOSParameters", "ALGOSState", "advance", "close_window"]


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
    x, y, weight, error, sigma, figure = (np.empty((m, n)) for _ in range(6))
    code = np.empty((m, n), dtype=np.int8)
    kernels.advance_epochs(
        epochs,
        starts,
        ends,
        phases,
        _eligible(after, parameters),
        _given_drift(after, parameters),
        float(parameters.interval_s),
        float(parameters.cap),
        parameters.min_windows,
        parameters.max_windows,
        parameters.drift_windows,
        parameters.least_drift_windows,
        float(parameters.coverage),
        float(parameters.outlier_reject),
        parameters.step_epochs,
        parameters.noise_epochs,
        float(parameters.abnormal),
        after.window,
        after.x,
        after.noise2,
        after.base,
        after.drift,
        after.sigma2,
        after.sum_s,
        after.sum_tau_s,
        after.weight_s,
        after.rate_step,
        after.streak_s,
        after.streak_tau_s,
        after.rates,
        after.mids,
        after.squares,
        after.seen,
        after.seen_count,
        after.error_count,
        after.rate_count,
        after.judged,
        after.standing,
        after.absent,
        after.held,
        after.own,
        after.streak,
        after.beyond,
        x,
        y,
        weight,
        error,
        sigma,
        figure,
        code,
    )
    if m:
        after.epoch = int(epochs[-1])
        after.code = code[-1].astype(np.int64)
    return after, Steps(NAME, table.epochs, after.clocks, x, y, weight, error, sigma, figure, code, parameters)


def close_window(state: ALGOSState, parameters: ALGOSParameters, start: int, end: int) -> ALGOSState:
    """A copy of the state whose window is closed and the one from start to end (ns of TAI) begun."""
    after = state.with_clocks(())
    kernels.turn_window(
        start,
        end,
        _eligible(after, parameters),
        _given_drift(after, parameters),
        float(parameters.cap),
        parameters.min_windows,
        parameters.max_windows,
        parameters.drift_windows,
        parameters.least_drift_windows,
        float(parameters.coverage),
        float(parameters.abnormal),
        after.window,
        after.noise2,
        after.base,
        after.drift,
        after.sigma2,
        after.sum_s,
        after.sum_tau_s,
        after.weight_s,
        after.rate_step,
        after.rates,
        after.mids,
        after.squares,
        after.rate_count,
        after.judged,
        after.standing,
        after.absent,
        after.held,
        after.own,
    )
    return after


def _middles(last: int | None, epochs: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.int64]:
    """The middle of the interval that ends with each epoch; of the first of all the epoch itself."""
    before = np.empty_like(epochs)
    if len(epochs):
        before[0] = epochs[0] if last is None else last
        before[1:] = epochs[:-1]
    return before + (epochs - before) // 2


def _eligible(state: ALGOSState, parameters: ALGOSParameters) -> np.typing.NDArray[np.bool_]:
    return np.array([name not in parameters.zero_weight for name in state.clocks], dtype=np.bool_)


def _given_drift(state: ALGOSState, parameters: ALGOSParameters) -> np.typing.NDArray[np.float64]:
    return np.array([parameters.drift_by_clock.get(name, np.nan) for name in state.clocks], dtype=np.float64)
