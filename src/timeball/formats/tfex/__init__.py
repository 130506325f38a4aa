"""TFEX files, the BIPM's format for the exchange of time and frequency links: a header in TOML, then columns.

Sign: a value is given as printed, times in s. What a trip such as ``AB`` subtracts the format does not say; readings
are made of it as x_A − x_B, and a constant delay is never applied.

Time tags are the columns MJD and SoD (second of the day) of one scale: UTC when none is named. A value ``*`` (or nan)
is none. What it does not do: interpolate, or join files.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.text_rows import lines_of
from timeball.formats.tfex.header import LONGEST_HEADER, read_tfex_header
from timeball.formats.tfex.records import TfexColumn, TfexHeader
from timeball.formats.tfex.rows import TfexRows
from timeball.formats.timescales import table_for
from timeball.instants import LeapTable
from timeball.readings import FloatArray, Readings

KIND = "tfex"
SCALES = {"utc": "UTC", "tai": "TAI", "gpstime": "GPS", "gps": "GPS", "gst": "GAL", "bdt": "BDS", "glonass": "GLO"}
_MARK = re.compile(rb"^#[ \t]*TFEXVER[ \t]*=", re.MULTILINE)


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
    plain = plain.removeprefix(b"\xef\xbb\xbf")
    head, count = _head(plain)
    header, columns, faults = read_tfex_header(head, name)
    tags = _tags(columns, name)
    rows = TfexRows(columns, tags, table_for(_scale(columns, tags, name), leaps, name), name)
    rows.read(itertools.islice(enumerate(lines_of(plain), 1), count, None))
    if not rows.epochs:
        raise FormatError(rows.defects[0]) if rows.defects else whole_file_error(name, "", "no row of data")
    if header.n_data is not None and header.n_data != len(rows.epochs):
        rows.defects.append(Defect(name, 0, "NDATA", str(header.n_data), f"{len(rows.epochs)} rows are there"))
    epochs = np.array(rows.epochs, dtype=np.int64)
    values = {label: np.array(cells, dtype=np.float64) for label, cells in rows.values.items()}
    texts = {label: tuple(cells) for label, cells in rows.texts.items()}
    return Tfex(header, columns, epochs, values, texts, (*defects, *faults, *rows.defects))


def _head(plain: bytes) -> tuple[str, int]:
    """Give the header without its marks, and the number of its lines; no more of it than is refused anyway."""
    lines: list[str] = []
    size = 0
    for raw in lines_of(plain):
        size += len(raw) + 1
        if not raw.startswith(b"#") or size > 2 * LONGEST_HEADER:
            break
        text = raw.decode("utf-8", "replace").rstrip("\r")
        lines.append(text[2:] if text[1:2] == " " else text[1:])
    return "\n".join(lines), len(lines)


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
