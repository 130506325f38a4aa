"""What the bulletins of the BIPM have in common: a table of UTC − UTC(k) by laboratory and Modified Julian Date.

Sign: a value is UTC − UTC(k) as printed (UTCr − UTC(k) in the rapid one), turned into seconds; positive when UTC(k)
is late. Dates are 0 h UTC of the MJD in the heading, epochs are ns of TAI.

What it does not do: fill what was not published (NaN), or judge a value.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.instants import MJD_OF_1970, InstantError, LeapTable, from_utc_parts
from timeball.readings import FloatArray, Readings

IntArray = npt.NDArray[np.int64]
Line = tuple[int, str]  # number in the file, text
LONGEST_LINE = 1_000
MJD_RANGE = (41_317, 88_069)  # 1972-01-01, the first of UTC as it is, to 2100
_MJDS = re.compile(r"\s*MJD\s+(\d.*?)\s*(?:uA\b.*)?", re.ASCII)
_ROW = re.compile(r"\s*([A-Z][A-Z0-9]{0,5})\s*\(([^()]*)\)\s+(\S.*)", re.ASCII)
_SECTION = re.compile(r"\s{0,3}(\d)\s+-\s+\S.*", re.ASCII)
_VALUE = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_JOINED = re.compile(r"(?:(?<=\.\d)|(?<=-))(?=-\d)", re.ASCII)  # a value that fills its column touches the one before
_NOTE = re.compile(r"\((\d{1,3})\)", re.ASCII)
_A_FIGURE = re.compile(r"(?<!\S)[+-]?\d+\.\d(?!\S)", re.ASCII)


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


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as printed: MJDs of its heading, rows by laboratory, and the line of the heading."""

    mjd: tuple[int, ...]
    labs: dict[str, LabValues]
    heading: int


def bulletin_lines(data: bytes | str, name: str) -> tuple[list[Line], list[Defect]]:
    """Give a file's lines, numbered from 1, unpacked when they were gzip.

    A line longer than any that a bulletin has is a defect, and left empty: patterns are matched against lines, and
    what that costs must not be for the writer of a file to choose.
    """
    plain, defects = plain_bytes(data.encode() if isinstance(data, str) else data, name)
    plain = plain.removeprefix(b"\xef\xbb\xbf")
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        text = plain.decode("latin-1")  # one character a byte, whatever it is
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = list(enumerate(text.split("\n"), 1))
    for place, (number, line) in enumerate(lines):
        if len(line) > LONGEST_LINE:
            reason = f"longer than {LONGEST_LINE} characters"
            defects.append(Defect(name, number, "line", shown(line.strip()), reason))
            lines[place] = (number, "")
    return lines, defects


def sections(lines: Sequence[Line]) -> dict[int, list[Line]]:
    """Cut the text at its numbered headings, which come in rising order; what stands before the first is left out."""
    parts: dict[int, list[Line]] = {}
    current = 0
    for line in lines:
        heading = _SECTION.fullmatch(line[1])
        if heading and int(heading[1]) > current:
            current = int(heading[1])
        if current:
            parts.setdefault(current, []).append(line)
    return parts


def section_about(parts: dict[int, list[Line]], words: str) -> list[Line] | None:
    """Give the section whose heading, of one line or two, has these words: numbers have changed over the years."""
    for lines in parts.values():
        heading = " ".join(line.strip() for _, line in lines[:2]).lower()
        if words.lower() in heading:
            return lines
    return None


def ns_to_s(text: str) -> float:
    """Give a printed number of ns in s, rounded once: 0.2 is 2e-10 and not 2.0000000000000002e-10."""
    return float(f"{text}e-9")


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
