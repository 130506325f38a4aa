"""Where each coordinate of the filter stands, and how the state changes with the set of clocks and with the pivot.

Coordinates: phases, rates (all clocks, the pivot's zero), drifts of those that have one, flicker stages. All changes
are exact linear maps: the scale's phase and rate, and every difference, are what they were. What it does not do: move
the state in time (`kernels` do).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from timeball.ensemble.kalman.columns import COUNTS, MARKS, MISSED, RATED, SEEN, SEEN_COUNT, STREAK
from timeball.ensemble.kalman.model import ClockModels, clock_models, has_flicker
from timeball.ensemble.kalman.parameters import KalmanParameters
from timeball.ensemble.kalman.state import KalmanState

IntArray = npt.NDArray[np.int64]


def places(state: KalmanState) -> tuple[IntArray, IntArray]:
    """Index of each clock's drift and of its first stage in the state; −1 for a clock that has none."""
    n, drifts = len(state.carrying), np.array(state.drifts, dtype=np.int64)
    flickers = np.array(state.flickers, dtype=np.int64)
    drift = np.where(drifts > 0, 2 * n + np.cumsum(drifts) - 1, -1)
    stage = np.where(flickers > 0, 2 * n + drifts.sum() + (np.cumsum(flickers) - 1) * state.stages, -1)
    return drift.astype(np.int64), stage.astype(np.int64)


def is_anchored(state: KalmanState) -> bool:
    """Whether some clock has no drift: then drifts are absolute, else against the pivot's."""
    return not all(state.drifts)


def with_clocks(state: KalmanState, parameters: KalmanParameters, clocks: Sequence[str]) -> KalmanState:
    """The state of just these clocks, with the drifts and stages that their noise asks for; what stays is kept.

    A clock that joins has no phase and no rate yet. Leaving clocks must not include the pivot, unless all leave.
    """
    names = tuple(sorted(clocks))
    drifts = tuple(parameters.noise_of(name).drifts for name in names)
    flickers = tuple(has_flicker(parameters.noise_of(name), parameters) for name in names)
    if (names, drifts, flickers) == (state.carrying, state.drifts, state.flickers) and (
        state.stages == parameters.flicker_stages or not any(flickers)
    ):
        return state
    models = clock_models(parameters, names)
    old = _in_frame(state, anchored=not all(drifts), models=models, names=names)
    n = 2 * len(names) + sum(drifts) + parameters.flicker_stages * sum(flickers)
    new = replace(
        state,
        carrying=names,
        pivot=state.pivot if state.pivot in names else _best(parameters, names, names),
        drifts=drifts,
        flickers=flickers,
        stages=parameters.flicker_stages,
        x=np.zeros(n),
        P=np.zeros((n, n)),
        counts=np.zeros((len(names), len(COUNTS)), dtype=np.int64),
        marks=np.zeros((len(names), len(MARKS))),
    )
    source, target, fresh = _correspondence(old, new)
    new.x[target] = old.x[source]
    new.P[np.ix_(target, target)] = old.P[np.ix_(source, source)]
    for place, variance in _priors(new, models, fresh):
        new.P[place, place] = variance
    kept = [name for name in names if name in old.carrying]
    here, there = [names.index(name) for name in kept], [old.carrying.index(name) for name in kept]
    new.counts[here], new.marks[here] = old.counts[there], old.marks[there]
    return new


def with_pivot(state: KalmanState, pivot: str) -> KalmanState:
    """The same state seen from another pivot: every difference is taken against that clock."""
    if pivot == state.pivot:
        return state
    n, q = len(state.carrying), state.carrying.index(pivot)
    drift, _ = places(state)
    new = state.copy()
    new.pivot = pivot
    new.common[0] += state.x[q]
    new.common[1] += state.x[n + q]
    blocks = [(np.arange(n), q), (np.arange(n, 2 * n), n + q)]
    if not is_anchored(state):
        new.common[2] += state.x[drift[q]]
        blocks.append((drift, int(drift[q])))
    for block, base in blocks:
        new.x[block] = new.x[block] - state.x[base]
        new.P[block, :] = new.P[block, :] - new.P[base, :].copy()
    for block, base in blocks:
        new.P[:, block] = new.P[:, block] - new.P[:, base].copy()[:, None]
    return new


def settled(state: KalmanState, parameters: KalmanParameters, epoch: int, present: Sequence[str]) -> KalmanState:
    """Take another pivot where it has been away too long, and forget the clocks that have been.

    The counterpart of `kernels.must_change`; present: the clocks measured at the epoch that comes.
    """
    counts, names = state.counts, state.carrying
    pivot = counts[names.index(state.pivot)]
    nobody = not counts[:, SEEN_COUNT].any()
    if (nobody or not pivot[RATED]) and state.pivot not in present:
        known = [name for i, name in enumerate(names) if (nobody or counts[i, SEEN_COUNT]) and name in present]
        return with_pivot(state, _best(parameters, names, known)) if known else state
    good = [
        name
        for i, name in enumerate(names)
        if name != state.pivot and counts[i, RATED] and not counts[i, MISSED] and not counts[i, STREAK]
    ]
    late = epoch - parameters.forget_s * 1e9
    gone = [
        name for i, name in enumerate(names) if counts[i, SEEN_COUNT] and counts[i, MISSED] and counts[i, SEEN] < late
    ]
    if good and (pivot[MISSED] >= parameters.pivot_epochs or state.pivot in gone):
        state = with_pivot(state, _best(parameters, names, good))
    if not good or not gone:
        return state
    return with_clocks(state, parameters, [name for name in names if name not in gone])


def _best(parameters: KalmanParameters, names: Sequence[str], choice: Sequence[str]) -> str:
    """The pivot among some clocks: one without a drift where there is one, then the best known, then the first."""
    models = clock_models(parameters, names)
    order = [
        (parameters.noise_of(name).drifts, float(models.R[i] + models.q[i, 0] * parameters.interval_s), name)
        for i, name in enumerate(names)
        if name in choice
    ]
    return min(order)[2] if order else ""


def _in_frame(state: KalmanState, anchored: bool, models: ClockModels, names: Sequence[str]) -> KalmanState:
    """The state with its drifts absolute, or against the pivot's, as the clocks to come need it."""
    if not state.carrying or is_anchored(state) == anchored:
        return state
    drift, _ = places(state)
    new = state.copy()
    block = drift[drift >= 0]
    base = int(drift[state.carrying.index(state.pivot)])
    if anchored:
        new.x[block] += state.common[2]
        new.common[2] = 0.0
        variance = min(float(models.drift_variance[names.index(name)]) for name in names)
        new.P[np.ix_(block, block)] += variance
        return new
    if base < 0:
        # the pivot was without drift: absolute drifts are those against it
        new.common[2] = 0.0
        return new
    new.common[2] = state.x[base]
    new.x[block] -= state.x[base]
    new.P[block, :] = new.P[block, :] - new.P[base, :].copy()
    new.P[:, block] = new.P[:, block] - new.P[:, base].copy()[:, None]
    return new


def _correspondence(old: KalmanState, new: KalmanState) -> tuple[list[int], list[int], list[tuple[str, int, int]]]:
    """Coordinates that both have (their places in each), and those that only the new one has: (kind, place, clock)."""
    had, has = _coordinates(old), _coordinates(new)
    shared = [key for key in has if key in had]
    fresh = [(key[0], place, new.carrying.index(key[1])) for key, place in has.items() if key not in had]
    return [had[key] for key in shared], [has[key] for key in shared], fresh


def _coordinates(state: KalmanState) -> dict[tuple[str, str, int], int]:
    n = len(state.carrying)
    drift, stage = places(state)
    found: dict[tuple[str, str, int], int] = {}
    for i, name in enumerate(state.carrying):
        found["phase", name, 0] = i
        found["rate", name, 0] = n + i
        if drift[i] >= 0:
            found["drift", name, 0] = int(drift[i])
        if stage[i] >= 0:
            for k in range(state.stages):
                found["stage", name, k] = int(stage[i]) + k
    return found


def _priors(state: KalmanState, models: ClockModels, fresh: Sequence[tuple[str, int, int]]) -> list[tuple[int, float]]:
    """Variances of new drifts and stages; phases and rates start with the first readings, the pivot's drift is zero."""
    pivot = state.carrying.index(state.pivot) if state.pivot else -1
    found: list[tuple[int, float]] = []
    for kind, place, i in fresh:
        if kind == "drift" and (i != pivot or is_anchored(state)):
            found.append((place, float(models.drift_variance[i])))
        if kind == "stage":
            found.append((place, float(models.stage_variance[i])))
    return found
