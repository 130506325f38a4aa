"""Exact instants and intervals, calendar days, satellite week counts and Modified Julian Dates of TAI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

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

_ORDINAL_OF_1970 = date(1970, 1, 1).toordinal()


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
