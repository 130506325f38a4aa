"""Checks of the host: its clock, the station's processes, the processor."""

from __future__ import annotations

import os
from collections.abc import Iterator

from timeball.station.reporting.diag import COUNT, FAIL, OK, RATIO, SECONDS, WARN, Check, Looks, below, unknown

HOST_CLOCK_WARN_S = 1.0
RECENT_S = 3600.0
CPU_WARN, CPU_FAIL = 0.7, 0.95
LOOPS = "server"


def clock(looks: Looks) -> Iterator[Check]:
    """The host's own clock beside what is served; it moves nothing, but logs and certificates go by it."""
    view = looks.now
    if view.timekeeper is None:
        yield unknown("host clock", "no timekeeper's page of this boot", SECONDS)
        return
    offset_s = (view.pair.realtime_ns - view.now.tai_ns) / 1e9 + view.now.tai_minus_utc_s
    state = OK if abs(offset_s) < HOST_CLOCK_WARN_S else WARN
    words = "CLOCK_REALTIME minus served UTC; served time does not follow it, logs and certificates do"
    yield Check("host clock", state, offset_s, HOST_CLOCK_WARN_S, SECONDS, words)


def processes(looks: Looks) -> Iterator[Check]:
    """Whether every process runs."""
    facts = looks.now.facts
    if not facts:
        yield Check("processes", FAIL, 0.0, None, COUNT, "nobody has started a station here")
        return
    down = [name for name, fact in facts.items() if fact is None]
    words = f"down: {', '.join(down)}" if down else "all of them run"
    yield Check("processes", FAIL if down else OK, float(len(facts) - len(down)), float(len(facts)), COUNT, words)


def restarts(looks: Looks) -> Iterator[Check]:
    """Who was started again within the last hour."""
    rows = looks.now.status["processes"]
    recent = [row for row in rows if row["restarts"] and row["up_s"] is not None and row["up_s"] < RECENT_S]
    total = sum(row["restarts"] for row in rows)
    told = ", ".join(f"{row['name']} {row['up_s']:.0f} s ago" for row in recent)
    words = f"started again: {told}; see its log in run/" if recent else "nobody was started again within the hour"
    yield Check("restarts", WARN if recent else OK, float(total), 0.0, COUNT, words)


def cpu(looks: Looks) -> Iterator[Check]:
    """The server's share of a processor, by loop, and what the host has left."""
    before, now = looks.before.facts.get(LOOPS), looks.now.facts.get(LOOPS)
    if before is None or now is None or now.cpu_s < before.cpu_s:
        yield unknown("cpu", "the server does not run, or was started anew between the two looks", RATIO)
        return
    ntp = looks.now.config.ntp
    loops = max(1, min(os.cpu_count() or 1, len(ntp.listen + ntp.smeared) * ntp.threads))
    share = (now.cpu_s - before.cpu_s) / looks.elapsed_s / loops
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    words = f"of {loops} processor(s) that its loops can use, over {looks.elapsed_s:.1f} s; load of the host {load:.0%}"
    yield Check("cpu", below(share, CPU_WARN, CPU_FAIL), share, CPU_WARN, RATIO, words)
