"""One at a time moves or erases payloads of a state folder: a lock that an archive run and an erasure both take."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timeball.station.recording.errors import EntryRefusedError

LOCK = "ledger.keeping"


class KeepingBusyError(EntryRefusedError):
    """Somebody else moves or erases payloads of this folder just now; nothing was done."""


@contextmanager
def keeping_lock(state: Path | None) -> Iterator[None]:
    """Hold the lock of a state folder (None: a store without a folder, which nobody else can reach).

    Raises KeepingBusyError at once when another process holds it.
    """
    if state is None:
        yield
        return
    descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeepingBusyError(f"payloads in {state} are being archived or erased just now; try again") from error
        yield
    finally:
        os.close(descriptor)
