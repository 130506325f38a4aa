"""The rows of a TFEX file, cut at blanks or by the widths of the columns, and gathered column by column.

What it does not do: read the header, or choose the scale of the time tags.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence

from timeball.formats.bulletin.text import LONGEST_LINE, MJD_RANGE
from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import read_number
from timeball.formats.tfex.records import TfexColumn, scaled
from timeball.instants import DAY_S, MJD_OF_1970, NS_PER_SECOND, InstantError, LeapTable, from_utc_parts

_SOD = re.compile(r"(\d{1,5})(?:\.(\d{0,18}))?", re.ASCII)
_MJD = re.compile(r"(\d{4,6})(?:\.0*)?", re.ASCII)
_NONE = ("*", "nan")


class TfexRows:
    """The rows of the data as columns, and what is wrong with some."""

    def __init__(self, columns: Sequence[TfexColumn], tags: tuple[int, int], table: LeapTable, name: str) -> None:
        self.columns, self.tags, self.table, self.name = columns, tags, table, name
        self.defects: list[Defect] = []
        self.epochs: array[int] = array("q")
        self._days: dict[int, int] = {}
        self._texts = [(place, column.label) for place, column in enumerate(columns) if column.kind == "s"]
        self._numbers = [
            (place, column.label, column.exponent)
            for place, column in enumerate(columns)
            if column.kind != "s" and not column.timetag
        ]
        self.values: dict[str, array[float]] = {label: array("d") for _, label, _ in self._numbers}
        self.texts: dict[str, list[str]] = {label: [] for _, label in self._texts}

    def read(self, lines: Iterable[tuple[int, bytes]]) -> None:
        """Take every good row; empty lines and those that begin with # are none."""
        for number, raw in lines:
            if not raw.strip() or raw.startswith(b"#"):
                continue
            line = raw[: LONGEST_LINE + 1].decode("utf-8", "replace").rstrip("\r")
            if len(raw) > LONGEST_LINE:
                self._tell(number, "line", line, f"longer than {LONGEST_LINE} characters")
                continue
            fields = self._fields(line)
            if len(fields) != len(self.columns):
                self._tell(number, "line", line, f"{len(fields)} fields for {len(self.columns)} columns")
            else:
                self._take(number, fields)

    def _take(self, number: int, fields: list[str]) -> None:
        """Take a row, if all of it is good."""
        epoch = self._epoch(number, fields)
        numbers = [self._number(number, label, fields[place], power) for place, label, power in self._numbers]
        if epoch is None or None in numbers:
            return
        self.epochs.append(epoch)
        for cells, value in zip(self.values.values(), numbers, strict=True):
            cells.append(float("nan") if value is None else value)
        for place, label in self._texts:
            self.texts[label].append(fields[place])

    def _fields(self, line: str) -> list[str]:
        """Cut a row: at blanks, or by the columns' widths when there is text among them."""
        if not self.texts:
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
        try:
            return self._moment(int(mjd[1]) - MJD_OF_1970, int(sod[1]), int((sod[2] or "").ljust(9, "0")[:9]))
        except InstantError as error:
            self._tell(number, "SoD", second, str(error))
            return None

    def _moment(self, day: int, second: int, ns: int) -> int:
        """Give an epoch, ns of TAI; the seconds of a day follow one another, so its first one is looked up once."""
        if second >= DAY_S:
            return from_utc_parts(day, second, 0, self.table).ns + ns
        if day not in self._days:
            self._days[day] = from_utc_parts(day, 0, 0, self.table).ns
        return self._days[day] + second * NS_PER_SECOND + ns

    def _number(self, number: int, label: str, text: str, exponent: int) -> float | None:
        if text in _NONE:
            return float("nan")
        value = read_number(text)
        if value is None:
            self._tell(number, label, text, "neither a number nor *")
            return None
        return scaled(text, exponent) if exponent else value

    def _tell(self, number: int, field: str, text: str, reason: str) -> None:
        self.defects.append(Defect(self.name, number, field, shown(text.strip()), reason))
