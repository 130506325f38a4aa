"""What soaks: a whole station with every server that faces the public, or the NTP server alone on a page of our own."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM, SOCK_STREAM
from typing import Any

from bench.ntp_servers import HostClock, answers
from timeball.station.paths import config_file, processes_file, run_dir
from timeball.station.supervision.supervisor import describe_exit

PATIENCE_S = 900.0
"""A fresh clone compiles first, and on a busy machine for long."""
PORTS = range(20_000, 32_000)
"""Below what the kernel gives to clients: minutes may lie between the choice of a port and its use."""
RENEW_S = 0.5
STOP_S = 90.0
LAST_LINES = 12
QUIET_EVENTS = ("progress", "time of day", "running")


@dataclass(frozen=True)
class Subject:
    """A running service: its state folder, ports (0: it does not serve that), and the process that was started."""

    state: Path
    process: subprocess.Popen[bytes]
    ntp: int
    nts: int = 0
    roughtime: int = 0

    def rows(self) -> list[dict[str, Any]]:
        """Its processes as the supervisor lists them (name, pid, restarts), or the one there is."""
        try:
            rows: list[dict[str, Any]] = json.loads(processes_file(self.state).read_bytes())
        except (OSError, ValueError):
            return [{"name": "server", "pid": self.process.pid, "restarts": 0}]
        return rows

    def ended(self) -> str:
        """How the process that was started has ended; empty while it runs."""
        code = self.process.poll()
        return "" if code is None else describe_exit(code)

    def logs(self) -> list[Path]:
        """Its log, and that of each of its processes."""
        return [one for one in (self.state.parent / "log", *sorted(run_dir(self.state).glob("*.log"))) if one.exists()]

    def events(self) -> list[str]:
        """What the supervisor has told so far, but for the progress of its start."""
        lines = (self.state.parent / "log").read_text("utf-8", "replace").splitlines()
        return [line for line in lines if not any(f'"event": "{kind}"' in line for kind in QUIET_EVENTS)]

    def said(self) -> str:
        """How it ended, what the supervisor told last, and the end of each process's log."""
        parts = [f"== it ended by {self.ended()}" if self.ended() else "== it runs", *self.events()[-LAST_LINES:]]
        for log in self.logs()[1:]:
            parts += [f"== {log.name}", *log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]]
        return "\n".join(parts)

    def stop(self) -> None:
        """End it in order; by force when it does not."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()


def quiet_port() -> int:
    """A port of the loopback that nobody listens on, over UDP or TCP, and that no client will be given."""
    while True:
        port = random.choice(PORTS)
        try:
            for kind in (SOCK_DGRAM, SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """In a process group of its own: a Ctrl-C or a hang-up is for who soaks, and must not end what soaks."""
    with log.open("wb") as said:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, process_group=0)


@contextmanager
def server_alone(folder: Path) -> Iterator[Subject]:
    """The NTP server as a process; its clock page is the host's own time, renewed here."""
    state, port = folder / "state", quiet_port()
    run_dir(state).mkdir(parents=True)
    config_file(state).write_text(json.dumps({"ntp": {"listen": [f"127.0.0.1:{port}"]}}))
    clock, ended = HostClock(state), threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            clock.renew()

    thread = threading.Thread(target=renew, daemon=True)
    command = [sys.executable, "-m", "timeball.station.server", "--state", str(state)]
    with start(command, folder / "log") as process:
        subject = Subject(state, process, port)
        try:
            wait_for_answers(subject)
            thread.start()
            yield subject
        finally:
            ended.set()
            subject.stop()


@contextmanager
def whole_station(folder: Path) -> Iterator[Subject]:
    """`timeball run` with NTP, NTS, Roughtime, metrics and the simulated laboratory."""
    state, ntp, nts, rough = folder / "state", quiet_port(), quiet_port(), quiet_port()
    config = folder / "station.toml"
    config.write_text(
        f'[ntp]\nlisten = ["127.0.0.1:{ntp}"]\nsource_rate = 1000.0\nsource_burst = 1000.0\n'
        f'[nts]\nlisten = ["127.0.0.1:{nts}"]\nserver = "127.0.0.1"\nrotate_s = 3600.0\n'
        f'[roughtime]\nlisten = ["127.0.0.1:{rough}"]\n'
        f'[metrics]\nlisten = "127.0.0.1:{quiet_port()}"\n'
        f'[console]\nlisten = "127.0.0.1:{quiet_port()}"\n'
        "[history]\ndays = 2.0\n"
    )
    command = [sys.executable, "-m", "timeball", "run", "--json", "--config", str(config), "--state", str(state)]
    with start(command, folder / "log") as process:
        subject = Subject(state, process, ntp, nts, rough)
        try:
            wait_for_answers(subject)
            yield subject
        finally:
            subject.stop()


def wait_for_answers(subject: Subject) -> None:
    """Wait until somebody answers NTP; RuntimeError with what was said when nobody does."""
    deadline = time.monotonic() + PATIENCE_S
    while not answers(subject.ntp):
        if subject.ended() or time.monotonic() > deadline:
            raise RuntimeError(f"it did not come up\n{subject.said()}")
        time.sleep(0.2)
