"""AT1: the free scale from clock comparisons, epoch by epoch, the same code for a batch and for the live station.

Sign: readings come as x_i − x_pivot (the pivot cancels); x_i alone is clock i minus the scale. The scale is set at the
first epoch to the median of the clocks that may carry it; after that no clock's coming, going or stepping moves it:
every clock counts through the error of its own prediction, with a weight fixed before the error is known.
What it does not do: steer, choose parameters (`batch.py` does), or repair readings.
"""

from __future__ import annotations

import numpy as np

from timeball.ensemble.at1 import kernels
from timeball.ensemble.at1.parameters import AT1Parameters
from timeball.ensemble.at1.state import AT1State
from timeball.ensemble.order import check_order
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

NAME = "AT1"
__all__ = ["NAME", "AT1Parameters", "AT1State", "advance"]


def advance(state: AT1State, parameters: AT1Parameters, table: PhaseTable) -> tuple[AT1State, Steps]:
    """Process the epochs of a table after those the state has seen; the given state is left as it was.

    One call or many over the same epochs give the same bits. Clocks that the state does not know join; clocks that the
    table does not know are missing. Raises ``EnsembleError`` when an epoch is not after the one before.
    """
    check_order(state.epoch, table)
    after = state.with_clocks(table.clocks)
    m, n = len(table.epochs), len(after.clocks)
    phases = np.full((m, n), np.nan)
    place = {name: column for column, name in enumerate(after.clocks)}
    phases[:, [place[name] for name in table.clocks]] = table.x
    after.d = np.array([parameters.drift_by_clock.get(name, 0.0) for name in after.clocks], dtype=np.float64)
    eligible = np.array([name not in parameters.zero_weight for name in after.clocks], dtype=np.bool_)
    x, y, weight, error, sigma, figure = (np.empty((m, n)) for _ in range(6))
    code = np.empty((m, n), dtype=np.int8)
    kernels.advance_epochs(
        np.ascontiguousarray(table.epochs, dtype=np.int64),
        phases,
        eligible,
        np.array([parameters.tau_min_of(name) for name in after.clocks], dtype=np.float64),
        float(parameters.interval_s),
        float(parameters.memory_s),
        float(parameters.greatest_weight(int(eligible.sum()))),
        float(parameters.outlier_reduce),
        float(parameters.outlier_reject),
        parameters.min_epochs,
        parameters.step_epochs,
        parameters.noise_epochs,
        after.x,
        after.y,
        after.d,
        after.eps2,
        after.seen,
        after.seen_count,
        after.rate_count,
        after.error_count,
        after.learned,
        after.streak,
        after.beyond,
        after.streak_s,
        after.streak_tau_s,
        x,
        y,
        weight,
        error,
        sigma,
        figure,
        code,
    )
    if m:
        after.epoch = int(table.epochs[-1])
        after.code = code[-1].astype(np.int64)
    steps = Steps(NAME, table.epochs, after.clocks, x, y, weight, error, sigma, figure, code, parameters)
    return after, steps
