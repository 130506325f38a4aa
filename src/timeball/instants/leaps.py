"""Leap second tables, and UTC as text and as parts of a day: 23:59:60 included, 23:59:59 after a negative leap not.

Sign: TAI − UTC in seconds. UTC before 1972-01-01, when its seconds were elastic, is a typed error.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from timeball.instants.scalars import (
    ATTOSECONDS_PER_SECOND,
    DAY_S,
    MJD_OF_1970,
    NS_PER_SECOND,
    Instant,
    InstantError,
    NoSuchSecondError,
    UTCUndefinedError,
    day_number,
    format_day,
)

_UTC_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?Z", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class LeapSecond:
    """TAI − UTC from the start of a UTC day; ``step_s`` is +1, −1, or 0 for the first line of a table."""

    utc_day: int  # days from 1970-01-01
    tai_minus_utc_s: int
    step_s: int

    @property
    def tai_ns(self) -> int:
        """The epoch (ns of TAI) of that day's 00:00:00 UTC, where the new value begins."""
        return (self.utc_day * DAY_S + self.tai_minus_utc_s) * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class LeapTable:
    """Every change of TAI − UTC, oldest first. ``expires`` is only reported: after it the last value goes on."""

    entries: tuple[LeapSecond, ...]
    expires: Instant | None
    source: str

    def __post_init__(self) -> None:
        if not self.entries:
            raise InstantError(f"{self.source}: a leap table needs at least one line")
        for old, new in zip(self.entries, self.entries[1:], strict=False):
            step_s = new.tai_minus_utc_s - old.tai_minus_utc_s
            if new.utc_day <= old.utc_day or step_s not in (-1, 1) or step_s != new.step_s:
                raise InstantError(f"{self.source}: {new} cannot follow {old}")

    @classmethod
    def from_offsets(cls, offsets: Iterable[tuple[int, int]], expires: Instant | None, source: str) -> LeapTable:
        """Build from (UTC day since 1970, TAI − UTC from its 00:00:00 in s), oldest first."""
        pairs = list(offsets)
        before = [pairs[0][1], *(offset for _, offset in pairs[:-1])] if pairs else []
        entries = (LeapSecond(day, value, value - old) for (day, value), old in zip(pairs, before, strict=True))
        return cls(tuple(entries), expires, source)

    def entry_at(self, tai_ns: int) -> LeapSecond:
        """Give the line in force at a TAI epoch; inside 23:59:60 that is still the old one."""
        return self._entry(bisect_right(self.entries, tai_ns, key=lambda entry: entry.tai_ns))

    def entry_of_day(self, utc_day: int) -> LeapSecond:
        """Give the line in force on a UTC day (days since 1970)."""
        return self._entry(bisect_right(self.entries, utc_day, key=lambda entry: entry.utc_day))

    def _entry(self, index: int) -> LeapSecond:
        if index == 0:
            raise UTCUndefinedError(f"{self.source} begins on {format_day(self.entries[0].utc_day)}: no UTC before it")
        return self.entries[index - 1]

    def tai_minus_utc(self, tai_ns: int) -> int:
        """Give TAI − UTC (s) at a TAI epoch (ns)."""
        return self.entry_at(tai_ns).tai_minus_utc_s

    def next_leap(self, tai_ns: int) -> LeapSecond | None:
        """Give the first leap that is complete after ``tai_ns``, or None when none is announced."""
        index = bisect_right(self.entries, tai_ns, key=lambda entry: entry.tai_ns)
        return self.entries[index] if 0 < index < len(self.entries) else None

    def step_after_day(self, utc_day: int) -> int:
        """Give the leap at the end of a UTC day: +1, −1, or 0."""
        index = bisect_right(self.entries, utc_day, key=lambda entry: entry.utc_day)
        follower = self.entries[index] if 0 < index < len(self.entries) else None
        return follower.step_s if follower is not None and follower.utc_day == utc_day + 1 else 0

    def expired_at(self, tai_ns: int) -> bool:
        """Tell whether the table's publisher no longer vouches for it at ``tai_ns``."""
        return self.expires is not None and tai_ns >= self.expires.ns


def utc_parts(instant: Instant, leaps: LeapTable) -> tuple[int, int, int]:
    """Give (UTC day since 1970, second of that day 0 … 86 400, attoseconds); 86 400 is 23:59:60."""
    entry = leaps.entry_at(instant.ns)
    day, second = divmod(instant.seconds - entry.tai_minus_utc_s, DAY_S)
    if day > entry.utc_day and leaps.entry_of_day(day) is not entry:
        return day - 1, DAY_S, instant.attoseconds  # the count has reached the next day, UTC has not: 23:59:60
    return day, second, instant.attoseconds


def from_utc_parts(utc_day: int, second: int, attoseconds: int, leaps: LeapTable) -> Instant:
    """Invert :func:`utc_parts`; ``NoSuchSecondError`` for a second that UTC did not have."""
    offset_s = leaps.entry_of_day(utc_day).tai_minus_utc_s
    length_s = DAY_S + leaps.step_after_day(utc_day)
    if not 0 <= second < length_s:
        raise NoSuchSecondError(
            f"{format_day(utc_day)} had {length_s} seconds of UTC: second {second} is not among them"
        )
    return Instant(utc_day * DAY_S + second + offset_s, attoseconds)


def format_utc(instant: Instant, leaps: LeapTable, digits: int = 9) -> str:
    """Write UTC as ``2016-12-31T23:59:60.500000000Z``, cut (never rounded) to ``digits`` (0 … 18) decimals."""
    day, second, attoseconds = utc_parts(instant, leaps)
    hour, minute = (23, 59) if second == DAY_S else (second // 3600, second // 60 % 60)
    fraction = f".{attoseconds:018d}"[: digits + 1] if digits else ""
    return f"{format_day(day)}T{hour:02d}:{minute:02d}:{second - 3600 * hour - 60 * minute:02d}{fraction}Z"


def parse_utc(text: str, leaps: LeapTable) -> Instant:
    """Read ``YYYY-MM-DDTHH:MM:SS[.fraction]Z``, 23:59:60 on leap days included; up to 18 decimals."""
    match = _UTC_TEXT.fullmatch(text.strip())
    if match is None:
        raise InstantError(f"not UTC as YYYY-MM-DDTHH:MM:SS[.fraction]Z: {text[:64]!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if hour > 23 or minute > 59 or second > 60 or (second == 60 and (hour, minute) != (23, 59)):
        raise NoSuchSecondError(f"no such time of day: {text!r}")
    attoseconds = int((match[7] or "").ljust(18, "0"))
    return from_utc_parts(day_number(year, month, day), 3600 * hour + 60 * minute + second, attoseconds, leaps)


def mjd_utc(instant: Instant, leaps: LeapTable) -> tuple[int, int]:
    """Give the UTC Modified Julian Date as (whole day, attoseconds of day, above 86 400 s inside 23:59:60)."""
    day, second, attoseconds = utc_parts(instant, leaps)
    return day + MJD_OF_1970, second * ATTOSECONDS_PER_SECOND + attoseconds
