"""Served time at a reading of RAW that has just been taken, with everything an output must know of it.

The readings come first and the pages after them, and the leases are compared with counters read after the pages: what
is called in sync was so at a moment not earlier than the reading. It reads pages and counters and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.hostclocks import BootId
from timeball.station.page.clockpage import (
    ObserverPage,
    PageReader,
    TimekeeperPage,
    served_instant,
    sync_status,
    tai_minus_utc_at,
)
from timeball.station.page.pagelayout import IN_SYNC
from timeball.station.paths import observer_page, timekeeper_page

S = 1_000_000_000
DAY_S = 86_400
LEAP_MARGIN_NS = 2 * S


@dataclass(frozen=True, slots=True)
class Served:
    """Served time at `raw_ns`: `tai_ns` + `frac_fs`, its `bound_s` against UTC, and `status` as of now (pagelayout).

    `leap_sign` ±1 within the UTC day that ends with a leap second, `at_a_leap` within 2 s of where the count of UTC
    changes, when a host's clock may stand on either side of it.
    """

    status: int
    raw_ns: int = 0
    tai_ns: int = 0
    frac_fs: int = 0
    tai_minus_utc_s: int = 0
    bound_s: float = 0.0
    leap_sign: int = 0
    at_a_leap: bool = False
    simulated: bool = False

    @property
    def in_sync(self) -> bool:
        """Whether this may be given to anybody."""
        return self.status == IN_SYNC

    def utc_minus_s(self, clock_ns: int) -> float:
        """UTC − a clock that counts UTC without leap seconds and showed `clock_ns` at this reading."""
        return (self.tai_ns - self.tai_minus_utc_s * S - clock_ns) * 1e-9 + self.frac_fs * 1e-15

    def tai_minus_s(self, clock_ns: int) -> float:
        """TAI − a clock that counts TAI and showed `clock_ns` at this reading."""
        return (self.tai_ns - clock_ns) * 1e-9 + self.frac_fs * 1e-15


class ClockView:
    """Both halves of the clock page, for one boot."""

    def __init__(self, state: Path, boot: BootId) -> None:
        self._timekeeper = PageReader(timekeeper_page(state), TimekeeperPage, boot, plain=True)
        self._observer = PageReader(observer_page(state), ObserverPage, boot, plain=True)

    def at(self, raw_ns: int) -> Served:
        """Served time at a reading of RAW taken before this call."""
        timekeeper, observer = self._timekeeper.read(), self._observer.read()
        return served_at(timekeeper, observer, raw_ns, hostclocks.raw_ns(), hostclocks.boottime_ns())


def served_at(
    timekeeper: TimekeeperPage | None,
    observer: ObserverPage | None,
    raw_ns: int,
    raw_now_ns: int,
    boottime_now_ns: int,
) -> Served:
    """The same from pages as they were read and counters as they stand now."""
    status = sync_status(timekeeper, observer, raw_now_ns, boottime_now_ns)
    if timekeeper is None:
        return Served(status)
    tai_ns, frac_fs, bound_s = served_instant(timekeeper, raw_ns)
    to_leap_ns = timekeeper.leap_tai_ns - tai_ns
    known = timekeeper.leap_tai_ns != 0
    # a UTC day that ends with 23:59:60 lasts 86 401 s
    within_day = known and 0 < to_leap_ns <= (DAY_S + timekeeper.leap_sign) * S
    change_ns = to_leap_ns - (S if timekeeper.leap_sign > 0 else 0)
    return Served(
        status,
        raw_ns,
        tai_ns,
        frac_fs,
        tai_minus_utc_at(timekeeper, tai_ns),
        bound_s,
        timekeeper.leap_sign if within_day and change_ns > 0 else 0,
        known and abs(change_ns) <= LEAP_MARGIN_NS,
        bool(timekeeper.simulated),
    )
