"""From a configuration to a running station: what `timeball run` does between reading its arguments and printing.

The order matters: the lock first, then whoever was left over from a killed run, then the laboratory's past, then the
time of day, then the processes. Nothing here judges time beyond refusing to start on a second nobody agrees on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timeball.instants import Instant, format_utc
from timeball.station import hostclocks
from timeball.station.config import Config
from timeball.station.files import write_atomically
from timeball.station.history import build_history
from timeball.station.instruments.simulated import open_simulation
from timeball.station.ledger_reader import LedgerReader
from timeball.station.paths import config_file, run_dir
from timeball.station.process import CannotStartError
from timeball.station.realtime import station_leaps
from timeball.station.statelock import StateLock, end_leftovers
from timeball.station.supervisor import Report, Supervisor, station_commands
from timeball.station.timeofday import TimeOfDayUnknown, agreed_tai_ns, sources_of

Progress = Callable[[float, str], None]


def run_station(state: Path, config: Config, report: Report, progress: Progress) -> None:
    """Run a station until it is told to stop.

    Raises `StateInUseError`, `CannotStartError` and `StationStoppedError`, each one sentence, and KeyboardInterrupt
    while the past is being computed.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with StateLock(state):
        run_dir(state).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in end_leftovers(state):
            report({"event": "leftover ended", "name": name})
        write_atomically(config_file(state), config.to_json())
        build_history(state, config, progress)
        if config.simulated:
            open_simulation(state, config)
        report({"event": "time of day", **_time_of_day(state, config)})
        supervisor = Supervisor(state, station_commands(state), report)
        report({"event": "running", **addresses(config), "state": str(state)})
        supervisor.run()
    report({"event": "stopped"})


def addresses(config: Config) -> dict[str, Any]:
    """Where a station answers."""
    return {"ntp": list(config.ntp.listen), "console": f"http://{config.console.listen}"}


def _time_of_day(state: Path, config: Config) -> dict[str, Any]:
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


def _interrupt(_number: int, _frame: object) -> None:
    """SIGTERM before the supervisor has taken the signals over ends the start like Ctrl-C does."""
    raise KeyboardInterrupt
