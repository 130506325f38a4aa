"""The days that a report covers: one, Monday to Sunday, or a calendar month, all of UTC.

A period begins at 0h UTC of its first day and ends at 0h UTC of the day after its last. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from timeball.instants import Instant, LeapTable
from timeball.instants.leaps import from_utc_parts, utc_parts
from timeball.instants.scalars import day_number

KINDS = ("daily", "weekly", "monthly")
MJD_OF_1970 = 40587
NS_PER_S = 10**9
HOUR_S = 3600
MONDAY_OF_1970 = 4  # 1970-01-05


@dataclass(frozen=True, slots=True)
class Period:
    """Days first … last of UTC (since 1970), and their limits in ns of TAI; `marks` are the epochs of its tables."""

    kind: str
    first: int
    last: int
    begins: int
    ends: int
    marks: tuple[int, ...]

    @property
    def days(self) -> int:
        """How many days it has."""
        return self.last - self.first + 1

    @property
    def title(self) -> str:
        """Its name: `2026-11-22`, `2026-11-16 to 2026-11-22`, `November 2026`."""
        first = date_of(self.first)
        if self.kind == "monthly":
            return f"{first:%B %Y}"
        return first.isoformat() if self.kind == "daily" else f"{first} to {date_of(self.last)}"

    @property
    def mjd(self) -> str:
        """Its days as Modified Julian Dates: `61366`, `61360–61366`."""
        first, last = self.first + MJD_OF_1970, self.last + MJD_OF_1970
        return f"{first}" if first == last else f"{first}–{last}"


def date_of(day: int) -> date:
    """The calendar date of a day since 1970."""
    return date(1970, 1, 1) + timedelta(days=day)


def day_of(epoch: int, leaps: LeapTable) -> int:
    """The day of UTC (since 1970) that an epoch (ns of TAI) lies in."""
    return utc_parts(Instant.from_ns(epoch), leaps)[0]


def midnight(day: int, leaps: LeapTable) -> int:
    """0h UTC of a day (since 1970), in ns of TAI."""
    return from_utc_parts(day, 0, 0, leaps).ns


def period_of(kind: str, day: int, leaps: LeapTable) -> Period:
    """The period of a kind that a day (since 1970) belongs to.

    Its marks: every four hours of a day, 0h of every day of a week, and 0h of the days whose MJD ends in 4 or 9 in
    a month, which are the dates of Circular T.
    """
    first, last = _limits(kind, day)
    begins, ends = midnight(first, leaps), midnight(last + 1, leaps)
    if kind == "daily":
        marks = [begins + hour * HOUR_S * NS_PER_S for hour in range(0, 21, 4)] + [ends]
    elif kind == "weekly":
        marks = [midnight(each, leaps) for each in range(first, last + 2)]
    else:
        marks = [midnight(each, leaps) for each in range(first, last + 2) if (each + MJD_OF_1970) % 5 == 4]
    return Period(kind, first, last, begins, ends, tuple(marks))


def _limits(kind: str, day: int) -> tuple[int, int]:
    if kind == "daily":
        return day, day
    if kind == "weekly":
        first = day - (day - MONDAY_OF_1970) % 7
        return first, first + 6
    if kind != "monthly":
        raise ValueError(f"a report is {', '.join(KINDS)}, not {kind}")
    of = date_of(day)
    after = (of.year + 1, 1) if of.month == 12 else (of.year, of.month + 1)
    return day_number(of.year, of.month, 1), day_number(*after, 1) - 1


def newest_period(kind: str, first_epoch: int, last_epoch: int, leaps: LeapTable) -> Period:
    """The last period that a record covers to its end; where it covers none so far, the one it has reached."""
    reached = period_of(kind, day_of(last_epoch, leaps), leaps)
    before = period_of(kind, reached.first - 1, leaps)
    return (
        before
        if reached.ends > last_epoch and first_epoch < before.ends - (before.ends - before.begins) // 2
        else reached
    )
