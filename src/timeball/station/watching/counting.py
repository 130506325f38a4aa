"""The watchdog's looks, counted for its page. It judges nothing: codes are those of the page."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from timeball.protocols.khronos import Outcome
from timeball.station.hosttime import hostclocks
from timeball.station.page.pagefile import PageWriter
from timeball.station.page.watchpage import CANNOT_JUDGE, FOUND, NOT_YET, NOTHING_FOUND, WatchPage, watch_page

COUNTS = {NOTHING_FOUND: "nothing_found", FOUND: "found", CANNOT_JUDGE: "cannot_judge"}


class LookCounter:
    """The one writer of the page. `of` has what stands in it."""

    def __init__(self, state: Path) -> None:
        now, boot = hostclocks.boottime_ns(), hostclocks.boot_id().words
        self.of = WatchPage(boot, os.getpid(), now, now, NOT_YET, 0, 0.0, 0.0, 0, 0, 0, 0, 0, 0)
        self._writer = PageWriter(watch_page(state), WatchPage, plain=True)
        self._writer.write(self.of)

    def count(self, outcome: Outcome | None, code: int) -> None:
        """One more look; `outcome` None when there was no clock page to judge."""
        found = outcome or Outcome(None, panic=False, samples=0, asked=0, answered=0)
        name = COUNTS[code]
        self.of = replace(
            self.of,
            updated_boottime_ns=hostclocks.boottime_ns(),
            code=code,
            measured=int(found.offset_s is not None),
            offset_s=found.offset_s or 0.0,
            spread_s=found.spread_s,
            asked=found.asked,
            answered=found.answered,
            panics=self.of.panics + found.panic,
            **{name: getattr(self.of, name) + 1},
        )
        self._writer.write(self.of)
