"""The data records of RINEX clock files, decoded twice over: a line at a time, and as arrays.

:func:`decode_record` splits a record into words and so reads every version and what programs make of it.
:func:`decode_regular` takes the records that stand exactly in the columns of the specification, all at once, and
leaves the others; what it takes, it decodes to the same bits as the first.

Epochs come out as counts of the file's own time scale (ns since 1970-01-01 00:00:00 of that scale).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import read_integer, read_number
from timeball.instants import DAY_NS, NS_PER_SECOND, InstantError, day_number

RECORD_TYPES = ("AR", "AS", "CR", "DR", "MS")
COMPARISON_TYPES = ("AR", "AS")  # receiver and satellite clocks against the reference of the analysis
MAX_NAME = 9
_SECOND = re.compile(r"(\d{1,2})(?:\.(\d{0,15}))?", re.ASCII)
_NAME = re.compile(r"[!-'*-~]{1,9}")  # printable ASCII; parentheses belong to the names of time scales
_FIRST_YEAR, _LAST_YEAR = 1972, 2200  # what int64 ns and the GNSS age leave room for
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
    year = _integer("year", words[0], _FIRST_YEAR, _LAST_YEAR)
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


@dataclass(frozen=True, slots=True)
class RegularRecords:
    """Records decoded as arrays: ``lines`` their positions in the list of lines, the other columns as in `Record`."""

    lines: npt.NDArray[np.intp]
    names: list[str]
    count_ns: npt.NDArray[np.int64]
    x_s: npt.NDArray[np.float64]
    u_s: npt.NDArray[np.float64]


# Classes of characters, one bit each, and what each column of a record may hold.
_SPACE, _DIGIT, _SIGN, _DOT, _EXPONENT, _NAME_CHARACTER, _KIND = (1 << bit for bit in range(7))
_TEMPLATE_CLASSES = {" ": _SPACE, "9": _DIGIT, "#": _DIGIT | _SPACE, "-": _SIGN | _SPACE, "+": _SIGN, ".": _DOT}
_TEMPLATE_CLASSES |= {
    "E": _EXPONENT,
    "x": _NAME_CHARACTER,
    "_": _NAME_CHARACTER | _SPACE,
    "A": _NAME_CHARACTER,
    "K": _KIND,
}
_VALUE = "-9.999999999999E+99"
_EPOCH = "9999 #9 #9 #9 #9 #9.999999"  # I4, 4(1X,I2), F10.6


def _class_table() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for characters, bit in (
        (" ", _SPACE),
        ("0123456789", _DIGIT),
        ("+-", _SIGN),
        (".", _DOT),
        ("eE", _EXPONENT),
        ("RS", _KIND),
        ("".join(chr(code) for code in range(33, 127) if chr(code) not in "()"), _NAME_CHARACTER),
    ):
        table[np.frombuffer(characters.encode(), dtype=np.uint8)] |= bit
    return table


_CLASS_OF = _class_table()


def _admits(rows: npt.NDArray[np.uint8], template: str) -> npt.NDArray[np.bool_]:
    wanted = np.array([_TEMPLATE_CLASSES[mark] for mark in template], dtype=np.uint8)
    return np.asarray((_CLASS_OF[rows] & wanted).all(axis=1), dtype=np.bool_)


def decode_regular(
    text: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.intp],
    lengths: npt.NDArray[np.intp],
    name_width: int,
) -> RegularRecords:
    """Decode every AR and AS record of one or two values that stands exactly in the specification's columns.

    text: the file, with at least 96 bytes after its last line; starts, lengths: of its lines, line ends not counted;
    name_width: 4, and 9 from version 3.04 on.
    Leaves (to :func:`decode_record`) whatever is not in place to the character, and 23:59:60.
    """
    shift = name_width - 4
    lines = np.flatnonzero((lengths >= 59 + shift) & (text[starts] == ord("A")))
    rows = _blanked_rows(text, starts[lines], lengths[lines], 80 + shift)
    rows, lines = _in_place(rows, lines, name_width)
    count_ns, valid = _counts(rows[:, 8 + shift : 34 + shift])
    two = rows[:, 36 + shift] == ord("2")
    x_s, u_s = _values(rows[:, 40 + shift : 59 + shift]), np.full(len(rows), np.nan)
    u_s[two] = _values(rows[two, 60 + shift : 79 + shift])
    u_s[u_s < 0.0] = np.nan
    names = [raw.decode().rstrip() for raw in _strings(rows[valid, 3 : 3 + name_width])]
    return RegularRecords(lines[valid], names, count_ns[valid], x_s[valid], u_s[valid])


def find_unwanted(
    text: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp], clocks: frozenset[str]
) -> npt.NDArray[np.bool_]:
    """Mark the AR and AS lines whose clock is none of ``clocks``, judged by the first four characters of its name.

    Never marks a line that another may continue: the next one must be a record, too, or the end.
    """
    heads = np.lib.stride_tricks.sliding_window_view(text, 7)[starts]
    named = _admits(heads, "AK x___") & (heads[:, 0] == ord("A"))
    heads = heads[:, 3:].copy()
    heads[np.maximum.accumulate(heads == ord(" "), axis=1)] = ord(" ")  # a short name ends at its first space
    wanted = [np.frombuffer(f"{name:<4.4}".encode("ascii", "replace"), dtype=np.uint32)[0] for name in clocks]
    unwanted = named & ~np.isin(heads.view(np.uint32).ravel(), np.array(wanted, dtype=np.uint32))
    unwanted[:-1] &= heads_of_records(text, starts)[1:]
    return np.asarray(unwanted, dtype=np.bool_)


def heads_of_records(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Mark the lines that begin with a letter, and so continue nothing."""
    first = text[starts]
    return np.asarray((first >= ord("A")) & (first <= ord("Z")), dtype=np.bool_)


def _blanked_rows(
    text: npt.NDArray[np.uint8], starts: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp], width: int
) -> npt.NDArray[np.uint8]:
    """Cut each line to one row of ``width`` bytes; what stands after its end is blanked."""
    rows = np.lib.stride_tricks.sliding_window_view(text, width)[starts]
    short = np.flatnonzero(lengths < width)
    rows[short] = np.where(np.arange(width) < lengths[short, None], rows[short], ord(" "))
    return rows


def _in_place(
    rows: npt.NDArray[np.uint8], lines: npt.NDArray[np.intp], name_width: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """Keep the rows whose every character is of a class that its column admits."""
    head = f"AK x{'_' * (name_width - 1)} {_EPOCH}  9   {_VALUE} "
    good = _admits(rows[:, : len(head)], head)
    rows, lines = rows[good], lines[good]
    count, second = rows[:, name_width + 32], rows[:, len(head) :]
    one = (count == ord("1")) & (second == ord(" ")).all(axis=1)
    two = (count == ord("2")) & _admits(second, _VALUE + " ")
    blank = rows[:, 3 : 3 + name_width] == ord(" ")
    single_word = ~(blank[:, :-1] & ~blank[:, 1:]).any(axis=1)
    good = (one | two) & single_word
    return rows[good], lines[good]


def _counts(epochs: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give counts (ns since 1970 in the file's scale) and which of them are dates and times in range."""
    digits = (epochs & 15).astype(np.int64)  # a space counts as 0, as does the numeral 0

    def figure(start: int, stop: int) -> npt.NDArray[np.int64]:
        return digits[:, start:stop] @ 10 ** np.arange(stop - start - 1, -1, -1)

    year, month, day, hour, minute = (figure(*field) for field in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16)))
    second, microsecond = figure(17, 19), figure(20, 26)
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    past = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    valid = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    valid &= (first + day <= past) & (hour < 24) & (minute < 60) & (second < 60)
    days = np.where(valid, first + day - 1, 0)
    seconds = 3600 * hour + 60 * minute + second
    return days * DAY_NS + seconds * NS_PER_SECOND + microsecond * 1000, valid


def _strings(columns: npt.NDArray[np.uint8]) -> list[bytes]:
    return np.ascontiguousarray(columns).view(f"S{columns.shape[1]}").ravel().tolist()


def _values(columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Convert fields of the form ±d.dddddddddddde±dd; the conversion is the exact one of ``float``."""
    return np.ascontiguousarray(columns).view(f"S{columns.shape[1]}").ravel().astype(np.float64)
