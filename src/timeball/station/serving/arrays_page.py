"""The clock page without compiled code: read whole from memory, looked at again, and compared with the leases.

The loads of a page stand between two looks at its sequence: Python does not reorder them, and a fence (pagefile.Fence)
keeps the processor from it.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.clockpage import ObserverPage, TimekeeperPage, sync_status
from timeball.station.page.pagefile import Fence, PageT, decode
from timeball.station.page.pagelayout import (
    BOOT_HIGH,
    BOOT_LOW,
    DATA,
    NO_TIMEKEEPER_PAGE,
    OBSERVER_WORDS,
    PAGE_BYTES,
    SEQUENCE,
    TIMEKEEPER_WORDS,
)

Words = NDArray[np.int64]
TRIES = 64


class PlainPage:
    """One page at an address that stays mapped."""

    def __init__(self, address: int, words: int) -> None:
        memory = (ctypes.c_int64 * (PAGE_BYTES // 8)).from_address(address)
        # a memoryview gives one word for a third of what an array takes for it
        self._memory = memoryview(memory).cast("B").cast("q")
        self._words = words
        self._fence = Fence()

    def sequence(self) -> int:
        """The page's sequence now, not earlier than anything read before this call."""
        self._fence()
        return self._memory[SEQUENCE]

    def read(self) -> tuple[int, Words]:
        """(sequence, data words); a sequence of −1 when it was torn TRIES times."""
        for _ in range(TRIES):
            before = self.sequence()
            if before & 1:
                continue
            self._fence()
            words = np.array(self._memory[DATA : DATA + self._words], np.int64)
            if self.sequence() == before:
                return before, words
        return -1, np.zeros(self._words, np.int64)


class PlainPair:
    """Both pages as read last: None where there is none of this boot. `sequences` as in page/kernels.read_pair."""

    def __init__(self) -> None:
        self.timekeeper: TimekeeperPage | None = None
        self.observer: ObserverPage | None = None
        self.sequences = [-1, -1]
        self._pages: dict[int, PlainPage] = {}
        self._read_from: list[int] = []

    def read(self, addresses: Words, boot: Words) -> None:
        """Read both pages; `addresses` int64[2] (0: not mapped), `boot` int64[2]."""
        self._read_from = keeper, observer = addresses.tolist()
        self.observer = self._decoded(1, observer, boot, ObserverPage, OBSERVER_WORDS)
        self.timekeeper = self._decoded(0, keeper, boot, TimekeeperPage, TIMEKEEPER_WORDS)

    def unchanged(self, addresses: Words) -> bool:
        """Whether what was read still stands."""
        if addresses.tolist() != self._read_from:
            return False
        for address, sequence in zip(self._read_from, self.sequences, strict=True):
            if address != 0 and sequence >= 0 and self._pages[address].sequence() != sequence:
                return False
        return True

    def torn(self, addresses: Words) -> bool:
        """Whether a page is there but its writer stood in the middle of it."""
        return any(address != 0 and sequence < 0 for address, sequence in zip(addresses, self.sequences, strict=True))

    def status(self, raw_ns: int, boottime_ns: int) -> int:
        """Whether sync may be claimed at these readings (pagelayout's codes)."""
        return sync_status(self.timekeeper, self.observer, raw_ns, boottime_ns)

    def forget(self) -> int:
        """Nothing stands still for long enough: there is no time to give."""
        self.timekeeper = None
        return NO_TIMEKEEPER_PAGE

    def _page(self, address: int, words: int) -> PlainPage:
        page = self._pages.get(address)
        if page is None:
            page = self._pages[address] = PlainPage(address, words)
        return page

    def _decoded(self, which: int, address: int, boot: Words, kind: type[PageT], count: int) -> PageT | None:
        self.sequences[which] = -1
        if address == 0:
            return None
        self.sequences[which], words = self._page(address, count).read()
        if self.sequences[which] < 0 or words[BOOT_HIGH] != boot[0] or words[BOOT_LOW] != boot[1]:
            return None
        return decode(words, kind)
