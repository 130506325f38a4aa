"""The data records of RINEX clock files, a line at a time: split into words, whatever version or program wrote them.

Epochs come out as counts of the file's own time scale (ns since 1970-01-01 00:00:00 of that scale). What it does not
do: take many at once, see :mod:`timeball.formats.rinex_clock.arrays`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import read_integer, read_number
from timeball.instants import DAY_NS, NS_PER_SECOND, InstantError, day_number

RECORD_TYPES = ("AR", "AS", "CR", "DR", "MS")
COMPARISON_TYPES = ("AR", "AS")  # receiver and satellite clocks against the reference of the analysis
MAX_NAME = 9
_SECOND = re.compile(r"(\d{1,2})(?:\.(\d{0,15}))?", re.ASCII)
_NAME = re.compile(r"[!-'*-~]{1,9}")  # printable ASCII; parentheses belong to the names of time scales
FIRST_YEAR, LAST_YEAR = 1972, 2200  # what int64 ns and the GNSS age leave room for
_VALUES_PER_CONTINUATION = 4


@dataclass(frozen=True, slots=True)
class Record:
    """One clock's bias at one epoch: ``count_ns`` in the file's scale, ``x_s`` clock − reference, ``u_s`` sigma."""

    name: str
    count_ns: int
    leap: bool  # the record stands inside 23:59:60; count_ns then shows the next day's first second
    x_s: float
    u_s: float


class RecordError(ValueError):
    """A record that cannot be read; carries the field, the text and the reason."""

    def __init__(self, field: str, text: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.text, self.reason = field, text, reason

    def defect(self, file: str, line: int) -> Defect:
        """Place the error in its file."""
        return Defect(file, line, self.field, shown(self.text), self.reason)


def decode_record(first: str, following: list[str]) -> Record:
    """Decode an AR or AS record: its first line, and the continuation lines that stand under it.

    Raises ``RecordError``. Of the up to six values only bias and sigma are used; a sigma that is not positive or
    zero means "unknown".
    """
    words = first.split()
    if len(words) < 10:
        raise RecordError("record", first, "fewer than ten fields: type, clock, six of epoch, count, bias")
    if not _NAME.fullmatch(words[1]):
        raise RecordError("clock", words[1], f"not a clock name of up to {MAX_NAME} characters")
    count_ns, leap = _epoch(words[2:8])
    number = _integer("number of values", words[8], 1, 6)
    values = words[9:]
    lines_needed = max(0, -(-(number - 2) // _VALUES_PER_CONTINUATION))
    for line in following[:lines_needed]:
        values += line.split()
    if len(values) < number:
        raise RecordError("values", first, f"{number} values announced, {len(values)} found")
    numbers = [_number(("bias", "sigma", "value")[min(place, 2)], text) for place, text in enumerate(values[:number])]
    u_s = numbers[1] if number > 1 and numbers[1] >= 0.0 else float("nan")
    return Record(words[1], count_ns, leap, numbers[0], u_s)


def _epoch(words: list[str]) -> tuple[int, bool]:
    year = _integer("year", words[0], FIRST_YEAR, LAST_YEAR)
    month, day = _integer("month", words[1], 1, 12), _integer("day", words[2], 1, 31)
    hour, minute = _integer("hour", words[3], 0, 23), _integer("minute", words[4], 0, 59)
    match = _SECOND.fullmatch(words[5])
    digits = (match[2] or "").ljust(9, "0") if match else ""
    if match is None or int(match[1]) > 60 or digits[9:].strip("0"):
        raise RecordError("second", words[5], "not seconds from 0 to 60.999999999")
    leap = int(match[1]) == 60
    if leap and (hour, minute) != (23, 59):
        raise RecordError("second", words[5], "second 60 stands at 23:59 only")
    try:
        days = day_number(year, month, day)
    except InstantError as error:
        raise RecordError("date", " ".join(words[:3]), str(error)) from error
    seconds = 3600 * hour + 60 * minute + int(match[1])
    return days * DAY_NS + seconds * NS_PER_SECOND + int(digits[:9]), leap


def _integer(field: str, text: str, low: int, high: int) -> int:
    value = read_integer(text, low, high)
    if value is None:
        raise RecordError(field, text, f"not a whole number from {low} to {high}")
    return value


def _number(field: str, text: str) -> float:
    value = read_number(text)
    if value is None:
        raise RecordError(field, text, "not a number")
    return value
