"""A server and a network that are arithmetic: an association is asked, answered and lied to without a socket.

The client's counter counts ns from 0; the server's clock is that counter + `ahead_ns`, counted as UTC since 1970. Each
way takes as long as it is told. The server speaks interleaved mode as RFC 9769 has it, keyed by its receive stamps.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass, field

from timeball.protocols.ntp.client import Association, Manner
from timeball.protocols.ntp.clientauth import Authentication, NoAuthentication
from timeball.protocols.ntp.clientevents import Event, Measured
from timeball.protocols.ntp.measurement import Measurement, Stamps
from timeball.protocols.ntp.packet import NS, NTP_MINUS_UNIX_S, Packet, build_packet, parse_packet

EPOCH_NS = 1_795_000_000 * NS
KEPT_NS = 1000
"""From the request's coming to the reading of the clock that a basic reply carries."""


def stamp(utc_ns: int) -> int:
    """The 64-bit timestamp of UTC (ns since 1970)."""
    return ((utc_ns + NTP_MINUS_UNIX_S * NS) << 32) // NS % 2**64


class Drawn:
    """Random bytes that are the same each time."""

    def __init__(self, seed: int = 0) -> None:
        self._count = seed << 32

    def __call__(self, size: int) -> bytes:
        self._count += 1
        mixed = (self._count * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128
        return (mixed.to_bytes(16) * (size // 16 + 1))[:size]


@dataclass
class Server:
    """A server; `remembers`: how many of its receive stamps it keeps. `late_ns`: true leaving minus the stamp it gives
    in basic mode."""

    ahead_ns: int = EPOCH_NS
    remembers: int = 8
    late_ns: int = 40_000
    stratum: int = 1
    leap: int = 0
    kept: deque[tuple[int, int]] = field(default_factory=deque)
    modes: list[str] = field(default_factory=list)

    def reply(self, request: bytes, came_ns: int, **changed: int) -> tuple[bytes, int]:
        """The reply to a request that came at `came_ns` of the client's counter, and when it truly leaves."""
        asked = parse_packet(request)
        receive = stamp(came_ns + self.ahead_ns)
        read_ns = came_ns + KEPT_NS
        left_ns = read_ns + self.late_ns
        known = dict(self.kept).get(asked.origin)
        interleaved = known is not None and asked.origin != 0 and asked.receive != asked.transmit
        self.modes.append("interleaved" if interleaved else "basic")
        packet = Packet(
            leap=self.leap,
            version=4,
            mode=4,
            stratum=self.stratum,
            poll=asked.poll,
            precision=-25,
            root_delay=0,
            root_dispersion=1,
            refid=0x47505300,
            reference=receive,
            origin=asked.receive if interleaved else asked.transmit,
            receive=receive,
            transmit=known if interleaved and known is not None else stamp(read_ns + self.ahead_ns),
        )
        self.kept.append((receive, stamp(left_ns + self.ahead_ns)))
        while len(self.kept) > self.remembers:
            self.kept.popleft()
        return build_packet(dataclasses.replace(packet, **changed)), left_ns


@dataclass
class Line:
    """An association, its server, and the way between them; `now` moves only here."""

    association: Association
    server: Server
    there_ns: int = 3_000_000
    back_ns: int = 1_000_000
    now: int = 1_000_000_000
    events: list[Event] = field(default_factory=list)

    def request(self) -> bytes:
        """The request that is due next, at its time."""
        while True:
            datagram = self.association.to_send(self.now)
            self.take()
            if datagram is not None:
                return datagram
            timer = self.association.next_timer()
            assert timer is not None, "nothing is due ever again"
            self.now = max(self.now + 1, timer)

    def deliver(self, data: bytes, sent_ns: int, received_ns: int) -> list[Event]:
        """A datagram comes; the events that follow."""
        before = len(self.events)
        self.now = max(self.now, received_ns)
        self.association.receive(data, Stamps(sent_ns, received_ns), self.now)
        self.take()
        return self.events[before:]

    def exchange(self, *, lost: bool = False, **changed: int) -> list[Event]:
        """A request and, unless it is lost, its reply; fields of the reply may be changed."""
        datagram = self.request()
        sent_ns = self.now
        reply, left_ns = self.server.reply(datagram, sent_ns + self.there_ns, **changed)
        if lost:
            timer = self.association.next_timer()
            assert timer is not None
            self.now = timer
            before = len(self.events)
            assert self.association.to_send(self.now) is None or self.association.manner.spacing_ns == 0
            self.take()
            return self.events[before:]
        return self.deliver(reply, sent_ns, left_ns + self.back_ns)

    def take(self) -> None:
        while (event := self.association.next_event()) is not None:
            self.events.append(event)


def line(
    *,
    interleaved: bool = False,
    burst: int = 1,
    server: Server | None = None,
    authentication: Authentication | None = None,
) -> Line:
    """A fresh association on a fresh way."""
    manner = Manner(poll_ns=16 * NS, burst=burst, spacing_ns=2 * NS, timeout_ns=NS, interleaved=interleaved)
    association = Association(manner, Drawn(), authentication or NoAuthentication(), 1_000_000_000)
    return Line(association, server or Server())


def measured(events: list[Event]) -> list[Measurement]:
    """The measurements among events."""
    return [event.measurement for event in events if isinstance(event, Measured)]
