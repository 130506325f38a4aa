"""The table of a bulletin: a heading with MJDs, and rows ``LAB (place) values [uA uB u] [(note)]``, ns as printed.

Sign: as printed, UTC − UTC(k). A row that cannot be used is a defect, and takes no other with it. What it does not do:
look at columns by their place; fields are told apart by blanks, and by a sign where two values touch.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.bulletin import LabValues
from timeball.formats.bulletin.text import MJD_RANGE, Line, ns_to_s
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error

_MJDS = re.compile(r"\s*MJD\s+(\d.*?)\s*(?:uA\b.*)?", re.ASCII)
_ROW = re.compile(r"\s*([A-Z][A-Z0-9]{0,5})\s*\(([^()]*)\)\s+(\S.*)", re.ASCII)
_VALUE = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_JOINED = re.compile(r"(?:(?<=\.\d)|(?<=-))(?=-\d)", re.ASCII)  # a value that fills its column touches the one before
_NOTE = re.compile(r"\((\d{1,3})\)", re.ASCII)
_A_FIGURE = re.compile(r"(?<!\S)[+-]?\d+\.\d(?!\S)", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as printed: MJDs of its heading, rows by laboratory, and the line of the heading."""

    mjd: tuple[int, ...]
    labs: dict[str, LabValues]
    heading: int


def read_table(lines: Sequence[Line], name: str) -> tuple[Table, list[Defect]]:
    """Read a table: the first line of MJDs is its heading, the rows ``LAB (place) values [uA uB u] [(note)]`` follow.

    Raises ``FormatError`` when there is no heading, or no row that can be used.
    """
    heading, mjd = _heading(lines, name)
    labs: dict[str, LabValues] = {}
    defects: list[Defect] = []
    for number, line in lines:
        if number <= heading or not (_ROW.fullmatch(line) or _A_FIGURE.search(line)):
            continue
        try:
            row = _row(line, len(mjd))
            if row.lab in labs:
                raise _RowError("laboratory", row.lab, "has a row already; the first one stands")
            labs[row.lab] = row
        except _RowError as error:
            defects.append(Defect(name, number, error.field, shown(error.text), error.reason))
    if not labs:
        raise FormatError(defects[0]) if defects else whole_file_error(name, "", "no laboratory's row")
    return Table(mjd, labs, heading), defects


def _heading(lines: Sequence[Line], name: str) -> tuple[int, tuple[int, ...]]:
    for number, line in lines:
        if match := _MJDS.fullmatch(line):
            fields = match[1].split()
            mjd = tuple(int(field) for field in fields if re.fullmatch(r"\d{5}", field, re.ASCII))
            rising = all(old < new for old, new in itertools.pairwise(mjd))
            if len(mjd) != len(fields) or not rising or not all(MJD_RANGE[0] <= day <= MJD_RANGE[1] for day in mjd):
                raise FormatError(Defect(name, number, "MJD", shown(line.strip()), "not dates in rising order"))
            return number, mjd
    raise whole_file_error(name, "", "no line of MJDs")


class _RowError(Exception):
    """A row that cannot be used: field, text and reason."""

    def __init__(self, field: str, text: str, reason: str) -> None:
        self.field, self.text, self.reason = field, text, reason


def _row(line: str, count: int) -> LabValues:
    match = _ROW.fullmatch(line)
    if match is None:
        raise _RowError("row", line.strip(), "not LAB (place) and its values")
    lab, place, rest = match[1], match[2].strip(), match[3]
    notes = tuple(int(note) for note in _NOTE.findall(rest))
    fields = _JOINED.sub(" ", _NOTE.sub(" ", rest)).split()
    values = [_value(field, "value") for field in fields[:count]]
    if len(values) < count:
        raise _RowError("values", rest.strip(), f"{len(values)} values for {count} dates")
    u_a_s, u_b_s, u_s = _uncertainties(fields[count:])
    return LabValues(lab, place, np.array(values, dtype=np.float64), u_a_s, u_b_s, u_s, notes)


def _value(text: str, field: str) -> float:
    if text == "-":
        return float("nan")
    if not _VALUE.fullmatch(text):
        raise _RowError(field, text, "neither ns with a decimal point nor -")
    return ns_to_s(text)


def _uncertainties(fields: list[str]) -> tuple[float, float, float]:
    if not fields:
        return float("nan"), float("nan"), float("nan")
    if len(fields) != 3:
        raise _RowError("uncertainty", " ".join(fields), "not uA, uB and u")
    u_a_s, u_b_s, u_s = (float("nan") if field == "NC" else _value(field, "uncertainty") for field in fields)
    if any(u < 0 for u in (u_a_s, u_b_s, u_s)):
        raise _RowError("uncertainty", " ".join(fields), "negative")
    return u_a_s, u_b_s, u_s
