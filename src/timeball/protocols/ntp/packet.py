"""NTP packets of client and server: bytes in, bytes out (RFC 5905, versions 1 to 4 of the plain 48-byte packet).

Served: a mode 3 request of version 1 to 4 gets one mode 4 reply of its own version and of 48 bytes, so no reply is
longer than its request. The header of versions 1 to 3 in these two modes is that of version 4 (RFC 5905 section 7.3 and
appendix A of RFC 1305), and old SNTP clients still send them; a version 1 packet without a mode is not answered.
Extension fields and MACs are read past and answered plainly; no other mode is answered, so nothing can be made to
answer itself.

Time on the wire counts UTC: no smear. While 23:59:60 lasts, 23:59:59 is counted a second time, as the kernel and ntpd
do; the leap indicator stands from the beginning of that UTC day until the count changes, and is 0 while it repeats, so
that nobody inserts the second twice.

Signs: an offset is server minus client. No sockets and no clocks here: stamps come in as arguments.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

PACKET_BYTES = 48
NTP_MINUS_UNIX_S = 2_208_988_800
ERA_S = 2**32
NS = 1_000_000_000
DAY_S = 86_400
MODE_CLIENT, MODE_SERVER = 3, 4
LEAP_UNSYNCHRONISED = 3
OLDEST_VERSION, NEWEST_VERSION = 1, 4
KISS_INIT = int.from_bytes(b"INIT")
MAX_DISPERSION_S = 16.0
"""MAXDISP of RFC 5905 figure 27: what an unsynchronised reply carries, so that no root distance passes."""

_LAYOUT = struct.Struct("!BBbbIIIQQQQ")


class NTPError(ValueError):
    """Bytes that are not what they should be: `field` names which, `text` shows what stood there."""

    def __init__(self, field: str, text: object, why: str) -> None:
        super().__init__(f"NTP {field} {text}: {why}")
        self.field, self.text = field, str(text)


class PacketTooShort(NTPError):
    """Fewer bytes than the header has."""


class NotAReply(NTPError):
    """A packet of another mode or version than a reply to our request."""


class BogusOrigin(NTPError):
    """The reply is to another request than ours, or made up without having seen it."""


class UnusableStamps(NTPError):
    """The reply gives no time: a stamp is zero, or it was sent before it was received."""


@dataclass(frozen=True, slots=True)
class Packet:
    """The header as it stands on the wire: short formats in 2⁻¹⁶ s, timestamps in 2⁻³² s of the era (RFC 5905 7.3)."""

    leap: int
    version: int
    mode: int
    stratum: int
    poll: int
    precision: int
    root_delay: int
    root_dispersion: int
    refid: int
    reference: int
    origin: int
    receive: int
    transmit: int


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a reply says of its server besides the stamps. `reference` is when its clock was last compared (2⁻³² s)."""

    leap: int
    stratum: int
    precision: int
    root_delay_s: float
    root_dispersion_s: float
    refid: int
    reference: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer. `kiss` is the code of a stratum 0 packet, else empty; `in_sync` what the server claims."""

    packet: Packet
    in_sync: bool
    kiss: str
    root_distance_s: float


def unsynchronised(precision: int) -> ServerState:
    """The state that claims nothing: leap 3, stratum 0 with kiss code INIT, the greatest dispersion (RFC 5905 7.4)."""
    return ServerState(LEAP_UNSYNCHRONISED, 0, precision, 0.0, MAX_DISPERSION_S, KISS_INIT, 0)


def parse_packet(data: bytes) -> Packet:
    """Take the first 48 bytes apart; whatever follows is left alone. Raises PacketTooShort."""
    if len(data) < PACKET_BYTES:
        raise PacketTooShort("packet", f"of {len(data)} bytes", f"the header has {PACKET_BYTES}")
    first, *rest = _LAYOUT.unpack_from(data)
    return Packet(first >> 6, first >> 3 & 7, first & 7, *rest)


def build_packet(packet: Packet) -> bytes:
    """The 48 bytes of the header."""
    return _LAYOUT.pack(
        packet.leap << 6 | packet.version << 3 | packet.mode,
        packet.stratum,
        packet.poll,
        packet.precision,
        packet.root_delay,
        packet.root_dispersion,
        packet.refid,
        packet.reference,
        packet.origin,
        packet.receive,
        packet.transmit,
    )


def build_reply(request: bytes, state: ServerState, receive: int, transmit: int) -> bytes:
    """The 48-byte reply to a client's request of versions 1 to 4, whatever follows its header; stamps in 2⁻³² s.

    Raises NTPError for anything else: there is no reply to that.
    """
    asked = parse_packet(request)
    if asked.mode != MODE_CLIENT or not OLDEST_VERSION <= asked.version <= NEWEST_VERSION:
        raise NTPError("request", request[:1].hex(), "not of a client, or of a version without such a reply")
    return build_packet(
        Packet(
            leap=state.leap,
            version=asked.version,
            mode=MODE_SERVER,
            stratum=state.stratum,
            poll=asked.poll,
            precision=state.precision,
            root_delay=short_format_up(state.root_delay_s),
            root_dispersion=short_format_up(state.root_dispersion_s),
            refid=state.refid,
            reference=state.reference,
            origin=asked.transmit,
            receive=receive,
            transmit=transmit,
        )
    )


def build_request(nonce: int, version: int = NEWEST_VERSION) -> bytes:
    """A client request that tells the server nothing: `nonce`, 64 random bits, stands where the transmit stamp would.

    The client keeps its own time of sending; the reply's origin must give the nonce back
    (draft-ietf-ntp-data-minimization, which also gives the precision of 32).
    """
    return build_packet(Packet(0, version, MODE_CLIENT, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, nonce))


def parse_reply(data: bytes, nonce: int) -> Reply:
    """Check that the datagram answers our request, and tell what it claims.

    Raises PacketTooShort, NotAReply, BogusOrigin, and UnusableStamps; the last not for a reply that claims no sync and
    gives no time, which is a whole answer (`in_sync` False).
    """
    packet = parse_packet(data)
    if packet.mode != MODE_SERVER:
        raise NotAReply("mode", packet.mode, f"a reply has mode {MODE_SERVER}")
    if not OLDEST_VERSION <= packet.version <= NEWEST_VERSION:
        raise NotAReply("version", packet.version, "not one that is spoken here")
    if packet.origin != nonce:
        raise BogusOrigin("origin", f"{packet.origin:016x}", "not what the request carried")
    distance_s = packet.root_delay / 2**17 + packet.root_dispersion / 2**16
    claims = packet.leap != LEAP_UNSYNCHRONISED and 1 <= packet.stratum <= 15 and distance_s < MAX_DISPERSION_S
    if claims:
        _check_stamps(packet)
    kiss = packet.refid.to_bytes(4).rstrip(b"\0").decode("ascii", "replace") if packet.stratum == 0 else ""
    return Reply(packet, claims, kiss, distance_s)


def _check_stamps(packet: Packet) -> None:
    for field in ("receive", "transmit"):
        if getattr(packet, field) == 0:
            raise UnusableStamps(field, 0, "claims sync but gives no time")
    # The difference of two stamps is exact modulo 2⁶⁴ whatever their eras (RFC 5905 section 6).
    if (packet.transmit - packet.receive) % 2**64 >= 2**63:
        raise UnusableStamps("transmit", f"{packet.transmit:016x}", "earlier than the receive stamp")


def ntp_timestamp(tai_ns: int, frac_fs: int, tai_minus_utc_s: int) -> int:
    """The 64-bit timestamp (2⁻³² s modulo the era, rounded down) of TAI `tai_ns` + `frac_fs` in the count of UTC."""
    fs = (tai_ns + (NTP_MINUS_UNIX_S - tai_minus_utc_s) * NS) * 1_000_000 + frac_fs
    return (fs << 32) // 10**15 % 2**64


def tai_ns_from_timestamp(timestamp: int, tai_minus_utc_s: int, near_tai_ns: int) -> int:
    """TAI (nearest ns) of a 64-bit timestamp, in the era that brings it nearest to `near_tai_ns`: within ± 68 years."""
    near = ntp_timestamp(near_tai_ns, 0, tai_minus_utc_s)
    difference = (timestamp - near + 2**63) % 2**64 - 2**63
    # near was rounded down: take its own rest along, so that only one rounding remains
    rest = ((near_tai_ns % NS) << 32) % NS
    return near_tai_ns + (difference * NS - rest + 2**31) // 2**32


def leap_indicator(tai_ns: int, leap_tai_ns: int, leap_sign: int, days: int = 1) -> int:
    """Leap indicator at `tai_ns`: 1 a second will be inserted at the end of this UTC day, 2 removed, 0 neither.

    `leap_tai_ns` the TAI instant from which the new TAI−UTC holds (0: none known), `leap_sign` +1 or −1. `days` how
    many UTC days it is announced, the last of them the one that ends with it.
    """
    if leap_tai_ns == 0 or leap_sign == 0:
        return 0
    day_begins_ns = leap_tai_ns - (days * DAY_S + leap_sign) * NS
    count_changes_ns = leap_tai_ns - (NS if leap_sign > 0 else 0)
    if not day_begins_ns <= tai_ns < count_changes_ns:
        return 0
    return 1 if leap_sign > 0 else 2


def short_format_up(value_s: float) -> int:
    """A time in NTP short format (2⁻¹⁶ s), rounded up; what does not fit, and NaN, is the largest value."""
    if not value_s < 65536.0:
        return 0xFFFFFFFF
    return min(math.ceil(value_s * 65536.0), 0xFFFFFFFF) if value_s > 0.0 else 0
