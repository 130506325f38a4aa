"""A page of shared memory with one writer: a 4096-byte file, mapped, behind a seqlock.

The file is created whole (beside, then renamed), and a good one is never replaced but written in place: readers that
mapped it before a restart of its writer keep seeing new values. A second writer is refused by a file lock, which the
kernel drops when its holder dies. What the words mean is no matter of this module: a page class carries that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeball.station.hosttime.hostclocks import BootId, boot_id
from timeball.station.page.pagelayout import (
    BOOT_HIGH,
    BOOT_LOW,
    DATA,
    LAYOUT_VERSION,
    MAGIC,
    PAGE_BYTES,
    SEQUENCE,
    VERSION,
)


class Page(Protocol):
    """A frozen dataclass of int and float fields, the first `boot_id: tuple[int, int]`; MAGIC is 8 ASCII bytes."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    MAGIC: ClassVar[bytes]


PLAIN_TRIES = 64
# A plain reader is in no hurry: it lets a writer go on that was put aside in the middle of writing.
PLAIN_WAITS, PLAIN_WAIT_S = 20, 0.002
PageT = TypeVar("PageT", bound=Page)
Words = NDArray[np.int64]


class PageBusy(RuntimeError):
    """Another process is writing this page."""


def encode(page: Page) -> Words:
    """The page's data words, int64[n]: floats by their bits, the boot id as two words."""
    fields = dataclasses.fields(page)
    words = np.zeros(len(fields) + 1, np.int64)
    words[BOOT_HIGH], words[BOOT_LOW] = getattr(page, fields[0].name)
    floats = words.view(np.float64)
    for i, field in enumerate(fields[1:], start=2):
        (floats if field.type == "float" else words)[i] = getattr(page, field.name)
    return words


def decode(words: Words, kind: type[PageT]) -> PageT:
    """The page of class `kind` that the data words int64[n] hold."""
    fields = dataclasses.fields(kind)
    floats = words.view(np.float64).tolist()
    integers = words.tolist()
    values = [floats[i] if f.type == "float" else integers[i] for i, f in enumerate(fields[1:], start=2)]
    make: Callable[..., PageT] = kind
    return make((integers[BOOT_HIGH], integers[BOOT_LOW]), *values)


def word_count(kind: type[Page]) -> int:
    """How many data words a page of class `kind` takes (the boot id takes two)."""
    return len(dataclasses.fields(kind)) + 1


class Fence:
    """No load or store before a call of it is done after it, nor the other way round; one thread's own.

    A lock that is held is let go and taken again: nothing passes down over the release, nothing up over the acquire.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def __call__(self) -> None:
        """Stand between what was done and what comes."""
        self._lock.release()
        self._lock.acquire()


class MappedPage:
    """A page file in memory: `address` (int) of its first word; `None` from `open` when absent or not of this kind."""

    def __init__(self, descriptor: int, magic: bytes, *, writable: bool) -> None:
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._map = mmap.mmap(descriptor, PAGE_BYTES, flags=mmap.MAP_SHARED, prot=protection)
        self._words = np.frombuffer(self._map, np.int64)
        self.address = int(self._words.ctypes.data)
        self.inode = os.fstat(descriptor).st_ino
        self._fence = Fence()
        self.good = bool(self._words[MAGIC] == _magic_word(magic) and self._words[VERSION] == LAYOUT_VERSION)

    def copy(self, words: Words) -> bool:
        """Copy the data words without compiled code; False when torn every time. As kernels.read_page."""
        for _ in range(PLAIN_TRIES):
            before = int(self._words[SEQUENCE])
            if before & 1:
                continue
            self._fence()
            words[:] = self._words[DATA : DATA + len(words)]
            self._fence()
            if int(self._words[SEQUENCE]) == before:
                return True
        return False

    def put(self, words: Words) -> None:
        """Write the data words without compiled code; the only writer may call it. As kernels.write_page."""
        odd = int(self._words[SEQUENCE]) | 1
        self._words[SEQUENCE] = odd
        self._fence()
        self._words[DATA : DATA + len(words)] = words
        self._fence()
        self._words[SEQUENCE] = odd + 1

    @classmethod
    def open(cls, path: Path, magic: bytes) -> MappedPage | None:
        """Map an existing page for reading."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if os.fstat(descriptor).st_size != PAGE_BYTES:
                return None
            page = cls(descriptor, magic, writable=False)
        finally:
            os.close(descriptor)
        return page if page.good else None


class PageWriter(Generic[PageT]):
    """The one writer of a page. `write` is wait-free; being killed in it leaves readers unsynchronised, never wrong.

    Raises PageBusy when another process holds the page. `close` gives it up (so does the end of the process).
    `plain`: written without compiled code, for counters alone (see MappedPage.put).
    """

    def __init__(self, path: Path, kind: type[PageT], *, plain: bool = False) -> None:
        self._kind = kind
        self._plain = plain
        self._descriptor = _open_or_create(path, kind.MAGIC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise PageBusy(f"{path} has another writer") from None
        self._page = MappedPage(self._descriptor, kind.MAGIC, writable=True)

    def write(self, page: PageT) -> None:
        """Publish the page whole."""
        if self._plain:
            self._page.put(encode(page))
            return
        from timeball.station.page.kernels import write_page

        write_page(self._page.address, encode(page))

    def close(self) -> None:
        """Let another process write this page."""
        # Unlocked by name: the mapping holds a duplicate of the descriptor, closing ours alone would keep the lock.
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)


class PageReader(Generic[PageT]):
    """A reader of a page. `why` says in words why the last `read` gave None; an absent page is looked for again.

    `plain`: read without compiled code (see MappedPage.copy).
    """

    def __init__(self, path: Path, kind: type[PageT], boot: BootId | None = None, *, plain: bool = False) -> None:
        self._path = path
        self._kind = kind
        self._boot = boot if boot is not None else boot_id()
        self._plain = plain
        self._page: MappedPage | None = None
        self._words = np.zeros(word_count(kind), np.int64)
        self.why = "not read yet"

    def map(self) -> MappedPage | None:
        """The page in memory, mapped anew when it was absent or its file was replaced."""
        try:
            inode = self._path.stat().st_ino
        except OSError:
            inode = -1
        if self._page is None or self._page.inode != inode:
            self._page = MappedPage.open(self._path, self._kind.MAGIC)
        return self._page

    def read(self) -> PageT | None:
        """The page, or None: absent, of another kind or layout, torn 64 times, or of another boot."""
        page = self.map()
        if page is None:
            self.why = f"{self._path.name}: no page of this layout"
        elif not self._take(page):
            self.why = f"{self._path.name}: its writer stopped in the middle of writing"
        elif not self._boot.known or (self._words[BOOT_HIGH], self._words[BOOT_LOW]) != self._boot.words:
            self.why = f"{self._path.name}: not written since this boot"
        else:
            self.why = ""
            return decode(self._words, self._kind)
        return None

    def _take(self, page: MappedPage) -> bool:
        if self._plain:
            return page.copy(self._words) or any(_waited() and page.copy(self._words) for _ in range(PLAIN_WAITS))
        from timeball.station.page.kernels import read_page

        return read_page(page.address, self._words) >= 0


def _waited() -> bool:
    time.sleep(PLAIN_WAIT_S)
    return True


def _magic_word(magic: bytes) -> int:
    return int(np.frombuffer(magic, np.int64)[0])


def _open_or_create(path: Path, magic: bytes) -> int:
    """Open a good page for writing, or put a fresh one in its place (sequence 0, boot id 0: readers see no page)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        if os.fstat(descriptor).st_size == PAGE_BYTES and MappedPage(descriptor, magic, writable=True).good:
            return descriptor
        os.close(descriptor)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = np.zeros(PAGE_BYTES // 8, np.int64)
    header[MAGIC], header[VERSION] = _magic_word(magic), LAYOUT_VERSION
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    os.fchmod(descriptor, 0o644)
    os.pwrite(descriptor, header.tobytes(), 0)
    beside.replace(path)
    return descriptor
