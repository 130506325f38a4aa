"""The Kalman scale of a whole record at once: noise fitted to the data, and a start from the data.

Sign: x is clock minus scale (s). Nothing is tuned by hand: `fit_noise` finds the coefficients. A batch runs backward
through its record first and begins with the rates and drifts it ends with; a live scale has to learn them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from msgspec.structs import replace

from timeball.ensemble.algorithms import Algorithm
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.fitting.anchors import driftless
from timeball.ensemble.fitting.walks import SHORTEST_S, refined_walks
from timeball.ensemble.kalman import NAME, KalmanParameters, KalmanState, advance
from timeball.ensemble.kalman.columns import AGE_S, COUNTS, LEARNED, MARKS, RATED, SPREAD, SPREAD_COUNT
from timeball.ensemble.kalman.layout import places
from timeball.ensemble.scale import ScaleRun, mean_weights, without
from timeball.readings import PhaseTable


def run_kalman(table: PhaseTable, parameters: KalmanParameters | None = None) -> ScaleRun:
    """Compute the scale of a record; without parameters they are fitted (`fit_parameters`).

    Raises ``EnsembleError`` when there is nothing to make a scale of.
    """
    rules = fit_parameters(table) if parameters is None else parameters
    if all(name in rules.zero_weight for name in table.clocks):
        raise EnsembleError("a scale needs a clock that may carry it, here is none")
    back, _ = advance(KalmanState.empty(), rules, _reversed(table))
    state, steps = advance(_start_from(back), rules, table)
    return ScaleRun(rules, steps, state, mean_weights(steps))


def fit_parameters(table: PhaseTable, zero_weight: Sequence[str] = ()) -> KalmanParameters:
    """Rules from the record itself: the interval, and the noise of every clock that may carry the scale.

    A clock has a drift to be estimated unless its noise would hide any that the record allows (`fitting.anchors`). The
    slow noises of those without are found anew, against the scale that all these noises make (`fitting.walks`).
    """
    if len(table.epochs) < 3:
        raise EnsembleError(f"a scale needs at least 3 epochs, here are {len(table.epochs)}")
    carrying = table
    for name in zero_weight:
        if name in carrying.clocks:
            carrying = without(carrying, name)
    if not carrying.clocks:
        raise EnsembleError("a scale needs a clock that may carry it, here is none")
    fit = import_module("timeball.ensemble.fitting").fit_noise(carrying)
    steady = driftless(fit.noise, fit.drift, fit.u_drift, fit.span_s)
    rules = KalmanParameters(
        noise_by_clock={name: replace(each, drifts=name not in steady) for name, each in fit.noise.items()},
        interval_s=float(np.median(np.diff(table.epochs))) / 1e9,
        min_epochs=max(3, min(30, len(table.epochs) // 8)),
        zero_weight=tuple(zero_weight),
    )
    if len(steady) < 2 or fit.span_s < SHORTEST_S:
        return rules
    steps = run_kalman(table, rules).steps
    return replace(rules, noise_by_clock=refined_walks(rules.noise_by_clock, table.epochs, steps.clocks, steps.x))


def _reversed(table: PhaseTable) -> PhaseTable:
    """The table run backward: time counted down from its last epoch."""
    epochs = int(table.epochs[-1]) - table.epochs[::-1]
    return PhaseTable(epochs, table.clocks, table.x[::-1], table.pivot[::-1], table.reference)


def _start_from(learned: KalmanState) -> KalmanState:
    """A state before its first epoch that knows rates, drifts and stages, for a run through time the other way.

    Phases come from the first reading anew; what turns with time's direction is turned: rates and stages.
    """
    n = len(learned.carrying)
    drift, _ = places(learned)
    start = learned.copy()
    start.epoch, start.rows = None, 0
    sign = np.full(len(start.x), -1.0)
    sign[drift[drift >= 0]] = 1.0
    sign[:n] = 0.0
    start.x = start.x * sign
    start.P = start.P * sign[:, None] * sign[None, :]
    start.common = start.common * np.array([0.0, -1.0, 1.0])
    start.counts = np.zeros((n, len(COUNTS)), dtype=np.int64)
    start.marks = np.zeros((n, len(MARKS)))
    for column in (RATED, LEARNED, SPREAD_COUNT):
        start.counts[:, column] = learned.counts[:, column]
    for column in (AGE_S, SPREAD):
        start.marks[:, column] = learned.marks[:, column]
    for name in ("watched_x", "watched_y", "watched_seen", "watched_count"):
        setattr(start, name, np.zeros_like(getattr(start, name)))
    return start


ALGORITHM = Algorithm(NAME, KalmanParameters, KalmanState, advance, fit_parameters, run_kalman)
