"""What the logs of time daemons have in common: one line a measurement, blank-separated fields, epochs in UTC.

Sign: the columns keep the sign of the file, whatever it is; `LogTable.readings` turns it into x_local − x_source,
positive when the local clock is fast.

A line that is no measurement (a banner, a line cut short) is left out; what the daemon itself refused stays in the
table and is told as a defect, since it is no reading. What it does not do: guess a time zone (all of them write UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, Parsed, shown, whole_file_error
from timeball.formats.numerals import read_number
from timeball.instants import InstantError, LeapTable
from timeball.readings import FloatArray, Readings

LOCAL = "local"  # the name that the daemon's own clock has in the readings
LONGEST_LINE = 1_000
Fields = Sequence[str]


@dataclass(frozen=True, slots=True)
class LogLayout:
    """How the lines of one kind of log are read.

    fields: how many a line has, at least and at most. numbers, texts: columns by name, as places from 0; a number that
    is written - is missing (NaN). epoch: ns of TAI of a line, ``ValueError`` or ``InstantError`` for a bad one.
    offset: the column that becomes x, times sign. source: place of the other clock's name, or the name itself. u: the
    column with the standard uncertainty. refused: (field, reason) when the daemon did not use the line, else None.
    """

    kind: str
    title: str
    fields: tuple[int, int]
    numbers: dict[str, int]
    texts: dict[str, int]
    epoch: Callable[[Fields, LeapTable], int]
    offset: str
    sign: int
    source: int | str
    u: str | None = None
    refused: Callable[[Fields], tuple[str, str] | None] = lambda _: None
    skip: Callable[[str], bool] = lambda line: line.startswith("#")


@dataclass(frozen=True, slots=True, eq=False)
class LogTable:
    """A log as columns of n lines, in file order.

    epoch: int64[n], ns of TAI; sources: name of the other clock, n of them; numbers: float64[n] by name, in the units
    and with the sign of the file; texts: n strings by name. used: bool[n], False where the daemon refused the line.
    """

    layout: LogLayout
    epoch: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    numbers: dict[str, FloatArray]
    texts: dict[str, tuple[str, ...]]
    used: npt.NDArray[np.bool_]
    defects: tuple[Defect, ...] = field(default=())

    def readings(self) -> Readings:
        """Give x_local − x_source in s of the lines that were used, and their standard uncertainty where known."""
        x = self.layout.sign * self.numbers[self.layout.offset]
        kept = self.used & np.isfinite(x)
        names = tuple(dict.fromkeys(source for source, good in zip(self.sources, kept.tolist(), strict=True) if good))
        place = {name: number for number, name in enumerate(names, 1)}
        b = [place[source] for source, good in zip(self.sources, kept.tolist(), strict=True) if good]
        u = np.full(len(b), np.nan) if self.layout.u is None else self.numbers[self.layout.u][kept]
        return Readings.from_columns((LOCAL, *names), self.epoch[kept], np.zeros(len(b)), b, x[kept], u)


def read_log(data: bytes, name: str, leaps: LeapTable | None, layout: LogLayout) -> LogTable:
    """Read a log, plain or gzip. Raises ``FormatError`` when no line can be used, or without a leap second table."""
    if leaps is None:
        raise whole_file_error(name, "", "epochs in UTC need a leap second table")
    plain, defects = plain_bytes(data, name)
    rows: list[_Row] = []
    used: list[bool] = []
    words: dict[str, str] = {}
    for number, raw in enumerate(plain.split(b"\n"), 1):
        line = raw.rstrip(b"\r").decode("latin-1")
        if not line.strip() or layout.skip(line):
            continue
        row = _row(line, leaps, layout, words)
        fault: tuple[str, str, str] | None
        if isinstance(row, _Row):
            rows.append(row)
            used.append(row.refused is None)
            fault = None if row.refused is None else (row.refused[0], line, row.refused[1])
        else:
            fault = row
        if fault is not None:
            defects.append(Defect(name, number, fault[0], shown(fault[1].strip()), fault[2]))
    if not rows:
        raise whole_file_error(name, plain[:40], f"no line of {layout.title}")
    return _table(rows, used, layout, tuple(defects))


@dataclass(frozen=True, slots=True)
class _Row:
    epoch: int
    source: str
    numbers: tuple[float, ...]
    texts: tuple[str, ...]
    refused: tuple[str, str] | None


def _row(line: str, leaps: LeapTable, layout: LogLayout, words: dict[str, str]) -> _Row | tuple[str, str, str]:
    """Read a line, or give (field, text, reason) of what is wrong with it."""
    fields = line.split() if len(line) <= LONGEST_LINE else []
    if not layout.fields[0] <= len(fields) <= layout.fields[1]:
        return "line", line, f"{len(fields)} fields, not the {layout.fields[0]} of {layout.title}"
    try:
        epoch = layout.epoch(fields, leaps)
    except (ValueError, InstantError) as error:
        return "time", " ".join(fields[:2]), str(error)
    source = layout.source if isinstance(layout.source, str) else fields[layout.source]
    if source == LOCAL:
        return "source", source, "the name that the local clock has here"
    numbers: list[float] = []
    for column, place in layout.numbers.items():
        text = fields[place] if place < len(fields) else "-"
        value = float("nan") if text == "-" else read_number(text)
        if value is None:
            return column, text, "not a number"
        numbers.append(value)
    # the same few words stand in every line: kept once
    texts = tuple(words.setdefault(fields[place], fields[place]) for place in layout.texts.values())
    return _Row(epoch, words.setdefault(source, source), tuple(numbers), texts, layout.refused(fields))


def _table(rows: list[_Row], used: list[bool], layout: LogLayout, defects: tuple[Defect, ...]) -> LogTable:
    columns = np.array([row.numbers for row in rows], dtype=np.float64).reshape(len(rows), len(layout.numbers))
    return LogTable(
        layout=layout,
        epoch=np.array([row.epoch for row in rows], dtype=np.int64),
        sources=tuple(row.source for row in rows),
        numbers={column: columns[:, place].copy() for place, column in enumerate(layout.numbers)},
        texts={column: tuple(row.texts[place] for row in rows) for place, column in enumerate(layout.texts)},
        used=np.array(used, dtype=np.bool_),
        defects=defects,
    )


def parsed_log(table: LogTable) -> Parsed:
    """Give a log as what every parser gives; `header` counts lines and names the columns that the table has."""
    header: dict[str, object] = {
        "lines": len(table.epoch),
        "refused": int(np.count_nonzero(~table.used)),
        "columns": [*table.layout.numbers, *table.layout.texts],
    }
    return Parsed(table.readings(), list(table.defects), table.layout.kind, header)
