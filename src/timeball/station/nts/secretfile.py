"""Writing a secret: its owner alone can read it, no reader sees half of it, and a power cut leaves a whole one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from timeball.station.supervision.files import sync_folder

SECRET_MODE = 0o600
FOLDER_MODE = 0o700


Owner = tuple[int, int]
"""User and group by number."""


def write_secret(path: Path, data: bytes, owner: Owner | None = None) -> None:
    """Replace a file durably: never readable by others, not even while it is written. Raises OSError, the old kept.

    `owner`: to whom root gives it; without it, whoever writes keeps it.
    """
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        _write_new(fresh, data, owner)
        fresh.replace(path)
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write_new(path: Path, data: bytes, owner: Owner | None) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, SECRET_MODE)
    with os.fdopen(descriptor, "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), *owner)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
