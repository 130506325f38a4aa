"""What the BIPM publishes of a laboratory, and when: UTCr weekly, Circular T monthly.

A point is UTC(k) − UTC at an epoch (x_s, s); bulletins print UTC − UTC(k), the other way round (`from_bulletin`).

UTCr (BIPM, since 2012): a value for 0 h UTC of every day, published each Wednesday for the week that ended on the
Sunday before. Circular T: the 5-day grid, MJD ending in 4 and 9, of one month, published about the 10th to 12th of the
next. Days are counted by their MJD; the 37 s between TAI and UTC do not matter to when a bulletin comes out. Nothing
here reads a file (`formats` does) or corrects a bulletin: a corrected one is another point for the same epoch, and the
later publication holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from timeball.instants import DAY_NS, MJD_OF_1970

UTCR = "UTCr"
CIRCULAR_T = "Circular T"
GRID_DAYS = 5
HOUR_NS = DAY_NS // 24
# a proleptic Gregorian ordinal is an MJD plus this
_ORDINAL_OF_MJD_0 = date(1858, 11, 17).toordinal()


class PublishedPoint(msgspec.Struct, frozen=True):
    """UTC(k) − UTC as a bulletin gives it.

    Attributes
    ----------
    epoch : int
        TAI ns of the comparison.
    x_s : float
        UTC(k) − UTC, s.
    u_s : float
        Standard uncertainty without the part that is common to all epochs (the uA of Circular T), s.
    published : int
        TAI ns from which on it could be known.
    source : str
        `UTCR` or `CIRCULAR_T`, or another name: then nothing waits for it.
    """

    epoch: int
    x_s: float
    u_s: float
    published: int
    source: str


class PublicationCalendar(msgspec.Struct, frozen=True):
    """When the bulletins come out.

    Attributes
    ----------
    utcr_weekday, utcr_hour : int
        Day of the week (Monday 0) and hour of UTC by which UTCr is out.
    circular_t_day, circular_t_hour : int
        Day of the month and hour of UTC by which Circular T of the month before is out.
    """

    utcr_weekday: int = 2
    utcr_hour: int = 18
    circular_t_day: int = 11
    circular_t_hour: int = 12

    def utcr_published(self, mjd: int) -> int:
        """TAI ns at which UTCr of day `mjd` comes out."""
        sunday = mjd + (4 - mjd) % 7  # MJD 4 was a Sunday
        return day_start(sunday + 1 + self.utcr_weekday) + self.utcr_hour * HOUR_NS

    def circular_t_published(self, mjd: int) -> int:
        """TAI ns at which the Circular T that holds day `mjd` comes out."""
        day = date_of(mjd)
        year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
        return day_start(mjd_of(date(year, month, self.circular_t_day))) + self.circular_t_hour * HOUR_NS

    def published(self, source: str, mjd: int) -> int:
        """TAI ns at which a bulletin's value for day `mjd` comes out; ValueError for a bulletin not known here."""
        if source == UTCR:
            return self.utcr_published(mjd)
        if source == CIRCULAR_T:
            return self.circular_t_published(mjd)
        raise ValueError(f"no publication calendar for {source!r}; there is one for {UTCR} and {CIRCULAR_T}")

    def next_circular_t(self, now: int) -> tuple[int, list[int]]:
        """The next Circular T after `now` (TAI ns): when it comes out, and the MJDs it will hold."""
        today = date_of(mjd_at(now))
        year, month = (today.year - 1, 12) if today.month == 1 else (today.year, today.month - 1)
        while True:
            days = month_grid(year, month)
            published = self.circular_t_published(days[-1])
            if published > now:
                return published, days
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def month_grid(year: int, month: int) -> list[int]:
    """The MJDs ending in 4 and 9 of a month, preceded by the last one of the month before, as Circular T has them."""
    first = mjd_of(date(year, month, 1))
    after = mjd_of(date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1))
    inside = range(first + (4 - first) % GRID_DAYS, after, GRID_DAYS)
    return [inside[0] - GRID_DAYS, *inside]


def from_bulletin(
    source: str, mjd: int, utc_minus_utck_s: float, u_s: float, calendar: PublicationCalendar | None = None
) -> PublishedPoint:
    """Make a point of a bulletin's line, with its sign turned and the day on which it comes out by the calendar."""
    published = (calendar or PublicationCalendar()).published(source, mjd)
    return PublishedPoint(day_start(mjd), -utc_minus_utck_s, u_s, published, source)


def known_points(points: Iterable[PublishedPoint], now: int) -> list[PublishedPoint]:
    """Give what was known at `now` (TAI ns), one point an epoch, by epoch.

    Circular T holds where it has a value, and ends the use of UTCr up to its last epoch; of two points of one source
    for one epoch the later publication holds.
    """
    known = sorted((p for p in points if p.published <= now), key=lambda p: (p.epoch, p.published))
    settled = max((p.epoch for p in known if p.source == CIRCULAR_T), default=None)
    chosen = {p.epoch: p for p in known if settled is None or p.epoch > settled or p.source != UTCR}
    return [chosen[epoch] for epoch in sorted(chosen)]


def newest_publication(points: Sequence[PublishedPoint], source: str, now: int) -> int | None:
    """TAI ns at which the newest bulletin of a source came out that was known at `now`; None when there was none."""
    return max((p.published for p in points if p.source == source and p.published <= now), default=None)


def day_start(mjd: int) -> int:
    """TAI ns of 0 h of a day."""
    return (mjd - MJD_OF_1970) * DAY_NS


def mjd_at(epoch: int) -> int:
    """MJD of the day that an epoch (TAI ns) lies in."""
    return epoch // DAY_NS + MJD_OF_1970


def mjd_of(day: date) -> int:
    """MJD of a date."""
    return day.toordinal() - _ORDINAL_OF_MJD_0


def date_of(mjd: int) -> date:
    """Date of an MJD."""
    return date.fromordinal(mjd + _ORDINAL_OF_MJD_0)
