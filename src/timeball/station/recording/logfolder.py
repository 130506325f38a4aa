"""A ledger in a folder, for offline verification: where its files are, and `ledger.verify` run over them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from timeball.ledger.bundles import MISSING, Buffer, Sizes, fill_by
from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.kernels import COMPILED
from timeball.ledger.log import MissingTileError
from timeball.ledger.note import Verifier, parse_vkey
from timeball.ledger.verify import Progress, Report, verify_log
from timeball.station.keeping.cold import PayloadBundles
from timeball.station.recording.kernels import read_files

T = TypeVar("T")
R = TypeVar("R")
_TRIES = 5
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class LogFolder:
    """`log` holds checkpoint and tiles; `payloads` is None for a bare log."""

    path: Path
    log: Path
    payloads: Path | None

    @classmethod
    def find(cls, path: Path) -> LogFolder | None:
        """A state folder or a bare log; None when there is neither."""
        for log, payloads in ((path / "ledger", path / "payloads"), (path, None)):
            if any((log / name).exists() for name in ("checkpoint", "log.vkey", "tile")):
                return cls(path, log, payloads)
        return None

    def key(self, vkey: str | None) -> Verifier:
        """The key given, or the one in the folder; raises LedgerError."""
        if vkey is not None:
            return parse_vkey(vkey)
        data = _read(f"{self.log}/log.vkey")
        if data is None:
            raise EvidenceError("log.vkey", "the folder names no key; give --key")
        try:
            return parse_vkey(data.decode())
        except UnicodeDecodeError as error:
            raise EvidenceError("log.vkey", "it is not text") from error

    def read(self, path: str) -> bytes | None:
        """A file of the log."""
        return _read(f"{self.log}/{path}")

    def read_payloads(self, path: str) -> bytes | None:
        """A payload bundle, from cold storage when it is not beside the log."""
        return None if self._bundles is None else self._bundles.read(path)

    @cached_property
    def _bundles(self) -> PayloadBundles | None:
        return None if self.payloads is None else PayloadBundles(self.payloads)

    def fill(self, paths: Sequence[str], rows: Buffer, sizes: Sizes) -> None:
        """Files of the log, into the rows of a buffer (see `ledger.bundles.Fill`)."""
        fill_files(self.log, paths, rows, sizes)

    def fill_payloads(self, paths: Sequence[str], rows: Buffer, sizes: Sizes) -> None:
        """Payload bundles, into the rows of a buffer; those in cold storage count as missing."""
        if self.payloads is None:
            sizes[:] = MISSING
        else:
            fill_files(self.payloads, paths, rows, sizes)

    def partial_tiles(self) -> Iterator[str]:
        """Paths of the partial tiles below the log, as they lie there."""
        start = len(str(self.log)) + 1
        for folder in _folders(f"{self.log}/tile"):
            if folder.endswith(".p"):
                yield from (f"{folder[start:]}/{name}" for name in _names(folder))


def verify_folder(
    folder: LogFolder, vkey: str | None, since: Path | None = None, progress: Progress | None = None
) -> Report:
    """Verify the ledger in a folder, also while it is being written; raises LedgerError."""
    log = folder.key(vkey)
    older = None if since is None else _older_head(since, log)
    payloads = None if folder.payloads is None else folder.read_payloads

    def verify() -> Report:
        return verify_log(
            folder.read,
            folder.partial_tiles(),
            log,
            payloads=payloads,
            since=older,
            progress=progress,
            spread=map_in_threads,
            fill=folder.fill,
            fill_payloads=None if payloads is None else folder.fill_payloads,
        )

    for _ in range(_TRIES):
        head = folder.read("checkpoint")
        try:
            return verify()
        except MissingTileError:
            # a partial tile may have been replaced by a wider one under a newer head
            if folder.read("checkpoint") == head:
                raise
    return verify()


def describe(folder: LogFolder, report: Report, vkey: str | None, since: Path | None) -> dict[str, object]:
    """The report as one JSON object."""
    contents = report.contents
    log = folder.key(vkey)
    return {
        "path": str(folder.path),
        "origin": report.head.origin,
        "size": report.head.size,
        "root": report.head.root.hex(),
        "key": log.vkey,
        "key_source": "folder" if vkey is None else "given",
        "since": None if since is None else _older_head(since, log).size,
        "files": report.files,
        "bytes": report.bytes_read,
        "payloads": folder.payloads is not None,
        "types": None if contents is None else dict(contents.types),
        "streams": None if contents is None else contents.streams,
        "payload_bytes": 0 if contents is None else contents.payload_bytes,
        "erased": 0 if contents is None else len(contents.erased),
        "withheld": 0 if contents is None else contents.withheld,
        "batches": 0 if contents is None else contents.batches,
        "unattested_batches": 0 if contents is None else contents.unattested_batches,
    }


def _older_head(path: Path, log: Verifier) -> Checkpoint:
    try:
        return open_checkpoint(path.read_bytes(), log)
    except LedgerError as error:
        raise EvidenceError(str(path), f"the older checkpoint: {error}") from error


def map_in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """As `map`, in threads, in order, and never more than a few results ahead of whoever takes them."""
    with ThreadPoolExecutor(_THREADS) as pool:
        ahead: deque[Future[R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > 2 * _THREADS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _folders(top: str) -> Iterator[str]:
    """`top` and every folder below it; files are passed over unseen, for a log has many."""
    yield top
    try:
        with os.scandir(top) as entries:
            below = [entry.path for entry in entries if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return  # never there, or removed since
    for folder in below:
        yield from _folders(folder)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, size + 1)
        # one read gives all of a file that nobody writes to and that is not of gigabytes
        while len(data) != size and (more := os.read(descriptor, 1 << 30)):
            data += more
        return data
    except IsADirectoryError:
        return None
    finally:
        os.close(descriptor)


def fill_files(folder: Path, paths: Sequence[str], rows: Buffer, sizes: Sizes) -> None:
    """Read files below a folder into the rows of a buffer; without Python's own lock where loops are compiled."""
    if not COMPILED:
        fill_by(lambda path: _read(f"{folder}/{path}"))(paths, rows, sizes)
        return
    names = [os.fsencode(f"{folder}/{path}") for path in paths]
    starts = np.cumsum([0, *(len(name) + 1 for name in names)])[:-1]
    read_files(np.frombuffer(b"\0".join(names) + b"\0", np.uint8), starts, rows, sizes)
