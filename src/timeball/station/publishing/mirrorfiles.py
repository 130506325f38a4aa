"""The folder of a mirror: the layout of a state folder, written so that it is whole after a crash at any moment.

Files beyond the stored head mean nothing until the head that covers them is stored, last and atomically.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from timeball.ledger.tiles import TilePath, index_path
from timeball.station.keeping.copying import drop_partial_tiles
from timeball.station.supervision.files import sync_folder

HEAD = "ledger/checkpoint"
KEY = "ledger/log.vkey"
EVIDENCE = "evidence"
MAX_EVIDENCE = 64


class MirrorFiles:
    """Reads and writes below `folder`; what is written is durable after `sync`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unsynced: set[Path] = set()

    def read(self, name: str) -> bytes | None:
        """A file, None when there is none."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """Put a file in its place, whole; its content is durable, its name after `sync`."""
        path = self.folder / name
        if not path.parent.is_dir():
            self._make(path.parent)
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        temporary.replace(path)
        self._unsynced.add(path.parent)

    def write_tile(self, path: TilePath, data: bytes) -> None:
        """Put a tile in its place."""
        self.write(f"ledger/{path}", data)

    def write_payloads(self, number: int, data: bytes) -> None:
        """Put a payload bundle in its place."""
        self.write(f"payloads/{index_path(number)}", data)

    def read_payloads(self, number: int) -> bytes | None:
        """A payload bundle."""
        return self.read(f"payloads/{index_path(number)}")

    def sync(self) -> None:
        """Make every name written so far durable."""
        for folder in self._unsynced:
            sync_folder(folder)
        self._unsynced.clear()

    def drop_partial(self, old_size: int, size: int) -> None:
        """Remove partial tiles whose complete tile a head of `size` covers and one of `old_size` did not."""
        drop_partial_tiles(self.folder, old_size, size)

    def keep_evidence(self, name: str, files: Mapping[str, bytes]) -> Path:
        """Keep files under `evidence/NAME`, durably; what is kept there is never written again. Gives the folder.

        A log's key can sign contradictions without end: beyond 64 of them nothing more is kept.
        """
        every = self.folder / EVIDENCE
        folder = every / name
        if not folder.exists() and every.is_dir() and len(list(every.iterdir())) >= MAX_EVIDENCE:
            return every
        for file, data in files.items():
            if not (folder / file).exists():  # what a crash or a full disk left out before is added
                self.write(f"{EVIDENCE}/{name}/{file}", data)
        self.sync()
        return folder

    def _make(self, folder: Path) -> None:
        if not folder.parent.is_dir():
            self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        self._unsynced.add(folder.parent)


def name_of_evidence(served: bytes) -> str:
    """A name for what was served, the same whenever the same is served again."""
    return hashlib.sha256(served).hexdigest()[:16]
