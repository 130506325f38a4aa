"""A disk in memory that forgets what was not made durable, breaks steps on order, and fills up.

It has the operations of the station's `recording.filesystem.FileSystem` and keeps two truths: what processes see, and
what a power cut would leave. Between syncs every single write, length change, creation, rename and removal is undone or
kept at random at a crash, each for itself, which is more than any real file system does. A sync that fails without
storing loses the data for good although processes still see it, as Linux page writeback does. Nothing here touches a
real disk.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

NOT_STORED = "failed and not stored"
STORED = "failed but stored"
_PAGE = 4096
Fault = tuple[str, int]


@dataclass(eq=False)
class _File:
    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass
class SimulatedDisk:
    """`faults` maps the number of a changing step (from 0) to how it breaks and with which errno.

    `capacity` bounds the bytes that processes see (None: no bound). `observe` is called after every changing step.
    `broken` counts what was broken: operation, path, how. It goes on over crashes.
    """

    faults: dict[int, Fault] = field(default_factory=dict)
    capacity: int | None = None
    observe: Callable[[SimulatedDisk], None] | None = None
    steps: int = 0
    broken: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _seen: dict[str, _File] = field(default_factory=dict)
    _durable: dict[str, _File] = field(default_factory=dict)
    _names: list[tuple[str, str, _File | None]] = field(default_factory=list)
    _locked: bool = False

    def read(self, path: str) -> bytes | None:
        """What processes see."""
        found = self._seen.get(path)
        return None if found is None else bytes(found.seen)

    def write_at(self, path: str, offset: int, data: bytes | memoryview) -> None:
        """Write pages one by one, so that a full disk or a crash may leave some of them."""
        file = self._make(path)

        def act() -> None:
            for start in range(0, len(data), _PAGE):
                self._write_page(file, offset + start, bytes(data[start : start + _PAGE]))

        self._step("write", path, act)

    def truncate(self, path: str, size: int) -> None:
        """Set the length."""
        file = self._make(path)

        def act() -> None:
            _resize(file.seen, size)
            file.unsynced.append((size, None))

        self._step("truncate", path, act)

    def sync(self, path: str) -> None:
        """Make content durable; when this fails unstored, the unsynced writes will never be."""
        file = self._seen[path]

        def act() -> None:
            for offset, data in file.unsynced:
                _apply(file.durable, offset, data)
            file.unsynced.clear()

        self._step("sync", path, act, file.unsynced.clear)

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """One after the other: each is a step of its own."""
        for path in files:
            self.sync(path)
        for folder in folders:
            self.sync_dir(folder)

    def rename(self, old: str, new: str) -> None:
        """Move a file over another."""

        def act() -> None:
            file = self._seen.pop(old)
            self._seen[new] = file
            self._names.append((old, new, file))

        self._step("rename", new, act)

    def unlink(self, path: str) -> None:
        """Remove a file."""

        def act() -> None:
            if self._seen.pop(path, None) is not None:
                self._names.append((path, "", None))

        self._step("unlink", path, act)

    def remove_dir(self, path: str) -> None:
        """Directories exist by their files."""

    def list(self, path: str) -> list[str]:
        """Names below a directory."""
        prefix = path + "/" if path else ""
        return sorted({name[len(prefix) :].split("/")[0] for name in self._seen if name.startswith(prefix)})

    def make_dirs(self, path: str) -> None:
        """Directories exist by their files."""

    def sync_dir(self, path: str) -> None:
        """Make the names of one directory durable."""

        def act() -> None:
            rest = []
            for change in self._names:
                if (change[1] or change[0]).rpartition("/")[0] == path:
                    self._rename_durably(*change)
                else:
                    rest.append(change)
            self._names[:] = rest

        self._step("sync_dir", path, act)

    def lock(self, path: str) -> None:
        """One holder until close or crash."""
        if self._locked:
            raise BlockingIOError(errno.EWOULDBLOCK, f"{path} is locked")
        self._locked = True

    def close(self) -> None:
        """Release the lock."""
        self._locked = False

    def crash(self, rng: np.random.Generator, kept: float) -> Self:
        """The disk after a power cut: durable, and of the rest each change with probability `kept`. Faults are over."""
        for change in self._names:
            if rng.random() < kept:
                self._rename_durably(*change)
        for file in {id(file): file for file in (*self._seen.values(), *self._durable.values())}.values():
            for offset, data in file.unsynced:
                if rng.random() < kept:
                    _apply(file.durable, offset, data)
        after = type(self)(capacity=self.capacity, observe=self.observe, broken=self.broken)
        for path, file in self._durable.items():
            after._seen[path] = after._durable[path] = _File(bytearray(file.durable), bytearray(file.durable))
        return after

    def used(self) -> int:
        """Bytes that processes see."""
        return sum(len(file.seen) for file in self._seen.values())

    def files(self) -> dict[str, bytes]:
        """All files that processes see."""
        return {path: bytes(file.seen) for path, file in self._seen.items()}

    def _make(self, path: str) -> _File:
        if path not in self._seen:
            self._seen[path] = _File()
            self._names.append(("", path, self._seen[path]))
        return self._seen[path]

    def _write_page(self, file: _File, offset: int, data: bytes) -> None:
        growth = max(0, offset + len(data) - len(file.seen))
        if self.capacity is not None and growth and self.used() + growth > self.capacity:
            raise OSError(errno.ENOSPC, "No space left on device")
        _apply(file.seen, offset, data)
        file.unsynced.append((offset, data))

    def _rename_durably(self, old: str, new: str, file: _File | None) -> None:
        if old:
            self._durable.pop(old, None)
        if file is not None:
            self._durable[new] = file

    def _step(self, operation: str, path: str, act: Callable[[], None], lose: Callable[[], None] | None = None) -> None:
        fault = self.faults.get(self.steps)
        self.steps += 1
        if fault is None or fault[0] == STORED:
            act()
        elif lose is not None:
            lose()
        if self.observe is not None:
            self.observe(self)
        if fault is not None:
            self.broken[operation, path, fault[0]] += 1
            raise OSError(fault[1], f"{fault[0]} (step {self.steps - 1})")


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        _resize(content, offset)
        return
    if len(content) < offset + len(data):
        _resize(content, offset + len(data))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))
