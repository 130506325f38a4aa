"""The moment that is asked about: UTC as text, its TAI, and the lines of the leap second table that lead there.

23:59:60 is a moment like any other. Sign: TAI − UTC. The few lines that a proof carries decide alone; that they agree
with what the station counted by is checked in `statement`.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeball.instants import DAY_S, Instant, InstantError, LeapTable, format_utc, parse_utc
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import Leaps


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment in UTC and in TAI, with the table that leads from one to the other."""

    text: str
    instant: Instant
    leaps: LeapTable

    @property
    def tai_ns(self) -> int:
        """TAI, whole ns, at or just before it."""
        return self.instant.ns

    @property
    def utc(self) -> str:
        """UTC to the attosecond given, without trailing zeros."""
        text = format_utc(self.instant, self.leaps, digits=18).removesuffix("Z").rstrip("0").removesuffix(".")
        return f"{text}Z"

    @property
    def tai_minus_utc_s(self) -> int:
        """TAI − UTC (s) in force."""
        return self.leaps.tai_minus_utc(self.tai_ns)


def make_moment(text: str, leaps: LeapTable) -> Moment:
    """Read UTC as text; raises `InstantError` when there is no such moment."""
    return Moment(text, parse_utc(text, leaps), leaps)


def lines_around(moment: Moment) -> Leaps:
    """The lines of a table that hold from two days before the moment to two days after it."""
    entries = moment.leaps.entries
    day = moment.tai_ns // (DAY_S * 10**9)
    earlier = [entry for entry in entries if entry.utc_day <= day - 2]
    near = [entry for entry in entries if day - 2 < entry.utc_day <= day + 2]
    kept = [*earlier[-1:], *near]
    return Leaps(moment.leaps.source[-200:], tuple((entry.utc_day, entry.tai_minus_utc_s) for entry in kept))


def read_moment(text: str, leaps: Leaps) -> Moment:
    """The same from the lines in a proof; raises `StatementError`."""
    if any(not -100_000 < day < 3_000_000 or not 0 < offset < 1000 for day, offset in leaps.lines):
        raise StatementError("leap_seconds", f"no leap second table: {leaps.lines[:4]}")
    try:
        return make_moment(text, LeapTable.from_offsets(leaps.lines, None, leaps.source))
    except InstantError as error:
        raise StatementError("moment", str(error)) from error
