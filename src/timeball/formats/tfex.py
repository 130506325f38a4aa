"""TFEX files, the BIPM's format for the exchange of time and frequency links: a header in TOML, then columns.

Sign: a value is given as printed, times in s. What a trip such as ``AB`` subtracts the format does not say; readings
are made of it as x_A − x_B, and a constant delay is never applied.

Time tags are the columns MJD and SoD (second of the day) of one scale: UTC when none is named. A value ``*`` (or nan)
is none. What it does not do: interpolate, or join files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.bulletin_text import LONGEST_LINE, MJD_RANGE, Line
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.numerals import read_number
from timeball.formats.tfex_header import TfexColumn, TfexHeader, read_tfex_header, scaled
from timeball.formats.timescales import table_for
from timeball.instants import MJD_OF_1970, InstantError, LeapTable, from_utc_parts
from timeball.readings import FloatArray, Readings

KIND = "tfex"
SCALES = {"utc": "UTC", "tai": "TAI", "gpstime": "GPS", "gps": "GPS", "gst": "GAL", "bdt": "BDS", "glonass": "GLO"}
_MARK = re.compile(rb"^#[ \t]*TFEXVER[ \t]*=", re.MULTILINE)
_SOD = re.compile(r"(\d{1,5})(?:\.(\d{0,18}))?", re.ASCII)
_MJD = re.compile(r"(\d{4,6})(?:\.0*)?", re.ASCII)
_NONE = ("*", "nan")


@dataclass(frozen=True, slots=True, eq=False)
class Tfex:
    """A file: n rows at `epochs` (int64[n], ns of TAI).

    columns: as the header lists them, time tags among them. values: float64[n] by label for columns of numbers, times
    in s (NaN where there is none); texts: by label for columns of text.
    """

    header: TfexHeader
    columns: tuple[TfexColumn, ...]
    epochs: npt.NDArray[np.int64]
    values: dict[str, FloatArray]
    texts: dict[str, tuple[str, ...]]
    defects: tuple[Defect, ...]

    def readings(self) -> Readings:
        """Give the columns of times whose trip leads from one time scale or device to another as readings."""
        names: dict[str, int] = {}
        parts = []
        for column in self.columns:
            ends = self.ends_of(column) if column.is_time and not column.timetag else None
            if ends is not None:
                values = self.values[column.label]
                there = np.flatnonzero(np.isfinite(values))
                a, b = (names.setdefault(end, len(names)) for end in ends)
                u = self._uncertainty_of(column)[there]
                parts.append((self.epochs[there], np.full(len(there), a), np.full(len(there), b), values[there], u))
        if not parts:
            return Readings.from_columns((), [], [], [], [], [])
        epoch, a_all, b_all, x, u_all = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.argsort(epoch, kind="stable")
        return Readings.from_columns(tuple(names), epoch[order], a_all[order], b_all[order], x[order], u_all[order])

    def ends_of(self, column: TfexColumn) -> tuple[str, str] | None:
        """Give what a column's trips lead from and to; None when they do not hang together, or lead nowhere."""
        points = {point.id: point for point in self.header.refpoints}
        ends: list[tuple[str, str]] = []
        for trip in column.trip:
            if len(trip) != 2 or trip[0] not in points or trip[1] not in points:
                return None
            first, last = (
                point.device if point.scale in ("", "Unknown") else point.scale
                for point in (points[trip[0]], points[trip[1]])
            )
            if ends and ends[-1][1] != first:
                return None
            ends.append((first, last))
        return (ends[0][0], ends[-1][1]) if ends and "" not in ends[0] and ends[0][0] != ends[-1][1] else None

    def _uncertainty_of(self, column: TfexColumn) -> FloatArray:
        """Give the column of type ``unc`` that refers to another by its label."""
        for other in self.columns:
            refers = other.more.get("type") == "unc" and other.more.get("colref") == column.label
            if refers and other.is_time and other.label in self.values:
                return np.abs(self.values[other.label])
        return np.full(len(self.epochs), np.nan)


def is_tfex(head: bytes) -> bool:
    """Tell from its head whether a file is one: it begins with ``#``, and such a line says TFEXVER."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"#") and _MARK.search(head) is not None


def read_tfex(data: bytes, name: str, leaps: LeapTable | None = None) -> Tfex:
    """Read a file, plain or gzip.

    leaps: needed when its time tags are in UTC (or GLONASS time). A bad row is a defect. Raises ``FormatError`` when
    the header cannot be used or no row is left.
    """
    plain, defects = plain_bytes(data, name)
    text = plain.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").replace("\r\n", "\n")
    lines = list(enumerate(text.split("\n"), 1))
    count = next((number - 1 for number, line in lines if not line.startswith("#")), len(lines))
    head = "\n".join(line[2:] if line[1:2] == " " else line[1:] for _, line in lines[:count])
    header, columns, faults = read_tfex_header(head, name)
    tags = _tags(columns, name)
    table = table_for(_scale(columns, tags, name), leaps, name)
    rows = _Rows(columns, tags, table, name)
    kept = list(rows.read(lines[count:]))
    if not kept:
        raise FormatError(rows.defects[0]) if rows.defects else whole_file_error(name, "", "no row of data")
    tfex = _assemble(header, columns, kept, (*defects, *faults, *rows.defects))
    announced = header.n_data
    if announced is not None and announced != len(kept):
        told = Defect(name, 0, "NDATA", str(announced), f"{len(kept)} rows are there")
        tfex = Tfex(header, columns, tfex.epochs, tfex.values, tfex.texts, (*tfex.defects, told))
    return tfex


def _tags(columns: Sequence[TfexColumn], name: str) -> tuple[int, int]:
    """Give the places of MJD and SoD among the columns."""
    places = {column.label: place for place, column in enumerate(columns) if column.timetag}
    if not {"MJD", "SoD"} <= set(places):
        found = " ".join(places) or "none"
        raise FormatError(Defect(name, 0, "COLUMNS", shown(found), "time tags other than MJD and SoD"))
    return places["MJD"], places["SoD"]


def _scale(columns: Sequence[TfexColumn], tags: tuple[int, int], name: str) -> str:
    scales = {columns[place].scale.lower() for place in tags}
    if len(scales) != 1 or not scales <= set(SCALES):
        found = " ".join(sorted(scales))
        raise FormatError(Defect(name, 0, "COLUMNS", shown(found), f"not one scale of {', '.join(SCALES)}"))
    return SCALES[scales.pop()]


class _Rows:
    """The rows of the data, and what is wrong with some."""

    def __init__(self, columns: Sequence[TfexColumn], tags: tuple[int, int], table: LeapTable, name: str) -> None:
        self.columns, self.tags, self.table, self.name = columns, tags, table, name
        self.defects: list[Defect] = []
        self._by_width = any(column.kind == "s" for column in columns)

    def read(self, lines: Sequence[Line]) -> Iterator[tuple[int, list[float | str]]]:
        """Give epoch and fields of every good row; empty lines and those that begin with # are none."""
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            if len(line) > LONGEST_LINE:
                self._tell(number, "line", line, f"longer than {LONGEST_LINE} characters")
                continue
            fields = self._fields(line)
            if len(fields) != len(self.columns):
                self._tell(number, "line", line, f"{len(fields)} fields for {len(self.columns)} columns")
                continue
            epoch = self._epoch(number, fields)
            values = [self._value(number, column, text) for column, text in zip(self.columns, fields, strict=True)]
            good = [value for value in values if value is not None]
            if epoch is not None and len(good) == len(values):
                yield epoch, good

    def _fields(self, line: str) -> list[str]:
        """Cut a row: at blanks, or by the columns' widths when there is text among them."""
        if not self._by_width:
            return line.split()
        fields, start = [], 0
        for column in self.columns:
            fields.append(line[start : start + column.width].strip())
            start += column.width + 1
        return fields

    def _epoch(self, number: int, fields: list[str]) -> int | None:
        day, second = (fields[place] for place in self.tags)
        mjd, sod = _MJD.fullmatch(day), _SOD.fullmatch(second)
        if mjd is None or not MJD_RANGE[0] <= int(mjd[1]) <= MJD_RANGE[1]:
            self._tell(number, "MJD", day, "not an MJD from 1972 to 2100")
            return None
        if sod is None:
            self._tell(number, "SoD", second, "not seconds of a day")
            return None
        attoseconds = int((sod[2] or "").ljust(18, "0"))
        try:
            return from_utc_parts(int(mjd[1]) - MJD_OF_1970, int(sod[1]), attoseconds, self.table).ns
        except InstantError as error:
            self._tell(number, "SoD", second, str(error))
            return None

    def _value(self, number: int, column: TfexColumn, text: str) -> float | str | None:
        if column.kind == "s":
            return text
        if text in _NONE:
            return float("nan")
        value = read_number(text)
        if value is None:
            self._tell(number, column.label, text, "neither a number nor *")
            return None
        return scaled(text, column.exponent) if column.exponent else value

    def _tell(self, number: int, field: str, text: str, reason: str) -> None:
        self.defects.append(Defect(self.name, number, field, shown(text.strip()), reason))


def _assemble(
    header: TfexHeader,
    columns: tuple[TfexColumn, ...],
    rows: Sequence[tuple[int, list[float | str]]],
    defects: tuple[Defect, ...],
) -> Tfex:
    epochs = np.array([epoch for epoch, _ in rows], dtype=np.int64)
    values: dict[str, FloatArray] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for place, column in enumerate(columns):
        cells = [fields[place] for _, fields in rows]
        if column.kind == "s":
            texts[column.label] = tuple(str(cell) for cell in cells)
        elif not column.timetag:
            values[column.label] = np.array(cells, dtype=np.float64)
    return Tfex(header, columns, epochs, values, texts, defects)
