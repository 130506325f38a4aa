"""Everything a running chronyd says of itself, read at once; it judges nothing.

Reports whose form is not known here are asked of the installed `chronyc`, which is that of the installed chronyd.
"""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from timeball.protocols.chrony import more, reports
from timeball.protocols.chrony.candm import Command
from timeball.protocols.chrony.errors import ChronyError, LayoutError, RefusedError
from timeball.protocols.chrony.printed import parse_csv
from timeball.station.feeding.chronyd import Chronyd

CHRONYC_TIMEOUT_S = 5.0
ANOTHER_FORM = (3, 18, 19)
"""Statuses of a chronyd that knows the report in another form: unknown request, wrong version, wrong length."""


@dataclass(frozen=True)
class ChronydView:
    """What a chronyd said of itself; `not_told` says why a report is missing, by its name."""

    read_ns: int
    tracking: reports.Tracking
    sources: list[reports.Source]
    stats: list[reports.SourceStats]
    activity: reports.Activity
    server_stats: dict[str, Any] | None = None
    ntp_data: list[dict[str, Any]] = field(default_factory=list)
    auth_data: list[dict[str, Any]] = field(default_factory=list)
    not_told: dict[str, str] = field(default_factory=dict)


def read_chronyd(chronyd: Chronyd) -> ChronydView:
    """All reports. Raises ChronydUnreachableError, or ChronyError where a stable report is refused or not one."""
    tracking = reports.parse_tracking(chronyd.ask(Command.TRACKING))
    read_ns = time.time_ns()
    indices = [struct.pack("!i", i) for i in range(reports.parse_source_count(chronyd.ask(Command.N_SOURCES)))]
    sources = [_source(chronyd, index) for index in indices]
    view = ChronydView(
        read_ns,
        tracking,
        sources,
        [reports.parse_source_stats(chronyd.ask(Command.SOURCESTATS, index)) for index in indices],
        reports.parse_activity(chronyd.ask(Command.ACTIVITY)),
    )
    return _with_more(view, chronyd)


def _source(chronyd: Chronyd, index: bytes) -> reports.Source:
    return reports.parse_source(chronyd.ask(Command.SOURCE_DATA, index))


def _with_more(view: ChronydView, chronyd: Chronyd) -> ChronydView:
    """The reports that not every chronyd gives in a form known here, each by the way that works."""
    keys = [source.key for source in view.sources if source.key]

    def server_stats() -> list[dict[str, Any]]:
        return [dict(more.parse_server_stats(chronyd.ask(Command.SERVER_STATS)))]

    def ntp_data() -> list[dict[str, Any]]:
        return [more.as_document(more.parse_ntp_data(chronyd.ask(Command.NTP_DATA, key))) for key in keys]

    def auth_data() -> list[dict[str, Any]]:
        return [more.as_document(more.parse_auth_data(chronyd.ask(Command.AUTH_DATA, key))) for key in keys]

    not_told: dict[str, str] = {}
    ways: dict[str, Callable[[], list[dict[str, Any]]]] = {"serverstats": server_stats}
    if keys:
        ways |= {"ntpdata": ntp_data, "authdata": auth_data}
    told = {name: _either_way(name, way, chronyd.place, not_told) for name, way in ways.items()}
    return ChronydView(
        *(view.read_ns, view.tracking, view.sources, view.stats, view.activity),
        next(iter(told["serverstats"]), None),
        told.get("ntpdata", []),
        told.get("authdata", []),
        not_told,
    )


def _either_way(
    name: str, way: Callable[[], list[dict[str, Any]]], place: str, not_told: dict[str, str]
) -> list[dict[str, Any]]:
    try:
        return way()
    except (LayoutError, RefusedError) as error:
        if isinstance(error, LayoutError) or error.status in ANOTHER_FORM:
            with contextlib.suppress(OSError, subprocess.SubprocessError, ChronyError):
                return by_chronyc(name, place)
        not_told[name] = str(error)
        return []


def by_chronyc(report: str, place: str) -> list[dict[str, Any]]:
    """A report as the installed chronyc prints it. Raises OSError, SubprocessError, LayoutError."""
    chronyc = shutil.which("chronyc")
    if chronyc is None:
        raise FileNotFoundError("there is no chronyc")
    host, _, port = ("", "", "") if place.startswith("/") else place.rpartition(":")
    where = ["-h", host.strip("[]"), "-p", port] if host else ["-h", place]
    done = subprocess.run(
        [chronyc, "-n", "-c", *where, report], capture_output=True, text=True, timeout=CHRONYC_TIMEOUT_S, check=True
    )
    return [dict(row) for row in parse_csv(report, done.stdout)]
