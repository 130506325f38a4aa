"""Limits of requests by address and by network, in memory of a fixed size: what compiled loops and numpy share.

A limit is a token bucket kept as one number, the instant at which the bucket will be full again (the generic cell rate
algorithm, ITU-T I.371 annex A): a request conforms while that instant is less than `burst` − 1 intervals ahead, and
then moves it one interval on. An address stands in one of the four places of its set; which set is told by a hash
(SipHash-1-3, Aumasson and Bernstein 2012) under a key drawn at the start, so that nobody can aim at a set. When all
four are taken, the one whose bucket fills first gives way: a full bucket holds nothing that would be lost.

No limit takes a clock reading of its own, and none is exact to the request where several loops share the table.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.station.serving.sources import ROW_WORDS

Words = NDArray[np.int64]

WAYS = 4
SET_WORDS = 2 * WAYS
"""A set is one cache line: four hashes (0: free place), then when each bucket will be full (RAW ns)."""
SOURCE_INTERVAL, SOURCE_SLACK, PREFIX_INTERVAL, PREFIX_SLACK, KISS_EVERY, DENIED_TOO = range(6)
RULES = 6
PREFIXES_PER_SOURCES = 4
MIN_SETS = 256


class Limiter(NamedTuple):
    """`key` uint64[4] of the two hashes, `sets` and `prefixes` int64[n, SET_WORDS] with n a power of two, `rows` of the
    table of sources (sources.py) in the order of the places, `rules` int64[RULES] in ns; an interval of 0: no limit.
    """

    key: NDArray[np.uint64]
    sets: Words
    prefixes: Words
    rows: Words
    rules: Words


def sets_for(sources: int) -> int:
    """How many sets hold so many addresses: a power of two."""
    return 1 << max((sources - 1) // WAYS, 1).bit_length()


def places_for(sources: int) -> int:
    """How many rows a table of so many addresses has."""
    return sets_for(sources) * WAYS


def make_rules(
    source_rate: float,
    source_burst: float,
    prefix_rate: float,
    prefix_burst: float,
    kiss_every: int,
    *,
    denied_too: bool = False,
) -> Words:
    """Rates in requests a second (0: no limit) and bursts in requests, as int64[RULES].

    `denied_too`: whom the access list denies is limited like others, because he is told so by a kiss.
    """
    rules = np.zeros(RULES, np.int64)
    for at, rate, burst in ((SOURCE_INTERVAL, source_rate, source_burst), (PREFIX_INTERVAL, prefix_rate, prefix_burst)):
        if rate > 0:
            rules[at] = max(round(1e9 / rate), 1)
            rules[at + 1] = round((burst - 1) * rules[at])
    rules[KISS_EVERY] = kiss_every
    rules[DENIED_TOO] = denied_too
    return rules


def make_limiter(sources: int, rules: Words, seed: bytes, rows: Words | None = None) -> Limiter:
    """An empty table. `seed` 32 random bytes; `rows` int64[4·sets, ROW_WORDS] or none, then they are private."""
    sets = sets_for(sources)
    if rows is None:
        rows = aligned(places_for(sources), ROW_WORDS)
    prefixes = max(sets // PREFIXES_PER_SOURCES, MIN_SETS)
    key = np.frombuffer(seed, np.uint64, 4).copy()
    whole = aligned(sets + prefixes, SET_WORDS)
    return Limiter(key, whole[:sets], whole[sets:], rows, rules)


def both_tables(limiter: Limiter) -> Words:
    """The memory of both tables, int64[n]: make_limiter lays the networks' behind the addresses'."""
    whole = limiter.sets.base
    assert isinstance(whole, np.ndarray)
    assert whole.size == limiter.sets.size + limiter.prefixes.size
    return whole.reshape(-1)


def aligned(rows: int, words: int) -> Words:
    """int64[rows, words] of zeros that begin with a page of memory, so that a set is one cache line."""
    return np.frombuffer(mmap.mmap(-1, rows * words * 8), np.int64).reshape(rows, words)
