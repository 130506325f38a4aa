"""The supervisor: starts the processes of a station, starts them again when they die, and stops them in order.

It moves no data and holds no state that matters: kill it, and its children end by themselves; start it again on the
same folder, and every process continues from the ledger. What happened is told through `report`, one small dictionary
an event, so that the command line decides how it looks.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from timeball.station.child import LONGEST_DELAY_S, Child, bound_log, stop_together
from timeball.station.files import write_atomically
from timeball.station.paths import log_file, processes_file, run_dir
from timeball.station.process import EXIT_CONFIGURATION

Report = Callable[[dict[str, Any]], None]

MODULES = {
    "recorder": "timeball.station.recorder",
    "collector": "timeball.station.collector",
    "timekeeper": "timeball.station.timekeeper",
    "actuator": "timeball.station.actuator",
    "observer": "timeball.station.observer",
    "server": "timeball.station.server",
    "console": "timeball.console",
}
# Who answers the public stops first; the recorder stops last, so that everybody's last words are recorded.
STOP_ORDER = (("server", "console"), ("observer",), ("actuator", "timekeeper", "collector"), ("recorder",))
GRACE_S = 5.0
PATIENCE_S = 0.25


class StationStoppedError(Exception):
    """A child cannot start as it is configured; the sentence is the child's own."""


def station_commands(state: Path) -> dict[str, list[str]]:
    """The command line of each process of a station on this state folder."""
    return {name: [sys.executable, "-m", module, "--state", str(state)] for name, module in MODULES.items()}


class Supervisor:
    """Keeps the processes of one station alive until `stop` is set.

    `commands` gives each child's command line by name; the order is the order of starting.
    """

    def __init__(self, state: Path, commands: Mapping[str, Sequence[str]], report: Report) -> None:
        self.state = state
        self.stop = threading.Event()
        self._report = report
        self._wake = threading.Event()
        self._started = time.time()
        run_dir(state).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.children = [Child(name, command, log_file(state, name)) for name, command in commands.items()]

    def run(self) -> None:
        """Start all, restart who dies, return when `stop` is set and all have ended.

        Must run in the main thread: the death signal of a child follows the thread that started it.
        Raises `StationStoppedError` when a child exits with 2 at its first start.
        """
        self._catch_signals()
        try:
            while not self.stop.is_set():
                self._round()
                self._wake.wait(self._patience())
                self._wake.clear()
        finally:
            self._stop_all()

    def _round(self) -> None:
        changed = False
        for child in self.children:
            code = child.reap(time.monotonic())
            if code is not None:
                changed = True
                self._died(child, code)
            if child.is_due(time.monotonic()) and not self.stop.is_set():
                changed = True
                self._start(child)
            bound_log(child.log)
        if changed:
            self._write_processes()

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
        if code == EXIT_CONFIGURATION and child.restarts == 0:
            raise StationStoppedError(lines[-1] if lines else f"{child.name} cannot start")
        self._report({"event": "died", "name": child.name, "code": code, "why": describe_exit(code), "lines": lines})

    def _patience(self) -> float:
        now = time.monotonic()
        waits = [child.due - now for child in self.children if child.popen is None]
        return max(0.0, min([PATIENCE_S, *waits]))

    def _stop_all(self) -> None:
        by_name = {child.name: child for child in self.children}
        listed = {name for stage in STOP_ORDER for name in stage}
        stages = [tuple(name for name in by_name if name not in listed), *STOP_ORDER]
        for stage in stages:
            children = [by_name[name] for name in stage if name in by_name]
            for name in stop_together(children, GRACE_S):
                self._report({"event": "killed", "name": name, "why": f"it did not stop within {GRACE_S:g} s"})
        self._write_processes()

    def _catch_signals(self) -> None:
        def end(_number: int, _frame: object) -> None:
            self.stop.set()
            self._wake.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, end)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: self._wake.set())

    def _write_processes(self) -> None:
        ours = {"name": "supervisor", "pid": os.getpid(), "started": _iso(self._started), "restarts": 0}
        table = [ours] + [
            {
                "name": child.name,
                "pid": _pid(child),
                "started": _iso(child.started_unix_s),
                "restarts": max(0, child.restarts),
            }
            for child in self.children
        ]
        # the folder may be full: a missing table is a missing convenience, never a reason to end the station
        with suppress(OSError):
            write_atomically(processes_file(self.state), json.dumps(table, indent=2).encode() + b"\n")


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _pid(child: Child) -> int | None:
    return None if child.popen is None else child.popen.pid


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")
