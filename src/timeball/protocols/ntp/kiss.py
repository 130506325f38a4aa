"""Kisses of death: replies of stratum 0 whose reference id is a word (RFC 5905 section 7.4).

They tell a client that keeps asking to slow down (RATE), to go away (DENY), or that it may not ask like this (RSTR).
They carry no time: like ntpd's, the stamps are the client's own transmit stamp, which no client takes for an answer of
another server, and the leap indicator is 3. No kiss is authenticated, so a client must not obey one it did not ask for.
"""

from __future__ import annotations

from timeball.protocols.ntp.packet import (
    LEAP_UNSYNCHRONISED,
    MODE_SERVER,
    Packet,
    build_packet,
    parse_packet,
)

RATE, DENY, RSTR = (int.from_bytes(word) for word in (b"RATE", b"DENY", b"RSTR"))
LARGEST_POLL = 17
"""MAXPOLL of RFC 5905 figure 27: 36 hours."""


def kiss_poll(asked: int, least: int) -> int:
    """The poll exponent of a kiss RATE: the longer of the client's own and the limit's, at most 36 hours.

    A client takes it as its new least interval (RFC 5905 section 13, figure 41), so it never asks it to hurry.
    """
    return min(max(asked, least), LARGEST_POLL)


def build_kiss(request: bytes, code: int, least_poll: int = 0) -> bytes:
    """The 48 bytes of a kiss for a client's request of versions 1 to 4; `least_poll` log2 s, of RATE alone.

    Raises PacketTooShort.
    """
    asked = parse_packet(request)
    stamp = asked.transmit
    poll = kiss_poll(asked.poll, least_poll) if code == RATE else asked.poll
    leap, version = LEAP_UNSYNCHRONISED, asked.version
    return build_packet(Packet(leap, version, MODE_SERVER, 0, poll, 0, 0, 0, code, 0, stamp, stamp, stamp))
