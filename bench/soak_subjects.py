"""What soaks: a whole station with every server that faces the public, or the NTP server alone on a page of our own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_STREAM

from bench.ntp_servers import HostClock, answers, free_port
from timeball.station.paths import config_file, processes_file, run_dir

PATIENCE_S = 300.0
"""A fresh clone compiles first."""
RENEW_S = 0.5


@dataclass(frozen=True)
class Subject:
    """A running service: its state folder, ports (0: it does not serve that), and the process that was started."""

    state: Path
    process: subprocess.Popen[bytes]
    ntp: int
    nts: int = 0
    roughtime: int = 0

    def pids(self) -> dict[str, int]:
        """Its processes by name: those of the supervisor's list, or the one there is."""
        try:
            rows = json.loads(processes_file(self.state).read_bytes())
        except (OSError, ValueError):
            return {"server": self.process.pid}
        return {row["name"]: row["pid"] for row in rows if row["pid"]}

    def said(self) -> str:
        """The end of its log, and of each process's."""
        logs = [self.state.parent / "log", *sorted(run_dir(self.state).glob("*.log"))]
        texts = [(log.stem, log.read_text("utf-8", "replace")[-600:]) for log in logs if log.exists()]
        return "\n".join(f"== {name}\n{text}" for name, text in texts)


@contextmanager
def server_alone(folder: Path) -> Iterator[Subject]:
    """The NTP server as a process; its clock page is the host's own time, renewed here."""
    state, port = folder / "state", free_port()
    run_dir(state).mkdir(parents=True)
    config_file(state).write_text(json.dumps({"ntp": {"listen": [f"127.0.0.1:{port}"]}}))
    clock, ended = HostClock(state), threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            clock.renew()

    thread = threading.Thread(target=renew, daemon=True)
    command = [sys.executable, "-m", "timeball.station.server", "--state", str(state)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for_answers(port, process, folder / "log")
            thread.start()
            yield Subject(state, process, port)
        finally:
            ended.set()
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def whole_station(folder: Path) -> Iterator[Subject]:
    """`timeball run` with NTP, NTS, Roughtime, metrics and the simulated laboratory."""
    state, ntp, nts, rough = folder / "state", free_port(), free_port(SOCK_STREAM), free_port(SOCK_STREAM)
    config, log = folder / "station.toml", folder / "log"
    config.write_text(
        f'[ntp]\nlisten = ["127.0.0.1:{ntp}"]\nsource_rate = 1000.0\nsource_burst = 1000.0\n'
        f'[nts]\nlisten = ["127.0.0.1:{nts}"]\nserver = "127.0.0.1"\nrotate_s = 3600.0\n'
        f'[roughtime]\nlisten = ["127.0.0.1:{rough}"]\n'
        f'[metrics]\nlisten = "127.0.0.1:{free_port(SOCK_STREAM)}"\n'
        f'[console]\nlisten = "127.0.0.1:{free_port(SOCK_STREAM)}"\n'
        "[history]\ndays = 2.0\n"
    )
    command = [sys.executable, "-m", "timeball", "run", "--json", "--config", str(config), "--state", str(state)]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            wait_for_answers(ntp, process, log)
            yield Subject(state, process, ntp, nts, rough)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_for_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody answers NTP; RuntimeError with what was said when nobody does."""
    deadline = time.monotonic() + PATIENCE_S
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not come up: {log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.2)
