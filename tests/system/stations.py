"""A real station for tests: `timeball run` as a child, on free ports, with a small and quick laboratory.

The configuration is small in time, not in parts: every process of a station runs. Whoever starts one ends it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ntplib
from bench.ntp_servers import free_port

PATIENCE_S = 60.0
PROCESSES = ("recorder", "collector", "timekeeper", "actuator", "observer", "server", "console")

QUICK = """
[ensemble]
interval_s = 2.0
[simulation]
utc_every_s = 60.0
[history]
days = 0.05
[steering]
interval_s = 600.0
window_s = 3600.0
tracking_interval_s = 60.0
tracking_time_constant_s = 600.0
[actuator]
hard_limit_s_per_day = 1e-5
[lease]
scale_max_age_s = 60.0
[observer]
interval_s = 1.0
verdict_every_s = 10.0
"""


def wait_for(what: Callable[[], Any], why: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true answer of `what`; fails with `why` when none comes in time.

    A question that takes long is asked less often, so that whoever is waited for has most of the processor.
    """
    deadline = time.monotonic() + patience_s
    while True:
        asked = time.monotonic()
        answer = what()
        if answer:
            return answer
        now = time.monotonic()
        assert now < deadline, f"{why} (waited {patience_s:.0f} s)"
        time.sleep(min(0.05 + now - asked, 0.3))


class Station:
    """A running station below `folder`."""

    def __init__(self, folder: Path, settings: str = QUICK) -> None:
        self.state = folder / "state"
        self.config = folder / "station.toml"
        self.log = folder / "station.log"
        self.ntp_port, self.console_port = free_port(), free_port()
        self.config.write_text(
            f'{settings}\n[ntp]\nlisten = ["127.0.0.1:{self.ntp_port}"]\n'
            f'[console]\nlisten = "127.0.0.1:{self.console_port}"\n'
        )
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "timeball", "run", "--config", str(self.config), "--state", str(self.state)]
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop(self, number: int = signal.SIGINT) -> int:
        assert self.popen is not None
        self.popen.send_signal(number)
        try:
            return self.popen.wait(30)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise

    def timeball(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand of the command line."""
        return subprocess.run(
            [sys.executable, "-m", "timeball", *arguments], capture_output=True, text=True, timeout=120, check=False
        )

    def status(self) -> dict[str, Any]:
        done = self.timeball("status", "--state", str(self.state), "--json")
        assert done.returncode in (0, 3), done.stderr
        return json.loads(done.stdout)

    def processes(self) -> dict[str, int]:
        """Process ids by name; 0 for one that does not run just now."""
        try:
            listed = json.loads((self.state / "run" / "processes.json").read_text())
        except (OSError, ValueError):
            return {}
        return {row["name"]: row["pid"] or 0 for row in listed}

    def ask(self, timeout_s: float = 1.0) -> ntplib.NTPStats | None:
        """One NTP reply; None when none came."""
        try:
            return ntplib.NTPClient().request("127.0.0.1", version=4, port=self.ntp_port, timeout=timeout_s)
        except (ntplib.NTPException, OSError):
            return None

    def in_sync(self) -> bool:
        reply = self.ask()
        return reply is not None and reply.leap != 3 and 1 <= reply.stratum <= 15

    def wait_in_sync(self, patience_s: float = PATIENCE_S) -> None:
        def check() -> bool:
            assert self.popen is None or self.popen.poll() is None, self.log.read_text()[-3000:]
            return self.in_sync()

        try:
            wait_for(check, "the station does not claim to be in sync", patience_s)
        except AssertionError as error:
            logs = "\n".join(f"== {path.name}\n{path.read_text()[-800:]}" for path in self.state.glob("run/*.log"))
            raise AssertionError(f"{error}\n{self.log.read_text()[-2000:]}\n{logs}") from None

    def verify(self) -> subprocess.CompletedProcess[str]:
        return self.timeball("verify", str(self.state))

    def replay(self) -> subprocess.CompletedProcess[str]:
        return self.timeball("replay", str(self.state))


@contextmanager
def running(folder: Path, settings: str = QUICK) -> Iterator[Station]:
    """A station in sync, ended afterwards whatever happened."""
    station = Station(folder, settings)
    station.start()
    try:
        station.wait_in_sync()
        yield station
    finally:
        if station.popen is not None and station.popen.poll() is None:
            station.stop()


def alive(pid: int) -> bool:
    """Whether a process runs and is no zombie."""
    try:
        return pid > 0 and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that this test's station started."""
    os.kill(pid, number)
