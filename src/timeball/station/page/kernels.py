"""Compiled loops of the station: the seqlock of the shared pages, and served time from their words.

A page is an array of int64 words at an address (docs/clock-page.md has the layout): word SEQUENCE is the lock, words
from DATA on are the contents, floats by their bits. Loads and stores are real atomics emitted as LLVM instructions, so
that the compiler can neither hoist the data loads out of the two looks at the sequence nor drop the second look.

These loops read memory; they open nothing and decide nothing about leases beyond comparing them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.atomics import (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from timeball.station.page.lean import lean
from timeball.station.page.pagelayout import (
    BOOT_HIGH,
    BOOT_LOW,
    DATA,
    IN_SYNC,
    MAX_BOUND_S,
    MAX_STRATUM,
    NO_OBSERVER_PAGE,
    NO_TIMEKEEPER_PAGE,
    OBS_LEASE_BOOTTIME,
    OBS_LEASE_RAW,
    OBSERVER_LEASE_ENDED,
    SEQUENCE,
    SUSPEND_MARGIN_NS,
    SUSPEND_SLEW_DIVISOR,
    SUSPENDED,
    TIMEKEEPER_LEASE_ENDED,
    TK_BOOTTIME,
    TK_BOUND,
    TK_BOUND_GROWTH,
    TK_LEASE_BOOTTIME,
    TK_LEASE_RAW,
    TK_RATE,
    TK_RAW,
    TK_STRATUM,
    TK_TAI,
    TK_TAI_FRAC,
    TK_WANDER,
    UNUSABLE_BOUND,
    UNUSABLE_STRATUM,
)

TRIES = 64
SEQUENCE_BYTES = 8 * SEQUENCE
DATA_BYTES = 8 * DATA


@lean
def write_page(address: int, words: NDArray[np.int64]) -> int:
    """Write int64[n] `words` into the page at `address`; the only writer may call it. Gives the new sequence.

    A writer killed in here leaves the sequence odd and readers unsynchronised; the next writer keeps the odd number it
    finds and makes it even when its own words stand whole.
    """
    odd = load_relaxed(address + SEQUENCE_BYTES) | 1
    store_relaxed(address + SEQUENCE_BYTES, odd)
    fence_release()
    for i in range(words.size):
        store_relaxed(address + DATA_BYTES + 8 * i, words[i])
    store_release(address + SEQUENCE_BYTES, odd + 1)
    return odd + 1


@lean
def read_page(address: int, words: NDArray[np.int64]) -> int:
    """Read the page at `address` into int64[n] `words`; gives its (even) sequence, or −1 when torn TRIES times."""
    for _ in range(TRIES):
        before = load_acquire(address + SEQUENCE_BYTES)
        if before & 1:
            continue
        for i in range(words.size):
            words[i] = load_relaxed(address + DATA_BYTES + 8 * i)
        fence_acquire()
        if load_relaxed(address + SEQUENCE_BYTES) == before:
            return before
    return -1


@lean
def page_sequence(address: int) -> int:
    """The page's sequence now, not earlier than anything read before this call."""
    fence_acquire()
    return load_relaxed(address + SEQUENCE_BYTES)


@lean
def served_instant(timekeeper: NDArray[np.int64], raw_ns: int) -> tuple[int, int, float]:
    """Served TAI at `raw_ns` of RAW from int64[TIMEKEEPER_WORDS]: (tai_ns, frac_fs in 0..999999, bound_s).

    The same expressions in the same order as clockpage.served_instant: the two are equal bit for bit.
    """
    floats = timekeeper.view(np.float64)
    elapsed_ns = raw_ns - timekeeper[TK_RAW]
    gain_fs = np.int64(math.floor(np.float64(elapsed_ns) * floats[TK_RATE] * 1e6))
    total_fs = timekeeper[TK_TAI_FRAC] + gain_fs
    carry_ns = total_fs // 1_000_000
    tai_ns = timekeeper[TK_TAI] + elapsed_ns + carry_ns
    age_s = np.float64(abs(elapsed_ns)) * 1e-9
    bound_s = floats[TK_BOUND] + floats[TK_WANDER] + floats[TK_BOUND_GROWTH] * age_s
    return tai_ns, total_fs - carry_ns * 1_000_000, bound_s


@lean
def sync_status(timekeeper: NDArray[np.int64], observer: NDArray[np.int64], raw_ns: int, boottime_ns: int) -> int:
    """Whether sync may be claimed at this (RAW, BOOTTIME): IN_SYNC or the first reason against it, as its code."""
    if raw_ns >= timekeeper[TK_LEASE_RAW] or boottime_ns >= timekeeper[TK_LEASE_BOOTTIME]:
        return TIMEKEEPER_LEASE_ENDED
    if raw_ns >= observer[OBS_LEASE_RAW] or boottime_ns >= observer[OBS_LEASE_BOOTTIME]:
        return OBSERVER_LEASE_ENDED
    elapsed_ns = raw_ns - timekeeper[TK_RAW]
    slept_ns = abs(boottime_ns - timekeeper[TK_BOOTTIME] - elapsed_ns)
    if slept_ns > SUSPEND_MARGIN_NS + abs(elapsed_ns) // SUSPEND_SLEW_DIVISOR:
        return SUSPENDED
    if not 1 <= timekeeper[TK_STRATUM] <= MAX_STRATUM:
        return UNUSABLE_STRATUM
    _, _, bound_s = served_instant(timekeeper, raw_ns)
    if not 0.0 <= bound_s < MAX_BOUND_S:
        return UNUSABLE_BOUND
    return IN_SYNC


@lean
def read_pair(
    addresses: NDArray[np.int64],
    boot: NDArray[np.int64],
    timekeeper: NDArray[np.int64],
    observer: NDArray[np.int64],
    sequences: NDArray[np.int64],
) -> int:
    """Read both pages; gives IN_SYNC when both are whole and of this boot, else which one is not there.

    `addresses` int64[2] (0: not mapped), `boot` int64[2], `timekeeper` and `observer` receive the words, `sequences`
    int64[2] the sequence each was read at (−1: not read).
    """
    status = IN_SYNC
    sequences[0] = -1
    sequences[1] = -1
    if addresses[1] != 0:
        sequences[1] = read_page(addresses[1], observer)
    if sequences[1] < 0 or observer[BOOT_HIGH] != boot[0] or observer[BOOT_LOW] != boot[1]:
        observer[:] = 0
        status = NO_OBSERVER_PAGE
    if addresses[0] != 0:
        sequences[0] = read_page(addresses[0], timekeeper)
    if sequences[0] < 0 or timekeeper[BOOT_HIGH] != boot[0] or timekeeper[BOOT_LOW] != boot[1]:
        timekeeper[:] = 0
        status = NO_TIMEKEEPER_PAGE
    return status


@lean
def pair_unchanged(addresses: NDArray[np.int64], sequences: NDArray[np.int64]) -> bool:
    """Whether both pages still stand at the sequences they were read at."""
    for i in range(2):
        if addresses[i] != 0 and sequences[i] >= 0 and page_sequence(addresses[i]) != sequences[i]:
            return False
    return True
