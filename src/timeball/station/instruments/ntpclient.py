"""One question to an NTP server, answered as TAI at a reading of RAW; the host's own time of day is not asked.

The server's time at the middle of the exchange is the middle of its two stamps (RFC 5905 section 8); what that may be
wrong by is half the round trip and what the server owns up to.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from timeball.instants import LeapTable
from timeball.protocols.ntp.measurement import Measurement, utc_ns
from timeball.protocols.ntp.packet import NTPError, Reply, build_request, parse_reply
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.kernelstamps import StampedSocket
from timeball.station.hosttime.realtime import tai_of_utc
from timeball.station.instruments.ntpasking import resolve, split_address

TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer: RAW (ns) when the one was sent and the other had come."""

    sent_raw_ns: int
    received_raw_ns: int
    reply: Reply

    def stamps(self) -> tuple[int, int]:
        """The server's two stamps, question come and answer sent, as UTC (ns since 1970) that counts no leaps."""
        packet = self.reply.packet
        return utc_ns(packet.receive), utc_ns(packet.transmit)

    def delay_s(self) -> float:
        """The round trip without the time the server kept it (s)."""
        arrived, left = self.stamps()
        return max(0, (self.received_raw_ns - self.sent_raw_ns) - (left - arrived)) / 1e9


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The server's TAI (ns) at RAW `raw_ns`; round trip and root distance (s)."""

    raw_ns: int
    tai_ns: int
    delay_s: float
    root_distance_s: float

    @classmethod
    def of(cls, measured: Measurement, leaps: LeapTable) -> ServerTime:
        """What an association has measured on RAW."""
        tai_ns = tai_of_utc(measured.server_ns, leaps)
        return cls(measured.middle_ns, tai_ns, measured.delay_s, measured.root_distance_s)


def exchange(address: str, timeout_s: float = TIMEOUT_S, sources: Mapping[int, str] | None = None) -> Exchange:
    """Ask `host:port` once, with the kernel's stamps. What is no answer to this question is passed over.

    `sources` gives by address family the address to ask from.

    Raises OSError when nobody answers, and `NTPError` when what came last was none.
    """
    family, where = resolve(*split_address(address))
    nonce = secrets.randbits(64) | 1
    sock = StampedSocket(family, where, (sources or {}).get(family, ""))
    problem: Exception = TimeoutError("timed out")
    try:
        until = hostclocks.raw_ns() + round(timeout_s * 1e9)
        sock.send(build_request(nonce))
        while (came := sock.receive(until)) is not None:
            try:
                return Exchange(came.sent_raw_ns, came.received_raw_ns, parse_reply(came.data, nonce))
            except NTPError as error:
                problem = error
    finally:
        sock.close()
    raise problem


def ask_server(address: str, leaps: LeapTable, timeout_s: float = TIMEOUT_S) -> ServerTime:
    """The time of `host:port`. Raises OSError when nobody answers and `NTPError` for an answer that gives no time."""
    asked = exchange(address, timeout_s)
    if not asked.reply.in_sync:
        raise NTPError("leap", asked.reply.packet.leap, "the server does not claim to be in sync")
    arrived, left = (tai_of_utc(stamp, leaps) for stamp in asked.stamps())
    middle = (asked.sent_raw_ns + asked.received_raw_ns) // 2
    return ServerTime(middle, (arrived + left) // 2, asked.delay_s(), asked.reply.root_distance_s)
