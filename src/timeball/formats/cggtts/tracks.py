"""The data lines of CGGTTS files made into columns, and what is wrong with the others.

Lines that stand exactly in their columns with a good checksum are decoded as arrays (`arrays`), the others one
by one (`lines`), which also says what is wrong with them. Both give whole numbers in units of the file; limits
and units are applied here, so the two ways cannot differ in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts.arrays import decode_arrays
from timeball.formats.cggtts.layout import FIGURES, MINUS_ZERO, MISSING, Column, Layout
from timeball.formats.cggtts.lines import Figures, LineError, decode_line
from timeball.formats.cggtts.records import NOT_KNOWN, IntArray, Tracks
from timeball.formats.defects import Defect, shown
from timeball.formats.text_rows import TextRows
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND, LeapTable, tai_ns_from_utc_ns

_CHUNK = 1 << 22  # bytes of lines at a time, so that memory is that of the columns and little more
MOST_DEFECTS = 10_000  # told one by one, the others as a count
_ANOTHER = re.compile(rb"^[ \t]*C?GGTTS\b", re.MULTILINE)
_BLANKS = b" \t\r"


def read_tracks(
    plain: bytes, body: tuple[int, int], layout: Layout, name: str, leaps: LeapTable, arrays: bool = True
) -> tuple[Tracks, list[Defect]]:
    """Read the lines from ``body`` (byte, number of the line) on; what cannot be used is a defect with its line.

    Where the first line of another file stands (files joined end to end), reading ends with a defect: its delays and
    its columns may be others.
    """
    first_day = leaps.entries[0].utc_day + MJD_OF_1970
    parts: list[Figures] = []
    told: list[Defect] = []
    count = 0
    for chunk, number in _chunks(plain, *body):
        another = _ANOTHER.search(chunk) if b"GGTTS" in chunk else None
        part, bad = _decode(chunk[: another.start()] if another else chunk, number, layout, name, arrays)
        kept, outside = _within_limits(part, layout, name, first_day)
        parts.append(kept)
        bad = sorted(bad + outside, key=lambda defect: defect.line)
        if another:
            reason = "another file begins here; nothing below is read"
            line = number + chunk.count(b"\n", 0, another.start())
            bad.append(Defect(name, line, "line", shown(another[0].strip()), reason))
        told += bad[: MOST_DEFECTS - len(told)]
        count += len(bad)
        if another:
            break
    figures = Figures.joined(parts, layout)
    parts.clear()  # a file of years is long: no column is held twice
    return _tracks(figures, leaps), _with_count(told, count - len(told), name)


def _with_count(told: list[Defect], untold: int, name: str) -> list[Defect]:
    return [*told, Defect(name, 0, "line", "", f"{untold} more bad lines", untold)] if untold else told


def _chunks(plain: bytes, start: int, number: int) -> Iterator[tuple[bytes, int]]:
    """Cut the lines into pieces of whole lines, each with the number of its first line."""
    while start < len(plain):
        stop = plain.rfind(b"\n", start, start + _CHUNK) + 1 if start + _CHUNK < len(plain) else len(plain)
        stop = stop or plain.find(b"\n", start + _CHUNK) + 1 or len(plain)  # a line longer than a piece
        chunk = plain[start:stop]
        yield chunk, number
        start, number = stop, number + chunk.count(b"\n")


def _decode(chunk: bytes, number: int, layout: Layout, name: str, arrays: bool) -> tuple[Figures, list[Defect]]:
    """Decode a piece both ways; figures come in the order of the lines."""
    rows = TextRows(chunk, layout.checksum_at + 3)
    taken = np.zeros(len(rows), dtype=np.bool_)
    parts, lines = [], []
    if arrays:
        found, places = decode_arrays(rows, layout, number)
        taken[places] = True
        parts.append(found)
    defects = []
    for place in np.flatnonzero(~taken & (rows.lengths > 0)).tolist():
        line = rows.line(place)
        if not line.strip(_BLANKS):
            continue
        try:
            lines.append(decode_line(line, layout, number + place))
        except LineError as error:
            defects.append(Defect(name, number + place, error.field, shown(error.text), error.reason))
    figures = Figures.joined([*parts, Figures.of_lines(lines, layout)], layout)
    return figures.take(np.argsort(figures.line, kind="stable")), defects


def _within_limits(figures: Figures, layout: Layout, name: str, first_day: int) -> tuple[Figures, list[Defect]]:
    """Leave out lines with a figure that is not possible, each with the first such figure as a defect."""
    good = np.ones(len(figures.line), dtype=np.bool_)
    defects = []
    for column, values in figures.columns(layout):
        bad = good & (values > MINUS_ZERO) & ((values < column.low) | (values > column.high))
        reason = f"not from {column.low} to {column.high}"
        if column.name == "STTIME":
            bad |= good & ((values // 100 % 100 > 59) | (values % 100 > 59))
            reason = "no hours, minutes and seconds of a day"
        elif column.name == "MJD":
            bad |= good & (values < first_day)
            reason = f"not from {max(first_day, column.low)} to {column.high}"
        for place in np.flatnonzero(bad).tolist():
            text = str(values[place]).rjust(column.width, "0")
            defects.append(Defect(name, int(figures.line[place]), column.name, text, reason))
        good &= ~bad
    return figures.take(np.flatnonzero(good)), defects


def _tracks(figures: Figures, leaps: LeapTable) -> Tracks:
    """Turn figures of the file into columns in our units; the figures are used up."""
    given = figures.by_name
    count = len(figures.line)
    columns: dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]] = {}
    for column in FIGURES:
        values = given.pop(column.name) if column.name in given else np.full(count, MISSING)
        columns[column.attribute] = _floats(column, values) if column.per_unit else _whole(column, values)
    clock = np.asarray(columns["start_s"], dtype=np.int64)
    columns["start_s"] = clock // 10_000 * 3_600 + clock // 100 % 100 * 60 + clock % 100
    days = np.asarray(columns["mjd"], dtype=np.int64) - MJD_OF_1970
    epoch = tai_ns_from_utc_ns(days * DAY_NS + np.asarray(columns["start_s"], dtype=np.int64) * NS_PER_SECOND, leaps)
    return Tracks(
        line=figures.line,
        satellite=tuple(figures.satellite),
        cl=tuple(figures.cl),
        frc=tuple(figures.frc),
        epoch=epoch,
        **columns,  # type: ignore[arg-type]
    )


def _floats(column: Column, values: IntArray) -> npt.NDArray[np.float64]:
    """Divide by an exact power of ten, which is the nearest double of the decimal figure."""
    result = values / column.per_unit
    result[values == MINUS_ZERO] = -0.0
    result[values == MISSING] = np.nan
    return result


def _whole(column: Column, values: IntArray) -> IntArray:
    unknown = NOT_KNOWN if column.name == "IOE" else 0
    return np.where(values <= MINUS_ZERO, unknown, values)
