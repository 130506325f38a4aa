"""What every process of a station has in common: its arguments, its configuration, how it stops, what it logs.

A process is `python -m timeball.station.NAME --state DIR`. It reads the effective configuration that the supervisor
wrote, ends when it gets SIGTERM or SIGINT or when nobody has supervised it for a grace (`orphan`), writes its log to
standard error, and exits with 2 and one sentence when it was configured wrongly, with 4 when evidence forbids it to go
on (the supervisor shows that sentence).
It does not restart itself.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from timeball.station.configuration.config import Config, ConfigError, read_effective
from timeball.station.supervision.orphan import end_when_orphaned
from timeball.station.supervision.signalevent import SignalEvent

EXIT_CONFIGURATION = 2
EXIT_EVIDENCE = 4


class CannotStartError(Exception):
    """A process that can never start as it is configured (a port taken, a device missing); one sentence."""

    exit_code = EXIT_CONFIGURATION


class EvidenceAgainstError(CannotStartError):
    """A process that must not start: what is signed elsewhere contradicts what it would go on from."""

    exit_code = EXIT_EVIDENCE


@dataclass(frozen=True)
class Process:
    """One process of a station: `stop` is set when it shall end."""

    name: str
    state: Path
    config: Config
    stop: threading.Event = field(default_factory=SignalEvent)

    @property
    def log(self) -> logging.Logger:
        """The process's log, which goes to standard error."""
        return logging.getLogger(self.name)

    def sleep(self, seconds: float) -> bool:
        """Wait, but no longer than until the process is told to stop; true when it is."""
        return self.stop.wait(max(0.0, seconds))


def run_process(name: str, work: Callable[[Process], None], arguments: list[str] | None = None) -> int:
    """Run `work` as the process `name`: exit code 0 when told to stop, 2 for a wrong configuration, 4 for evidence.

    Any other exception passes through, so that its traceback stands in the log and the supervisor restarts the process.
    """
    parser = argparse.ArgumentParser(prog=f"python -m timeball.station.{name}")
    parser.add_argument("--state", type=Path, required=True, help="the station's state folder")
    state = parser.parse_args(arguments).state
    end_when_orphaned(state)
    start_log(name)
    try:
        process = Process(name, state, read_effective(state))
        stop_on_signals(process.stop)
        work(process)
    except (CannotStartError, ConfigError) as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)  # noqa: T201 (the sentence the supervisor shows)
        return error.exit_code if isinstance(error, CannotStartError) else EXIT_CONFIGURATION
    return 0


def start_log(name: str) -> None:
    """One line a record on standard error: time of day, process, message."""
    logging.basicConfig(format=f"%(asctime)s {name}: %(message)s", level=logging.INFO, stream=sys.stderr)


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` at SIGTERM or SIGINT. Must be called in the main thread."""

    def handle(_number: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
