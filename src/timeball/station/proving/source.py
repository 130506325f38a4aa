"""Where a proof is made from: a ledger in a folder, or one that somebody serves over HTTP, in the layout of tlog-tiles.

Nothing that it gives is believed (see `gather`).
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from timeball.ledger.errors import TileError
from timeball.ledger.payload import parse_frame
from timeball.ledger.tiles import WIDTH, index_path
from timeball.station.proving.errors import UnreachableError
from timeball.station.publishing.errors import SourceDenied, SourceUnreachable
from timeball.station.publishing.source import Source as Served
from timeball.station.recording.ledger_reader import PayloadFiles

TIMEOUT_S = 20.0
_KEPT = 16


class Source(Protocol):
    """A ledger to read: its files, its payloads, and the names of its checkpoints, the one to prefer first."""

    name: str
    checkpoints: tuple[str, ...]

    def read(self, path: str) -> bytes | None:
        """A file of the log by its path below the log's prefix; None when there is none."""

    def payload(self, index: int) -> tuple[bytes, bytes | None]:
        """Salt and payload of an entry, empty and None when erased; raises TileError or OSError."""


class FolderSource:
    """A state folder, or a mirror in its layout."""

    checkpoints: tuple[str, ...] = ("checkpoint.cosigned", "checkpoint")

    def __init__(self, state: Path) -> None:
        self.name = str(state)
        self._ledger = state / "ledger"
        self._payloads = PayloadFiles(state / "payloads")

    def read(self, path: str) -> bytes | None:
        """A file of the log."""
        try:
            return (self._ledger / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def payload(self, index: int) -> tuple[bytes, bytes | None]:
        """Salt and payload of an entry."""
        return self._payloads.read(index)


class WebSource:
    """A ledger behind an address, as `timeball ledger serve` gives it; only what anybody may read."""

    checkpoints: tuple[str, ...] = ("checkpoint", "checkpoint.head")

    def __init__(self, base: str, timeout_s: float = TIMEOUT_S) -> None:
        try:
            self._served = Served(base, timeout_s=timeout_s)
        except ValueError as error:
            raise UnreachableError(f"{base}: {error}") from error
        self.name = self._served.url
        self._bundles: OrderedDict[int, bytes] = OrderedDict()

    def read(self, path: str) -> bytes | None:
        """A file of the log; raises `UnreachableError` for any answer but "here" and "not here"."""
        try:
            return self._served.read(path)
        except (SourceUnreachable, SourceDenied) as error:
            raise UnreachableError(str(error)) from error

    def payload(self, index: int) -> tuple[bytes, bytes | None]:
        """Salt and payload of an entry."""
        number, position = divmod(index, WIDTH)
        data = self._bundle(number)
        end = 0
        for _ in range(position + 1):
            frame = parse_frame(data, end)
            end = frame.end
        return frame.salt, frame.payload

    def _bundle(self, number: int) -> bytes:
        if number not in self._bundles:
            path = index_path(number)
            try:
                data = self._served.payloads(path)
            except (SourceUnreachable, SourceDenied) as error:
                raise UnreachableError(str(error)) from error
            if data is None:
                raise TileError(f"{self.name}/payloads/{path}: no payloads here")
            self._bundles[number] = data
            if len(self._bundles) > _KEPT:
                self._bundles.popitem(last=False)
        return self._bundles[number]
