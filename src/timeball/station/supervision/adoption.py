"""The processes of a station whose supervisor was killed: which still run, which of them may be taken over.

A process is known by its number together with its start time (proc(5), stat field 22), so a number that was given to
somebody else misleads nobody. Whether to take over or to end them is the supervisor's decision.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeball.station.paths import processes_file

EXIT_UNKNOWN = 256
"""In place of the exit code of a process that another supervisor had started: only the parent is told."""
POLL_S = 0.02


class Adopted:
    """A running process that this one did not start, with the words of `subprocess.Popen`.

    It is watched through a descriptor of the process (pidfd_open(2)), which cannot come to mean another one; where the
    kernel has none, through its start time.
    """

    _fd: int | None = None

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when it has ended."""
        self.pid = pid
        self._fd = _pidfd(pid)
        ticks = start_ticks(pid)
        if ticks is None:
            self.close()
            raise ProcessLookupError(pid)
        self.start_ticks = ticks

    def poll(self) -> int | None:
        """None while it runs, then `EXIT_UNKNOWN`."""
        return None if self._runs(0.0) else EXIT_UNKNOWN

    def wait(self, timeout: float) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        deadline = time.monotonic() + timeout
        while self._runs(max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return EXIT_UNKNOWN

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)
            elif start_ticks(self.pid) == self.start_ticks:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of it; it goes on running."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __del__(self) -> None:
        self.close()

    def _runs(self, patience_s: float) -> bool:
        if self._fd is not None:
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            return not poll.poll(patience_s * 1e3)
        if start_ticks(self.pid) != self.start_ticks:
            return False
        time.sleep(min(POLL_S, patience_s))
        return True


@dataclass(frozen=True)
class Found:
    """A process of an earlier run. `ours`: it is recorded, and its command line is the one it would be given now."""

    name: str
    process: Adopted
    ours: bool


@dataclass(frozen=True)
class Listed:
    """What the earlier run recorded of one process; what it did not record is None."""

    pid: int | None
    start_ticks: int | None
    restarts: int
    started: str


def read_table(state: Path) -> tuple[dict[str, Listed], str]:
    """What the earlier run recorded, by name, and the version of its software; nothing when that is damaged."""
    try:
        rows: list[dict[str, Any]] = json.loads(processes_file(state).read_bytes())
        version = next((str(row["version"]) for row in rows if row["name"] == "supervisor"), "")
        return {str(row["name"]): _listed(row) for row in rows if row["name"] != "supervisor"}, version
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, ""


def find_running(state: Path, commands: Mapping[str, Sequence[str]], table: Mapping[str, Listed]) -> list[Found]:
    """The processes of earlier runs on this state folder. Call it only while the lock is held.

    Recorded ones are found by their number. One that was started in the last moment before its supervisor died is not
    recorded; it is found by its command line, and is not `ours`.
    """
    names = {tuple(command): name for name, command in commands.items()}
    listed = {row.pid: name for name, row in table.items() if row.pid}
    found = []
    for pid in _own_pids():
        if tuple(command_of(pid)) not in names and pid not in listed:
            continue
        with suppress(ProcessLookupError):
            process = Adopted(pid)
            words, name = command_of(pid), listed.get(pid, "")
            ticks = table[name].start_ticks if name else None
            if tuple(words) in names:
                ours = words == list(commands.get(name, ())) and ticks == process.start_ticks
                found.append(Found(name if ours else names[tuple(words)], process, ours))
            elif name and str(state) in words and ticks in (None, process.start_ticks):
                found.append(Found(name, process, ours=False))
    return found


def start_ticks(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None when it has ended (a zombie has)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def command_of(pid: int) -> list[str]:
    """The command line of a process; empty when it has none or has ended."""
    try:
        return [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
    except OSError:
        return []


def _listed(row: Mapping[str, Any]) -> Listed:
    ticks = row.get("start_ticks")
    return Listed(
        None if row["pid"] is None else int(row["pid"]),
        None if ticks is None else int(ticks),
        int(row.get("restarts", 0)),
        str(row.get("started", "")),
    )


def _own_pids() -> list[int]:
    """The processes of this user, without this one."""
    user, pids = os.geteuid(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if entry.stat().st_uid == user:
                    pids.append(int(entry.name))
    return pids


def _pidfd(pid: int) -> int | None:
    """A descriptor of a process; None where the kernel gives none. Raises ProcessLookupError when it has ended."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (OSError, AttributeError):
        return None
