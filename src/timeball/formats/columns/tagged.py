"""Plain columns with time tags, many lines at once: the same epochs, values and uncertainties as line by line.

It takes on what programs write: every line has the same number of plain numbers, tags are seconds with up to 9
decimals or MJD with up to 15. Of anything else it says None, and the caller reads line by line.

Exactness: a tag becomes two integers, what stands before and behind its point; 10⁻¹⁵ d are 54/625 ns, and since 625 is
odd no tag lies half way between two nanoseconds. Nothing goes through a float.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from timeball.formats.columns.options import ColumnOptions
from timeball.formats.columns.time import EPOCH_LIMIT_NS
from timeball.formats.numerals import LARGEST, LONGEST
from timeball.formats.timescales import table_for
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND, InstantError, LeapTable, tai_ns_from_utc_ns
from timeball.readings import FloatArray

IntArray = npt.NDArray[np.int64]
Columns = tuple[IntArray, FloatArray, FloatArray | None]
_FIGURES = b"0123456789+-.eE"
_ALLOWED = _FIGURES + b" \t,\r\n"  # a semicolon may begin a comment
_AS_BLANKS = bytes.maketrans(b",", b" ")
_BLANKS = re.compile(rb"[ \t,]+")
_MOST_FIELDS = 8
_LONGEST_TAG = 22
_POINT, _ZERO = 46, 48
_LONG_AGO = -100_000  # days from 1970; no epoch in ns is before
_DIGITS = {"seconds": (10, 9), "mjd": (6, 15)}  # of a tag, before and behind its point
_LARGEST = {"seconds": 4 * 10**9, "mjd": 86_000}  # of what stands before it: the epochs fit int64


def read_tagged(body: bytes, options: ColumnOptions, leaps: LeapTable | None, name: str) -> Columns | None:
    """Convert whole lines at once: epochs (ns of TAI), values, uncertainties (None without a column of them).

    Raises ``FormatError`` for a time scale that cannot be used; None when a single line is not of the plain form.
    """
    rows = _fields(body)
    if rows is None or options.time not in _DIGITS:
        return None
    places = [options.value_column or 0, *([] if options.u_column is None else [options.u_column])]
    if not 1 <= min(places) <= max(places) < rows.shape[1]:
        return None
    epochs = _epochs(rows[:, 0], options, leaps, name)
    numbers = None if epochs is None else [_numbers(rows[:, place]) for place in places]
    if epochs is None or numbers is None or any(column is None for column in numbers):
        return None
    values, *rest = (column for column in numbers if column is not None)
    return epochs, values, np.where(rest[0] >= 0, rest[0], np.nan) if rest else None


def _fields(body: bytes) -> npt.NDArray[np.bytes_] | None:
    """Give the fields of all lines as a table, None when they are not all of one form."""
    if body.translate(None, _ALLOWED) or body.count(b"\r") != body.count(b"\r\n"):
        return None
    plain = _BLANKS.sub(b" ", body.replace(b"\r\n", b"\n"))
    if not plain.endswith(b"\n"):
        plain += b"\n"
    skeleton = plain.replace(b"\n ", b"\n").replace(b" \n", b"\n").lstrip(b" ").translate(None, _FIGURES)
    first = skeleton[: skeleton.find(b"\n") + 1]
    lines = len(skeleton) // len(first) if first else 0
    tokens = body.translate(_AS_BLANKS).split()
    if not 2 <= len(first) <= _MOST_FIELDS or skeleton != first * lines or len(tokens) != lines * len(first):
        return None
    table = np.array(tokens, dtype=np.bytes_)
    return None if table.dtype.itemsize > LONGEST else table.reshape(lines, len(first))


def _epochs(
    tags: npt.NDArray[np.bytes_], options: ColumnOptions, leaps: LeapTable | None, name: str
) -> IntArray | None:
    time = options.time or ""
    table = table_for(options.time_scale, leaps, name)
    parts = _parts(tags, *_DIGITS[time])
    if parts is None or parts[0].max() > _LARGEST[time] or any(entry.step_s < 0 for entry in table.entries):
        return None
    whole, fraction = parts
    if time == "seconds":
        epochs = whole * NS_PER_SECOND + fraction + (options.start_ns or 0)
    else:
        counts = (whole - MJD_OF_1970) * DAY_NS + (fraction * 54 + 312) // 625
        try:
            epochs = _as_tai(counts, table)
        except InstantError:
            return None  # a day before the table: line by line it is told
    return None if np.any(np.abs(epochs) > EPOCH_LIMIT_NS) else epochs


def _as_tai(counts: IntArray, table: LeapTable) -> IntArray:
    if table.entries[0].utc_day < _LONG_AGO:  # a scale that never leaps: its table begins in the year 1
        return counts + table.entries[0].tai_minus_utc_s * NS_PER_SECOND
    return tai_ns_from_utc_ns(counts, table)


def _parts(tags: npt.NDArray[np.bytes_], before: int, behind: int) -> tuple[IntArray, IntArray] | None:
    """Give what stands before the point and behind it (as if with ``behind`` digits); None for any other tag."""
    fixed = tags.astype(np.bytes_)  # a copy in one piece, as wide as the longest tag needs
    width = int(np.char.str_len(fixed).max())
    if width > _LONGEST_TAG:
        return None
    characters = np.ascontiguousarray(fixed.astype(f"S{width}")).view(np.uint8).reshape(len(fixed), width)
    whole, fraction = np.zeros(len(fixed), dtype=np.int64), np.zeros(len(fixed), dtype=np.int64)
    points, digits, decimals = (np.zeros(len(fixed), dtype=np.int64) for _ in range(3))
    for place in range(width):
        character = characters[:, place]
        digit = character.astype(np.int64) - _ZERO
        is_digit = (digit >= 0) & (digit <= 9)
        is_point = character == _POINT
        if not np.all(is_digit | is_point | (character == 0)):
            return None
        points += is_point
        left, right = is_digit & (points == 0), is_digit & (points > 0)
        whole = np.where(left, whole * 10 + digit, whole)
        fraction = np.where(right, fraction * 10 + digit, fraction)
        digits += left
        decimals += right
    if points.max() > 1 or digits.max() > before or decimals.max() > behind or np.any(digits + decimals == 0):
        return None
    return whole, fraction * 10 ** (behind - decimals)


def _numbers(tokens: npt.NDArray[np.bytes_]) -> FloatArray | None:
    try:
        values = tokens.astype(np.float64)
    except ValueError:
        return None
    return values if (np.abs(values) < LARGEST).all() else None
