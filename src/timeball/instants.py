"""Instants of TAI, UTC and the GNSS scales, leap seconds and Modified Julian Dates, in exact integers.

A scalar is an :class:`Instant`: seconds and attoseconds of TAI since 1970-01-01 00:00:00 TAI. An array is int64
nanoseconds since the same origin (it reaches from 1677 to 2262). Nothing is ever carried through a float.

Sign: ``tai_minus_utc`` is TAI − UTC (+37 s since 2017); ``GPS_MINUS_TAI_S`` is GPS − TAI (−19 s).

What it does not do: read a clock or a file, guess a time zone, resolve a week number that has rolled over, or
know UTC before 1972-01-01, when its seconds were elastic. The parsers of leap second tables are in ``formats``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum

import numpy as np
import numpy.typing as npt

ATTOSECONDS_PER_SECOND = 10**18
ATTOSECONDS_PER_NS = 10**9
NS_PER_SECOND = 10**9
DAY_S = 86_400
DAY_NS = DAY_S * NS_PER_SECOND
WEEK_S = 7 * DAY_S
MJD_OF_1970 = 40_587  # MJD of 1970-01-01 00:00:00, the origin of every count here

GPS_MINUS_TAI_S = -19
GALILEO_MINUS_TAI_S = -19
BEIDOU_MINUS_TAI_S = -33

IntArray = npt.NDArray[np.int64]
_ORDINAL_OF_1970 = date(1970, 1, 1).toordinal()
_UTC_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?Z", re.ASCII)


class InstantError(ValueError):
    """An instant that cannot be: malformed text, a date that does not exist, an inconsistent leap table."""


class UTCUndefinedError(InstantError):
    """UTC was asked for before 1972-01-01, or before the first line of the leap table."""


class NoSuchSecondError(InstantError):
    """A second that UTC did not have: 23:59:60 without a leap, or the 23:59:59 a negative leap removed."""


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """A difference of two instants, exact, in attoseconds; of either sign."""

    attoseconds: int

    @classmethod
    def from_ns(cls, ns: int) -> Interval:
        """Make an interval of whole nanoseconds."""
        return cls(int(ns) * ATTOSECONDS_PER_NS)

    @classmethod
    def from_seconds(cls, seconds: int) -> Interval:
        """Make an interval of whole seconds."""
        return cls(int(seconds) * ATTOSECONDS_PER_SECOND)

    @property
    def ns(self) -> int:
        """Whole nanoseconds, rounded towards minus infinity."""
        return self.attoseconds // ATTOSECONDS_PER_NS

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.attoseconds + other.attoseconds)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.attoseconds - other.attoseconds)

    def __neg__(self) -> Interval:
        return Interval(-self.attoseconds)


@dataclass(frozen=True, order=True, slots=True)
class Instant:
    """A moment: ``seconds`` and ``attoseconds`` (0 … 10¹⁸−1) of TAI since 1970-01-01 00:00:00 TAI."""

    seconds: int
    attoseconds: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.attoseconds < ATTOSECONDS_PER_SECOND:
            raise InstantError(f"attoseconds out of 0 … 10**18 − 1: {self.attoseconds}")

    @classmethod
    def from_ns(cls, ns: int) -> Instant:
        """Make the instant of an int64 epoch (ns of TAI since 1970)."""
        seconds, rest = divmod(int(ns), NS_PER_SECOND)
        return cls(seconds, rest * ATTOSECONDS_PER_NS)

    @property
    def ns(self) -> int:
        """The int64 epoch at or just before this instant."""
        return self.seconds * NS_PER_SECOND + self.attoseconds // ATTOSECONDS_PER_NS

    def __add__(self, other: Interval) -> Instant:
        carry, attoseconds = divmod(self.attoseconds + other.attoseconds, ATTOSECONDS_PER_SECOND)
        return Instant(self.seconds + carry, attoseconds)

    def since(self, other: Instant) -> Interval:
        """Give self − other."""
        return Interval((self.seconds - other.seconds) * ATTOSECONDS_PER_SECOND + self.attoseconds - other.attoseconds)

    def __sub__(self, other: Interval) -> Instant:
        return self + -other


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


def format_day(day: int) -> str:
    """Write a day since 1970 as ``YYYY-MM-DD`` (proleptic Gregorian, years 1 to 9999)."""
    try:
        return date.fromordinal(day + _ORDINAL_OF_1970).isoformat()
    except (ValueError, OverflowError) as error:
        raise InstantError(f"day {day} since 1970 is outside the years 1 to 9999") from error


def day_number(year: int, month: int, day: int) -> int:
    """Give the days from 1970-01-01 to a Gregorian date; ``InstantError`` when there is no such date."""
    try:
        return date(year, month, day).toordinal() - _ORDINAL_OF_1970
    except (ValueError, OverflowError) as error:
        raise InstantError(f"no such date: {year:04d}-{month:02d}-{day:02d}") from error


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


class GNSS(Enum):
    """A satellite system's continuous scale: (origin of its week 0 in TAI seconds since 1970, scale − TAI in s)."""

    GPS = (day_number(1980, 1, 6) * DAY_S - GPS_MINUS_TAI_S, GPS_MINUS_TAI_S)  # IS-GPS-200, 3.3.4
    GALILEO = (day_number(1999, 8, 22) * DAY_S - GALILEO_MINUS_TAI_S, GALILEO_MINUS_TAI_S)  # OS SIS ICD, 5.1.2
    BEIDOU = (day_number(2006, 1, 1) * DAY_S - BEIDOU_MINUS_TAI_S, BEIDOU_MINUS_TAI_S)  # BDS-SIS-ICD, 3.3

    @property
    def origin_tai_s(self) -> int:
        """TAI seconds since 1970 at week 0, second 0."""
        return self.value[0]

    @property
    def minus_tai_s(self) -> int:
        """The scale minus TAI (s)."""
        return self.value[1]


def from_gnss(system: GNSS, week: int, second_of_week: int, attoseconds: int = 0) -> Instant:
    """Give the instant of a full (not rolled over) week number and second of week."""
    return Instant(system.origin_tai_s + week * WEEK_S + second_of_week, attoseconds)


def to_gnss(system: GNSS, instant: Instant) -> tuple[int, int, int]:
    """Give (week, second of week, attoseconds) in a satellite system's scale."""
    week, second = divmod(instant.seconds - system.origin_tai_s, WEEK_S)
    return week, second, instant.attoseconds


def from_gps(week: int, second_of_week: int, attoseconds: int = 0) -> Instant:
    """Give the instant of a full GPS week number and second of week."""
    return from_gnss(GNSS.GPS, week, second_of_week, attoseconds)


def from_mjd(mjd: int, attoseconds_of_day: int = 0) -> Instant:
    """Give the instant of a TAI Modified Julian Date: whole day and attoseconds of that day."""
    seconds, attoseconds = divmod(attoseconds_of_day, ATTOSECONDS_PER_SECOND)
    return Instant((mjd - MJD_OF_1970) * DAY_S + seconds, attoseconds)


def to_mjd(instant: Instant) -> tuple[int, int]:
    """Give the TAI Modified Julian Date as (whole day, attoseconds of day)."""
    day, second = divmod(instant.seconds, DAY_S)
    return day + MJD_OF_1970, second * ATTOSECONDS_PER_SECOND + instant.attoseconds


def mjd_utc(instant: Instant, leaps: LeapTable) -> tuple[int, int]:
    """Give the UTC Modified Julian Date as (whole day, attoseconds of day, above 86 400 s inside 23:59:60)."""
    day, second, attoseconds = utc_parts(instant, leaps)
    return day + MJD_OF_1970, second * ATTOSECONDS_PER_SECOND + attoseconds


def tai_minus_utc_array(tai_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give TAI − UTC (s, int64) at each TAI epoch; ``UTCUndefinedError`` when any is before the table."""
    return _offset_lookup(tai_ns, [entry.tai_ns for entry in leaps.entries], leaps)


def utc_ns_from_tai_ns(tai_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give UTC as ns since 1970 in days of 86 400 s. Inside 23:59:60 the count shows the next day's first second."""
    epochs = np.asarray(tai_ns, dtype=np.int64)
    return epochs - tai_minus_utc_array(epochs, leaps) * NS_PER_SECOND


def tai_ns_from_utc_ns(utc_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give TAI epochs of UTC counts (ns since 1970, days of 86 400 s); the repeated second is read as the later one."""
    counts = np.asarray(utc_ns, dtype=np.int64)
    return counts + NS_PER_SECOND * _offset_lookup(counts, [entry.utc_day * DAY_NS for entry in leaps.entries], leaps)


def _offset_lookup(ns: IntArray, begins: list[int], leaps: LeapTable) -> IntArray:
    index = np.searchsorted(np.array(begins, dtype=np.int64), np.asarray(ns, dtype=np.int64), side="right")
    if index.size and index.min() == 0:
        raise UTCUndefinedError(f"{leaps.source} begins on {format_day(leaps.entries[0].utc_day)}: no UTC before it")
    return np.array([entry.tai_minus_utc_s for entry in leaps.entries], dtype=np.int64)[index - 1]


def tai_ns_from_gnss_week(system: GNSS, week: IntArray, ns_of_week: IntArray) -> IntArray:
    """Give TAI epochs (ns) of full week numbers and nanoseconds of week in a satellite system's scale."""
    weeks = np.asarray(week, dtype=np.int64)
    return (system.origin_tai_s + weeks * WEEK_S) * NS_PER_SECOND + np.asarray(ns_of_week, dtype=np.int64)


def tai_ns_from_gps_week(week: IntArray, ns_of_week: IntArray) -> IntArray:
    """Give TAI epochs (ns) of full GPS week numbers and nanoseconds of week."""
    return tai_ns_from_gnss_week(GNSS.GPS, week, ns_of_week)


def mjd_from_tai_ns(tai_ns: IntArray) -> tuple[IntArray, IntArray]:
    """Give the TAI Modified Julian Date as (whole day, ns of day), exact."""
    day, ns_of_day = np.divmod(np.asarray(tai_ns, dtype=np.int64), DAY_NS)
    return day + MJD_OF_1970, ns_of_day


def tai_ns_from_mjd(mjd: IntArray, ns_of_day: IntArray) -> IntArray:
    """Give TAI epochs (ns) of whole TAI Modified Julian Dates and nanoseconds of day."""
    return (np.asarray(mjd, dtype=np.int64) - MJD_OF_1970) * DAY_NS + np.asarray(ns_of_day, dtype=np.int64)
