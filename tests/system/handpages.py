"""Both halves of the clock page written by a test's own hands: served time that is a known function of the host's."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, bracket, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage
from timeball.station.paths import observer_page, timekeeper_page

S = 1_000_000_000
TAI_MINUS_UTC_S = 37


def page_like_realtime(ahead_ns: int = 0) -> TimekeeperPage:
    """Served UTC = CLOCK_REALTIME + `ahead_ns` as it stands now, and no lease."""
    pair = bracket()
    return TimekeeperPage(
        boot_id=boot_id().words,
        raw_ns=pair.raw_ns,
        boottime_ns=boottime_ns() - (raw_ns() - pair.raw_ns),
        tai_ns=pair.realtime_ns + ahead_ns + TAI_MINUS_UTC_S * S,
        tai_frac_fs=0,
        rate=0.0,
        bound_s=1e-6,
        bound_growth=0.0,
        wander_s=0.0,
        root_delay_s=0.0,
        tai_minus_utc_s=TAI_MINUS_UTC_S,
        leap_tai_ns=0,
        leap_sign=0,
        stratum=1,
        refid=0x47505300,
        simulated=0,
        lease_raw_ns=0,
        lease_boottime_ns=0,
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
