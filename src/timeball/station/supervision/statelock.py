"""One station a state folder: the lock of the supervisor, and the look whether anybody holds it.

The lock is an flock, so the kernel drops it with its holder and a stale file is no obstacle. It does not protect
against somebody who writes into the folder by other means; the ledger's signatures do.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from timeball.station.paths import lock_file

TRY_FOR_S = 1.0
"""A look at the lock shares it for some microseconds; a supervisor tries for longer than any look lasts."""


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
        deadline = time.monotonic() + TRY_FOR_S
        while not _taken(self._fd, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
                os.close(self._fd)
                raise StateInUseError(f"a station already runs on {self._state} (process {holder or 'unknown'})")
            time.sleep(0.005)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def is_supervised(state: Path) -> bool:
    """Whether somebody holds the lock of a state folder; false as well when there is no lock to hold.

    The look is a shared lock on a descriptor of its own, given back at once: looks do not hinder each other, and a
    supervisor that meets one tries again.
    """
    try:
        fd = os.open(lock_file(state), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _taken(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def _taken(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
