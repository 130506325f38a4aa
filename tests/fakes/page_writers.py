"""Pages of a station written by a test's own hand: the clock page with leases, and any page of counters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from timeball.station import paths
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, bracket, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage

S = 10**9
TAI_MINUS_UTC_S = 37


def write_clock(state: Path, lease_s: float = 8.0, **changes: Any) -> TimekeeperPage:
    """Both halves of the clock page: UTC is the host's own, plus what a change says."""
    pair, boot = bracket(), boot_id().words
    slept = boottime_ns() - raw_ns()
    ends = pair.raw_ns + round(lease_s * S), pair.raw_ns + slept + round(lease_s * S)
    tai_ns = pair.realtime_ns + TAI_MINUS_UTC_S * S
    counters = (pair.raw_ns, pair.raw_ns + slept, tai_ns, 0)
    page = TimekeeperPage(boot, *counters, 0.0, 1e-6, 0.0, 0.0, 3e-5, TAI_MINUS_UTC_S, 0, 0, 1, 0x47505300, 0, *ends)
    page = dataclasses.replace(page, **changes)
    for writer, half in (
        (PageWriter(paths.timekeeper_page(state), TimekeeperPage), page),
        (PageWriter(paths.observer_page(state), ObserverPage), ObserverPage(boot, *ends, 0)),
    ):
        writer.write(half)  # type: ignore[arg-type]
        writer.close()
    return page


def write_counts(path: Path, kind: type[Any], /, **known: Any) -> Any:
    """A page of counters in which every field has a number of its own; `known` says some."""
    names = [field.name for field in dataclasses.fields(kind)][1:]
    values = {name: 100 + 7 * place for place, name in enumerate(names)} | {"updated_boottime_ns": boottime_ns()}
    page = kind(boot_id().words, **{name: known.get(name, values[name]) for name in names})
    writer = PageWriter(path, kind)
    writer.write(page)
    writer.close()
    return page
