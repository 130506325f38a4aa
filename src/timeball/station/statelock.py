"""One station a state folder: the lock of the supervisor, and the end of what an earlier supervisor left behind.

The lock is an flock, so the kernel drops it with its holder and a stale file is no obstacle. It does not protect
against somebody who writes into the folder by other means; the ledger's signatures do.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from timeball.station.paths import lock_file, processes_file


class StateInUseError(OSError):
    """Another station runs on this state folder."""


class StateLock:
    """Holds the lock of a state folder as long as the context lasts; raises `StateInUseError` when it is taken."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._fd = -1

    def __enter__(self) -> StateLock:
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(lock_file(self._state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StateInUseError(f"a station already runs on {self._state} (process {holder or 'unknown'})") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def end_leftovers(state: Path, grace_s: float = 3.0) -> list[str]:
    """End the processes of an earlier supervisor that was killed and that outlived it (a stopped process does).

    Call it only while the lock is held. A process counts as left over when the process table of the earlier run
    names its id and its command line still names this state folder. Gives the names of those that had to be killed.
    """
    try:
        listed = json.loads(processes_file(state).read_bytes())
        left = {int(row["pid"]): str(row["name"]) for row in listed if row["pid"] and row["name"] != "supervisor"}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    deadline = time.monotonic() + grace_s
    while any(_is_ours(pid, state) for pid in left) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed = [pid for pid in left if _is_ours(pid, state)]
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(_is_ours(pid, state) for pid in killed) and time.monotonic() < deadline + grace_s:
        time.sleep(0.02)
    return [left[pid] for pid in killed]


def _is_ours(pid: int, state: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(state) in words
