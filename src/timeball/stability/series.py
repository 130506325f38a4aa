"""One clock's phases out of a record of comparisons.

Sign: a series is x_clock − x_against, as a reading is; where the record holds it the other way round it is turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.readings import Readings, phase_table
from timeball.stability.errors import StabilityError

NAMES_SHOWN = 12


class ClockChoiceError(StabilityError):
    """The clock asked for is not in the record, or none was asked for and the record has several."""


@dataclass(frozen=True, slots=True)
class Series:
    """Phases of one clock: epoch int64[n] (TAI ns), x float64[n] (s), of `clock` minus `against`."""

    clock: str
    against: str
    epoch: NDArray[np.int64]
    x: NDArray[np.float64]


def clocks_measured(readings: Readings) -> tuple[str, ...]:
    """Name the clocks that a series can be made of: those that stand first in a reading."""
    return tuple(readings.clocks[number] for number in np.unique(readings.a).tolist())


def series_of(readings: Readings, clock: str | None = None) -> Series:
    """Take one clock's phases; without a name, those of the only clock there is.

    Against: the clock or scale on the other side of its readings; when there are several, the one it was compared with
    most often, at some epochs through other clocks. Raises ClockChoiceError.
    """
    name = _choose(readings, clock)
    number = readings.clocks.index(name)
    touching = (readings.a == number) | (readings.b == number)
    others, count = np.unique(np.where(readings.a == number, readings.b, readings.a)[touching], return_counts=True)
    against = readings.clocks[int(others[np.argmax(count)])]
    if others.size == 1:
        sign = np.where(readings.a[touching] == number, 1.0, -1.0)
        return Series(name, against, readings.epoch[touching], sign * readings.x[touching])
    table = phase_table(readings, against).against_reference()
    return Series(name, against, table.epochs, table.x[:, table.clocks.index(name)])


def _choose(readings: Readings, clock: str | None) -> str:
    names = clocks_measured(readings)
    if clock is None:
        if len(names) == 1:
            return names[0]
        raise ClockChoiceError(f"the record has {len(names)} clocks, choose one of them: {_listed(names)}")
    measured = clock in names or (clock in readings.clocks and bool(np.any(readings.b == readings.clocks.index(clock))))
    if not measured:
        raise ClockChoiceError(f"no clock {clock!r} in the record; there are: {_listed(names)}")
    return clock


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
