"""From a configuration to a running station: what `timeball run` does between reading its arguments and printing.

The order matters: the lock first, then whoever still runs after a killed run, then the laboratory's past and the time
of day, then the processes. Taking over a running station loads nothing heavy, so that it is whole again at once.
Nothing here judges time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timeball.station.configuration.config import Config
from timeball.station.paths import config_file, run_dir
from timeball.station.supervision.files import write_atomically
from timeball.station.supervision.notify import Notifier
from timeball.station.supervision.statelock import StateLock
from timeball.station.supervision.supervisor import Report, Supervisor, station_commands, unhindered
from timeball.station.supervision.telling import Teller

Progress = Callable[[float, str], None]


def run_station(state: Path, config: Config, report: Report, progress: Progress) -> None:
    """Run a station until it is told to stop.

    Raises `StateInUseError`, `CannotStartError` and `StationStoppedError`, each one sentence, and KeyboardInterrupt
    while the past is being computed.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    report = unhindered(report)
    teller = Teller(state, config, Notifier.from_environment())
    if config.ledger.policy:
        _check_policy(config.ledger.policy)
    with StateLock(state):
        run_dir(state).mkdir(mode=0o700, parents=True, exist_ok=True)
        with Supervisor(state, station_commands(state, config), report, teller.turn) as supervisor:
            adopted = supervisor.adopt("" if _is_effective(state, config) else "the configuration has changed")
            if not adopted:
                write_atomically(config_file(state), config.to_json())
            if "timekeeper" not in adopted:
                _prepare(state, config, report, _both(progress, teller.progress), anew=not adopted)
            report({"event": "running", **addresses(config), "state": str(state)})
            supervisor.run()
            teller.stopping()
    report({"event": "stopped"})


def _both(first: Progress, second: Progress) -> Progress:
    def tell(fraction: float, words: str) -> None:
        first(fraction, words)
        second(fraction, words)

    return tell


def addresses(config: Config) -> dict[str, Any]:
    """Where a station answers: what is not configured does not stand in it."""
    told: dict[str, Any] = {
        "ntp": [*config.ntp.listen, *config.ntp.smeared],
        "nts": list(config.nts.listen),
        "roughtime": list(config.roughtime.listen),
        "console": f"http://{config.console.listen}",
        "metrics": f"http://{config.metrics.listen}/metrics" if config.metrics.listen else "",
    }
    return {name: each for name, each in told.items() if each}


def _check_policy(path: str) -> None:
    """Refuse a policy at once, not after the laboratory's past has been computed."""
    from timeball.station.witnessing.policyfile import read_policy

    read_policy(path)


def _is_effective(state: Path, config: Config) -> bool:
    try:
        return config_file(state).read_bytes() == config.to_json()
    except OSError:
        return False


def _prepare(state: Path, config: Config, report: Report, progress: Progress, *, anew: bool) -> None:
    """The laboratory's past, when nothing runs yet, and the time of day, when nobody keeps it yet."""
    from timeball.station.supervision.prepare import make_past, time_of_day

    if anew:
        make_past(state, config, progress)
    report({"event": "time of day", **time_of_day(state, config)})


def _interrupt(_number: int, _frame: object) -> None:
    """SIGTERM before the supervisor has taken the signals over ends the start like Ctrl-C does."""
    raise KeyboardInterrupt
