"""Limits of the key exchange by network: how many connections at once, and how many a second, in bounded memory.

A network is an IPv4 /24 or an IPv6 /48, as the NTP limiter has them; an IPv4 address in IPv6's clothes counts as IPv4.
The rate is a token bucket kept as one number, the instant at which it will be full again (ITU-T I.371 annex A): who
has not been heard for the longest time is forgotten when `PLACES` are taken. It reads no clock; `now` is monotonic s.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from dataclasses import dataclass

PLACES = 4096
V4_BYTES, V6_BYTES = 3, 6
MAPPED = bytes(10) + b"\xff\xff"
ELSEWHERE = b""
"""The network of whoever has no such address."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one network, in one process: connections at once, connections a second and in a burst; 0: no limit."""

    connections: int = 0
    rate: float = 0.0
    burst: float = 1.0


NO_LIMITS = Limits()


def network_of(host: str) -> bytes:
    """The network of an address as accept(2) gives it: 3 bytes of IPv4, or 6 of IPv6."""
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)[:V4_BYTES]
        address = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except OSError:
        return ELSEWHERE
    return address[12 : 12 + V4_BYTES] if address.startswith(MAPPED) else address[:V6_BYTES]


class Rates:
    """Whether a network may begin another connection now."""

    def __init__(self, limits: Limits, places: int = PLACES) -> None:
        self._interval_s = 1.0 / limits.rate if limits.rate > 0 else 0.0
        self._slack_s = (limits.burst - 1.0) * self._interval_s
        self._places = places
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, network: bytes, now: float) -> bool:
        """Count one more; false when that is over the limit, and then it is not counted."""
        if not self._interval_s:
            return True
        full_at = max(self._full_at.pop(network, now), now)
        within = full_at - now <= self._slack_s
        if len(self._full_at) >= self._places:
            self._full_at.popitem(last=False)
        self._full_at[network] = full_at + self._interval_s if within else full_at
        return within
