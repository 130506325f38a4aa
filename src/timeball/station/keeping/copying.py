"""Copying what a signed head covers from one folder to another, while the first may be growing, and nothing beyond.

The head is read first and written last, so a copy that is cut short still has its old head, and with a new one
everything under it is there. What is there already is not copied again: a copy brought up to date costs what is new.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import EvidenceError, LedgerError, TileError
from timeball.ledger.log import MissingTileError, TiledLog
from timeball.ledger.merkle import range_root
from timeball.ledger.note import NoteKey
from timeball.ledger.payload import parse_frame
from timeball.ledger.tiles import WIDTH, TilePath, index_path
from timeball.station.keeping.cold import COLD, open_cold
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.recording.integration import LEDGER, PAYLOADS
from timeball.station.supervision.files import write_atomically

CHECKPOINT = "checkpoint"
VKEY = "log.vkey"
_TRIES = 20
Progress = Callable[[int, int], None]


def read_head(folder: Path, log: NoteKey) -> Checkpoint:
    """The signed head of a state folder, a backup or a mirror; raises EvidenceError."""
    return _read_head(folder, log)[1]


def _read_head(folder: Path, log: NoteKey) -> tuple[bytes, Checkpoint]:
    try:
        data = (folder / LEDGER / CHECKPOINT).read_bytes()
        return data, open_checkpoint(data, log)
    except FileNotFoundError as error:
        raise EvidenceError(f"{LEDGER}/{CHECKPOINT}", f"the file is missing in {folder}") from error
    except LedgerError as error:
        raise EvidenceError(f"{LEDGER}/{CHECKPOINT}", str(error)) from error


def root_at(folder: Path, size: int, ours: int) -> bytes:
    """The root of the first `size` entries of the log of `ours` entries in a folder; raises EvidenceError."""
    return range_root(0, size, tiled_log(folder, ours).node)


def tiled_log(folder: Path, size: int) -> TiledLog:
    """The tiles in a folder."""
    return TiledLog(lambda path: _read(folder / LEDGER / path), size)


def copy_ledger(source: Path, target: Path, log: NoteKey, progress: Progress | None = None) -> Checkpoint:
    """Bring `target` up to the newest head of `source`; gives that head. Raises EvidenceError and OSError."""
    for attempt in range(_TRIES):
        data, head = _read_head(source, log)
        try:
            _copy_under(source, target, head, progress)
        except MissingTileError:
            # replaced by a wider one under a newer head
            if attempt == _TRIES - 1 or (source / LEDGER / CHECKPOINT).read_bytes() == data:
                raise
            continue
        break
    write_atomically(target / LEDGER / VKEY, log.vkey.encode() + b"\n")
    # what the head covers is durable before the head is
    os.sync()
    old_size = _size(target, log)
    write_atomically(target / LEDGER / CHECKPOINT, data, durable=True)
    drop_partial_tiles(target, old_size, head.size)
    return head


def drop_partial_tiles(folder: Path, old_size: int, size: int) -> None:
    """Remove partial tiles whose complete tile a head of `size` covers and one of `old_size` did not."""
    for level in (None, *range(8)):
        shift = 8 * (level or 0)
        for index in range((old_size >> shift) // WIDTH, (size >> shift) // WIDTH):
            shutil.rmtree(folder / LEDGER / f"{TilePath(level, index)}.p", ignore_errors=True)


def _size(folder: Path, log: NoteKey) -> int:
    try:
        return read_head(folder, log).size
    except EvidenceError:
        return 0


def _copy_under(source: Path, target: Path, head: Checkpoint, progress: Progress | None) -> None:
    tiles = tiled_log(source, head.size)
    # before payloads that were moved there are removed
    _copy_file(source / PAYLOADS / COLD, target / PAYLOADS / COLD)
    bundles = (head.size + WIDTH - 1) // WIDTH
    for number in range(bundles):
        _copy_tile(tiles, target, tiles.tile_path(None, number))
        _copy_payloads(source, target, number, min(WIDTH, head.size - number * WIDTH))
        if progress:
            progress(min(head.size, (number + 1) * WIDTH), head.size)
    level = 0
    while count := head.size >> (8 * level):
        for number in range((count + WIDTH - 1) // WIDTH):
            _copy_tile(tiles, target, tiles.tile_path(level, number))
        level += 1


def _copy_tile(tiles: TiledLog, target: Path, path: TilePath) -> None:
    to = target / LEDGER / str(path)
    if path.width < WIDTH or not to.exists():
        _write(to, tiles.read_tile(path))


def _copy_payloads(source: Path, target: Path, number: int, width: int) -> None:
    """A payload bundle, as far as the head covers it; one in cold storage is backed up there and not here."""
    origin, to = source / PAYLOADS / index_path(number), target / PAYLOADS / index_path(number)
    try:
        status = origin.stat()
    except FileNotFoundError as error:
        # what is lost and not moved may have its last copy in the target; so it stays, too, when nobody can look
        with suppress(ColdStorageError):
            if not _is_in_cold(source, number):
                raise EvidenceError(f"{PAYLOADS}/{index_path(number)}", f"the file is missing in {source}") from error
            to.unlink(missing_ok=True)
        return
    # an erased payload keeps its length, so the file's time decides
    if width == WIDTH and _is_same(to, status):
        return
    data = origin.read_bytes()
    end = 0
    try:
        for _ in range(width):
            end = parse_frame(data, end).end
    except TileError as error:
        raise EvidenceError(f"{PAYLOADS}/{index_path(number)}", str(error), None, end) from error
    _write(to, data[:end])
    os.utime(to, ns=(status.st_mtime_ns, status.st_mtime_ns))


def _is_in_cold(source: Path, number: int) -> bool:
    cold = open_cold(source / PAYLOADS)
    return cold is not None and cold.find(number) is not None


def _is_same(path: Path, status: os.stat_result) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (there.st_size, there.st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def _copy_file(origin: Path, to: Path) -> None:
    data = _read(origin)
    if data is not None:
        _write(to, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # a new file counts only under the new head; one that the old head covers must not be torn
    write_atomically(path, data, durable=path.exists())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
