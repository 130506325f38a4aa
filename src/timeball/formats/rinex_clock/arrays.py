"""The data records of RINEX clock files that stand exactly in the columns of the specification, decoded all at once.

What is taken here is decoded to the same bits as by :mod:`timeball.formats.rinex_clock.records`; the rest is left to
that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.rinex_clock.records import FIRST_YEAR, LAST_YEAR
from timeball.formats.text_rows import ByteArray, PlaceArray, TextRows
from timeball.instants import DAY_NS, NS_PER_SECOND

WIDTH = 80  # of a record with names of four characters


@dataclass(frozen=True, slots=True)
class RegularRecords:
    """Records decoded as arrays: ``lines`` their positions in the list of lines, the other columns as in `Record`."""

    lines: PlaceArray
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


def _class_table() -> ByteArray:
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


def _admits(rows: ByteArray, template: str) -> npt.NDArray[np.bool_]:
    wanted = np.array([_TEMPLATE_CLASSES[mark] for mark in template], dtype=np.uint8)
    return np.asarray((_CLASS_OF[rows] & wanted).all(axis=1), dtype=np.bool_)


def decode_regular(rows: TextRows, left: PlaceArray, name_width: int) -> RegularRecords:
    """Decode every AR and AS record of one or two values that stands exactly in the specification's columns.

    left: the lines to look at; name_width: 4, and 9 from version 3.04 on. Leaves to
    :func:`timeball.formats.rinex_clock.records.decode_record` whatever is not in place to the character, and 23:59:60.
    """
    shift = name_width - 4
    lines = left[(rows.lengths[left] >= 59 + shift) & (rows.text[rows.starts[left]] == ord("A"))]
    characters, lines = _in_place(rows.rows(lines, WIDTH + shift), lines, name_width)
    count_ns, valid = _counts(characters[:, 8 + shift : 34 + shift])
    two = characters[:, 36 + shift] == ord("2")
    x_s, u_s = _values(characters[:, 40 + shift : 59 + shift]), np.full(len(lines), np.nan)
    u_s[two] = _values(characters[two, 60 + shift : 79 + shift])
    u_s[u_s < 0.0] = np.nan
    names = [raw.decode().rstrip() for raw in _strings(characters[valid, 3 : 3 + name_width]).tolist()]
    return RegularRecords(lines[valid], names, count_ns[valid], x_s[valid], u_s[valid])


def find_unwanted(rows: TextRows, clocks: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Mark the AR and AS lines whose clock is none of ``clocks``, judged by the first four characters of its name.

    Never marks a line that another may continue: the next one must be a record, too, or the end.
    """
    heads = rows.first(7)
    named = _admits(heads, "AK x___") & (heads[:, 0] == ord("A"))
    records = (heads[:, 0] >= ord("A")) & (heads[:, 0] <= ord("Z"))
    heads = heads[:, 3:].copy()
    heads[np.maximum.accumulate(heads == ord(" "), axis=1)] = ord(" ")  # a short name ends at its first space
    wanted = [np.frombuffer(f"{name:<4.4}".encode("ascii", "replace"), dtype=np.uint32)[0] for name in clocks]
    unwanted = named & ~np.isin(heads.view(np.uint32).ravel(), np.array(wanted, dtype=np.uint32))
    unwanted[:-1] &= records[1:]
    return np.asarray(unwanted, dtype=np.bool_)


def _in_place(rows: ByteArray, lines: PlaceArray, name_width: int) -> tuple[ByteArray, PlaceArray]:
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


def _counts(epochs: ByteArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give counts (ns since 1970 in the file's scale) and which of them are dates and times in range."""
    digits = (epochs & 15).astype(np.int64)  # a space counts as 0, as does the numeral 0

    def figure(start: int, stop: int) -> npt.NDArray[np.int64]:
        return digits[:, start:stop] @ 10 ** np.arange(stop - start - 1, -1, -1)

    year, month, day, hour, minute = (figure(*field) for field in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16)))
    second, microsecond = figure(17, 19), figure(20, 26)
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    past = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    valid = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    valid &= (first + day <= past) & (hour < 24) & (minute < 60) & (second < 60)
    days = np.where(valid, first + day - 1, 0)
    seconds = 3600 * hour + 60 * minute + second
    return days * DAY_NS + seconds * NS_PER_SECOND + microsecond * 1000, valid


def _strings(columns: ByteArray) -> npt.NDArray[np.bytes_]:
    return np.ascontiguousarray(columns).view(f"S{columns.shape[1]}").ravel()


def _values(columns: ByteArray) -> npt.NDArray[np.float64]:
    """Convert fields of the form ±d.dddddddddddde±dd; the conversion is the exact one of ``float``."""
    return _strings(columns).astype(np.float64)
