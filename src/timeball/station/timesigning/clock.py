"""What time a reply may state now: the clock page under both leases, with its bound as a radius.

Two ways with equal answers: `PlainClock` in plain Python, `CompiledClock` where compiled code reads the pages.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from timeball.instants import LeapTable
from timeball.protocols.roughtime.moment import Moment, moment_of
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, TimekeeperPage, now_from_page
from timeball.station.page.pagefile import MappedPage
from timeball.station.page.pagelayout import OBSERVER_WORDS, TIMEKEEPER_WORDS, TK_LEAP_SIGN, TK_LEAP_TAI
from timeball.station.paths import observer_page, timekeeper_page

REFRESH_NS = 200_000_000


class SigningClock(Protocol):
    """A thread's own readers of the clock page."""

    def now(self) -> Moment | None:
        """MIDP and RADI now; None while sync may not be claimed."""


class PlainClock:
    """Reads the pages without compiled code."""

    def __init__(self, state: Path, leaps: LeapTable) -> None:
        boot = boot_id()
        self._timekeeper = PageReader(timekeeper_page(state), TimekeeperPage, boot, plain=True)
        self._observer = PageReader(observer_page(state), ObserverPage, boot, plain=True)
        self._leaps = leaps

    def now(self) -> Moment | None:
        """MIDP and RADI now; None while sync may not be claimed.

        The counters are read before the pages: a lease that was withdrawn before that is seen to be.
        """
        raw, boottime = raw_ns(), boottime_ns()
        page, observer = self._timekeeper.read(), self._observer.read()
        served = now_from_page(page, observer, raw, boottime)
        if page is None or not served.in_sync:
            return None
        leap = page.leap_tai_ns, page.leap_sign
        return _moment(served.tai_ns, served.tai_minus_utc_s, served.bound_s, leap, self._leaps)


class CompiledClock:
    """Reads the pages by kernels.read_clock; pages that appear or are replaced are found a few times a second."""

    def __init__(self, state: Path, leaps: LeapTable) -> None:
        from timeball.station.timesigning import kernels

        boot = boot_id()
        self._read = kernels.read_clock
        self._maps = (
            PageReader(timekeeper_page(state), TimekeeperPage, boot).map,
            PageReader(observer_page(state), ObserverPage, boot).map,
        )
        # a page of an unknown boot equals nothing: -1 stands in no page that encodes one, and 0 is an unwritten page's
        self._boot = np.array(boot.words if boot.known else (-1, -1), np.int64)
        self._kept: list[MappedPage | None] = [None, None]
        self._addresses = np.zeros(2, np.int64)
        self._timekeeper = np.zeros(TIMEKEEPER_WORDS, np.int64)
        self._observer = np.zeros(OBSERVER_WORDS, np.int64)
        self._served = np.zeros(2, np.int64)
        self._leaps = leaps
        self._due_ns = 0

    def now(self) -> Moment | None:
        """As PlainClock.now."""
        if (raw := raw_ns()) >= self._due_ns:
            self._due_ns = raw + REFRESH_NS
            for i, find in enumerate(self._maps):
                page = self._kept[i] = find()
                self._addresses[i] = page.address if page is not None else 0
        bound_s = self._read(self._addresses, self._boot, self._timekeeper, self._observer, self._served)
        if math.isnan(bound_s):
            return None
        tai_ns, offset_s = self._served.tolist()
        leap = int(self._timekeeper[TK_LEAP_TAI]), int(self._timekeeper[TK_LEAP_SIGN])
        return _moment(tai_ns, offset_s, bound_s, leap, self._leaps)


def _moment(tai_ns: int, offset_s: int, bound_s: float, leap: tuple[int, int], leaps: LeapTable) -> Moment | None:
    try:
        return moment_of(tai_ns, offset_s, bound_s, *leap, leaps_known=not leaps.expired_at(tai_ns))
    except ValueError:  # a time before 1970 is none that could be stated
        return None
