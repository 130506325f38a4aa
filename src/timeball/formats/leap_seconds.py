"""Leap second tables: the ``leap-seconds.list`` of IERS and NIST, and tzdata's ``leapseconds``.

Sign: TAI − UTC in seconds, from 00:00:00 UTC of a day on.

A table with a bad line is refused whole, unlike a file of readings: one missing leap is a second of error in all
that follows. An expired table is not refused; its expiry is part of the result.
"""

from __future__ import annotations

import hashlib
import re

from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.instants import DAY_S, Instant, InstantError, LeapTable, day_number

NTP_DAY_OF_1970 = 25_567  # days from 1900-01-01, the NTP era, to 1970-01-01
_LIST_MARKS = (b"#$", b"#@", b"#h")
_FIRST_UTC_DAY = day_number(1972, 1, 1)
_FIRST_TAI_MINUS_UTC_S = 10
_FIGURE = re.compile(r"\d{1,11}", re.ASCII)
_HASH_GROUP = re.compile(r"[0-9a-fA-F]{1,8}")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}


def is_leap_seconds(head: bytes) -> bool:
    """Tell from its head whether a file is a leap second table of either kind."""
    lines = head.splitlines()
    return any(line[:2] in _LIST_MARKS for line in lines) or any(line.split()[:1] == [b"Leap"] for line in lines)


def parse_leap_table(data: bytes, name: str) -> LeapTable:
    """Read a leap second table of either kind. Raises ``FormatError``."""
    marked = any(line[:2] in _LIST_MARKS for line in data.splitlines())
    return parse_leap_seconds_list(data, name) if marked else parse_tzdata_leapseconds(data, name)


def parse_leap_seconds_list(data: bytes, name: str) -> LeapTable:
    """Read a ``leap-seconds.list``: NTP seconds and TAI − UTC a line, ``#$`` updated, ``#@`` expires, ``#h`` SHA-1.

    The hash covers the figures only: the digits of updated and expires, then of every data line, in that order and
    with nothing between them. Raises ``FormatError`` for a bad line, a missing expiry or hash, or a wrong hash.
    """
    marks: dict[str, tuple[int, str]] = {}
    figures: list[tuple[int, str, str]] = []
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        if line[:2] in ("#$", "#@", "#h"):
            marks.setdefault(line[:2], (number, line[2:].strip()))
        elif line.partition("#")[0].strip():
            figures.append((number, *_two_figures(line, number, name)))
    updated, expires = (_marked_figure(marks, mark, name) for mark in ("#$", "#@"))
    _verify_hash(marks, updated + expires + "".join(ntp + offset for _, ntp, offset in figures), name)
    offsets = [(_utc_day(ntp, number, name), int(offset)) for number, ntp, offset in figures]
    # The expiry is UTC; the last offset of the table converts it.
    expiry_s = int(expires) - NTP_DAY_OF_1970 * DAY_S + (offsets[-1][1] if offsets else 0)
    return _table(offsets, Instant(expiry_s), name)


def _two_figures(line: str, number: int, name: str) -> tuple[str, str]:
    fields = line.partition("#")[0].split()
    if len(fields) != 2 or not all(_FIGURE.fullmatch(field) for field in fields):
        raise FormatError(Defect(name, number, "line", shown(line), "not NTP seconds and TAI − UTC"))
    return fields[0], fields[1]


def _marked_figure(marks: dict[str, tuple[int, str]], mark: str, name: str) -> str:
    number, text = marks.get(mark, (0, ""))
    if not _FIGURE.fullmatch(text):
        raise FormatError(Defect(name, number, mark, shown(text), "missing or not a count of NTP seconds"))
    return text


def _verify_hash(marks: dict[str, tuple[int, str]], covered: str, name: str) -> None:
    number, text = marks.get("#h", (0, ""))
    groups = text.split()
    if len(groups) != 5 or not all(_HASH_GROUP.fullmatch(group) for group in groups):
        raise FormatError(Defect(name, number, "#h", shown(text), "missing or not five groups of hexadecimal digits"))
    stated = "".join(group.lower().zfill(8) for group in groups)  # 32 bits each; some editions drop leading zeros
    found = hashlib.sha1(covered.encode(), usedforsecurity=False).hexdigest()
    if stated != found:
        raise FormatError(
            Defect(name, number, "#h", shown(text), f"the figures hash to {found}: the table was altered")
        )


def _utc_day(ntp: str, number: int, name: str) -> int:
    day, second = divmod(int(ntp), DAY_S)
    if second:
        raise FormatError(Defect(name, number, "NTP seconds", ntp, "TAI − UTC changes at 00:00:00 UTC only"))
    return day - NTP_DAY_OF_1970


def _table(offsets: list[tuple[int, int]], expires: Instant | None, name: str) -> LeapTable:
    try:
        return LeapTable.from_offsets(offsets, expires, name)
    except InstantError as error:
        raise whole_file_error(name, "", str(error)) from error


def parse_tzdata_leapseconds(data: bytes, name: str) -> LeapTable:
    """Read tzdata's ``leapseconds``: ``Leap YEAR MONTH DAY HH:MM:SS +|- S`` lines and the ``#expires`` comment.

    The table starts at 1972-01-01 with 10 s, which this format takes for granted. Rolling leaps (``R``) are refused:
    UTC has none. Raises ``FormatError``.
    """
    offsets = [(_FIRST_UTC_DAY, _FIRST_TAI_MINUS_UTC_S)]
    expires_posix: int | None = None
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        if found := re.match(r"#expires\s+(\d{1,12})\b", line, re.ASCII):
            expires_posix = int(found[1])
        fields = line.partition("#")[0].split()
        if fields and fields[0] == "Leap":
            day, step_s = _leap_line(fields, line, number, name)
            offsets.append((day + 1, offsets[-1][1] + step_s))
        elif fields and fields[0] != "Expires":
            raise FormatError(Defect(name, number, "line", shown(line), "neither Leap nor Expires"))
    if len(offsets) == 1:
        raise whole_file_error(name, data, "no Leap line")
    expires = None if expires_posix is None else Instant(expires_posix + offsets[-1][1])
    return _table(offsets, expires, name)


def _leap_line(fields: list[str], line: str, number: int, name: str) -> tuple[int, int]:
    """Give (UTC day that ends with the leap, its sign) of a Leap line."""
    reason = "not Leap YEAR MONTH DAY 23:59:60 + S (or 23:59:59 -)"
    if len(fields) != 7 or not (_FIGURE.fullmatch(fields[1]) and _FIGURE.fullmatch(fields[3])):
        raise FormatError(Defect(name, number, "line", shown(line), reason))
    step_s = {("23:59:60", "+"): 1, ("23:59:59", "-"): -1}.get((fields[4], fields[5]), 0)
    if not step_s or fields[6] != "S" or fields[2] not in _MONTHS:
        raise FormatError(Defect(name, number, "line", shown(line), reason))
    try:
        return day_number(int(fields[1]), _MONTHS[fields[2]], int(fields[3])), step_s
    except InstantError as error:
        raise FormatError(Defect(name, number, "date", shown(line), str(error))) from error
