"""One question to an NTP server, answered as TAI at a reading of RAW; the host's own time of day is not asked.

The server's time at the middle of the exchange is the middle of its two stamps (RFC 5905 section 8); what that may be
wrong by is half the round trip and what the server owns up to.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from timeball.instants import LeapTable
from timeball.protocols.ntp.packet import NTPError, Reply, build_request, parse_reply, tai_ns_from_timestamp
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import tai_of_utc

TIMEOUT_S = 0.5
PACKET_BYTES = 512
YEAR_2040_NS = 2_208_988_800 * 10**9
"""Decides the era of a timestamp: everything between 1972 and 2108 is told apart, whatever the host believes."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer: RAW (ns) when the one was sent and the other had come."""

    sent_raw_ns: int
    received_raw_ns: int
    reply: Reply

    def stamps(self) -> tuple[int, int]:
        """The server's two stamps, question come and answer sent, as UTC (ns since 1970) that counts no leaps."""
        packet = self.reply.packet
        first, last = (tai_ns_from_timestamp(stamp, 0, YEAR_2040_NS) for stamp in (packet.receive, packet.transmit))
        return first, last

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


def exchange(address: str, timeout_s: float = TIMEOUT_S) -> Exchange:
    """Ask `host:port` once. Raises OSError when nobody answers and `NTPError` for what is no answer."""
    host, _, port = address.rpartition(":")
    kind, _, _, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    nonce = secrets.randbits(64) | 1
    with socket.socket(kind, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(where)
        sent = hostclocks.raw_ns()
        sock.send(build_request(nonce))
        data = sock.recv(PACKET_BYTES)
        received = hostclocks.raw_ns()
    return Exchange(sent, received, parse_reply(data, nonce))


def ask_server(address: str, leaps: LeapTable, timeout_s: float = TIMEOUT_S) -> ServerTime:
    """The time of `host:port`. Raises OSError when nobody answers and `NTPError` for an answer that gives no time."""
    asked = exchange(address, timeout_s)
    if not asked.reply.in_sync:
        raise NTPError("leap", asked.reply.packet.leap, "the server does not claim to be in sync")
    arrived, left = (tai_of_utc(stamp, leaps) for stamp in asked.stamps())
    middle = (asked.sent_raw_ns + asked.received_raw_ns) // 2
    return ServerTime(middle, (arrived + left) // 2, asked.delay_s(), asked.reply.root_distance_s)
