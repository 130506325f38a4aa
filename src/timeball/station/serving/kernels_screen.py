"""The access list and the limits for a whole batch at once, before any datagram is looked at more closely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.lean import lean
from timeball.station.serving.access import ALWAYS, DENIED, AccessTable
from timeball.station.serving.bitwise import fetch_ahead, swap_bytes
from timeball.station.serving.kernels_access import access_code
from timeball.station.serving.kernels_limiter import find_place, hash_words, take_hashed
from timeball.station.serving.limiter import DENIED_TOO, SET_WORDS, Limiter
from timeball.station.serving.sources import MAPPED_LOW, ROW_WORDS

Words = NDArray[np.int64]

AF_INET = 2
# places: the address in two words, its hash, its row in the table of sources
HIGH, LOW, HASH, PLACE = range(4)
# Codes beside access.DENIED and access.NTS_ONLY.
LIMITED, TOLD = 4, 8


@lean
def screen(
    received: int, names: Words, access: AccessTable, limiter: Limiter, now_ns: int, codes: Words, places: Words
) -> None:
    """Give each of the `received` datagrams its code (bits) and its place in the table of sources.

    In passes, so that the sets of all addresses are fetched from memory at once, and then their rows. Who is denied is
    limited where he would be told so, or an address that is forged could have another sent kisses without end; over the
    limits he is told nothing.
    """
    sets = limiter.sets
    first = sets.ctypes.data
    mask = sets.shape[0] - 1
    k0, k1 = limiter.key[0], limiter.key[1]
    for k in range(received):
        word = swap_bytes(names[k, 0])
        # the family is written in the host's order, and the bytes were turned
        if (names[k, 0] & 0xFFFF) == AF_INET:
            high, low = 0, MAPPED_LOW | (word & 0xFFFFFFFF)
        else:
            high, low = swap_bytes(names[k, 1]), swap_bytes(names[k, 2])
        places[k, HIGH] = high
        places[k, LOW] = low
        hashed = hash_words(k0, k1, high, low)
        places[k, HASH] = hashed
        fetch_ahead(first + 8 * SET_WORDS * ((hashed >> 1) & mask))
    rows = limiter.rows.ctypes.data
    for k in range(received):
        place = find_place(sets, places[k, HASH])
        fetch_ahead(rows + 8 * ROW_WORDS * (place if place >= 0 else -1 - place))
    for k in range(received):
        code = access_code(access, places[k, HIGH], places[k, LOW])
        denied = code & DENIED
        if denied == 0 or limiter.rules[DENIED_TOO] != 0:
            always = code == ALWAYS
            over, place = take_hashed(limiter, places[k, HIGH], places[k, LOW], places[k, HASH], now_ns, always)
            code |= (over * LIMITED) if denied == 0 else (over & 1) * LIMITED
            code = 0 if always else code
            places[k, PLACE] = place
        codes[k] = code
