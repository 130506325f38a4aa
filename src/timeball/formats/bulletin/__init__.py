"""What the bulletins of the BIPM have in common: UTC − UTC(k) by laboratory, and a laboratory's points over many.

Sign: a value is UTC − UTC(k) as printed (UTCr − UTC(k) in the rapid one), turned into seconds; positive when UTC(k)
is late. Dates are 0 h UTC of an MJD, epochs are ns of TAI.

What it does not do: fill what was not published (NaN), or judge a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import whole_file_error
from timeball.instants import MJD_OF_1970, InstantError, LeapTable, from_utc_parts
from timeball.readings import FloatArray, Readings

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LabValues:
    """One laboratory's row: UTC − UTC(k) in s at the epochs of the heading, NaN where nothing is published.

    u_a_s, u_b_s, u_s: statistical, systematic and combined standard uncertainty (s, k = 1); NaN when the bulletin
    gives none, or says NC (not computed). notes: the numbers of the notes that the row points to.
    """

    lab: str
    place: str
    values_s: FloatArray
    u_a_s: float
    u_b_s: float
    u_s: float
    notes: tuple[int, ...] = ()


class Bulletin(Protocol):
    """What Circular T and UTCr share: epochs (int64[n], ns of TAI) and the laboratories' values at them."""

    @property
    def epochs(self) -> IntArray:
        """Epochs of the values, ns of TAI."""

    @property
    def labs(self) -> dict[str, LabValues]:
        """Laboratories by acronym."""


@dataclass(frozen=True, slots=True, eq=False)
class LabPoints:
    """The published points of one laboratory in order of time, n of them.

    epochs: int64[n], ns of TAI; values_s: float64[n], UTC − UTC(k) (s); u_a_s, u_s: float64[n], NaN when unknown.
    """

    lab: str
    epochs: IntArray
    values_s: FloatArray
    u_a_s: FloatArray
    u_s: FloatArray


def lab_points(bulletins: Iterable[Bulletin], lab: str) -> LabPoints:
    """Join what several bulletins say of one laboratory; for a date given twice the later bulletin stands.

    A bulletin that does not know the laboratory adds nothing; when none does the result is empty.
    """
    parts = []
    for bulletin in sorted((each for each in bulletins if lab in each.labs), key=lambda each: int(each.epochs[-1])):
        row, known = bulletin.labs[lab], np.isfinite(bulletin.labs[lab].values_s)
        u_a_s, u_s = (np.full(int(known.sum()), u) for u in (row.u_a_s, row.u_s))
        parts.append(LabPoints(lab, bulletin.epochs[known], row.values_s[known], u_a_s, u_s))
    return join_points(lab, parts)


def join_points(lab: str, parts: Iterable[LabPoints]) -> LabPoints:
    """Join points of one laboratory in order of time; for a date given twice the later part stands."""
    found: dict[int, tuple[float, float, float]] = {}
    for part in parts:
        columns = (part.values_s.tolist(), part.u_a_s.tolist(), part.u_s.tolist())
        found |= dict(zip(part.epochs.tolist(), zip(*columns, strict=True), strict=True))
    epochs = sorted(found)
    rows = np.array([found[epoch] for epoch in epochs], dtype=np.float64).reshape(len(epochs), 3)
    values_s, u_a_s, u_s = (rows[:, column].copy() for column in range(3))
    return LabPoints(lab, np.array(epochs, dtype=np.int64), values_s, u_a_s, u_s)


def epochs_of(mjd: Iterable[int], leaps: LeapTable, name: str) -> IntArray:
    """Give the epochs (ns of TAI) of 0 h UTC on some MJDs. Raises ``FormatError`` for a day before the table begins."""
    try:
        return np.array([from_utc_parts(day - MJD_OF_1970, 0, 0, leaps).ns for day in mjd], dtype=np.int64)
    except InstantError as error:
        raise whole_file_error(name, "MJD", str(error)) from error


def readings_of(epochs: IntArray, rows: Sequence[LabValues], scale: str) -> Readings:
    """Give rows of a bulletin as readings UTC(k) − scale in s; dates without a value are left out."""
    clocks = (*(f"UTC({row.lab})" for row in rows), scale)
    table = [
        (int(epoch), place, -value_s, row.u_s)
        for place, row in enumerate(rows)
        for epoch, value_s in zip(epochs.tolist(), row.values_s.tolist(), strict=True)
        if math.isfinite(value_s)
    ]
    epoch, a, x, u = ([line[column] for line in table] for column in range(4))
    return Readings.from_columns(clocks, epoch, a, [len(rows)] * len(table), x, u)
