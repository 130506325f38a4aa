"""The host's own counters: CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME, and the boot they belong to.

RAW is the counter that carries served time: nothing on the host can step or slew it. BOOTTIME also counts while the
host is suspended. REALTIME is a counter like any other and is never taken for the time of day here.

Sign: `Bracket.realtime_minus_raw_ns` is REALTIME minus RAW. This module reads the counters; it judges nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from timeball.station.page.pagelayout import SUSPEND_MARGIN_NS, SUSPEND_SLEW_DIVISOR

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
SIGN_BIT = 1 << 63


@dataclass(frozen=True, slots=True)
class BootId:
    """128 random bits that name one boot of one kernel, as two signed 64-bit words (high, low).

    `known` is False where the system does not tell: such an id equals no page's, so nothing is ever served from it.
    """

    high: int
    low: int
    known: bool = True

    @property
    def words(self) -> tuple[int, int]:
        """The pair as it stands in a page; (0, 0) when unknown."""
        return (self.high, self.low)


UNKNOWN_BOOT = BootId(0, 0, known=False)


@dataclass(frozen=True, slots=True)
class Bracket:
    """One reading of REALTIME between two of RAW, all in ns of their own counters."""

    raw_before_ns: int
    realtime_ns: int
    raw_after_ns: int

    @property
    def raw_ns(self) -> int:
        """The middle of the two RAW readings (ns, floor)."""
        return (self.raw_before_ns + self.raw_after_ns) // 2

    @property
    def width_ns(self) -> int:
        """How long the reading took: the pair is known to ± half of this."""
        return self.raw_after_ns - self.raw_before_ns

    @property
    def realtime_minus_raw_ns(self) -> int:
        """REALTIME − RAW in ns."""
        return self.realtime_ns - self.raw_ns


def raw_ns() -> int:
    """CLOCK_MONOTONIC_RAW in ns since an arbitrary point of this boot; stands still while suspended."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def boottime_ns() -> int:
    """CLOCK_BOOTTIME in ns since boot; goes on while suspended; slewed like CLOCK_MONOTONIC."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boottime_minus_raw_ns() -> int:
    """BOOTTIME − RAW in ns: what the host has slept, and what slewing has added to it."""
    return boottime_ns() - raw_ns()


def slept(gained_ns: int, elapsed_ns: int) -> bool:
    """Whether BOOTTIME has moved against RAW by more than slewing can within `elapsed_ns`: the host was suspended."""
    return abs(gained_ns) > SUSPEND_MARGIN_NS + abs(elapsed_ns) // SUSPEND_SLEW_DIVISOR


def realtime_ns() -> int:
    """CLOCK_REALTIME in ns since 1970 as the host believes: a counter, not the time of day."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def bracket(tries: int = 5) -> Bracket:
    """RAW–REALTIME–RAW, the narrowest of a few tries (a wide one was interrupted between the readings)."""
    return min((Bracket(raw_ns(), realtime_ns(), raw_ns()) for _ in range(tries)), key=lambda pair: pair.width_ns)


def parse_boot_id(text: str) -> BootId:
    """Parse a kernel boot id (a UUID in hexadecimal). ValueError with the text when it is not one."""
    digits = text.strip().replace("-", "")
    if len(digits) != 32:
        raise ValueError(f"boot id {text!r}: expected 32 hexadecimal digits")
    value = int(digits, 16)
    high, low = value >> 64, value & (2**64 - 1)
    return BootId((high ^ SIGN_BIT) - SIGN_BIT, (low ^ SIGN_BIT) - SIGN_BIT)


def boot_id(path: Path = BOOT_ID_FILE) -> BootId:
    """The running kernel's boot id; `UNKNOWN_BOOT` where the system has none to read."""
    try:
        return parse_boot_id(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return UNKNOWN_BOOT


def boot_name(path: Path = BOOT_ID_FILE) -> str:
    """The running kernel's boot id as the kernel writes it, for batches and entries; empty where there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
