"""The clock page: what the servers may know of time, and until when they may say so.

Two pages with one writer each: the timekeeper's (a reference pair RAW ↔ TAI, its rate and bound, leap state, a lease)
and the observer's (a second lease). Sync may be claimed only while both leases run, on RAW and on BOOTTIME.

Signs: `rate` is d(TAI)/d(RAW) − 1, positive when TAI gains on the host's counter; `leap_sign` +1 inserts a second.
Nothing here reads a clock or renews a lease; `now_from_page` is a pure function of what it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from timeball.station.page import pagelayout as layout
from timeball.station.page.pagefile import PageBusy, PageReader, PageWriter

__all__ = [
    "ObserverPage",
    "PageBusy",
    "PageReader",
    "PageWriter",
    "ServedTime",
    "TimekeeperPage",
    "now_from_page",
]


@dataclass(frozen=True)
class TimekeeperPage:
    """The timekeeper's word on time. Field order is the order of the page's words (pagelayout.py).

    `boot_id` the pair of BootId.words. `raw_ns`, `boottime_ns`, `tai_ns` + `tai_frac_fs` (0..999 999) are one instant
    on RAW, on BOOTTIME and in TAI (ns since 1970-01-01 00:00:00 TAI). `rate` as above. `bound_s` the maximum of
    |UTC − served time| at the reference, growing by `bound_growth` s/s; `wander_s` is added to it as it stands, for
    what the host's counter may do between its readings. `root_delay_s` to the primary source (0 for a local clock).
    `tai_minus_utc_s` before the leap second of `leap_tai_ns`, the TAI instant from which another TAI−UTC holds, the UTC
    midnight after 23:59:60 or 23:59:58 (LeapSecond.tai_ns): the next one, or for half a day the last one, which may
    still be smeared (0: none known); `leap_sign` +1, −1 or 0. `stratum` 1..15, `refid` uint32, `simulated` 0 or 1. The
    lease ends when RAW reaches `lease_raw_ns` or BOOTTIME reaches `lease_boottime_ns`, whichever is first.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-TK"

    boot_id: tuple[int, int]
    raw_ns: int
    boottime_ns: int
    tai_ns: int
    tai_frac_fs: int
    rate: float
    bound_s: float
    bound_growth: float
    wander_s: float
    root_delay_s: float
    tai_minus_utc_s: int
    leap_tai_ns: int
    leap_sign: int
    stratum: int
    refid: int
    simulated: int
    lease_raw_ns: int
    lease_boottime_ns: int


@dataclass(frozen=True)
class ObserverPage:
    """The observer's lease, on RAW and BOOTTIME; `verdict` 0 when it found nothing, else its code, for people."""

    MAGIC: ClassVar[bytes] = b"TBALL-OB"

    boot_id: tuple[int, int]
    lease_raw_ns: int
    lease_boottime_ns: int
    verdict: int


@dataclass(frozen=True, slots=True)
class ServedTime:
    """Served time at one reading of the counters, and whether sync may be claimed.

    `tai_ns` + `frac_fs` TAI; `tai_minus_utc_s` as in force then; `bound_s` the maximum of |UTC − served| (inf without a
    page); `in_sync`; `why` in words, "in sync" or the first reason against it.
    """

    tai_ns: int
    frac_fs: int
    tai_minus_utc_s: int
    bound_s: float
    in_sync: bool
    why: str


def served_instant(page: TimekeeperPage, raw_ns: int) -> tuple[int, int, float]:
    """Served TAI at `raw_ns` of RAW: (tai_ns, frac_fs in 0..999 999, bound_s). Extrapolates; asks no lease."""
    elapsed_ns = raw_ns - page.raw_ns
    carry_ns, frac_fs = divmod(page.tai_frac_fs + math.floor(float(elapsed_ns) * page.rate * 1e6), 1_000_000)
    bound_s = page.bound_s + page.wander_s + page.bound_growth * (float(abs(elapsed_ns)) * 1e-9)
    return page.tai_ns + elapsed_ns + carry_ns, frac_fs, bound_s


def tai_minus_utc_at(page: TimekeeperPage, tai_ns: int) -> int:
    """TAI − UTC (s) that a UTC count uses at `tai_ns`.

    A positive leap takes effect when 23:59:60 begins, so that a count without a 61st second repeats 23:59:59 there
    (what the Linux kernel, ntpd and chrony's `leapsecmode system` do); a negative one at its midnight.
    """
    switch_ns = page.leap_tai_ns - (1_000_000_000 if page.leap_sign > 0 else 0)
    return page.tai_minus_utc_s + (page.leap_sign if page.leap_tai_ns != 0 and tai_ns >= switch_ns else 0)


def sync_status(timekeeper: TimekeeperPage | None, observer: ObserverPage | None, raw_ns: int, boottime_ns: int) -> int:
    """The status code of pagelayout: IN_SYNC, or the first reason why sync may not be claimed at these readings."""
    if timekeeper is None:
        return layout.NO_TIMEKEEPER_PAGE
    if observer is None:
        return layout.NO_OBSERVER_PAGE
    if raw_ns >= timekeeper.lease_raw_ns or boottime_ns >= timekeeper.lease_boottime_ns:
        return layout.TIMEKEEPER_LEASE_ENDED
    if raw_ns >= observer.lease_raw_ns or boottime_ns >= observer.lease_boottime_ns:
        return layout.OBSERVER_LEASE_ENDED
    elapsed_ns = raw_ns - timekeeper.raw_ns
    slept_ns = abs(boottime_ns - timekeeper.boottime_ns - elapsed_ns)
    if slept_ns > layout.SUSPEND_MARGIN_NS + abs(elapsed_ns) // layout.SUSPEND_SLEW_DIVISOR:
        return layout.SUSPENDED
    if not 1 <= timekeeper.stratum <= layout.MAX_STRATUM:
        return layout.UNUSABLE_STRATUM
    if not 0.0 <= served_instant(timekeeper, raw_ns)[2] < layout.MAX_BOUND_S:
        return layout.UNUSABLE_BOUND
    return layout.IN_SYNC


def now_from_page(
    timekeeper: TimekeeperPage | None, observer: ObserverPage | None, raw_ns: int, boottime_ns: int
) -> ServedTime:
    """Served time at this pair of counter readings, from the two pages as they were read (None: unreadable)."""
    status = sync_status(timekeeper, observer, raw_ns, boottime_ns)
    why = layout.STATUS_WORDS[status]
    if timekeeper is None:
        return ServedTime(0, 0, 0, math.inf, in_sync=False, why=why)
    tai_ns, frac_fs, bound_s = served_instant(timekeeper, raw_ns)
    offset_s = tai_minus_utc_at(timekeeper, tai_ns)
    return ServedTime(tai_ns, frac_fs, offset_s, bound_s, in_sync=status == layout.IN_SYNC, why=why)
