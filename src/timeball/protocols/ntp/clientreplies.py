"""What an association makes of one reply, apart from its own state: nonces, kisses, the four stamps, reasons.

Signs: as in `measurement`. Errors are the remote's; who raised what is counted by `reason_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from timeball.protocols.ntp.clientevents import AuthenticationFailed, ImplausibleStamps, KeysRefused, Reason
from timeball.protocols.ntp.measurement import Measurement, Stamps, utc_ns
from timeball.protocols.ntp.packet import (
    LEAP_UNSYNCHRONISED,
    MAX_DISPERSION_S,
    MODE_CLIENT,
    MODE_SERVER,
    NEWEST_VERSION,
    NS,
    BogusOrigin,
    NotAReply,
    NTPError,
    Packet,
    PacketTooShort,
    build_packet,
    parse_packet,
)

_SIGN = 2**63
_MINIMAL_PRECISION = 0x20
_REASONS: tuple[tuple[type[NTPError], Reason], ...] = (
    (PacketTooShort, Reason.TOO_SHORT),
    (NotAReply, Reason.NOT_A_REPLY),
    (BogusOrigin, Reason.BOGUS),
    (ImplausibleStamps, Reason.IMPLAUSIBLE),
    (KeysRefused, Reason.NAK),
    (AuthenticationFailed, Reason.FORGED),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange with a valid reply: our stamps, and the server's receive stamp."""

    stamps: Stamps
    receive: int


def reason_of(error: NTPError) -> Reason:
    """What a datagram that raised this is counted under."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.NOT_A_REPLY)


def draw_nonces(random_bytes: Callable[[int], bytes]) -> tuple[int, int]:
    """Two unlike numbers of 64 random bits, neither of them 0."""
    while True:
        drawn = random_bytes(16)
        first, second = int.from_bytes(drawn[:8]), int.from_bytes(drawn[8:])
        if first != second and first and second:
            return first, second


def request_header(first: int, second: int = 0, origin: int = 0) -> bytes:
    """The 48 bytes of a request that tells nothing but two nonces; in basic mode `second` and `origin` are 0."""
    return build_packet(
        Packet(0, NEWEST_VERSION, MODE_CLIENT, 0, 0, _MINIMAL_PRECISION, 0, 0, 0, 0, origin, second, first)
    )


def parse_mode4(data: bytes) -> Packet:
    """The header of a reply to version 4. Raises PacketTooShort, NotAReply."""
    packet = parse_packet(data)
    if packet.mode != MODE_SERVER or packet.version != NEWEST_VERSION:
        raise NotAReply("mode", packet.mode, f"a reply has mode {MODE_SERVER} and version {NEWEST_VERSION}")
    return packet


def kiss_of(packet: Packet) -> str:
    """The code of a packet of stratum 0, else empty (RFC 5905 section 7.4)."""
    return packet.refid.to_bytes(4).rstrip(b"\0").decode("ascii", "replace") if packet.stratum == 0 else ""


def claims_sync(packet: Packet) -> bool:
    """Whether the server says that its time is good for something (RFC 5905 section 11.1)."""
    distance_s = packet.root_delay / 2**17 + packet.root_dispersion / 2**16
    return packet.leap != LEAP_UNSYNCHRONISED and 1 <= packet.stratum <= 15 and distance_s < MAX_DISPERSION_S


def measure(packet: Packet, of: Exchange | None, interleaved: bool) -> Measurement:
    """The exchange `of` with the transmit stamp that `packet` brings. Raises ImplausibleStamps."""
    if of is None or 0 in (of.receive, packet.receive, packet.transmit):
        raise ImplausibleStamps("receive or transmit", 0, "claims sync but gives no time")
    # Differences of stamps are exact modulo 2⁶⁴ whatever their eras (RFC 5905 section 6).
    if (packet.transmit - of.receive) % 2**64 >= _SIGN:
        raise ImplausibleStamps("transmit", f"{packet.transmit:016x}", "earlier than the receive stamp")
    if interleaved and (packet.receive - packet.transmit) % 2**64 >= _SIGN:
        raise ImplausibleStamps("transmit", f"{packet.transmit:016x}", "a reply that left after the next request came")
    arrived_ns, left_ns = utc_ns(of.receive), utc_ns(packet.transmit)
    stamps = of.stamps
    round_trip_ns = (stamps.received_ns - stamps.sent_ns) - (left_ns - arrived_ns)
    if round_trip_ns < -(2 * stamps.width_ns + NS * 2.0 ** min(packet.precision, 0) + 1):
        raise ImplausibleStamps("transmit", f"{packet.transmit:016x}", "the server kept it longer than it was away")
    return Measurement(stamps.sent_ns, arrived_ns, left_ns, stamps.received_ns, stamps.width_ns, interleaved, packet)
