"""The supervisor: starts the processes of a station, starts them again when they die, and stops them in order.

It moves no data and holds no state that matters: kill it, and its children go on; start it again on the same folder
within their grace, and it adopts them; start it later, and every process continues from the ledger. What happened is
told through `report`, one small dictionary an event, so that the command line decides how it looks.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from timeball import __version__
from timeball.station.configuration.config import Config
from timeball.station.paths import log_file, processes_file, run_dir
from timeball.station.supervision.adoption import EXIT_UNKNOWN, Adopted, Found, Listed, find_running, read_table
from timeball.station.supervision.child import LONGEST_DELAY_S, Child, bound_log, stop_together
from timeball.station.supervision.files import write_atomically
from timeball.station.supervision.process import EXIT_CONFIGURATION, EXIT_EVIDENCE
from timeball.station.supervision.signalevent import SignalEvent

Report = Callable[[dict[str, Any]], None]
Turn = Callable[[Sequence[Child], float], None]

MODULES = {
    "recorder": "timeball.station.recorder",
    "collector": "timeball.station.collector",
    "timekeeper": "timeball.station.timekeeper",
    "actuator": "timeball.station.actuator",
    "observer": "timeball.station.observer",
    "server": "timeball.station.server",
    "console": "timeball.console",
    "publisher": "timeball.station.publisher",
    "watchdog": "timeball.station.watchdog",
    "exporter": "timeball.station.exporter",
    "feeder": "timeball.station.feeder",
    "keyexchange": "timeball.station.keyexchange",
    "roughtime": "timeball.station.roughtime",
}
ASKED: dict[str, Callable[[Config], bool]] = {
    "publisher": lambda config: bool(config.ledger.policy),
    "watchdog": lambda config: bool(config.khronos.servers),
    "exporter": lambda config: bool(config.metrics.listen),
    "feeder": lambda config: bool(config.outputs),
    "keyexchange": lambda config: bool(config.nts.listen),
    "roughtime": lambda config: bool(config.roughtime.listen),
}
"""Who is started only where the configuration asks for it; without a policy, say, nobody is asked to cosign."""
# Who answers the public stops first; the recorder stops last, so that everybody's last words are recorded.
STOP_ORDER = (
    ("server", "roughtime", "keyexchange", "console", "exporter", "feeder"),
    ("observer", "watchdog"),
    ("actuator", "timekeeper", "collector", "publisher"),
    ("recorder",),
)
GRACE_S = 5.0
PATIENCE_S = 0.25
EVIDENCE_DELAY_S = 60.0
LONGEST_START_S = 600.0
"""Who has run for longer has started well: its end then ends nobody else."""


class StationStoppedError(Exception):
    """A child cannot start as it is configured, or must not (`code` 4); the sentence is the child's own."""

    def __init__(self, reason: str, code: int = EXIT_CONFIGURATION) -> None:
        super().__init__(reason)
        self.code = code


def unhindered(report: Report) -> Report:
    """Tell whoever can still hear: a closed terminal, a log's reader that went or a full disk never ends a station."""

    def tell(event: dict[str, Any]) -> None:
        with suppress(OSError):
            report(event)

    return tell


def station_commands(state: Path, config: Config | None = None) -> dict[str, list[str]]:
    """The command line of each process of a station on this folder: of all, or of those that its configuration asks."""
    names = [name for name in MODULES if config is None or ASKED.get(name, _always)(config)]
    return {name: [sys.executable, "-m", MODULES[name], "--state", str(state)] for name in names}


def _always(_config: Config) -> bool:
    return True


class Supervisor:
    """Keeps the processes of one station alive until `stop` is set; leaving the context stops them all in order.

    `commands` gives each child's command line by name; the order is the order of starting. `turn` is called at every
    turn, some times a second, with the children and the monotonic second.
    """

    def __init__(
        self,
        state: Path,
        commands: Mapping[str, Sequence[str]],
        report: Report,
        turn: Turn = lambda _children, _now: None,
    ) -> None:
        self.state = state
        self._turn = turn
        self.stop = SignalEvent()
        self._report = unhindered(report)
        self._wake = SignalEvent()
        self._why = "asked to"
        self._started_utc = datetime.now(UTC).isoformat(timespec="milliseconds")
        run_dir(state).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.children = [Child(name, command, log_file(state, name)) for name, command in commands.items()]

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._catch_signals()
        self._stop_in_order(self.children)
        self._write_processes()

    def adopt(self, why_not: str = "") -> list[str]:
        """Take over what an earlier supervisor left running, unless there is a reason not to; gives the names.

        What is not taken over is ended in order. Call it once, before `run`, while the state's lock is held.
        """
        table, version = read_table(self.state)
        if version != __version__:
            why_not = why_not or "the software has changed"
        found = find_running(self.state, {child.name: child.command for child in self.children}, table)
        ours = {one.name: one.process for one in found if one.ours and not why_not}
        self._end([one for one in found if one.process not in ours.values()], why_not or "no run had recorded this")
        if ours:
            self._take_over(ours, table)
        return list(ours)

    def _end(self, rest: Sequence[Found], why: str) -> None:
        if rest:
            self._report({"event": "not adopted", "names": [one.name for one in rest], "why": why})
        self._stop_in_order([Child(one.name, (), log_file(self.state, one.name), process=one.process) for one in rest])

    def _take_over(self, ours: Mapping[str, Adopted], table: Mapping[str, Listed]) -> None:
        for child in self.children:
            row = table.get(child.name)
            if row is not None and row.start_ticks is not None:
                child.restarts = row.restarts  # also of one that died meanwhile: its next start is not its first
            if row is not None and child.name in ours:
                child.adopt(ours[child.name], row.started, time.monotonic())
        adopted = [child for child in self.children if child.process is not None]
        rows = [{"name": child.name, "pid": _pid(child), "restarts": child.restarts} for child in adopted]
        self._report({"event": "adopted", "processes": rows})
        self._write_processes()

    def run(self) -> None:
        """Start all, restart who dies, return when `stop` is set.

        Must run in the main thread, which alone may take signals.
        Raises `StationStoppedError` when a child exits with 2 or 4 at its first start, and not once it had started.
        """
        self._catch_signals()
        while not self.stop.is_set():
            self._round()
            self._turn(self.children, time.monotonic())
            self._wake.wait(self._patience())
            self._wake.clear()
        self._report({"event": "stopping", "why": self._why})

    def _round(self) -> None:
        for child in self.children:
            code = child.reap(time.monotonic())
            if code is not None:
                self._died(child, code)
                self._write_processes()
            if child.is_due(time.monotonic()) and not self.stop.is_set():
                self._start(child)
                # at once: who is not in the table when the supervisor is killed cannot be adopted
                self._write_processes()
            bound_log(child.log)

    def _start(self, child: Child) -> None:
        try:
            child.start(time.monotonic())
        except OSError as error:  # no process, no memory or no room for the log: not for ever
            child.due = time.monotonic() + LONGEST_DELAY_S
            self._report({"event": "not started", "name": child.name, "why": str(error)})
            return
        self._report({"event": "started", "name": child.name, "pid": _pid(child), "restarts": child.restarts})

    def _died(self, child: Child, code: int) -> None:
        lines = child.last_lines()
        at_start = child.restarts == 0 and time.monotonic() - child.started < LONGEST_START_S
        if code in (EXIT_CONFIGURATION, EXIT_EVIDENCE) and at_start:
            raise StationStoppedError(lines[-1] if lines else f"{child.name} cannot start", code)
        if code == EXIT_EVIDENCE:  # a person must look; asked again now and then, and not for ever at once
            child.due = time.monotonic() + EVIDENCE_DELAY_S
        why = describe_exit(code)
        told = None if code == EXIT_UNKNOWN else code
        self._report({"event": "died", "name": child.name, "code": told, "why": why, "lines": lines})

    def _patience(self) -> float:
        now = time.monotonic()
        waits = [child.due - now for child in self.children if child.process is None]
        return max(0.0, min([PATIENCE_S, *waits]))

    def _stop_in_order(self, children: Sequence[Child]) -> None:
        listed = {name for stage in STOP_ORDER for name in stage}
        stages = [tuple(child.name for child in children if child.name not in listed), *STOP_ORDER]
        for stage in stages:
            for name in stop_together([child for child in children if child.name in stage], GRACE_S):
                self._report({"event": "killed", "name": name, "why": f"it did not stop within {GRACE_S:g} s"})

    def _catch_signals(self) -> None:
        def end(number: int, _frame: object) -> None:
            self._why = describe_exit(-number)
            self.stop.set()
            self._wake.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, end)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: self._wake.set())

    def _write_processes(self) -> None:
        ours = {"name": "supervisor", "pid": os.getpid(), "started": self._started_utc, "restarts": 0}
        table: list[dict[str, Any]] = [{**ours, "version": __version__}]
        table += [
            {
                "name": child.name,
                "pid": _pid(child),
                "start_ticks": child.start_ticks,
                "started": child.started_utc,
                "restarts": max(0, child.restarts),
            }
            for child in self.children
        ]
        # the folder may be full: a missing table is a missing convenience, never a reason to end the station
        with suppress(OSError):
            write_atomically(processes_file(self.state), json.dumps(table, indent=2).encode() + b"\n")


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code == EXIT_UNKNOWN:
        return "ended; another supervisor had started it"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _pid(child: Child) -> int | None:
    return None if child.process is None else child.process.pid
