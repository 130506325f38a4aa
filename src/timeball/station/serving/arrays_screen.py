"""The access list and the limits of a whole batch in numpy: what kernels_screen.py does, in the same memory.

The hash is another: a product with a secret odd factor, whose highest bits tell the set (multiply-shift, Dietzfelbinger
and others 1997). What has more than one word is made one before, by secret sums whose products are added (NH of UMAC,
Black and others 1999): a sum of words times odd factors would be the same for addresses that differ in the highest bits
of both. For any two addresses, whoever chose them, the chance of one set is about that of throwing dice, and nobody
outside learns the factors or the sets. The memory of a Limiter's two tables is one here, laid out for gathering:
all hashes, four a set, those of networks behind those of addresses, then the instants at which their buckets are full.
So one search finds an address and its network.

A batch in which every request conforms, even if each address had as many as the one with the most, is charged at once,
which is nearly every batch; the others one request after another, as are new addresses that one batch brings to a set.
"""

from __future__ import annotations

import socket
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from timeball.station.serving.access import ALWAYS, DENIED, AccessTable
from timeball.station.serving.limiter import (
    DENIED_TOO,
    KISS_EVERY,
    PREFIX_INTERVAL,
    PREFIX_SLACK,
    SOURCE_INTERVAL,
    SOURCE_SLACK,
    WAYS,
    Limiter,
    both_tables,
)
from timeball.station.serving.sources import (
    ADDRESS_HIGH,
    ADDRESS_LOW,
    FIRST_RAW,
    LAST_RAW,
    MAPPED_LOW,
    REQUESTS,
    ROW_WORDS,
)
from timeball.station.serving.sources import LIMITED as ROW_LIMITED

Words = NDArray[np.int64]
Codes = NDArray[np.int64]
Places = NDArray[np.intp]

# Codes beside access.DENIED and access.NTS_ONLY, as in kernels_screen.py.
LIMITED, TOLD = 4, 8
# Of a name, the halves of words in which an IPv6 address stands; an IPv4 address stands in the upper half of the first
# word. The networks that share a limit, /24 and /48, in words of the wire as the host reads them.
V6_HALVES = slice(2, 6)
V6_NETWORK = np.uint64(0x0000FFFFFFFFFFFF)
V4_MASKS = np.array([[0xFFFFFFFF << 32], [0x00FFFFFF << 32]], np.uint64)
COARSE = 1 << 16
NONE = np.zeros(0, np.intp)
NEVER_NS = 2**62


class Access:
    """Codes of the addresses of one family, from the sorted starts of an AccessTable."""

    def __init__(self, table: AccessTable, family: int) -> None:
        self._v4 = family == socket.AF_INET
        codes = table.v4_codes if self._v4 else table.v6_codes
        self.constant = int(codes[0]) if len(codes) == 1 else None
        self._starts = table.v4_starts.astype(np.uint32)
        # a search that finds k starts not above an address takes the code before that place
        self._codes = np.concatenate(([0], table.v4_codes))
        self._v6_starts = list(zip(table.v6_high.tolist(), table.v6_low.tolist(), strict=True))
        self._v6_codes = table.v6_codes.tolist()
        heads = table.v4_starts >> 16 if self._v4 else (table.v6_high >> 48) + 2**15
        self._coarse, self._column = coarse_table(heads.tolist(), codes.tolist()), 2 if self._v4 else 4

    def all_allowed(self, names: Words) -> bool:
        """Whether every code is 0, as the first 16 bits of the addresses tell; where those do not, it says no."""
        return not np.count_nonzero(self._coarse.take(names.view(np.uint16)[:, self._column]))

    def codes(self, names: Words) -> Codes:
        """The codes, int64[n], of socket addresses int64[n, 4]."""
        if self._v4:
            return self._codes[self._starts.searchsorted(names.view(np.uint32)[:, 1].byteswap(), "right")]
        pairs = names[:, 1:3].byteswap() ^ np.int64(-(2**63))
        return np.array([self._v6_codes[bisect_right(self._v6_starts, tuple(pair)) - 1] for pair in pairs.tolist()])


def coarse_table(heads: list[int], codes: list[int]) -> NDArray[np.bool_]:
    """By the first two bytes of an address, as the host reads them from the wire: whether a code below may not be 0.

    `heads` are those of the starts, in order, and each code holds to the next.
    """
    table = np.zeros(COARSE, np.bool_)
    for head, last, code in zip(heads, [*heads[1:], COARSE - 1], codes, strict=True):
        if code:
            table[head : last + 1] = True
    return np.ascontiguousarray(table.reshape(256, 256).T).reshape(-1)


class Buckets:
    """The token buckets of a Limiter: four to a set; a place is set · WAYS + way, those of networks stand behind.

    What is asked for comes in rows, int64[rows, n]: one of addresses, and one of their networks where these share a
    limit. Its places are told flat, int64[rows · n].
    """

    def __init__(self, limiter: Limiter) -> None:
        rules, flat = limiter.rules.tolist(), both_tables(limiter)
        places = len(flat) // 2
        self._flat_hashes, self.full_at = flat[:places], flat[places:]
        self._hashes, self._sets = self._flat_hashes.reshape(-1, WAYS), self.full_at.reshape(-1, WAYS)
        self._shifts = np.array([[shift_of(limiter.sets)], [shift_of(limiter.prefixes)]], np.uint64)
        self._behind = np.array([[0], [len(limiter.sets)]])
        self.intervals_ns = rules[SOURCE_INTERVAL], rules[PREFIX_INTERVAL]
        self.slacks_ns = rules[SOURCE_SLACK], rules[PREFIX_SLACK]

    def places(self, hashed: NDArray[np.uint64], now_ns: int) -> tuple[Places, Places]:
        """(the places of these hashes uint64[rows, n], which of them were just given one, with a full bucket)."""
        rows = len(hashed)
        sets = (hashed >> self._shifts[:rows]).view(np.int64)
        if rows == 2:
            sets += self._behind
        places, tags = sets.reshape(-1), hashed.reshape(-1).view(np.int64)
        same = self._hashes.take(places, axis=0) == tags[:, None]
        places *= WAYS
        # the way found first is the first of all where there is none
        places += same.argmax(axis=1)
        if np.count_nonzero(same) == len(tags):
            return places, NONE
        return places, self._give(places, tags, np.flatnonzero(same.view(np.uint32) == 0), now_ns)

    def _give(self, places: Places, tags: Words, missing: Places, now_ns: int) -> Places:
        """Give places to those that are missing, who name the first of their set; which of them are fresh.

        Of several that go to one set the first gets its place before the others look again.
        """
        given = []
        while len(missing):
            firsts = places[missing]
            turn: slice | Places = slice(None)
            if len(set(firsts.tolist())) != len(firsts):
                turn = np.unique(firsts, return_index=True)[1]
            now, spots = missing[turn], firsts[turn]
            spots += self._sets.take(spots // WAYS, axis=0).argmin(axis=1)
            self._flat_hashes[spots], self.full_at[spots], places[now] = tags[now], now_ns, spots
            given.append(now)
            missing = self._look_again(places, tags, np.setdiff1d(missing, now)) if len(now) != len(missing) else NONE
        return given[0] if len(given) == 1 else np.sort(np.concatenate([NONE, *given]))

    def _look_again(self, places: Places, tags: Words, missing: Places) -> Places:
        """Those that are missing still, after others got a place."""
        same = self._hashes.take(places[missing] // WAYS, axis=0) == tags[missing, None]
        places[missing] += same.argmax(axis=1)
        still: Places = missing[~same.any(axis=1)]
        return still

    def take(self, places: Places, rows: int, now_ns: int) -> bool:
        """Take one request each out of these buckets, one that occurs twice twice, if every one of a batch conforms.

        That is, if it did so after as many as a bucket gets of this batch at most.
        """
        full_at, each = self.full_at[places], len(places) // rows
        latest = int(np.maximum.reduce(full_at))
        # a bucket that has long been full holds no more than a full one
        spare_ns = min(self._spare_ns(0, each), self._spare_ns(1, each)) if rows == 2 else self._spare_ns(0, each)
        if max(latest, now_ns) > now_ns + spare_ns:
            for row, (asked, full) in enumerate(zip(places.reshape(rows, -1), full_at.reshape(rows, -1), strict=True)):
                most = int(np.unique(asked, return_counts=True)[1].max())
                if max(int(full.max()), now_ns) > now_ns + self._spare_ns(row, most):
                    return False
        self.full_at[places] = np.maximum(full_at, now_ns, out=full_at) if latest > now_ns else now_ns
        for row in range(rows):
            if self.intervals_ns[row]:
                np.add.at(self.full_at, places[row * each : (row + 1) * each], self.intervals_ns[row])
        return True

    def _spare_ns(self, row: int, requests: int) -> int:
        """How far ahead a bucket may be full at most that shall take so many requests; below 0: none can."""
        interval_ns = self.intervals_ns[row]
        return self.slacks_ns[row] - (requests - 1) * interval_ns if interval_ns else NEVER_NS

    def put(self, buckets: dict[int, int]) -> None:
        """Set buckets anew, by their places."""
        for place, full_at in buckets.items():
            self.full_at[place] = full_at


def shift_of(sets: Words) -> int:
    """By how much a hash is shifted to tell one of these sets, whose number is a power of two."""
    return 64 - (len(sets).bit_length() - 1)


class Screen:
    """The access list and the limiter of one loop, on a socket of one family."""

    def __init__(self, access: AccessTable, limiter: Limiter, family: int) -> None:
        self._access = Access(access, family)
        self._v4 = family == socket.AF_INET
        self._buckets = Buckets(limiter)
        self._rules = 2 if self._buckets.intervals_ns[1] else 1
        self._kiss_every, self._denied_too = int(limiter.rules[KISS_EVERY]), bool(limiter.rules[DENIED_TOO])
        self._rows = limiter.rows
        self._requests, self._last = limiter.rows[:, REQUESTS], limiter.rows[:, LAST_RAW]
        # one-element arrays, whose products wrap around without a warning
        self._factors = [(limiter.key[i : i + 1] | np.uint64(1)) for i in range(4)]
        self._v4_factors = np.array([self._factors[0], self._factors[2]])
        self._v6_summands = limiter.key[:2].view(np.uint32)

    def codes(self, names: Words, now_ns: int) -> Codes | None:
        """The codes, int64[n], of requests whose socket addresses are int64[n, 4]; None where every one is 0."""
        constant = self._access.constant
        if constant == 0 or (constant is None and self._access.all_allowed(names)):
            return self._take(names, now_ns)
        codes = self._access.codes(names) if constant is None else np.full(len(names), constant)
        if not np.count_nonzero(codes):
            return self._take(names, now_ns)
        denied, always = codes & DENIED != 0, codes == ALWAYS
        if np.count_nonzero(always):
            self._note(names[always], now_ns)
        asked = np.flatnonzero(~always if self._denied_too else ~(denied | always))
        over = self._take(names[asked], now_ns) if len(asked) else None
        if over is not None:
            # who is denied is told that, or nothing
            codes[asked] |= np.where(denied[asked], over & LIMITED, over)
        codes[always] = 0
        return codes

    def _note(self, names: Words, now_ns: int) -> None:
        """Requests that no limit holds for, in the table of sources."""
        self._count(names, *self._buckets.places(self._hashed(names, 1), now_ns), now_ns)

    def _hashed(self, names: Words, rows: int) -> NDArray[np.uint64]:
        """The hashes of the addresses, and of their networks where two rows are asked for."""
        if self._v4:
            address = names.view(np.uint64)[:, 0] & V4_MASKS[:rows]
            address *= self._v4_factors[:rows]
            return address
        hashed = np.empty((rows, len(names)), np.uint64)
        sums = (names.view(np.uint32)[:, V6_HALVES] + self._v6_summands).astype(np.uint64)
        np.add(sums[:, 0] * sums[:, 1], sums[:, 2] * sums[:, 3], hashed[0])
        hashed[0] *= self._factors[3]
        if rows == 2:
            np.multiply(names.view(np.uint64)[:, 1] & V6_NETWORK, self._factors[2], hashed[1])
        return hashed

    def _take(self, names: Words, now_ns: int) -> Codes | None:
        """One request of each address: codes LIMITED and TOLD, None where all are within their limits."""
        buckets, rows = self._buckets, self._rules
        places, fresh = buckets.places(self._hashed(names, rows), now_ns)
        self._count(names, places[: len(names)], fresh, now_ns)
        if buckets.take(places, rows, now_ns):
            return None
        return self._one_by_one(places.reshape(rows, -1), now_ns)

    def _count(self, names: Words, places: Places, fresh: Places, now_ns: int) -> None:
        """Requests from these places, in the table of sources; those up to len(names) of `fresh` are new there."""
        if len(fresh):
            new = fresh[: fresh.searchsorted(len(names))]
            self._enter(places[new], names[new], now_ns)
        np.add.at(self._requests, places, 1)
        self._last[places] = now_ns

    def _enter(self, places: Places, names: Words, now_ns: int) -> None:
        """These addresses are new in the table of sources."""
        rows = np.zeros((len(places), ROW_WORDS), np.int64)
        if self._v4:
            rows[:, ADDRESS_LOW] = names.view(np.uint32)[:, 1].byteswap()
            rows[:, ADDRESS_LOW] |= MAPPED_LOW
        else:
            rows[:, ADDRESS_HIGH : ADDRESS_LOW + 1] = names[:, 1:3].byteswap()
        rows[:, FIRST_RAW] = now_ns
        self._rows[places] = rows

    def _one_by_one(self, places: NDArray[np.intp], now_ns: int) -> Codes:
        """The requests in their order, each against what those before it left in the buckets; `places` by rows."""
        buckets = self._buckets
        left = dict(zip(places.reshape(-1).tolist(), buckets.full_at[places.reshape(-1)].tolist(), strict=True))
        rules = list(zip(buckets.intervals_ns, buckets.slacks_ns, strict=True))[: len(places)]
        codes = np.zeros(places.shape[1], np.int64)
        for k, asked in enumerate(places.T.tolist()):
            if any(i and left[place] - now_ns > slack for place, (i, slack) in zip(asked, rules, strict=True)):
                codes[k] = self._over(asked[0])
                continue
            for place, (interval_ns, _) in zip(asked, rules, strict=True):
                left[place] = max(left[place], now_ns) + interval_ns
        buckets.put(left)
        return codes

    def _over(self, place: int) -> int:
        """Count one request over a limit; whether it is one to be told."""
        self._rows[place, ROW_LIMITED] += 1
        every = self._kiss_every
        told = every and self._rows[place, ROW_LIMITED] % every == 1 % every
        return LIMITED | TOLD if told else LIMITED
