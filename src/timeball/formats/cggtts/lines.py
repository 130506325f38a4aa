"""One data line of a CGGTTS file: its checksum, its fields, and the figures as whole numbers in units of the file.

A line is cut at its columns when it stands in them, else at blanks (some programs do not keep the columns). A blank
field, or one of nines, is a figure that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.cggtts.layout import MINUS_ZERO, MISSING, TEXT, Column, Layout, checksum
from timeball.formats.cggtts.records import SYSTEMS, IntArray

_SATELLITE = re.compile(rf"([{SYSTEMS}])([ 0-9][0-9])|([0-9]{{1,3}})", re.ASCII)
_FIGURE = re.compile(r"([+-]?)([0-9]{1,18})", re.ASCII)
_TEXTS = {"CL": re.compile(r"[!-~]{1,2}"), "FRC": re.compile(r"[!-~]{0,3}")}
_WORD = re.compile(rb"[^ \t]+")
_CK = re.compile(r"[0-9A-Fa-f]{1,2}")


class LineError(ValueError):
    """A line that cannot be used: field, text and reason."""

    def __init__(self, field: str, text: str | bytes, reason: str) -> None:
        super().__init__(reason)
        self.field, self.text, self.reason = field, text, reason


@dataclass(frozen=True, slots=True)
class Line:
    """One decoded line: its number, its figures in the order of the columns, its texts."""

    number: int
    figures: list[int]
    satellite: str
    cl: str
    frc: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Decoded lines, not yet in our units: numbers of the lines, the columns of figures by name, the texts."""

    line: IntArray
    by_name: dict[str, IntArray]
    satellite: list[str]
    cl: list[str]
    frc: list[str]

    @classmethod
    def of_lines(cls, lines: Sequence[Line], layout: Layout) -> Figures:
        """Put lines decoded one by one into columns."""
        names = [column.name for column in layout.columns if column.per_unit != TEXT]
        table = np.array([line.figures for line in lines], dtype=np.int64).reshape(len(lines), len(names))
        return cls(
            np.array([line.number for line in lines], dtype=np.int64),
            dict(zip(names, table.T, strict=True)),
            [line.satellite for line in lines],
            [line.cl for line in lines],
            [line.frc for line in lines],
        )

    @classmethod
    def joined(cls, parts: Sequence[Figures], layout: Layout) -> Figures:
        """Put parts one after the other."""
        none = np.empty(0, dtype=np.int64)
        names = [column.name for column in layout.columns if column.per_unit != TEXT]
        return cls(
            np.concatenate([none, *(part.line for part in parts)]),
            {name: np.concatenate([none, *(part.by_name[name] for part in parts)]) for name in names},
            [text for part in parts for text in part.satellite],
            [text for part in parts for text in part.cl],
            [text for part in parts for text in part.frc],
        )

    def take(self, places: IntArray) -> Figures:
        """Keep the lines at these places, in this order."""
        if len(places) == len(self.line) and bool((np.diff(places) > 0).all()):
            return self
        texts = ([column[place] for place in places.tolist()] for column in (self.satellite, self.cl, self.frc))
        return Figures(self.line[places], {name: each[places] for name, each in self.by_name.items()}, *texts)

    def columns(self, layout: Layout) -> Iterator[tuple[Column, IntArray]]:
        """Give each column of figures with what it is."""
        for column in layout.columns:
            if column.per_unit != TEXT:
                yield column, self.by_name[column.name]


def decode_line(line: bytes, layout: Layout, number: int) -> Line:
    """Decode one line; ``LineError`` when its checksum or a field is wrong."""
    fields, given, before = _cut(line, layout)
    if not _CK.fullmatch(given):
        raise LineError("CK", given, "not a checksum of two hexadecimal digits")
    if int(given, 16) != checksum(before):
        raise LineError("CK", given, f"the characters of the line give {checksum(before):02X}; the line is rejected")
    texts, figures = {"FRC": ""}, []
    for column, text in zip(layout.columns, fields, strict=True):
        if column.per_unit == TEXT:
            texts[column.name] = read_text(column.name, text)
        else:
            figures.append(_figure(column, text))
    return Line(number, figures, texts["SAT"], texts["CL"], texts["FRC"])


def _cut(line: bytes, layout: Layout) -> tuple[list[str], str, bytes]:
    """Give the fields, the checksum as it stands, and what it sums up."""
    at = layout.checksum_at
    text = line.decode("latin-1")
    blanks = (*(start - 1 for start in layout.starts[1:]), at - 1)
    if len(line) >= at + 2 and line[at + 2 : at + 3] in (b"", b" ") and all(text[place] == " " for place in blanks):
        places = zip(layout.starts, layout.columns, strict=True)
        fields = [text[start : start + column.width].strip(" ") for start, column in places]
        return fields, text[at : at + 2].strip(" "), line[:at]
    words = list(_WORD.finditer(line))
    count = len(layout.columns)
    if len(words) <= count:
        raise LineError("line", line, f"{len(words)} fields, not {count} and a checksum")
    fields = [word[0].decode("latin-1") for word in words[:count]]
    return fields, words[count][0].decode("latin-1"), line[: words[count].start()]


def _figure(column: Column, text: str) -> int:
    if not text and column.optional:
        return MISSING
    match = _FIGURE.fullmatch(text)
    if match is None or (match[1] and not column.may_have_sign):
        raise LineError(column.name, text, "not a whole number")
    value = int(match[2])
    if match[1] == "-":
        return -value if value else MINUS_ZERO
    return MISSING if value in column.fillers else value


def read_text(name: str, text: str) -> str:
    """Read a field of text, without blanks around it: satellite, class or code; ``LineError`` when it is none."""
    if name == "SAT":
        return _satellite(text)
    if not _TEXTS[name].fullmatch(text):
        raise LineError(name, text, "not the characters that stand here")
    return text


def _satellite(text: str) -> str:
    """Name a satellite: a letter and two digits, or a bare number: GPS up to 99, GLONASS slots from 101 on."""
    match = _SATELLITE.fullmatch(text)
    number = int(match[2] or match[3]) if match else 0
    if match is None or number % 100 == 0 or number > 199:
        raise LineError("SAT", text, "not a satellite")
    letter = match[1] or ("R" if number > 100 else "G")
    return f"{letter}{number % 100:02d}"
