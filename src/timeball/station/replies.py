"""Ask our own NTP server over the network, like any client, and compare its answer with the output signal.

offset = served time − the output's, by the four stamps of RFC 5905 section 8; our two are the output's time as the
caller's own counter reads it at CLOCK_MONOTONIC_RAW; delay is the round trip. One question, one answer, no retries.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from timeball.instants import LeapTable
from timeball.protocols.ntp import NTPError, build_request, parse_reply, tai_ns_from_timestamp
from timeball.station import hostclocks

TIMEOUT_S = 0.5


class ReplyUnusable(OSError):
    """No answer, or none that is NTP; one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: whether it claimed to be in sync, and if so served − output (s), round trip (s), dispersion (s)."""

    address: str
    in_sync: bool
    offset_s: float = 0.0
    delay_s: float = 0.0
    root_distance_s: float = 0.0


def ask(address: str, tai_of_raw: Callable[[int], int], leaps: LeapTable) -> Answer:
    """Ask `host:port`; `tai_of_raw` gives the output's TAI (ns) at a reading of RAW. Raises `ReplyUnusable`."""
    host, _, port = address.rpartition(":")
    nonce = secrets.randbits(64) | 1
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.connect((host.strip("[]"), int(port)))
            sent_raw = hostclocks.raw_ns()
            sock.send(build_request(nonce))
            data = sock.recv(512)
            received_raw = hostclocks.raw_ns()
        reply = parse_reply(data, nonce)
    except (OSError, NTPError) as error:
        raise ReplyUnusable(f"{address} did not answer as it should: {error}") from error
    if not reply.in_sync:
        return Answer(address, in_sync=False)
    sent, received = tai_of_raw(sent_raw), tai_of_raw(received_raw)
    tai_minus_utc_s = leaps.tai_minus_utc(sent)
    stamps = (reply.packet.receive, reply.packet.transmit)
    arrived, left = (tai_ns_from_timestamp(stamp, tai_minus_utc_s, sent) for stamp in stamps)
    offset_s = ((arrived - sent) + (left - received)) / 2e9
    delay_s = max(0, (received - sent) - (left - arrived)) / 1e9
    return Answer(address, True, offset_s, delay_s, reply.root_distance_s)
