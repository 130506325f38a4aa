"""A ledger in a folder, for offline verification: where its files are, and `ledger.verify` run over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.log import MissingTileError
from timeball.ledger.note import Verifier, parse_vkey
from timeball.ledger.verify import Progress, Report, verify_log

_TRIES = 5


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
        data = _read(self.log / "log.vkey")
        if data is None:
            raise EvidenceError("log.vkey", "the folder names no key; give --key")
        try:
            return parse_vkey(data.decode())
        except UnicodeDecodeError as error:
            raise EvidenceError("log.vkey", "it is not text") from error

    def read(self, path: str) -> bytes | None:
        """A file of the log."""
        return _read(self.log / path)

    def read_payloads(self, path: str) -> bytes | None:
        """A payload bundle."""
        return None if self.payloads is None else _read(self.payloads / path)

    def present(self) -> Iterator[str]:
        """Paths of the files below the log, as they lie there."""
        for folder, _, names in os.walk(self.log):
            relative = os.path.relpath(folder, self.log).replace(os.sep, "/")
            for name in names:
                yield name if relative == "." else f"{relative}/{name}"


def verify_folder(
    folder: LogFolder, vkey: str | None, since: Path | None = None, progress: Progress | None = None
) -> Report:
    """Verify the ledger in a folder, also while it is being written; raises LedgerError."""
    log = folder.key(vkey)
    older = None if since is None else _older_head(since, log)
    payloads = None if folder.payloads is None else folder.read_payloads
    for _ in range(_TRIES):
        head = folder.read("checkpoint")
        try:
            return verify_log(folder.read, folder.present(), log, payloads=payloads, since=older, progress=progress)
        except MissingTileError:
            # a partial tile may have been replaced by a wider one under a newer head
            if folder.read("checkpoint") == head:
                raise
    return verify_log(folder.read, folder.present(), log, payloads=payloads, since=older, progress=progress)


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
        "batches": 0 if contents is None else contents.batches,
        "unattested_batches": 0 if contents is None else contents.unattested_batches,
    }


def _older_head(path: Path, log: Verifier) -> Checkpoint:
    try:
        return open_checkpoint(path.read_bytes(), log)
    except LedgerError as error:
        raise EvidenceError(str(path), f"the older checkpoint: {error}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
