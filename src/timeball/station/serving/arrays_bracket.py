"""Brackets RAW–REALTIME–RAW without compiled code: how far kernel stamps are believed, by the rules of stamping.py."""

from __future__ import annotations

import time

from timeball.station.serving.stamping import (
    BRACKET_TRIES,
    DISTRUST_NS,
    NARROW_BRACKET_NS,
    OLDEST_STAMP_NS,
    PAIR_NOISE_NS,
    PAIR_SLEW_DIVISOR,
)

RAW, REALTIME, BOOTTIME = time.CLOCK_MONOTONIC_RAW, time.CLOCK_REALTIME, time.CLOCK_BOOTTIME
READINGS = 2000


class Bracket:
    """The bracket RAW–REALTIME–RAW of a batch, against the one before it: kernels.take_bracket and stamping.py."""

    def __init__(self) -> None:
        self.raw_first, self.raw_mid, self.realtime, self._width = read_bracket()
        self.pair_ns = self.realtime - self.raw_mid
        self._empty = self.raw_mid - OLDEST_STAMP_NS
        self._distrusted_until = 0
        self.oldest_ns, self.margin_s, self.stood = -1, 0.0, True

    def take(self, *, emptied: bool) -> None:
        """Read it for a batch just received; `emptied`: the queue held no more than that."""
        last_raw, last_width = self.raw_mid, self._width
        self.raw_first, self.raw_mid, self.realtime, self._width = read_bracket()
        moved = self.realtime - self.raw_mid - self.pair_ns
        elapsed_ns = self.raw_mid - last_raw
        allowed_ns = PAIR_NOISE_NS + (self._width + last_width) // 2 + elapsed_ns // PAIR_SLEW_DIVISOR
        self.stood = abs(moved) <= allowed_ns
        if not self.stood:
            self._distrusted_until = self.raw_mid + DISTRUST_NS
        self.oldest_ns = self._oldest()
        if emptied:
            self._empty = last_raw
        self.pair_ns += moved
        self.margin_s = (self._width // 2 + abs(moved)) * 1e-9

    def _oldest(self) -> int:
        if self.raw_mid < self._distrusted_until:
            return -1
        since_ns = self.raw_mid - self._empty
        return min(OLDEST_STAMP_NS, since_ns + since_ns // PAIR_SLEW_DIVISOR + PAIR_NOISE_NS)


def read_bracket() -> tuple[int, int, int, int]:
    """RAW–REALTIME–RAW: (first RAW, middle RAW, REALTIME, width), all ns; read again while it was interrupted."""
    read = time.clock_gettime_ns
    first = before = read(RAW)
    realtime, after = read(REALTIME), read(RAW)
    for _ in range(BRACKET_TRIES):
        if after - before <= NARROW_BRACKET_NS:
            break
        before, realtime, after = read(RAW), read(REALTIME), read(RAW)
    return first, before + (after - before) // 2, realtime, after - before


def measured_cost_ns() -> int:
    """What a reading of RAW costs from here, or its resolution."""
    least, before = 1_000_000, time.clock_gettime_ns(RAW)
    for _ in range(READINGS):
        now = time.clock_gettime_ns(RAW)
        if 0 < now - before < least:
            least = now - before
        before = now
    return least
