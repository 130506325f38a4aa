"""What one exchange with a server measures, and what a handful of them say together.

Signs: an offset is server minus client. The client's stamps T1 and T4 are ns of whatever counter it keeps, the server's
T2 and T3 are its count of UTC (ns since 1970, no leap seconds): an offset is the server's count minus that counter.
Bound: |error of an offset| ≤ half of what the two ways may differ by, and they differ by no more than the whole round
trip (RFC 5905 section 8). Pure; nothing here knows a socket or a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from timeball.protocols.ntp.packet import NS, NTP_MINUS_UNIX_S, Packet

YEAR_2040_NS = 2_208_988_800 * NS
"""Decides the era of a timestamp: everything between 1972 and 2108 is told apart, whatever the host believes."""
_HALF_ERA = 2**63


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a request left and its reply came, ns of the client's counter; each is right to ± `width_ns`."""

    sent_ns: int
    received_ns: int
    width_ns: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """The four stamps of one exchange (ns), how they were come by, and the reply's header."""

    sent_ns: int
    arrived_ns: int
    left_ns: int
    received_ns: int
    width_ns: int
    interleaved: bool
    packet: Packet

    @property
    def middle_ns(self) -> int:
        """The client's counter at the middle of the exchange (ns, floor)."""
        return (self.sent_ns + self.received_ns) // 2

    @property
    def server_ns(self) -> int:
        """The server's count of UTC at that moment, if both ways take the same time (ns, floor)."""
        return (self.arrived_ns + self.left_ns) // 2

    @property
    def offset_ns(self) -> float:
        """Server minus client (ns): of two counters of unlike epochs exact to half a nanosecond only as `offset2`."""
        return self.offset2 / 2

    @property
    def offset2(self) -> int:
        """Twice the offset, exactly (ns)."""
        return self.arrived_ns + self.left_ns - self.sent_ns - self.received_ns

    @property
    def delay_s(self) -> float:
        """The round trip without the time that the server kept the request (s)."""
        return max(0, (self.received_ns - self.sent_ns) - (self.left_ns - self.arrived_ns)) / 1e9

    @property
    def root_distance_s(self) -> float:
        """What the server owns up to: half its root delay, and its root dispersion (s)."""
        return self.packet.root_delay / 2**17 + self.packet.root_dispersion / 2**16

    def bound_s(self, asymmetry_s: float | None = None) -> float:
        """The greatest error of the offset (s), when the two ways differ by no more than `asymmetry_s` (None: delay).

        Besides the ways, the client's own two stamps may be wrong by their width.
        """
        differ_s = self.delay_s if asymmetry_s is None else min(self.delay_s, asymmetry_s)
        return differ_s / 2 + self.width_ns / 1e9


def utc_ns(timestamp: int, near_ns: int = YEAR_2040_NS) -> int:
    """A 64-bit timestamp as UTC in ns since 1970, nearest, in the era that brings it nearest to `near_ns`.

    `near_ns` must be whole seconds.
    """
    near = (near_ns // NS + NTP_MINUS_UNIX_S) << 32
    difference = (timestamp - near + _HALF_ERA) % 2**64 - _HALF_ERA
    return near_ns // NS * NS + (difference * NS + 2**31) // 2**32


def least_delay(measurements: Sequence[Measurement]) -> Measurement:
    """The one of least delay, which queues have held up least; of those in interleaved mode if there are any.

    ValueError for none at all.
    """
    finer = [one for one in measurements if one.interleaved] or list(measurements)
    return min(finer, key=lambda one: one.delay_s)


def noise_s(measurements: Sequence[Measurement], best: Measurement, least_s: float | None = None) -> float:
    """Standard uncertainty (k = 1) of `best`'s offset from what varies: queues, stamps, the server's reading (s).

    measurements: the burst that `best` is of; the others' offsets from it are its jitter (RFC 5905 section 10).
    least_s: the least delay known of this server (s): half of what `best` took longer is the most a queue can have
    moved it, taken as a uniform distribution. The constant part of the asymmetry is not noise: see `bound_s`.
    """
    others = [one for one in measurements if one is not best and one.interleaved == best.interleaved]
    jitter_s = math.sqrt(sum((one.offset2 - best.offset2) ** 2 for one in others) / max(1, len(others))) / 2e9
    queue_s = 0.0 if least_s is None else max(0.0, best.delay_s - least_s) / 2
    reading_s = math.ldexp(1.0, max(-60, min(best.packet.precision, 10)))
    return math.hypot(jitter_s, queue_s / math.sqrt(3), best.width_ns / 1e9 / math.sqrt(3), reading_s / math.sqrt(3))
