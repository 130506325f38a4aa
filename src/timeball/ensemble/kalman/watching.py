"""Clocks without weight, followed against the Kalman scale: their readings have no part in the filter.

A steered output is no free clock, and what a filter makes of it would reach every other. Sign: x is clock minus scale,
as measured. What it does not do: judge them (they are neither tested nor left out).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.ensemble.codes import NO_WEIGHT
from timeball.ensemble.kalman import kernels
from timeball.ensemble.kalman.parameters import DAY_S, KalmanParameters
from timeball.ensemble.kalman.state import KalmanState
from timeball.readings import PhaseTable

FloatArray = npt.NDArray[np.float64]
RATE_MEMORY_S = DAY_S
COLUMNS = ("watched_x", "watched_y", "watched_seen", "watched_count")


def watch(
    state: KalmanState,
    parameters: KalmanParameters,
    table: PhaseTable,
    names: tuple[str, ...],
    offset: FloatArray,
    outputs: dict[str, FloatArray],
    code: npt.NDArray[np.int8],
) -> KalmanState:
    """Follow the clocks of `parameters.zero_weight` through a table; fills their columns of the outputs.

    offset: float64[m] (s), what takes a value of the table to clock minus scale; NaN where there is no scale.
    """
    _know(state, [name for name in names if name in parameters.zero_weight])
    clocks, m = state.watched, len(table.epochs)
    phases = np.full((m, len(clocks)), np.nan)
    for i, name in enumerate(clocks):
        if name in table.clocks:
            phases[:, i] = table.x[:, table.clocks.index(name)]
    measured = phases + offset[:, None]
    y, error = np.empty(measured.shape), np.empty(measured.shape)
    epochs = np.ascontiguousarray(table.epochs, dtype=np.int64)
    kernels.watch_rows(
        epochs,
        measured,
        state.watched_x,
        state.watched_y,
        state.watched_seen,
        state.watched_count,
        RATE_MEMORY_S,
        y,
        error,
    )
    place = [names.index(name) for name in clocks]
    outputs["x"][:, place], outputs["y"][:, place], outputs["error"][:, place] = measured, y, error
    code[:, place] = np.where(np.isfinite(phases), NO_WEIGHT, code[:, place])
    return state


def _know(state: KalmanState, clocks: list[str]) -> None:
    """Make `clocks` the watched ones; those watched before keep what is known of them."""
    names = tuple(sorted(clocks))
    if names == state.watched:
        return
    kept = [name for name in names if name in state.watched]
    here, there = [names.index(name) for name in kept], [state.watched.index(name) for name in kept]
    for column in COLUMNS:
        old = getattr(state, column)
        new = np.zeros(len(names), dtype=old.dtype)
        new[here] = old[there]
        setattr(state, column, new)
    state.watched = names
