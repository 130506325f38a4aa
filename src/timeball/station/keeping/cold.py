"""Cold storage: a folder of parts that hold payload bundles no longer beside the ledger, and where that folder is.

A part is two files, `FIRST-LAST[.gN].entries.parquet` and `….readings.parquet`; it counts once the first is there, and
the highest generation N of a range is the one that counts. `STATE/payloads/cold` names the folder. Whoever reads
payloads here gets the bytes of the bundle as they once lay beside the ledger, and checks them as he always does.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timeball.ledger.errors import TileError
from timeball.ledger.tiles import parse_index_path
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.recording.filesystem import FileSystem, OSFileSystem

if TYPE_CHECKING:
    from timeball.station.keeping.parts import PartReader

COLD = "cold"
ENTRIES = "entries"
READINGS = "readings"
_OPEN_PARTS = 4
_NAME = re.compile(r"(\d{12})-(\d{12})(?:\.g([1-9]\d{0,8}))?\.(entries|readings)\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Bundles `first` to `last`; an erasure replaces a part by one of the next `generation`."""

    first: int
    last: int
    generation: int = 0

    def file(self, kind: str) -> str:
        """The name of one of its two files."""
        generation = f".g{self.generation}" if self.generation else ""
        return f"{self.first:012d}-{self.last:012d}{generation}.{kind}.parquet"

    def next(self) -> Part:
        """The same bundles, written anew."""
        return Part(self.first, self.last, self.generation + 1)


def parse_name(name: str, kind: str = ENTRIES) -> Part | None:
    """The part whose file of this kind has this name, None for other names."""
    match = _NAME.fullmatch(name)
    return Part(int(match[1]), int(match[2]), int(match[3] or 0)) if match and match[4] == kind else None


class ColdStorage:
    """The parts in a folder. Remembers the parts read last; may be read from several threads."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs
        self._lock = threading.Lock()
        self._parts: list[Part] = []
        self._open: OrderedDict[Part, PartReader] = OrderedDict()

    def parts(self, *, all_generations: bool = False) -> list[Part]:
        """What is there now, by its first bundle: of each range the newest generation, or all of them."""
        found = sorted(part for name in self._fs.list("") if (part := parse_name(name)))
        if all_generations:
            return found
        return sorted({(part.first, part.last): part for part in found}.values())

    def find(self, number: int) -> Part | None:
        """The part that holds bundle `number`."""
        return next((part for part in self.parts() if part.first <= number <= part.last), None)

    def read_bundle(self, number: int) -> bytes | None:
        """Payload bundle `number`, None when no part holds it; raises ColdStorageError."""
        with self._lock:
            for _ in range(2):
                part = next((part for part in self._parts if part.first <= number <= part.last), None)
                data = None if part is None else self._read(part, number)
                if data is not None:
                    return data
                # an archive run or an erasure may have added a part, or put another generation in its place
                self._parts = self.parts()
                self._open.clear()
            return None

    def _read(self, part: Part, number: int) -> bytes | None:
        if part not in self._open:
            entries, readings = (self._fs.read(part.file(kind)) for kind in (ENTRIES, READINGS))
            if entries is None or readings is None:
                return None
            # here, so that a ledger without cold storage needs no Parquet
            from timeball.station.keeping.parts import PartReader

            self._open[part] = PartReader(part.file(ENTRIES), entries, readings)
            if len(self._open) > _OPEN_PARTS:
                self._open.popitem(last=False)
        return self._open[part].bundle(number)


class PayloadBundles:
    """Payload bundles of a state folder or a mirror, by path: beside the ledger, or else from cold storage."""

    def __init__(self, payloads: Path) -> None:
        self._payloads = payloads
        self._cold: ColdStorage | None = None

    def read(self, path: str) -> bytes | None:
        """The bytes of a bundle, None when it is nowhere; raises ColdStorageError."""
        found = _read_file(self._payloads / path)
        if found is None:
            found = self._read_cold(path)
        # moved away, or put back, between the two looks
        return _read_file(self._payloads / path) if found is None else found

    def _read_cold(self, path: str) -> bytes | None:
        if self._cold is None:
            self._cold = open_cold(self._payloads)
        if self._cold is None:
            return None
        try:
            number = parse_index_path(path)
        except TileError:
            return None
        return self._cold.read_bundle(number)


def read_payload_bundle(payloads: Path, path: str) -> bytes | None:
    """One payload bundle from wherever it is; for many of them keep a `PayloadBundles`."""
    return PayloadBundles(payloads).read(path)


def cold_folder(payloads: Path) -> Path | None:
    """Where the cold storage of these payloads is, None when they have none; raises ColdStorageError."""
    data = _read_file(payloads / COLD)
    if data is None:
        return None
    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    folder = payloads.parent / text
    if not text or not folder.is_dir():
        reason = f"cold storage is not at {folder}: bring it back, or write in this file where it is"
        raise ColdStorageError(f"payloads/{COLD}", reason)
    return folder


def open_cold(payloads: Path) -> ColdStorage | None:
    """The cold storage of these payloads, None when they have none; raises ColdStorageError."""
    folder = cold_folder(payloads)
    return None if folder is None else ColdStorage(OSFileSystem(folder))


def _read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
