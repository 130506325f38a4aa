"""The access list and the limits of a whole batch in numpy: what kernels_screen.py does, in the same memory.

The hash is another: a product with secret odd factors, whose highest bits tell the set (multiply-shift, Dietzfelbinger
and others 1997). For any two addresses, whoever chose them, the chance of one set is about that of throwing dice, and
nobody outside learns the factors or the sets. The memory of a Limiter's sets is laid out for gathering: all hashes,
four a set, then the instants at which their buckets are full.

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
)
from timeball.station.serving.sources import (
    ADDRESS_HIGH,
    ADDRESS_LOW,
    FIRST_RAW,
    LAST_RAW,
    MAPPED_LOW,
    REQUESTS,
)
from timeball.station.serving.sources import LIMITED as ROW_LIMITED

Words = NDArray[np.int64]
Codes = NDArray[np.int64]

# Codes beside access.DENIED and access.NTS_ONLY, as in kernels_screen.py.
LIMITED, TOLD = 4, 8
# The networks that share a limit, /24 and /48, in words of the wire as the host reads them.
V4_NETWORK, V6_NETWORK = np.uint64(0x00FFFFFF), np.uint64(0x0000FFFFFFFFFFFF)
HALF = np.uint64(32)


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

    def codes(self, names: Words) -> Codes:
        """The codes, int64[n], of socket addresses int64[n, 4]."""
        if self._v4:
            return self._codes[self._starts.searchsorted(names.view(np.uint32)[:, 1].byteswap(), "right")]
        pairs = names[:, 1:3].byteswap() ^ np.int64(-(2**63))
        return np.array([self._v6_codes[bisect_right(self._v6_starts, tuple(pair)) - 1] for pair in pairs.tolist()])


class Buckets:
    """The token buckets of one table of a Limiter, four to a set; a place is set · WAYS + way."""

    def __init__(self, sets: Words, interval_ns: int, slack_ns: int) -> None:
        flat, places = sets.reshape(-1), len(sets) * WAYS
        self._hashes, self.full_at = flat[:places].reshape(-1, WAYS), flat[places:]
        self._shift = np.uint64(64 - (len(sets).bit_length() - 1))
        self.interval_ns, self.slack_ns = interval_ns, slack_ns

    def places(self, hashed: NDArray[np.uint64], now_ns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(the places of these hashes, which of them were just given one, with a full bucket)."""
        sets = (hashed >> self._shift).view(np.int64)
        tags = hashed.view(np.int64)
        same = self._hashes.take(sets, axis=0) == tags[:, None]
        ways = same.argmax(axis=1)
        if np.count_nonzero(same) == len(tags):
            return ways + sets * WAYS, NONE
        # the way found first is no match where there is none
        fresh = np.flatnonzero(~same[np.arange(len(tags)), ways])
        if len(set(sets[fresh].tolist())) != len(fresh):
            return self._in_turn(sets, tags, ways, fresh, now_ns)
        ways[fresh] = self.full_at.reshape(-1, WAYS)[sets[fresh]].argmin(axis=1)
        self._hashes[sets[fresh], ways[fresh]] = tags[fresh]
        places = ways + sets * WAYS
        self.full_at[places[fresh]] = now_ns
        return places, fresh

    def _in_turn(
        self, sets: Words, tags: Words, ways: NDArray[np.intp], missing: NDArray[np.intp], now_ns: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """As `places`, where several of those `missing` go to one set: one after another, each sees those before it."""
        fresh = []
        for k in missing.tolist():
            row, full_at = self._hashes[sets[k]], self.full_at.reshape(-1, WAYS)[sets[k]]
            known = np.flatnonzero(row == tags[k])
            if len(known):
                ways[k] = known[0]
                continue
            ways[k] = full_at.argmin()
            row[ways[k]], full_at[ways[k]] = tags[k], now_ns
            fresh.append(k)
        return ways + sets * WAYS, np.array(fresh, np.intp)

    def all_conform(self, places: NDArray[np.intp], full_at: Words, now_ns: int) -> bool:
        """Whether every request of a batch has its place in the buckets, as they were before it."""
        if self.interval_ns == 0 or self._take(full_at, len(places), now_ns):
            return True
        return self._take(full_at, int(np.unique(places, return_counts=True)[1].max()), now_ns)

    def _take(self, full_at: Words, requests: int, now_ns: int) -> bool:
        """Whether each of these buckets would take so many requests."""
        spare_ns = self.slack_ns - (requests - 1) * self.interval_ns
        # a bucket that has long been full holds no more than a full one
        return spare_ns >= 0 and not np.count_nonzero(full_at > now_ns + spare_ns)

    def charge(self, places: NDArray[np.intp], full_at: Words, now_ns: int) -> None:
        """Take one request each out of these buckets; one that occurs twice is charged twice."""
        self.full_at[places] = np.maximum(full_at, now_ns)
        if self.interval_ns:
            np.add.at(self.full_at, places, self.interval_ns)

    def put(self, buckets: dict[int, int]) -> None:
        """Set buckets anew, by their places."""
        for place, full_at in buckets.items():
            self.full_at[place] = full_at


NONE = np.zeros(0, np.intp)


class Screen:
    """The access list and the limiter of one loop, on a socket of one family."""

    def __init__(self, access: AccessTable, limiter: Limiter, family: int) -> None:
        self._access = Access(access, family)
        self._v4 = family == socket.AF_INET
        rules = limiter.rules.tolist()
        self._sources = Buckets(limiter.sets, rules[SOURCE_INTERVAL], rules[SOURCE_SLACK])
        self._networks = Buckets(limiter.prefixes, rules[PREFIX_INTERVAL], rules[PREFIX_SLACK])
        self._kiss_every, self._denied_too = rules[KISS_EVERY], rules[DENIED_TOO] != 0
        self._rows = limiter.rows
        self._requests, self._last = limiter.rows[:, REQUESTS], limiter.rows[:, LAST_RAW]
        # one-element arrays, whose products wrap around without a warning
        self._factors = [(limiter.key[i : i + 1] | np.uint64(1)) for i in range(3)]

    def codes(self, names: Words, now_ns: int) -> Codes | None:
        """The codes, int64[n], of requests whose socket addresses are int64[n, 4]; None where every one is 0."""
        constant = self._access.constant
        if constant == 0:
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
        places, fresh = self._sources.places(self._hashed(names)[0], now_ns)
        self._enter(places[fresh], names[fresh], now_ns)
        np.add.at(self._requests, places, 1)
        self._last[places] = now_ns

    def _hashed(self, names: Words) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The hashes of the addresses and of their networks."""
        words, (one, two, three) = names.view(np.uint64), self._factors
        if self._v4:
            address = words[:, 0] >> HALF
            return address * one, (address & V4_NETWORK) * three
        return words[:, 1] * one + words[:, 2] * two, (words[:, 1] & V6_NETWORK) * three

    def _take(self, names: Words, now_ns: int) -> Codes | None:
        """One request of each address: codes LIMITED and TOLD, None where all are within their limits."""
        hashed, hashed_networks = self._hashed(names)
        sources, networks = self._sources, self._networks
        places, fresh = sources.places(hashed, now_ns)
        if len(fresh):
            self._enter(places[fresh], names[fresh], now_ns)
        np.add.at(self._requests, places, 1)
        self._last[places] = now_ns
        full_at = sources.full_at[places]
        conform = sources.all_conform(places, full_at, now_ns)
        if not networks.interval_ns:
            if conform:
                sources.charge(places, full_at, now_ns)
                return None
            return self._one_by_one(places, None, now_ns)
        shared, _ = networks.places(hashed_networks, now_ns)
        shared_full_at = networks.full_at[shared]
        if conform and networks.all_conform(shared, shared_full_at, now_ns):
            sources.charge(places, full_at, now_ns)
            networks.charge(shared, shared_full_at, now_ns)
            return None
        return self._one_by_one(places, shared, now_ns)

    def _enter(self, places: NDArray[np.intp], names: Words, now_ns: int) -> None:
        """These addresses are new in the table of sources."""
        self._rows[places] = 0
        if self._v4:
            self._rows[places, ADDRESS_LOW] = names[:, 0].byteswap() & 0xFFFFFFFF | MAPPED_LOW
        else:
            self._rows[places, ADDRESS_HIGH] = names[:, 1].byteswap()
            self._rows[places, ADDRESS_LOW] = names[:, 2].byteswap()
        self._rows[places, FIRST_RAW] = now_ns

    def _one_by_one(self, places: NDArray[np.intp], shared: NDArray[np.intp] | None, now_ns: int) -> Codes:
        """The requests in their order, each against what those before it left in the buckets."""
        sources, networks = self._sources, self._networks
        keys = places.tolist()
        shares = keys if shared is None else shared.tolist()
        own = dict(zip(keys, sources.full_at[places].tolist(), strict=True))
        nets = {} if shared is None else dict(zip(shares, networks.full_at[shared].tolist(), strict=True))
        codes = np.zeros(len(keys), np.int64)
        for k, (key, share) in enumerate(zip(keys, shares, strict=True)):
            over = sources.interval_ns and own[key] - now_ns > sources.slack_ns
            over = over or (shared is not None and nets[share] - now_ns > networks.slack_ns)
            if over:
                codes[k] = self._over(key)
                continue
            if shared is not None:
                nets[share] = max(nets[share], now_ns) + networks.interval_ns
            own[key] = max(own[key], now_ns) + sources.interval_ns
        sources.put(own)
        networks.put(nets)
        return codes

    def _over(self, place: int) -> int:
        """Count one request over a limit; whether it is one to be told."""
        self._rows[place, ROW_LIMITED] += 1
        every = self._kiss_every
        told = every and self._rows[place, ROW_LIMITED] % every == 1 % every
        return LIMITED | TOLD if told else LIMITED
