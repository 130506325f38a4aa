"""Both halves of the clock page written by a test's own hands: served time that is a known function of the host's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from clock_pages import PAGE

from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, bracket, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage
from timeball.station.paths import observer_page, timekeeper_page

S = 1_000_000_000
TAI_MINUS_UTC_S = PAGE.tai_minus_utc_s


def page_like_realtime(ahead_ns: int = 0) -> TimekeeperPage:
    """Served UTC = CLOCK_REALTIME + `ahead_ns` as it stands now, and no lease."""
    pair = bracket()
    return dataclasses.replace(
        PAGE,
        boot_id=boot_id().words,
        raw_ns=pair.raw_ns,
        boottime_ns=boottime_ns() - (raw_ns() - pair.raw_ns),
        tai_ns=pair.realtime_ns + ahead_ns + TAI_MINUS_UTC_S * S,
    )


class HandPages:
    """A state folder whose two page writers are the test."""

    def __init__(self, state: Path, ahead_ns: int = 0) -> None:
        self.timekeeper = PageWriter(timekeeper_page(state), TimekeeperPage)
        self.observer = PageWriter(observer_page(state), ObserverPage)
        self.page = page_like_realtime(ahead_ns)

    def lease(self, timekeeper_s: float, observer_s: float) -> None:
        """Both leases from now on, s; 0 takes one back."""
        first, second = int(timekeeper_s * S), int(observer_s * S)
        now_raw, now_boot = raw_ns(), boottime_ns()
        self.timekeeper.write(
            dataclasses.replace(self.page, lease_raw_ns=now_raw + first, lease_boottime_ns=now_boot + first)
        )
        self.observer.write(ObserverPage(boot_id().words, now_raw + second, now_boot + second, 0))

    def close(self) -> None:
        """Give both pages up."""
        self.timekeeper.close()
        self.observer.close()
