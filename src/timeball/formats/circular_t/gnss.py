"""Section 4 of Circular T: UTC against the times of the satellite systems and what they broadcast of UTC, day by day.

The section has changed: C0 to C1' with numbers of measurements (GPS and GLONASS, to May 2024), before 2011 C0 and C1
only, since June 2024 UTC − bUTC_GNSS of four systems with uncertainties. So its columns are taken as its heading names
them: what stands behind MJD there is a label for every field behind MJD below.

Sign: as printed, UTC − what the label says, without the whole seconds: C0 is UTC − GPS time + TAI − UTC − 19 s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.bulletin import IntArray, epochs_of
from timeball.formats.bulletin.text import MJD_RANGE, Line, ns_to_s
from timeball.formats.defects import Defect, FormatError, shown
from timeball.instants import MJD_OF_1970, LeapTable, format_day
from timeball.readings import FloatArray

RELATIONS = "relations of utc"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LABEL = re.compile(r"[A-Za-z\[][^\s]{0,40}", re.ASCII)
_ROW = re.compile(r"\s*(?:([A-Z]{3})\s+(\d{1,2})\s+)?(\d{5})\s+(\S.*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,6})?", re.ASCII)
_MISSING = ("-", "NC", "NA")


@dataclass(frozen=True, slots=True, eq=False)
class GNSSTable:
    """Daily values at 0 h UTC of n days: mjd, epochs (int64[n], ns of TAI), and columns by their labels.

    columns: float64[n], NaN where nothing is printed. A label that ends in ``/ns`` is there without it, its values in
    s; any other, as the numbers N0, stays as printed. A label given twice has the one before it in front.
    """

    mjd: tuple[int, ...]
    epochs: IntArray
    columns: dict[str, FloatArray]

    def named(self, word: str) -> tuple[str, ...]:
        """Give the labels that have a word in them, such as ``GPS``."""
        return tuple(label for label in self.columns if word in label)


def read_gnss_relations(lines: Sequence[Line], leaps: LeapTable, name: str) -> tuple[GNSSTable | None, list[Defect]]:
    """Read the section's lines; None when it has no table (its heading alone, or a text that it moved elsewhere)."""
    labels, start = _heading(lines)
    rows: dict[int, list[float]] = {}
    defects: list[Defect] = []
    for number, line in lines[start:]:
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        found = _row(match, labels)
        mjd = int(match[3])
        if isinstance(found, str) or mjd in rows:
            reason = found if isinstance(found, str) else "a date given twice; the first row stands"
            defects.append(Defect(name, number, "row", shown(line.strip()), reason))
        else:
            rows[mjd] = found
    if not rows:
        return None, defects
    days = tuple(sorted(rows))
    try:
        epochs = epochs_of(days, leaps, name)
    except FormatError as error:
        return None, [*defects, error.defect]
    values = np.array([rows[day] for day in days], dtype=np.float64)
    columns = {label.removesuffix("/ns"): values[:, place].copy() for place, label in enumerate(labels)}
    return GNSSTable(days, epochs, columns), defects


def _heading(lines: Sequence[Line]) -> tuple[list[str], int]:
    """Give the labels behind MJD, each once, and the place of the first row.

    Of several lines with MJD above it the last one counts that has a label for every field of that row, or one in ns.
    """
    first = next((place for place, (_, line) in enumerate(lines) if _ROW.fullmatch(line)), len(lines))
    match = _ROW.fullmatch(lines[first][1]) if first < len(lines) else None
    count = len(match[4].split()) if match else 0
    for _, line in reversed(lines[:first]):
        labels = line.partition("MJD")[2].replace(" - ", "-").split()
        fitting = len(labels) == count or any(label.endswith("/ns") for label in labels)
        if labels and fitting and all(map(_LABEL.fullmatch, labels)):
            return _once(labels), first
    return [], first


def _once(labels: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for label in labels:
        before = kept[-1].removesuffix("/ns") if kept else ""
        twice = label in kept or labels.count(label) > 1
        kept.append(f"{before} {label}" if twice and before else label)
    return kept if len(set(kept)) == len(kept) else [f"{label} {place}" for place, label in enumerate(labels, 1)]


def _row(match: re.Match[str], labels: Sequence[str]) -> list[float] | str:
    """Give the values of a row, or what is wrong with it."""
    mjd, fields = int(match[3]), match[4].split()
    if not MJD_RANGE[0] <= mjd <= MJD_RANGE[1]:
        return "not an MJD from 1972 to 2100"
    _, month, day = (int(part) for part in format_day(mjd - MJD_OF_1970).split("-"))
    if match[1] and (match[1], int(match[2])) != (MONTHS[month - 1], day):
        return f"MJD {mjd} is {MONTHS[month - 1]} {day}"
    if len(fields) != len(labels):
        return f"{len(fields)} values for {len(labels)} columns"
    if not all(field in _MISSING or _NUMBER.fullmatch(field) for field in fields):
        return "a field that is neither a number nor -"
    return [_value(field, label) for field, label in zip(fields, labels, strict=True)]


def _value(field: str, label: str) -> float:
    if field in _MISSING:
        return float("nan")
    return ns_to_s(field) if label.endswith("/ns") else float(field)
