"""Tables of the BIPM about the clocks in TAI: their weights, rates and drifts (files such as w21.01, r21.01, d21.01).

    LAB.   CLOCK      59239    59269    59294 ...
    AUS    36  0654   0.000    0.012   *****

A file holds half a year, a column a month: its MJD is the month's last date. A clock is named by laboratory, type (two
digits, as 35, 36 for caesium, 40, 41 for masers) and serial number; ``*****`` says that it was not used.

Units: weights, printed in %, are given as fractions; rates, printed in ns/d, as 1; drifts, in ns/d per 30 d, as 1/s.
Signs are those of the file. What it does not do: find a month's A/N, or judge a clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.bulletin.text import MJD_RANGE, Line, bulletin_lines
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.readings import FloatArray

KIND = "bipm-table"
DAY_S = 86_400.0
# What a table's title says, and what a printed 1 is in SI.
QUANTITIES = {"weight": 0.01, "drift": 1e-9 / DAY_S / (30 * DAY_S), "rate": 1e-9 / DAY_S}
_HEADING = re.compile(r"\s*LAB\.?\s+CLOCK\s+(\d{5}(?:\s+\d{5}){0,11})\s*", re.ASCII)
_ROW = re.compile(r"\s*([A-Z][A-Z0-9]{0,5})\s+(\d{1,2})[ -]{1,6}(\d{1,5})\s+(\S.*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}\.\d{0,6}", re.ASCII)
_UNUSED = re.compile(r"\*{2,20}")
_END = re.compile(r"total weight|the clocks (?:are|codes)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class ClockRow:
    """A clock: laboratory, type, serial number as printed, and its values (NaN where it was not used)."""

    lab: str
    kind: int
    serial: str
    values: FloatArray

    @property
    def name(self) -> str:
        """Laboratory, type and serial number, as ``PTB 40-0590``."""
        return f"{self.lab} {self.kind:02d}-{self.serial}"


@dataclass(frozen=True, slots=True, eq=False)
class ClockTable:
    """A table: its quantity (a key of `QUANTITIES`), title, months by their MJD, and the clocks in file order."""

    quantity: str
    title: str
    mjd: tuple[int, ...]
    rows: tuple[ClockRow, ...]
    defects: tuple[Defect, ...]


def is_bipm_table(head: bytes) -> bool:
    """Tell from its head whether a file is one: a title that names its quantity, and the heading LAB. CLOCK."""
    lines = head[: 1 << 13].decode("latin-1").splitlines()
    first = next((place for place, line in enumerate(lines) if _HEADING.fullmatch(line)), 0)
    return _quantity(" ".join(lines[:first])) != ""


def read_bipm_table(data: bytes, name: str) -> ClockTable:
    """Read a table, plain or gzip. A bad row is a defect. Raises ``FormatError`` without a heading or a row."""
    lines, defects = bulletin_lines(data, name)
    first = next((place for place, (_, line) in enumerate(lines) if _HEADING.fullmatch(line)), None)
    if first is None:
        raise whole_file_error(name, data[:40], "no heading LAB. CLOCK and MJDs")
    title = " ".join(" ".join(line.split()) for _, line in lines[:first] if line.strip())
    quantity = _quantity(title)
    if not quantity:
        raise whole_file_error(name, title, f"a title that names none of {', '.join(QUANTITIES)}")
    clocks, faults = _clocks(lines[first:], name)
    if not clocks:
        raise FormatError(faults[0]) if faults else whole_file_error(name, title, "no clock")
    mjd = tuple(sorted({day for values in clocks.values() for day in values}))
    unit = QUANTITIES[quantity]
    rows = tuple(
        ClockRow(*clock, np.array([values.get(day, np.nan) for day in mjd], dtype=np.float64) * unit)
        for clock, values in clocks.items()
    )
    return ClockTable(quantity, title, mjd, rows, tuple(defects + faults))


def _quantity(title: str) -> str:
    return next((quantity for quantity in QUANTITIES if quantity in title.lower()), "")


Clock = tuple[str, int, str]


def _clocks(lines: Sequence[Line], name: str) -> tuple[dict[Clock, dict[int, float]], list[Defect]]:
    """Read rows below headings, of which a page may bring a new one; the legend behind the table ends it."""
    days: list[int] = []
    clocks: dict[Clock, dict[int, float]] = {}
    defects: list[Defect] = []
    for number, line in lines:
        heading = _HEADING.fullmatch(line)
        if heading:
            days = [int(day) for day in heading[1].split()]
        elif _END.search(line):
            days = []
        elif days and (row := _ROW.fullmatch(line)):
            found = _values(row[4].split(), days)
            clock = (row[1], int(row[2]), row[3])
            known = clocks.get(clock, {})
            twice = not isinstance(found, str) and not known.keys().isdisjoint(found)
            if isinstance(found, str) or twice:
                reason = found if isinstance(found, str) else "a clock given twice for a month; the first row stands"
                defects.append(Defect(name, number, "clock", shown(line.strip()), reason))
            else:
                clocks[clock] = known | found
    return clocks, defects


def _values(fields: list[str], days: list[int]) -> dict[int, float] | str:
    """Give a row's values by month, or what is wrong with it."""
    if any(not MJD_RANGE[0] <= day <= MJD_RANGE[1] for day in days):
        return "below months that are no MJD from 1972 to 2100"
    if len(fields) != len(days):
        return f"{len(fields)} values for {len(days)} months"
    bad = next((text for text in fields if not (_NUMBER.fullmatch(text) or _UNUSED.fullmatch(text))), None)
    if bad is not None:
        return f"{shown(bad)} is neither a number nor *****"
    return {day: float(text) if text[0] != "*" else float("nan") for day, text in zip(days, fields, strict=True)}
