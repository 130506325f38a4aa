"""The access list and the limits of a whole batch in numpy: what kernels_screen.py does, over the same tables.

Only the hash is another: a product with secret odd factors, whose highest bits tell the set (multiply-shift,
Dietzfelbinger and others 1997). For any two addresses, whoever chose them, the chance of one set is about that of
throwing dice, and nobody outside learns the factors or the sets.

A batch in which every request would conform even if all came from one address is charged at once, which is nearly every
batch; the others one request after another. Of two new addresses that one batch brings to one place, the later stays.
"""

from __future__ import annotations

import socket
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from timeball.station.serving.access import DENIED, AccessTable
from timeball.station.serving.limiter import (
    KISS_EVERY,
    PREFIX_INTERVAL,
    PREFIX_SLACK,
    SET_WORDS,
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
    ROW_WORDS,
)
from timeball.station.serving.sources import (
    LIMITED as ROW_LIMITED,
)

Words = NDArray[np.int64]

# Codes beside access.DENIED and access.NTS_ONLY, as in kernels_screen.py.
LIMITED, TOLD = 4, 8
V4_NETWORK, V6_NETWORK = ~0xFF, ~0xFFFF


class Access:
    """Codes of addresses from the sorted starts of an AccessTable."""

    def __init__(self, table: AccessTable) -> None:
        self._table = table
        self._constant = int(table.v4_codes[0]) if len(table.v4_codes) == 1 else None
        self._v6_starts = list(zip(table.v6_high.tolist(), table.v6_low.tolist(), strict=True))
        self._v6_codes = table.v6_codes.tolist()

    def v4(self, low: Words) -> Words | int:
        """The codes of IPv4 addresses given in the mapped form's low word; one number where all have the same."""
        if self._constant is not None:
            return self._constant
        return self._table.v4_codes[self._table.v4_starts.searchsorted(low & 0xFFFFFFFF, "right") - 1]

    def any(self, high: Words, low: Words) -> Words:
        """The codes of addresses of either kind."""
        return np.array([self._code(*each) for each in zip(high.tolist(), low.tolist(), strict=True)], np.int64)

    def _code(self, high: int, low: int) -> int:
        if high == 0 and low >> 32 == 0xFFFF:
            address = low & 0xFFFFFFFF
            return int(self._table.v4_codes[self._table.v4_starts.searchsorted(address, "right") - 1])
        turned = high ^ -(2**63), low ^ -(2**63)
        return int(self._v6_codes[bisect_right(self._v6_starts, turned) - 1])


class Buckets:
    """The token buckets of one table of a Limiter, by places (set · WAYS + way)."""

    def __init__(self, sets: Words, key: NDArray[np.uint64], which: int) -> None:
        self._sets, self._flat = sets, sets.reshape(-1)
        odd = key | np.uint64(1)
        self._high, self._low = (odd[(2 * which + i) % 4].astype(np.int64) for i in (0, 1))
        self._shift = 64 - (len(sets).bit_length() - 1)

    def places(self, high: Words | int, low: Words, now_ns: int) -> tuple[Words, Words]:
        """(places, which of them were just given to their address, with a full bucket) of int64[n] addresses."""
        with np.errstate(over="ignore"):
            hashed = low * self._low + high * self._high
        rows = (hashed.view(np.uint64) >> np.uint64(self._shift)).view(np.int64)
        hashed |= 1
        found = self._sets[rows]
        same = found[:, :WAYS] == hashed[:, None]
        ways = same.argmax(axis=1)
        fresh = np.flatnonzero(~same[np.arange(len(ways)), ways])
        if len(fresh):
            ways[fresh] = found[fresh, WAYS:].argmin(axis=1)
            self._sets[rows[fresh], ways[fresh]] = hashed[fresh]
            self._sets[rows[fresh], WAYS + ways[fresh]] = now_ns
        return rows * WAYS + ways, fresh

    def instants(self, places: Words) -> Words:
        """Where the instants at which these buckets are full stand in the flat table."""
        return places // WAYS * SET_WORDS + WAYS + places % WAYS

    def full_at(self, instants: Words) -> Words:
        """When these buckets are full."""
        return self._flat[instants]

    def charge(self, instants: Words, full_at: Words, interval_ns: int, now_ns: int) -> None:
        """Take one request each out of these buckets; one that occurs twice is charged twice."""
        self._flat[instants] = np.maximum(full_at, now_ns)
        if interval_ns:
            np.add.at(self._flat, instants, interval_ns)

    def put(self, instants: dict[int, int]) -> None:
        """Set buckets anew, by where their instants stand."""
        for at, full_at in instants.items():
            self._flat[at] = full_at


class Screen:
    """The access list and the limiter of one loop."""

    def __init__(self, access: AccessTable, limiter: Limiter) -> None:
        self._access = Access(access)
        self._sources = Buckets(limiter.sets, limiter.key, 0)
        self._networks = Buckets(limiter.prefixes, limiter.key, 1)
        self._rows, self._counts = limiter.rows, limiter.rows.reshape(-1)
        rules = limiter.rules.tolist()
        self._interval, self._slack = rules[SOURCE_INTERVAL], rules[SOURCE_SLACK]
        self._network_interval, self._network_slack = rules[PREFIX_INTERVAL], rules[PREFIX_SLACK]
        self._kiss_every = rules[KISS_EVERY]

    def codes(self, names: Words, now_ns: int) -> Words | None:
        """The codes, int64[n], of requests whose socket addresses are int64[n, 4]; None where every one is 0."""
        first = names[:, 0]
        if ((first & 0xFFFF) == socket.AF_INET).all():
            high: Words | int = 0
            low = first.byteswap() & 0xFFFFFFFF | MAPPED_LOW
            codes = self._access.v4(low)
        else:
            high, low = addresses(names)
            codes = self._access.any(high, low)
        if isinstance(codes, int):
            if codes & DENIED:
                return np.full(len(low), codes)
            over = self._take(high, low, now_ns)
            return over if codes == 0 else (codes if over is None else over | codes) + np.zeros_like(low)
        if not codes.any():
            return self._take(high, low, now_ns)
        asked = np.flatnonzero(codes & DENIED == 0)
        if len(asked):
            over = self._take(high if isinstance(high, int) else high[asked], low[asked], now_ns)
            if over is not None:
                codes[asked] |= over
        return codes

    def _take(self, high: Words | int, low: Words, now_ns: int) -> Words | None:
        """One request of each address: codes LIMITED and TOLD, None where all are within their limits."""
        places, fresh = self._sources.places(high, low, now_ns)
        at = places * ROW_WORDS
        if len(fresh):
            self._rows[places[fresh]] = 0
            self._rows[places[fresh], ADDRESS_HIGH] = high if isinstance(high, int) else high[fresh]
            self._rows[places[fresh], ADDRESS_LOW] = low[fresh]
            self._rows[places[fresh], FIRST_RAW] = now_ns
        np.add.at(self._counts, at + REQUESTS, 1)
        self._counts[at + LAST_RAW] = now_ns
        instants = self._sources.instants(places)
        full_at = self._sources.full_at(instants)
        conform = within_all(full_at, self._interval, self._slack, now_ns)
        if not self._network_interval:
            if conform:
                self._sources.charge(instants, full_at, self._interval, now_ns)
                return None
            return self._one_by_one(places, instants, full_at, None, None, now_ns)
        shared = self._networks.instants(self._networks.places(*networks(high, low), now_ns)[0])
        shared_full_at = self._networks.full_at(shared)
        if conform and within_all(shared_full_at, self._network_interval, self._network_slack, now_ns):
            self._sources.charge(instants, full_at, self._interval, now_ns)
            self._networks.charge(shared, shared_full_at, self._network_interval, now_ns)
            return None
        return self._one_by_one(places, instants, full_at, shared, shared_full_at, now_ns)

    def _one_by_one(
        self,
        places: Words,
        instants: Words,
        full_at: Words,
        shared: Words | None,
        shared_full_at: Words | None,
        now_ns: int,
    ) -> Words:
        """The requests in their order, each against what those before it left in the buckets."""
        own = dict(zip(instants.tolist(), full_at.tolist(), strict=True))
        nets: dict[int, int] = {}
        keys = instants.tolist()
        shares = keys
        if shared is not None and shared_full_at is not None:
            shares = shared.tolist()
            nets = dict(zip(shares, shared_full_at.tolist(), strict=True))
        codes = np.zeros(len(keys), np.int64)
        for k, (key, share) in enumerate(zip(keys, shares, strict=True)):
            if self._interval and own[key] - now_ns > self._slack:
                codes[k] = self._over(int(places[k]))
                continue
            if nets:
                if nets[share] - now_ns > self._network_slack:
                    codes[k] = self._over(int(places[k]))
                    continue
                nets[share] = max(nets[share], now_ns) + self._network_interval
            own[key] = max(own[key], now_ns) + self._interval
        self._sources.put(own)
        self._networks.put(nets)
        return codes

    def _over(self, place: int) -> int:
        """Count one request over a limit; whether it is one to be told."""
        self._rows[place, ROW_LIMITED] += 1
        every = self._kiss_every
        told = every and self._rows[place, ROW_LIMITED] % every == 1 % every
        return LIMITED | TOLD if told else LIMITED


def within_all(full_at: Words, interval_ns: int, slack_ns: int, now_ns: int) -> bool:
    """Whether every bucket would take as many requests as there are in the batch."""
    return interval_ns == 0 or int(full_at.max()) + (len(full_at) - 1) * interval_ns - now_ns <= slack_ns


def networks(high: Words | int, low: Words) -> tuple[Words | int, Words]:
    """The networks that share a limit: /24 of IPv4 in its mapped form, /48 of IPv6."""
    if isinstance(high, int):
        return high, low & V4_NETWORK
    v4 = (high == 0) & (low >> 32 == 0xFFFF)
    return np.where(v4, 0, high & V6_NETWORK), np.where(v4, low & V4_NETWORK, 0)


def addresses(names: Words) -> tuple[Words, Words]:
    """The two words of each address, of sockets of either family (sources.words_of)."""
    v4 = (names[:, 0] & 0xFFFF) == socket.AF_INET
    mapped = names[:, 0].byteswap() & 0xFFFFFFFF | MAPPED_LOW
    return np.where(v4, 0, names[:, 1].byteswap()), np.where(v4, mapped, names[:, 2].byteswap())
