"""The clock that stamps ledger entries: the time this station serves, carried by RAW wherever it serves none.

CLOCK_REALTIME is believed once, before any page of this boot is in sync; afterwards nobody who sets the host's clock
moves the ledger's times, which could otherwise never come back. TAI in ns since 1970-01-01 00:00:00 TAI.
It does not keep time from going back: the store does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from timeball.instants import LeapTable
from timeball.station import paths
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import realtime_tai_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, TimekeeperPage, now_from_page


class EntryClock:
    """TAI (ns) at each call, never waiting; `leaps` turns the host's UTC into TAI at the start."""

    def __init__(self, state: Path, leaps: LeapTable) -> None:
        self._timekeeper = PageReader(paths.timekeeper_page(state), TimekeeperPage, plain=True)
        self._observer = PageReader(paths.observer_page(state), ObserverPage, plain=True)
        self._leaps = leaps
        self._known: tuple[int, int, int] | None = None

    def __call__(self) -> int:
        """Served time while it is in sync; else the last that was known, and the host's counters since."""
        raw_ns, boottime_ns = hostclocks.raw_ns(), hostclocks.boottime_ns()
        served = now_from_page(self._timekeeper.read(), self._observer.read(), raw_ns, boottime_ns)
        if served.in_sync:
            self._known = (served.tai_ns, raw_ns, boottime_ns)
        elif self._known is None:
            tai_raw_ns, tai_ns = realtime_tai_ns(self._leaps)
            self._known = (tai_ns + raw_ns - tai_raw_ns, raw_ns, boottime_ns)
        tai_ns, then_raw_ns, then_boottime_ns = self._known
        return tai_ns + elapsed_ns(raw_ns - then_raw_ns, boottime_ns - then_boottime_ns)


def elapsed_ns(by_raw_ns: int, by_boottime_ns: int) -> int:
    """How long it has been: by RAW, and by BOOTTIME when the host was suspended in between and RAW stood still."""
    return by_boottime_ns if hostclocks.slept(by_boottime_ns - by_raw_ns, by_raw_ns) else by_raw_ns


def entry_clock(state: Path, leaps: LeapTable) -> Callable[[], int]:
    """The recorder's clock, its start settled now: REALTIME is asked before anything can be recorded, and not again."""
    clock = EntryClock(state, leaps)
    clock()
    return clock
