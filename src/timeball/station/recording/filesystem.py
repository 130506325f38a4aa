"""The few operations the store needs of a disk, with what each promises when the power fails, and the real disk.

Paths are relative to one root, with forward slashes. Nothing is durable until the operation that says so:

- `write_at` makes bytes readable, not durable; after a crash any part of them may be there or not.
- `sync` returns when the content of a file, its length included, survives a power cut. The file's *name* may not.
- `sync_dir` returns when every creation, rename and unlink in a directory survives. Before that each may be undone.
- `make_dirs` and `lock` are durable, or meaningless after a crash, on return.

Every operation may raise OSError, and then may have happened, in part or whole, or not.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol, TypeVar

_T = TypeVar("_T")
_AT_ONCE = 8
_KEPT_OPEN = 16


class FileSystem(Protocol):
    """A root folder on a disk. The store uses nothing else."""

    def read(self, path: str) -> bytes | None:
        """Give the whole content of a file, None when there is no such file."""

    def write_at(self, path: str, offset: int, data: bytes | memoryview) -> None:
        """Write all of `data` at `offset`, creating the file when missing; the rest of the file stays."""

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes, creating it when missing. Not durable."""

    def sync(self, path: str) -> None:
        """Make the content and length of a file durable."""

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """Do `sync` for each file, then `sync_dir` for each folder; on return all of them are durable."""

    def rename(self, old: str, new: str) -> None:
        """Move a file over another of the same directory, atomically. Not durable."""

    def unlink(self, path: str) -> None:
        """Remove a file; a missing one is fine. Not durable."""

    def remove_dir(self, path: str) -> None:
        """Remove an empty directory; a missing one, or one that is not empty, is left. Not durable."""

    def list(self, path: str) -> list[str]:
        """Names in a directory, sorted; empty when there is no such directory."""

    def make_dirs(self, path: str) -> None:
        """Make a directory and its parents, durably."""

    def sync_dir(self, path: str) -> None:
        """Make the names in a directory durable."""

    def lock(self, path: str) -> None:
        """Take the exclusive lock of this root until `close`; raises BlockingIOError when another holds it."""

    def close(self) -> None:
        """Release the lock and what else is open."""


class OSFileSystem:
    """The real disk below `root`. Files written again and again (the journal) are kept open."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._open: dict[str, int] = {}
        self._made: set[str] = set()
        self._lock: int | None = None
        self._workers: ThreadPoolExecutor | None = None

    def read(self, path: str) -> bytes | None:
        """See FileSystem."""
        try:
            with open(self._full(path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_at(self, path: str, offset: int, data: bytes | memoryview) -> None:
        """See FileSystem."""
        descriptor = self._descriptor(path)
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def truncate(self, path: str, size: int) -> None:
        """See FileSystem."""
        os.ftruncate(self._descriptor(path), size)

    def sync(self, path: str) -> None:
        """See FileSystem."""
        os.fdatasync(self._descriptor(path))

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """See FileSystem. Several at a time, because the disk then writes its own journal once for all of them."""
        for start in range(0, len(files), _AT_ONCE):
            self._each(os.fdatasync, [self._descriptor(path) for path in files[start : start + _AT_ONCE]])
        self._each(self.sync_dir, folders)

    def rename(self, old: str, new: str) -> None:
        """See FileSystem."""
        self._forget(old)
        self._forget(new)
        os.rename(self._full(old), self._full(new))

    def unlink(self, path: str) -> None:
        """See FileSystem."""
        self._forget(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._full(path))

    def remove_dir(self, path: str) -> None:
        """See FileSystem."""
        self._made.discard(path)
        with contextlib.suppress(OSError):
            os.rmdir(self._full(path))

    def list(self, path: str) -> list[str]:
        """See FileSystem."""
        try:
            return sorted(os.listdir(self._full(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def make_dirs(self, path: str) -> None:
        """See FileSystem."""
        # one that an earlier life made may be there and yet not be durable
        if not path or path in self._made:
            return
        parent = os.path.dirname(path)
        self.make_dirs(parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._full(path), 0o755)
        self.sync_dir(parent)
        self._made.add(path)

    def sync_dir(self, path: str) -> None:
        """See FileSystem."""
        descriptor = os.open(self._full(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, path: str) -> None:
        """See FileSystem."""
        descriptor = os.open(self._full(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._lock = descriptor

    def close(self) -> None:
        """See FileSystem."""
        for path in list(self._open):
            self._forget(path)
        if self._workers is not None:
            self._workers.shutdown()
            self._workers = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path)

    def _each(self, act: Callable[[_T], None], items: Sequence[_T]) -> None:
        if len(items) < 2:
            for item in items:
                act(item)
            return
        if self._workers is None:
            self._workers = ThreadPoolExecutor(_AT_ONCE, "sync")
        # all of them are over before the first that failed is raised: no descriptor may be closed under one
        for done in wait([self._workers.submit(act, item) for item in items]).done:
            done.result()

    def _descriptor(self, path: str) -> int:
        found = self._open.pop(path, None)
        if found is None:
            if len(self._open) >= _KEPT_OPEN:
                self._forget(next(iter(self._open)))
            found = os.open(self._full(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # the one used last stands last
        self._open[path] = found
        return found

    def _forget(self, path: str) -> None:
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


def replace(fs: FileSystem, path: str, data: bytes) -> None:
    """Put `data` in place of a file durably, so that after a crash the old or the new content is there, whole."""
    temporary = path + ".tmp"
    fs.truncate(temporary, 0)
    fs.write_at(temporary, 0, data)
    fs.sync(temporary)
    fs.rename(temporary, path)
    fs.sync_dir(path.rpartition("/")[0])
