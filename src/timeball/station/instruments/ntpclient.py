"""One question to an NTP server, answered as TAI at a reading of RAW; the host's own time of day is not asked.

The server's time at the middle of the exchange is the middle of its two stamps (RFC 5905 section 8); what that may be
wrong by is half the round trip and what the server owns up to.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from timeball.instants import LeapTable
from timeball.protocols.ntp import NTPError, build_request, parse_reply, tai_ns_from_timestamp
from timeball.station import hostclocks
from timeball.station.realtime import tai_of_utc

TIMEOUT_S = 0.5
PACKET_BYTES = 512
YEAR_2040_NS = 2_208_988_800 * 10**9
"""Decides the era of a timestamp: everything between 1972 and 2108 is told apart, whatever the host believes."""


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The server's TAI (ns) at RAW `raw_ns`; round trip and root distance (s)."""

    raw_ns: int
    tai_ns: int
    delay_s: float
    root_distance_s: float


def ask_server(address: str, leaps: LeapTable, timeout_s: float = TIMEOUT_S) -> ServerTime:
    """Ask `host:port`. Raises OSError when nobody answers and `NTPError` for an answer that gives no time."""
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
    reply = parse_reply(data, nonce)
    if not reply.in_sync:
        raise NTPError("leap", reply.packet.leap, "the server does not claim to be in sync")
    stamps = (reply.packet.receive, reply.packet.transmit)
    arrived, left = (tai_of_utc(tai_ns_from_timestamp(stamp, 0, YEAR_2040_NS), leaps) for stamp in stamps)
    delay_s = max(0, (received - sent) - (left - arrived)) / 1e9
    return ServerTime((sent + received) // 2, (arrived + left) // 2, delay_s, reply.root_distance_s)
