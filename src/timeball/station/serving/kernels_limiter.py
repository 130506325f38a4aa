"""The limiter in compiled loops: limiter.py says what it does; one call a request, no clock, no allocation."""

# mypy: no-warn-return-any

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.lean import lean
from timeball.station.serving.limiter import (
    KISS_EVERY,
    PREFIX_INTERVAL,
    PREFIX_SLACK,
    SOURCE_INTERVAL,
    SOURCE_SLACK,
    WAYS,
    Limiter,
)
from timeball.station.serving.sources import ADDRESS_HIGH, ADDRESS_LOW, FIRST_RAW, LAST_RAW, LIMITED, NTS, REQUESTS

Words = NDArray[np.int64]
# a uint64: all of the hash is unsigned, since numba makes a float of a mixture
Word = Any

# What `take` says of a request.
WITHIN, OVER, OVER_AND_TOLD = 0, 1, 3


@lean
def rotate(word: Word, bits: int) -> Word:
    """A 64-bit word rotated to the left."""
    return np.uint64(word << np.uint64(bits)) | np.uint64(word >> np.uint64(64 - bits))


@lean
def sip_round(v0: Word, v1: Word, v2: Word, v3: Word) -> tuple[Word, Word, Word, Word]:
    """One round of SipHash on four uint64."""
    v0 += v1
    v2 += v3
    v1 = rotate(v1, 13) ^ v0
    v3 = rotate(v3, 16) ^ v2
    v0 = rotate(v0, 32) + v3
    v2 += v1
    v3 = rotate(v3, 21) ^ v0
    v1 = rotate(v1, 17) ^ v2
    return v0, v1, rotate(v2, 32), v3


@lean
def hash_words(k0: Word, k1: Word, high: int, low: int) -> int:
    """SipHash-1-3 of the two words under (k0, k1), without a word of length: all inputs have 16 bytes. Never 0."""
    first, second = np.uint64(high), np.uint64(low)
    v0: Word = k0 ^ np.uint64(0x736F6D6570736575)
    v1: Word = k1 ^ np.uint64(0x646F72616E646F6D)
    v2: Word = k0 ^ np.uint64(0x6C7967656E657261)
    v3: Word = k1 ^ np.uint64(0x7465646279746573)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3 ^ first)
    v0, v1, v2, v3 = sip_round(v0 ^ first, v1, v2, v3 ^ second)
    v0, v1, v2, v3 = sip_round(v0 ^ second, v1, v2 ^ np.uint64(0xFF), v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return int(np.int64(v0 ^ v1 ^ v2 ^ v3) | 1)


@lean
def find_place(sets: Words, hashed: int) -> int:
    """The place that holds this hash, as set · WAYS + way; −1 − the place to be given to it when none does."""
    row = (hashed >> 1) & (sets.shape[0] - 1)
    victim = 0
    for way in range(WAYS):
        if sets[row, way] == hashed:
            return row * WAYS + way
        if sets[row, WAYS + way] < sets[row, WAYS + victim]:
            victim = way
    return -1 - (row * WAYS + victim)


@lean
def take_place(sets: Words, hashed: int, now_ns: int) -> tuple[int, bool]:
    """The place of this hash, and whether it was just given to it, with a full bucket."""
    place = find_place(sets, hashed)
    if place >= 0:
        return place, False
    place = -1 - place
    sets[place // WAYS, place % WAYS] = hashed
    sets[place // WAYS, WAYS + place % WAYS] = now_ns
    return place, True


@lean
def conforms(sets: Words, place: int, slack_ns: int, now_ns: int) -> bool:
    """Whether a bucket has a request left."""
    return sets[place // WAYS, WAYS + place % WAYS] - now_ns <= slack_ns


@lean
def charge(sets: Words, place: int, interval_ns: int, now_ns: int) -> None:
    """Take one request out of a bucket."""
    sets[place // WAYS, WAYS + place % WAYS] = max(sets[place // WAYS, WAYS + place % WAYS], now_ns) + interval_ns


@lean
def prefix_words(high: int, low: int) -> tuple[int, int]:
    """The network that shares a limit: /24 of IPv4 (in its mapped form), /48 of IPv6."""
    if high == 0 and low >> 32 == 0xFFFF:
        return 0, low & ~0xFF
    return high & ~0xFFFF, 0


@lean
def take(limiter: Limiter, high: int, low: int, now_ns: int) -> tuple[int, int]:
    """One request of an address of two words, as take_hashed."""
    return take_hashed(limiter, high, low, hash_words(limiter.key[0], limiter.key[1], high, low), now_ns, False)


@lean
def take_hashed(limiter: Limiter, high: int, low: int, hashed: int, now_ns: int, always: bool) -> tuple[int, int]:
    """One request of an address at `now_ns` of RAW: (WITHIN, OVER or OVER_AND_TOLD, its row in the table of sources).

    Over its own limit or its network's it takes nothing from either. One in KISS_EVERY of those is to be told. Nothing
    is over a limit, or taken from one, that is `always` answered.
    """
    rules, rows, sets = limiter.rules, limiter.rows, limiter.sets
    place, fresh = take_place(sets, hashed, now_ns)
    if fresh:
        rows[place, ADDRESS_HIGH] = high
        rows[place, ADDRESS_LOW] = low
        rows[place, REQUESTS] = 0
        rows[place, LIMITED] = 0
        rows[place, NTS] = 0
        rows[place, FIRST_RAW] = now_ns
    rows[place, REQUESTS] += 1
    rows[place, LAST_RAW] = now_ns
    if always:
        return WITHIN, place
    within = rules[SOURCE_INTERVAL] == 0 or conforms(sets, place, rules[SOURCE_SLACK], now_ns)
    if within and rules[PREFIX_INTERVAL] != 0:
        network, part = prefix_words(high, low)
        shared, _ = take_place(limiter.prefixes, hash_words(limiter.key[2], limiter.key[3], network, part), now_ns)
        within = conforms(limiter.prefixes, shared, rules[PREFIX_SLACK], now_ns)
        if within:
            charge(limiter.prefixes, shared, rules[PREFIX_INTERVAL], now_ns)
    if within:
        charge(sets, place, rules[SOURCE_INTERVAL], now_ns)
        return WITHIN, place
    rows[place, LIMITED] += 1
    told = rules[KISS_EVERY] != 0 and rows[place, LIMITED] % rules[KISS_EVERY] == 1 % rules[KISS_EVERY]
    return (OVER_AND_TOLD if told else OVER), place
