"""Rapid UTC (UTCr): the weekly bulletin of all laboratories, and series of one laboratory in plain columns.

Sign: values are UTCr − UTC(k) in s (UTC − UTC(k) in a series of that), positive when UTC(k) is late.

What it does not do: tell which laboratory a series without a heading is of; the caller says it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.bulletin import IntArray, LabPoints, LabValues, epochs_of, readings_of
from timeball.formats.bulletin.table import read_table
from timeball.formats.bulletin.text import MJD_RANGE, Line, bulletin_lines, ns_to_s
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.instants import LeapTable
from timeball.readings import Readings

KIND = "utcr"
_LABEL = re.compile(r"\s*(UTCr_\d{4})\b.*", re.ASCII)
_PUBLISHED = re.compile(r"\s*(\d{4}\s+[A-Za-z]{3,9}\s+\d{1,2}\s*,\s*\d{1,2}h\s*UTC).*", re.ASCII)
_NAMED = re.compile(r"UTC\(([A-Z][A-Z0-9]{0,5})\)", re.ASCII)
_MJD = re.compile(r"\d{5}(?:\.0*)?", re.ASCII)
_VALUE = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,6})?", re.ASCII)
_MISSING = ("-", "nan")
_COMMENTS = ("#", "%", "*", "!")


@dataclass(frozen=True, slots=True, eq=False)
class RapidUTC:
    """One bulletin of UTCr, or a series of one laboratory.

    label: as UTCr_2552, "" when the text has none; published: its date line, "" as well. mjd: the dates, 0 h UTC;
    epochs: int64[n], the same in ns of TAI; labs: rows by acronym. defects: what could not be read.
    """

    label: str
    published: str
    mjd: tuple[int, ...]
    epochs: IntArray
    labs: dict[str, LabValues]
    defects: tuple[Defect, ...]

    def readings(self, labs: Sequence[str] | None = None) -> Readings:
        """Give the values as readings UTC(k) − UTCr (minus what is printed)."""
        names = list(self.labs) if labs is None else [lab for lab in labs if lab in self.labs]
        return readings_of(self.epochs, [self.labs[lab] for lab in names], "UTCr")


def is_utcr(head: bytes) -> bool:
    """Tell from its head whether a file is a weekly bulletin of UTCr."""
    return b"[UTCr-UTC(k)]" in head


def read_utcr(
    data: bytes | str, name: str = "UTCr", leaps: LeapTable | None = None, lab: str | None = None
) -> RapidUTC:
    """Read a weekly bulletin, or a series ``MJD value`` of one laboratory (ns), plain or gzip.

    leaps: needed, since UTCr does not state TAI − UTC. lab: whose series it is; a comment may say
    UTC(LAB) instead, and one that names others only is refused.
    A bad line is a defect, the good ones stay. Raises ``FormatError`` (file, line, field) when nothing can be used.
    """
    lines, defects = bulletin_lines(data, name)
    if not any("[UTCr-UTC(k)]" in line for _, line in lines):
        rows, faults = _series(lines, name)
        values_s = np.array([row.value_s for row in rows], dtype=np.float64)
        named = _lab_of(lines, lab, name)
        values = LabValues(named, "", values_s, *3 * (float("nan"),))
        mjd = tuple(row.mjd for row in rows)
        epochs = epochs_of(mjd, _needed(leaps, name), name)
        return RapidUTC("", "", mjd, epochs, {named: values}, tuple(defects + faults))
    table, faults = read_table(lines, name)
    label, published = (
        next((match[1] for _, line in lines[:20] if (match := pattern.fullmatch(line))), "")
        for pattern in (_LABEL, _PUBLISHED)
    )
    epochs = epochs_of(table.mjd, _needed(leaps, name), name)
    return RapidUTC(label, " ".join(published.split()), table.mjd, epochs, table.labs, tuple(defects + faults))


def _needed(leaps: LeapTable | None, name: str) -> LeapTable:
    if leaps is None:
        raise whole_file_error(name, "MJD", "dates in UTC need a leap second table")
    return leaps


def read_lab_series(
    data: bytes | str, name: str = "series", leaps: LeapTable | None = None, lab: str | None = None
) -> tuple[LabPoints, list[Defect]]:
    """Read a series of one laboratory, a date a line: ``MJD value``, ``MJD value u``, ``MJD value uA u`` or
    ``MJD value uA uB u``, all in ns; lines that begin with # % * or ! are comments.

    Values that are missing (- or nan) are left out. Raises ``FormatError`` as `read_utcr` does.
    """
    lines, defects = bulletin_lines(data, name)
    rows, faults = _series(lines, name)
    kept = [row for row in rows if math.isfinite(row.value_s)]
    columns = np.array([(row.value_s, row.u_a_s, row.u_s) for row in kept], dtype=np.float64).reshape(len(kept), 3)
    epochs = epochs_of([row.mjd for row in kept], _needed(leaps, name), name)
    values_s, u_a_s, u_s = (columns[:, column].copy() for column in range(3))
    return LabPoints(_lab_of(lines, lab, name), epochs, values_s, u_a_s, u_s), defects + faults


@dataclass(frozen=True, slots=True)
class _Row:
    mjd: int
    value_s: float
    u_a_s: float
    u_s: float


def named_lab(data: bytes | str, name: str = "series") -> str | None:
    """Give the laboratory that the comments of a series name as UTC(LAB), None when they name none or several."""
    named = _named(bulletin_lines(data, name)[0])
    return named.pop() if len(named) == 1 else None


def _named(lines: Sequence[Line]) -> set[str]:
    return {found for _, line in lines if line.lstrip().startswith(_COMMENTS) for found in _NAMED.findall(line)}


def _lab_of(lines: Sequence[Line], lab: str | None, name: str) -> str:
    """Give the laboratory whose series it is: the one asked for, which no comment may contradict, or the one named."""
    named = _named(lines)
    if lab is not None and named and lab not in named:
        raise whole_file_error(name, " ".join(sorted(named)), f"is not of {lab}")
    if lab is None and len(named) != 1:
        raise whole_file_error(name, " ".join(sorted(named)), "does not say of which one laboratory it is")
    return lab if lab is not None else named.pop()


def _series(lines: Sequence[Line], name: str) -> tuple[list[_Row], list[Defect]]:
    """Read the lines of a series; a date that does not come after the one before is a defect."""
    rows: list[_Row] = []
    defects: list[Defect] = []
    for number, line in lines:
        plain = line.strip()
        if not plain or plain.startswith(_COMMENTS):
            continue
        row = _row(plain.split())
        if isinstance(row, _Row) and rows and row.mjd <= rows[-1].mjd:
            row = ("MJD", plain, "not after the date before it")
        if isinstance(row, _Row):
            rows.append(row)
        else:
            defects.append(Defect(name, number, row[0], shown(row[1]), row[2]))
    if not rows:
        raise FormatError(defects[0]) if defects else whole_file_error(name, "", "no date and value")
    return rows, defects


def _row(fields: list[str]) -> _Row | tuple[str, str, str]:
    """Read a line's fields, or give (field, text, reason) of what is wrong."""
    if not 2 <= len(fields) <= 5:
        return "line", " ".join(fields), "not MJD, a value and at most three uncertainties"
    if not _MJD.fullmatch(fields[0]) or not MJD_RANGE[0] <= int(fields[0][:5]) <= MJD_RANGE[1]:
        return "MJD", fields[0], "not a whole MJD from 1972 to 2100"
    missing = fields[1].lower() in _MISSING
    if not missing and not _VALUE.fullmatch(fields[1]):
        return "value", fields[1], "neither ns nor - nor nan"
    bad = next((text for text in fields[2:] if not _VALUE.fullmatch(text) or text[0] == "-"), None)
    if bad is not None:
        return "uncertainty", bad, "not ns of at least 0"
    uncertainties = [ns_to_s(text) for text in fields[2:]]
    u_a_s = uncertainties[0] if len(uncertainties) > 1 else float("nan")
    u_s = uncertainties[-1] if uncertainties else float("nan")
    return _Row(int(fields[0][:5]), float("nan") if missing else ns_to_s(fields[1]), u_a_s, u_s)
