"""The files of a ledger as they may be served: what the newest head covers, found without following any link.

Paths are parsed, never joined as they came. It does not verify: whoever fetches does.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.errors import LedgerError
from timeball.ledger.log import TiledLog
from timeball.ledger.note import parse_note
from timeball.ledger.tiles import TilePath, index_path, parse_bundle, split_tile, tile_width, write_bundle
from timeball.station.keeping.cold import open_cold

COSIGNED = "checkpoint.cosigned"
NEWEST = "checkpoint"
KEY = "log.vkey"
# also a link (ELOOP) or a socket (ENXIO) in the place of a file
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})


class Served(NamedTuple):
    """A file's bytes and when it was last changed (POSIX s)."""

    data: bytes
    modified_s: float


class LedgerFiles:
    """Reads below a state folder; every method gives None for what is not there, and raises OSError otherwise.

    A disk or a process that cannot read now must not look like a log that holds less: mirrors would believe it.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def head(self) -> Served | None:
        """The newest cosigned head; the recorder's own where nobody cosigns."""
        return self.log_file(COSIGNED) or self.log_file(NEWEST)

    def newest(self) -> Checkpoint | None:
        """The recorder's newest head, as it says."""
        served = self.log_file(NEWEST)
        if served is None:
            return None
        with suppress(LedgerError):
            return parse_checkpoint_text(parse_note(served.data).text)
        return None

    def log_file(self, name: str) -> Served | None:
        """A file in the log's own folder."""
        return self._read(("ledger", name))

    def tile(self, path: TilePath) -> Served | None:
        """A tile that the newest head covers; a partial one also out of a wider one."""
        head = self.newest()
        if head is None or path.width > tile_width(path.level or 0, path.index, head.size):
            return None
        modified = [0.0]

        def read(name: str) -> bytes | None:
            served = self._read(("ledger", *name.split("/")))
            if served is None:
                return None
            modified[0] = served.modified_s
            return served.data

        log = TiledLog(read, head.size)
        try:
            return Served(log.read_tile(path), modified[0])
        except LedgerError:
            pass
        wider = log.tile_path(path.level, path.index)
        try:
            return Served(_front(log.read_tile(wider), path, wider.width), modified[0])
        except LedgerError:
            return None

    def payloads(self, number: int) -> tuple[list[bytes], Served] | None:
        """The entries of bundle `number` under the newest head, and its payload file, which may hold more frames.

        Bundles that were moved away come from cold storage; raises ColdStorageError when that cannot be read.
        """
        head = self.newest()
        width = 0 if head is None else tile_width(0, number, head.size)
        bundle = self.tile(TilePath(None, number, width)) if width else None
        found = None if bundle is None else self._read(("payloads", *index_path(number).split("/")))
        if bundle is not None and found is None:
            found = self._from_cold(number)
        if bundle is None or found is None:
            return None
        return parse_bundle(bundle.data, width), found

    def _from_cold(self, number: int) -> Served | None:
        cold = open_cold(self._state / "payloads")
        data = None if cold is None else cold.read_bundle(number)
        return None if data is None else Served(data, 0.0)

    def _read(self, parts: tuple[str, ...]) -> Served | None:
        try:
            folder = os.open(self._state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return None
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                os.close(folder)
                folder = inner
            descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return None
        finally:
            os.close(folder)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            return Served(file.read(), status.st_mtime) if stat.S_ISREG(status.st_mode) else None


def _front(data: bytes, path: TilePath, width: int) -> bytes:
    """A narrower tile out of one of `width`; raises TileError."""
    if path.level is None:
        return write_bundle(parse_bundle(data, width)[: path.width])
    return b"".join(split_tile(data, width)[: path.width])
