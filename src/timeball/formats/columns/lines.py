"""The lines of plain columns: comments and hints, the split into fields, samples, and the fast way for one column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from timeball.formats.columns.time import TagReader, is_iso
from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import LARGEST, LONGEST, read_number
from timeball.readings import FloatArray

COMMENT_MARKS = ("#", "%", ";", "*", "!", "/", '"', "'")
_SEPARATOR = re.compile(r"[\s,;]+", re.ASCII)
_HINT = re.compile(
    r"\b(kind|type|tau0?(?:_s)?|unit(?:_s)?|time|clock|reference|start_ns|u_column)\s*[:=]\s*([^\s,;]+)", re.IGNORECASE
)
_ALIASES = {"type": "kind", "tau": "tau0_s", "tau0": "tau0_s", "tau_s": "tau0_s", "unit": "unit_s"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ONE_COLUMN = b"0123456789+-.eE\r\n"


def split_fields(line: str) -> list[str]:
    """Split a line at blanks, commas and semicolons; a date and a time with a blank between become one field."""
    fields = [text for text in _SEPARATOR.split(line.partition("#")[0]) if text]
    if len(fields) > 1 and _DATE.fullmatch(fields[0]) and is_iso(f"{fields[0]}T{fields[1]}"):
        fields[:2] = [f"{fields[0]}T{fields[1]}"]
    return fields


def is_sample(text: str) -> bool:
    """Tell whether a field is a number, or the ``nan`` that stands for a missing one."""
    return text.lower() == "nan" or read_number(text) is not None


def looks_like_columns(head: str) -> bool:
    """Tell whether, from the first line of figures on, most lines are nothing but figures."""
    lines = [line for line in head.split("\n") if line.strip() and not line.lstrip().startswith(COMMENT_MARKS)]
    good = [_figures_only(split_fields(line)) for line in lines]
    return any(good) and 2 * sum(good) > len(good) - good.index(True)


def _figures_only(fields: list[str]) -> bool:
    return bool(fields) and (is_iso(fields[0]) or is_sample(fields[0])) and all(map(is_sample, fields[1:]))


def read_head(text: str) -> tuple[int, dict[str, str], str]:
    """Give the characters before the first line of figures, the hints among them, and that line ('' when none).

    A hint is ``key: value`` or ``key = value`` with a key that the options of plain columns know, in a comment or in
    any line before the figures.
    """
    hints: dict[str, str] = {}
    start = 0
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        line = text[start:stop]
        fields = [] if line.lstrip().startswith(COMMENT_MARKS) else split_fields(line)
        if fields and (is_iso(fields[0]) or is_sample(fields[0])):
            return start, hints, line
        for key, value in _HINT.findall(line):
            hints.setdefault(_ALIASES.get(key.lower(), key.lower()), value)
        start = stop + 1
    return len(text), hints, ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: its number, its place on the grid of lines, its tag (0 without one), its value (NaN: missing), u."""

    line: int
    place: int
    epoch_ns: int
    value: float
    u: float


@dataclass(frozen=True, slots=True)
class LineReader:
    """Reads samples; ``value_column`` and ``u_column`` count from 0 with the tag."""

    tags: TagReader
    value_column: int
    u_column: int | None
    file: str

    def read(self, text: str, first_line: int) -> Iterator[Sample | Defect]:
        """Give a sample or a defect for each line of figures; a defect keeps its place on the grid."""
        place = -1
        for number, line in enumerate(text.split("\n"), first_line):
            fields = [] if line.lstrip().startswith(COMMENT_MARKS) else split_fields(line)
            if fields:
                place += 1
                yield self._sample(fields, number, place)

    def _sample(self, fields: list[str], number: int, place: int) -> Sample | Defect:
        needed = max(self.value_column, self.u_column or 0)
        if len(fields) <= needed:
            return self._defect(number, "line", " ".join(fields), f"fewer than {needed + 1} fields")
        try:
            epoch_ns = self.tags.read(fields[0])
        except ValueError as error:
            return self._defect(number, "time", fields[0], str(error))
        text = fields[self.value_column]
        if not is_sample(text):
            return self._defect(number, "value", text, "not a number")
        u = read_number(fields[self.u_column]) if self.u_column is not None else None
        return Sample(number, place, epoch_ns, _value(text), u if u is not None and u >= 0 else float("nan"))

    def _defect(self, number: int, field: str, text: str, reason: str) -> Defect:
        return Defect(self.file, number, field, shown(text), reason)


def _value(text: str) -> float:
    number = read_number(text)
    return float("nan") if number is None else number


def read_single_column(body: bytes) -> FloatArray | None:
    """Convert a body of one plain number a line at once; None when a single line is anything else."""
    if body.translate(None, _ONE_COLUMN) or body.count(b"\r") != body.count(b"\r\n"):
        return None
    tokens = np.array(body.split(), dtype=np.bytes_)
    if not tokens.size or tokens.dtype.itemsize > LONGEST:
        return None
    try:
        values = tokens.astype(np.float64)
    except ValueError:
        return None
    return values if (np.abs(values) < LARGEST).all() else None
