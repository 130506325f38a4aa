"""Servers of time as processes, over a clock page that is the host's own time; and chronyd as their client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.ntp_servers import HostClock, answers, free_port

from clients import needs_root, program
from timeball.station.paths import config_file

__all__ = ["HostClock", "Served", "answers", "chrony_client", "free_port", "one_shot", "until"]

COMPILING_S = 180.0
"""How long a server may take that finds no compiled code in the cache."""


def until(true: Callable[[], object], patience_s: float, said: Callable[[], object] = str) -> None:
    """Wait until `true()`; fails with what `said()` says when that takes too long."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


class Served:
    """A state folder with a clock page of the test's own, and processes of a station that work on it.

    `before`: a command line that each process is run under, as one that enters a network namespace.
    """

    def __init__(self, state: Path, settings: Mapping[str, Any], before: Sequence[str] = ()) -> None:
        self.state, self._before = state, before
        (state / "run").mkdir(parents=True, exist_ok=True)
        config_file(state).write_text(json.dumps(settings))
        self.clock = HostClock(state)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start the process `name` (timeball.station.NAME), anew when it has ended."""
        command = [*self._before, sys.executable, "-m", f"timeball.station.{name}", "--state", str(self.state)]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def log(self, name: str) -> Path:
        return self.state / f"{name}.log"

    def say(self) -> str:
        """What the processes have said."""
        return "\n".join(f"{name}: {self.log(name).read_text()[-2000:]}" for name in self.processes)

    def until(self, true: Callable[[], object], patience_s: float = COMPILING_S) -> None:
        """Wait until `true()`; fails at once when a process has ended by itself."""

        def held() -> bool:
            assert all(process.poll() is None for process in self.processes.values()), self.say()
            return bool(true())

        until(held, patience_s, self.say)

    def kill(self, name: str) -> None:
        """End a process as the kernel does: no word, no cleaning up."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(20)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)


@contextmanager
def served(state: Path, settings: Mapping[str, Any], *names: str, before: Sequence[str] = ()) -> Iterator[Served]:
    """Run these processes on a fresh state folder."""
    station = Served(state, settings, before)
    try:
        for name in names:
            station.start(name)
        yield station
    finally:
        station.stop()


class ChronyClient:
    """A chronyd that follows one server and moves no clock (-x); `ask` reads it through chronyc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "chronyd.log"

    def ask(self, command: str) -> str:
        """What chronyc says, as people read it."""
        told = subprocess.run(
            [program("chronyc"), "-n", "-h", str(self.folder / "sock"), command], capture_output=True, text=True
        )
        return told.stdout

    def field(self, command: str, name: str) -> str:
        """A named line of a report: what stands after its colon, empty when there is none."""
        lines = (line.partition(":") for line in self.ask(command).splitlines())
        return next((value.strip() for key, _, value in lines if key.strip() == name), "")

    def valid(self) -> int:
        """How many replies it took so far ("Total valid RX")."""
        return int(self.field("ntpdata", "Total valid RX") or 0)

    def selected(self) -> bool:
        """Whether it follows its server."""
        return any(line.startswith("^*") for line in self.ask("sources").splitlines())

    def said(self) -> str:
        return self.log.read_text()[-3000:] + self.ask("ntpdata") + self.ask("authdata")


@contextmanager
def chrony_client(folder: Path, server: str, *lines: str) -> Iterator[ChronyClient]:
    """chronyd with `server LINE`, polling four times a second."""
    needs_root()
    folder.mkdir(mode=0o700)
    conf = [f"server {server} minpoll -2 maxpoll -2", "port 0", "cmdport 0", *lines]
    conf += [f"bindcmdaddress {folder}/sock", f"pidfile {folder}/pid"]
    (folder / "conf").write_text("\n".join(conf) + "\n")
    client = ChronyClient(folder)
    command = [program("chronyd"), "-x", "-d", "-u", "root", "-f", str(folder / "conf")]
    with client.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield client
    finally:
        process.terminate()
        process.wait(20)


def one_shot(command: Sequence[str], patience_s: float = 30.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a client that asks and ends; its output goes into the assertion when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=patience_s, env={**os.environ, **environment}
    )
    if done.returncode:
        pytest.fail(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
