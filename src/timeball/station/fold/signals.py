"""The output and the link to UTC against TA(k): signals that the ensemble judges or does not know, never members.

x is signal minus TA(k), in seconds, NaN where it was not read. Pure.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import numpy as np

from timeball.ensemble.steps import Steps
from timeball.readings import FloatArray, PhaseTable


def place_of(clocks: tuple[str, ...], name: str) -> int | None:
    """Column of a clock, None when it has none."""
    return clocks.index(name) if name in clocks else None


def only(table: PhaseTable, clocks: Container[str]) -> PhaseTable:
    """The columns of these clocks: the link to UTC, or a name that nobody configured, is no clock of the laboratory."""
    places = [place for place, name in enumerate(table.clocks) if name in clocks]
    return replace(table, clocks=tuple(table.clocks[place] for place in places), x=table.x[:, places])


def later_than(table: PhaseTable, epoch: int | None) -> PhaseTable:
    """Only the rows after `epoch` (TAI ns): a batch that arrives again, or late, never turns the scale back."""
    if epoch is None or (len(table.epochs) and int(table.epochs.min()) > epoch):
        return table
    later = table.epochs > epoch
    return replace(table, epochs=table.epochs[later], x=table.x[later], pivot=table.pivot[later])


def against_scale(steps: Steps, table: PhaseTable, signal: str) -> FloatArray:
    """x of a signal against TA(k) (s, float64[m]) through the first clock read with it; NaN where there is none."""
    x = np.full(len(table.epochs), np.nan)
    place = place_of(table.clocks, signal)
    if place is None:
        return x
    column = {name: at for at, name in enumerate(steps.clocks)}
    unread = np.isnan(x)
    for at, name in enumerate(table.clocks):
        if at == place or name not in column:
            continue
        through = table.x[:, place] - table.x[:, at] + steps.x[:, column[name]]
        x = np.where(unread, through, x)
        unread = np.isnan(x)
        if not unread.any():
            break
    return x


def last_at(values: FloatArray, clocks: tuple[str, ...], name: str) -> float:
    """The last row's value of a clock; NaN when it has no column."""
    place = place_of(clocks, name)
    return float(values[-1, place]) if place is not None else float("nan")
