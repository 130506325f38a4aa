"""Clocks and receive stamps in compiled loops: when the kernel's REALTIME stamp may be carried over to RAW.

Receive stamps come from the kernel, in REALTIME, and are carried over to RAW by a bracket RAW–REALTIME–RAW taken with
each batch; served time itself is computed from RAW and the clock page alone (page/kernels.py).
"""

# mypy: no-warn-return-any

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.lean import lean
from timeball.station.serving.libc import clock_gettime
from timeball.station.serving.stamping import (
    BRACKET_TRIES,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    NARROW_BRACKET_NS,
    OLDEST_STAMP_NS,
    PAIR_NOISE_NS,
    PAIR_SLEW_DIVISOR,
    STAMP_BYTES,
    STAMP_KIND,
)


@lean
def read_clock(clock: int, timespec: NDArray[np.int64]) -> int:
    """Read a clock in ns; `timespec` int64[2] is scratch."""
    clock_gettime(clock, timespec.ctypes.data)
    return timespec[0] * 1_000_000_000 + timespec[1]


@lean
def reading_cost_ns(readings: int, timespec: NDArray[np.int64]) -> int:
    """The least positive difference of two successive readings of RAW: its resolution or its cost, the greater."""
    least = 1_000_000
    before = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    for _ in range(readings):
        now = read_clock(CLOCK_MONOTONIC_RAW, timespec)
        if 0 < now - before < least:
            least = now - before
        before = now
    return least


@lean
def read_bracket(timespec: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """RAW–REALTIME–RAW: (first RAW, middle RAW, REALTIME, width), all ns; read again while it was interrupted."""
    first = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    before = first
    realtime = read_clock(CLOCK_REALTIME, timespec)
    after = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    for _ in range(BRACKET_TRIES):
        if after - before <= NARROW_BRACKET_NS:
            break
        before = read_clock(CLOCK_MONOTONIC_RAW, timespec)
        realtime = read_clock(CLOCK_REALTIME, timespec)
        after = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    return first, before + (after - before) // 2, realtime, after - before


@lean
def pair_moved(moved_ns: int, elapsed_ns: int, width_ns: int) -> bool:
    """Whether REALTIME − RAW changed by more between two brackets than a slew and their widths explain."""
    return abs(moved_ns) > PAIR_NOISE_NS + width_ns + elapsed_ns // PAIR_SLEW_DIVISOR


@lean
def oldest_stamp(raw_mid_ns: int, empty_ns: int, distrusted_until_ns: int) -> int:
    """How old a kernel stamp may be at `raw_mid_ns` if the queue was last known empty at `empty_ns`; −1 in distrust."""
    if raw_mid_ns < distrusted_until_ns:
        return -1
    since_ns = raw_mid_ns - empty_ns
    return min(OLDEST_STAMP_NS, since_ns + since_ns // PAIR_SLEW_DIVISOR + PAIR_NOISE_NS)


@lean
def receive_stamp(
    stamp_ns: int, realtime_ns: int, raw_mid_ns: int, raw_first_ns: int, oldest_ns: int, wake_up_ns: int
) -> tuple[int, bool]:
    """When a datagram arrived, in RAW ns, and whether its kernel stamp was used.

    `stamp_ns` the kernel's stamp in REALTIME (−1: none), read against the bracket (realtime_ns ↔ raw_mid_ns). With an
    age that is negative or above `oldest_ns` (−1: no trust in the pair at all), it is the first RAW reading after the
    call returned, less the usual wake-up.
    """
    age_ns = realtime_ns - stamp_ns
    if stamp_ns >= 0 and 0 <= age_ns <= oldest_ns:
        return raw_mid_ns - age_ns, True
    return raw_first_ns - wake_up_ns, False


@lean
def stamp_of(controls: NDArray[np.int64], k: int, length: int) -> int:
    """The kernel's receive stamp (REALTIME ns) in the first control message of row k, −1 when there is none."""
    if length < STAMP_BYTES or controls[k, 0] != STAMP_BYTES or controls[k, 1] != STAMP_KIND:
        return -1
    return controls[k, 2] * 1_000_000_000 + controls[k, 3]
