"""Metrics of the watchdog of RFC 9523: its looks by what they found, and how far others are from served time.

The offset is the middle of the other servers minus served time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.reporting.view import View

LOOKS = counter("timeball_watchdog_looks_total", "Looks at the pool by what they came to", "outcome")
PANICS = counter("timeball_watchdog_panics_total", "Looks in which every server was asked, for no sample agreed")
OFFSET = gauge("timeball_watchdog_offset_seconds", "Middle of the other servers minus served time, at the newest look")
SPREAD = gauge("timeball_watchdog_spread_seconds", "How far apart the servers of that middle were")
LIMIT = gauge("timeball_watchdog_limit_seconds", "Offset beyond which the watchdog alarms, as configured")
SERVERS = gauge("timeball_watchdog_servers", "Servers of the newest sample: asked, and of these answered", "what")
AGE = gauge("timeball_watchdog_age_seconds", "Time since the newest look")

METRICS = (LOOKS, PANICS, OFFSET, SPREAD, LIMIT, SERVERS, AGE)
OUTCOMES: Final = {"nothing found": "nothing_found", "found": "found", "cannot judge": "cannot_judge"}
WHAT: Final = {"asked": "asked", "answered": "answered"}
"""Fields of the page by outcome and by what is counted."""


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part; none where no watchdog of this boot has run."""
    page = view.watchdog
    if page is None:
        return
    yield from LOOKS.each(page, OUTCOMES)
    yield from PANICS.at(page.panics)
    yield from LIMIT.at(view.config.khronos.limit_s)
    yield from SERVERS.each(page, WHAT)
    yield from AGE.at(view.age_s(page))
    if page.measured:
        yield from OFFSET.at(page.offset_s)
        yield from SPREAD.at(page.spread_s)
