"""What a station needs before its first process starts: the laboratory's past and a time of day that sources agree on.

Nothing here judges time beyond refusing to start on a second nobody agrees on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from timeball.instants import Instant, format_utc
from timeball.station.configuration.config import Config
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.hosttime.timeofday import TimeOfDayUnknown, agreed_tai_ns, sources_of
from timeball.station.instruments.simulated import open_simulation
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.supervision.history import build_history
from timeball.station.supervision.process import CannotStartError


def make_past(state: Path, config: Config, progress: Callable[[float, str], None]) -> None:
    """Make the simulated laboratory and its history, as far as there is one and it is not there yet."""
    build_history(state, config, progress)
    if config.simulated:
        open_simulation(state, config)


def time_of_day(state: Path, config: Config) -> dict[str, Any]:
    """What the sources agree on; a replay brings its own time and needs none. Raises `CannotStartError`."""
    sources = [] if config.replayed else sources_of(config, state)
    if not sources:
        return {"utc": None, "sources": []}
    leaps = station_leaps(config)
    reader = LedgerReader(state)
    size = reader.size()
    head_ns = next(iter(reader.envelopes(size - 1, size)))[1].time_ns if size else 0
    try:
        tai_ns = agreed_tai_ns(sources, hostclocks.bracket(), leaps, config, head_ns)
    except TimeOfDayUnknown as error:
        raise CannotStartError(str(error)) from error
    utc = format_utc(Instant.from_ns(tai_ns), leaps, digits=0)
    return {"utc": utc, "sources": [source.name for source in sources]}
