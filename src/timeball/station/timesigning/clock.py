"""What time a reply may state now: the clock page under both leases, with its bound as a radius."""

from __future__ import annotations

from pathlib import Path

from timeball.instants import LeapTable
from timeball.protocols.roughtime.moment import Moment, moment_of
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, TimekeeperPage, now_from_page
from timeball.station.paths import observer_page, timekeeper_page


class SigningClock:
    """A thread's own readers of the clock page. `plain`: without compiled code."""

    def __init__(self, state: Path, leaps: LeapTable, *, plain: bool) -> None:
        boot = boot_id()
        self._timekeeper = PageReader(timekeeper_page(state), TimekeeperPage, boot, plain=plain)
        self._observer = PageReader(observer_page(state), ObserverPage, boot, plain=plain)
        self._leaps = leaps

    def now(self) -> Moment | None:
        """MIDP and RADI now; None while sync may not be claimed.

        The counters are read before the pages: a lease that was withdrawn before that is seen to be.
        """
        raw, boottime = raw_ns(), boottime_ns()
        timekeeper, observer = self._timekeeper.read(), self._observer.read()
        served = now_from_page(timekeeper, observer, raw, boottime)
        if timekeeper is None or not served.in_sync:
            return None
        try:
            return moment_of(
                served.tai_ns,
                served.tai_minus_utc_s,
                served.bound_s,
                timekeeper.leap_tai_ns,
                timekeeper.leap_sign,
                leaps_known=not self._leaps.expired_at(served.tai_ns),
            )
        except ValueError:  # a time before 1970 is none that could be stated
            return None
