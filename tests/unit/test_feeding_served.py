"""Served time as an output sees it: when it may be given on, and what is said around a leap second."""

from __future__ import annotations

from dataclasses import replace

import clock_pages
import pytest

from timeball.station.feeding.served import S, Served, served_at
from timeball.station.page import pagelayout as layout
from timeball.station.page.clockpage import ObserverPage, TimekeeperPage

MIDNIGHT_NS = 1_500_000_000 * S
PAGE = replace(
    clock_pages.PAGE,
    raw_ns=1000 * S,
    boottime_ns=1000 * S,
    tai_ns=MIDNIGHT_NS - 100 * S,
    tai_frac_fs=250_000,
    bound_growth=1e-9,
    lease_raw_ns=10**15,
    lease_boottime_ns=10**15,
)
OBSERVER = ObserverPage((1, 2), 10**15, 10**15, 0)


def at(seconds: float, page: TimekeeperPage | None = PAGE, observer: ObserverPage | None = OBSERVER) -> Served:
    raw_ns = 1000 * S + round(seconds * S)
    return served_at(page, observer, raw_ns, raw_ns + 500, raw_ns + 500)


def test_offsets_of_clocks_that_count_utc_and_tai() -> None:
    served = at(1.0)
    tai_ns = MIDNIGHT_NS - 99 * S
    assert (served.tai_ns, served.frac_fs, served.in_sync) == (tai_ns, 250_000, True)
    assert served.utc_minus_s(tai_ns - 37 * S - 12_500) == pytest.approx(12.50025e-6, abs=1e-15)
    assert served.tai_minus_s(tai_ns + 3) == pytest.approx(-2.75e-9, abs=1e-16)
    assert served.bound_s == pytest.approx(1.001e-6)


def test_both_leases_are_asked_at_a_moment_after_the_reading() -> None:
    ends_ns = 1000 * S + 300
    for page, observer, status in (
        (replace(PAGE, lease_raw_ns=ends_ns), OBSERVER, layout.TIMEKEEPER_LEASE_ENDED),
        (replace(PAGE, lease_boottime_ns=ends_ns), OBSERVER, layout.TIMEKEEPER_LEASE_ENDED),
        (PAGE, replace(OBSERVER, lease_raw_ns=ends_ns), layout.OBSERVER_LEASE_ENDED),
        (PAGE, None, layout.NO_OBSERVER_PAGE),
        (replace(PAGE, stratum=16), OBSERVER, layout.UNUSABLE_STRATUM),
    ):
        # the reading itself was taken before the lease's end, the look at it after
        assert at(0.0, page, observer).status == status
        assert not at(0.0, page, observer).in_sync
    assert at(0.0, None) == Served(layout.NO_TIMEKEEPER_PAGE)


@pytest.mark.parametrize(
    ("to_midnight_s", "sign", "announced", "near", "offset_s"),
    [
        (86_402, 1, 0, False, 37),  # the day before
        (86_400, 1, 1, False, 37),  # the day with the leap lasts 86 401 s
        (60, 1, 1, False, 37),
        (2.5, 1, 1, True, 37),  # the count changes when 23:59:60 begins, one second before midnight
        (0.5, 1, 0, True, 38),
        (-0.5, 1, 0, True, 38),
        (-2, 1, 0, False, 38),
        (86_400, -1, 0, False, 37),
        (86_399, -1, -1, False, 37),
        (1, -1, -1, True, 37),
        (-1, -1, 0, True, 36),
    ],
)
def test_around_a_leap_second(to_midnight_s: float, sign: int, announced: int, near: bool, offset_s: int) -> None:
    page = replace(PAGE, leap_tai_ns=MIDNIGHT_NS, leap_sign=sign, tai_frac_fs=0)
    served = at(100 - to_midnight_s, page)
    assert served.tai_ns == MIDNIGHT_NS - round(to_midnight_s * S)
    assert (served.leap_sign, served.at_a_leap, served.tai_minus_utc_s) == (announced, near, offset_s)
