"""One child process of the supervisor: how it is started, how soon it may be started again, how its log stays small.

Children are started by exec, in a process group of their own (so that Ctrl-C reaches the supervisor alone). They
outlive a supervisor that is killed, for the grace of `orphan`, and the next one may adopt them. Their standard error is
appended to a file that this module cuts when it grows. Whether a child does its work well is not known here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from timeball.station.supervision.adoption import Adopted, start_ticks
from timeball.station.supervision.orphan import GRACE_VARIABLE, ORPHAN_GRACE_S

LOG_LIMIT_BYTES = 1 << 20
LONG_LIFE_S = 10.0
LONGEST_DELAY_S = 0.75
FIRST_DELAY_S = 0.125


@dataclass
class Backoff:
    """How long to wait before the next start: 0 after the first death, then doubling from 1/8 s up to 3/4 s, because
    a start costs about a second and the station is to be whole within five.

    A life of ten seconds or more forgets the deaths before it, so a child killed now and then is restarted at once.
    """

    deaths: int = 0

    def delay_s(self, life_s: float) -> float:
        """Count a death after `life_s` seconds of life, and give the seconds to wait."""
        if life_s >= LONG_LIFE_S:
            self.deaths = 0
        delay = 0.0 if self.deaths == 0 else min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self.deaths - 1, 8))
        self.deaths += 1
        return delay


class Running(Protocol):
    """A running process, started here (`subprocess.Popen`) or adopted."""

    pid: int

    def poll(self) -> int | None:
        """Give the exit code, None while it runs."""

    def wait(self, timeout: float) -> int:
        """Wait for the end; raises `subprocess.TimeoutExpired`."""

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""


@dataclass
class Child:
    """A child and its present process, if there is one. `due` is the monotonic second of the next start.

    `restarts` is −1 before the first start. `start_ticks` and `started_utc` tell the next supervisor which it was.
    """

    name: str
    command: Sequence[str]
    log: Path
    backoff: Backoff = field(default_factory=Backoff)
    process: Running | None = None
    started: float = 0.0
    started_utc: str = ""
    start_ticks: int | None = None
    restarts: int = -1
    due: float = 0.0

    def start(self, now: float) -> None:
        """Start the process; its standard error goes to the log file."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                env={GRACE_VARIABLE: f"{ORPHAN_GRACE_S:g}", **os.environ},
            )
        self.started, self.started_utc = now, datetime.now(UTC).isoformat(timespec="milliseconds")
        self.start_ticks = start_ticks(self.process.pid)
        self.restarts += 1

    def adopt(self, process: Adopted, started_utc: str, now: float) -> None:
        """Take over a process that an earlier supervisor had started; its earlier life is not counted."""
        self.process, self.start_ticks = process, process.start_ticks
        self.started, self.started_utc = now, started_utc

    def reap(self, now: float) -> int | None:
        """Give the exit code when the process has ended since the last call, and plan the next start; else None."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            self.process = None
            self.due = now + self.backoff.delay_s(now - self.started)
        return code

    def is_due(self, now: float) -> bool:
        """Whether the process is down and may be started again."""
        return self.process is None and now >= self.due

    def signal(self, number: int) -> None:
        """Send a signal to the process, if there is one that has not been reaped."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def last_lines(self, count: int = 5) -> list[str]:
        """The end of the log, for whoever asks why the process died."""
        return tail(self.log).splitlines()[-count:]


def tail(log: Path, limit_bytes: int = 8192) -> str:
    """The last `limit_bytes` of a log as text; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - limit_bytes))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def bound_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Cut a log that has grown beyond its limit to its last quarter. Writers append, so they go on after the cut."""
    try:
        if log.stat().st_size <= limit_bytes:
            return
        kept = tail(log, limit_bytes // 4).encode()
        with log.open("r+b") as file:
            file.truncate(0)
            file.write(b"... earlier lines were cut\n" + kept)
    except OSError:
        return


def stop_together(children: Sequence[Child], grace_s: float) -> list[str]:
    """Send SIGTERM to all, wait up to `grace_s`, then SIGKILL; gives the names of those that had to be killed."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    killed = []
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            killed.append(child.name)
            with suppress(subprocess.TimeoutExpired):  # a process the kernel itself will not let go of
                child.process.wait(grace_s)
        child.process = None
    return killed
