"""NTP version 5 of draft-ietf-ntp-ntpv5-09: requests taken apart, replies put together. An experiment, off by default.

A reply is as long as its request, filled up with a padding field. Answered are the header, the draft's identification,
the versions spoken, the reference stamp, secondary stamps in another timescale, the Bloom filter of reference ids, and
a MAC by AES-CMAC. A request must name this draft, or gets no answer: field numbers change between drafts.

Fields have 4 bytes or more; their length leaves out the zeros that fill up the last four. Times in short format count
2⁻²⁸ s. The stamps are in the timescale asked for where the address has it: UTC and TAI, or smeared UTC and TAI.

Not answered: monotonic stamps, corrections by the network, NTS over version 5. No clock, no randomness.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from timeball.protocols.ntp.extensions import ExtensionField
from timeball.protocols.ntp.packet import MODE_CLIENT, MODE_SERVER, PACKET_BYTES, NTPError

DRAFT = b"draft-ietf-ntp-ntpv5-09"
VERSION = 5
UPGRADE = int.from_bytes(b"NTP5DRFT")
"""Reference stamp by which a client of version 4 asks whether version 5 is spoken; a server that does gives it back."""
VERSIONS_SPOKEN = 0b11110
"""Server information: bit n − 1 is version n. Versions 2 to 5; version 1 packets have no such field to ask for."""
FILTER_BYTES = 512
LEAP_DAYS = 14
"""A leap second is announced for so many days (the draft, on the leap indicator and server operation)."""
POLL_NEVER = 127
"""Poll of a reply of stratum 0 that means: do not ask again."""

_HEADER = struct.Struct("!BBbbIIBBHQQQQ")
_FIELD = struct.Struct("!HH")


class Field(IntEnum):
    """Types of the draft's extension fields."""

    PADDING = 0xF501
    MAC = 0xF502
    REFERENCE_IDS_REQUEST = 0xF503
    REFERENCE_IDS_RESPONSE = 0xF504
    SERVER_INFORMATION = 0xF505
    REFERENCE_STAMP = 0xF507
    SECONDARY_STAMP = 0xF509
    DRAFT = 0xF5FF


class Scale(IntEnum):
    """What the stamps count."""

    UTC = 0
    TAI = 1
    UT1 = 2
    SMEARED_UTC = 3


class Flags(IntFlag):
    """The header's flags."""

    NONE = 0
    SYNCHRONIZED = 1
    INTERLEAVED = 2
    AUTHENTICATION_NAK = 4


class MalformedVersion5(NTPError):
    """A packet of version 5 whose fields do not fit, or no packet of version 5."""


class OtherDraft(NTPError):
    """A packet that does not name the draft that is spoken here."""


@dataclass(frozen=True, slots=True)
class Header:
    """The 48 bytes. Stamps in 2⁻³² s of `era`, delay and dispersion in 2⁻²⁸ s."""

    leap: int
    mode: int
    stratum: int
    poll: int
    precision: int
    root_delay: int
    root_dispersion: int
    scale: int
    era: int
    flags: int
    server_cookie: int
    client_cookie: int
    receive: int
    transmit: int


@dataclass(frozen=True, slots=True)
class Message:
    """A whole packet. `mac` is the body of the MAC field (empty without one), over the first `signed_bytes`."""

    header: Header
    fields: tuple[ExtensionField, ...]
    mac: bytes
    signed_bytes: int


def build_header(header: Header) -> bytes:
    """The 48 bytes of the header."""
    return _HEADER.pack(
        header.leap << 6 | VERSION << 3 | header.mode,
        header.stratum,
        header.poll,
        header.precision,
        header.root_delay,
        header.root_dispersion,
        header.scale,
        header.era,
        header.flags,
        header.server_cookie,
        header.client_cookie,
        header.receive,
        header.transmit,
    )


def build_field(kind: int, body: bytes) -> bytes:
    """One field: its length leaves the filling zeros out."""
    return _FIELD.pack(kind, 4 + len(body)) + body + bytes(-len(body) % 4)


def parse_message(data: bytes) -> Message:
    """Take a packet of version 5 apart. What follows a MAC field is left alone: nothing vouches for it.

    Raises MalformedVersion5.
    """
    if len(data) < PACKET_BYTES or len(data) % 4 or data[0] >> 3 & 7 != VERSION:
        raise MalformedVersion5("version 5 packet", f"of {len(data)} bytes", "48 or more, a multiple of 4, version 5")
    first, *rest = _HEADER.unpack_from(data)
    header = Header(first >> 6, first & 7, *rest)
    fields: list[ExtensionField] = []
    at = PACKET_BYTES
    while at < len(data):
        kind, length = _FIELD.unpack_from(data, at)
        if not 4 <= length <= len(data) - at:
            raise MalformedVersion5("extension field", f"of {length} bytes", f"4 to the {len(data) - at} left")
        body = data[at + 4 : at + length]
        if kind == Field.MAC:
            return Message(header, tuple(fields), body, at)
        fields.append(ExtensionField(kind, body))
        at += length + -length % 4
    return Message(header, tuple(fields), b"", len(data))


def parse_request(data: bytes) -> Message:
    """A client's request of this draft. Raises MalformedVersion5 and OtherDraft."""
    message = parse_message(data)
    if message.header.mode != MODE_CLIENT:
        raise MalformedVersion5("mode", message.header.mode, f"a request has mode {MODE_CLIENT}")
    named = [field.body.rstrip(b"\0") for field in message.fields if field.kind == Field.DRAFT]
    if DRAFT not in named:
        shown = named[0][:32].decode("ascii", "replace") if named else "of no name"
        raise OtherDraft("draft", shown, f"{DRAFT.decode()} is spoken here")
    return message


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps of one timescale: `era` of the receive stamp, each in 2⁻³² s of the era."""

    era: int
    receive: int
    transmit: int
    reference: int


@dataclass(frozen=True, slots=True)
class Telling:
    """What a reply says besides what was asked.

    `stamps` by the timescales that the address has, `scale` the one it speaks by itself; `leap` and `poll` (log2 s, the
    shortest interval allowed) as on the wire; `reference_filter` 512 bytes.
    """

    stamps: dict[Scale, Stamps]
    scale: Scale
    leap: int
    stratum: int
    poll: int
    precision: int
    root_delay_s: float
    root_dispersion_s: float
    in_sync: bool
    reference_filter: bytes


def build_reply(request: Message, telling: Telling, earlier: int | None, cookie: int) -> bytes:
    """The reply without its MAC and padding (see `fill`).

    `earlier` the true transmit stamp that the request's server cookie names (None: basic mode), `cookie` that by which
    this reply's own may be asked for later (0: interleaved mode is not spoken).
    """
    asked = request.header
    scale = next((known for known in telling.stamps if known == asked.scale), telling.scale)
    stamps = telling.stamps[scale]
    flags = Flags.SYNCHRONIZED if telling.in_sync else Flags.NONE
    if earlier is not None:
        flags |= Flags.INTERLEAVED
    header = Header(
        leap=telling.leap,
        mode=MODE_SERVER,
        stratum=telling.stratum,
        poll=telling.poll,
        precision=telling.precision,
        root_delay=time32_up(telling.root_delay_s),
        root_dispersion=time32_up(telling.root_dispersion_s),
        scale=scale,
        era=stamps.era,
        flags=flags,
        server_cookie=cookie if asked.flags & Flags.INTERLEAVED else 0,
        client_cookie=asked.client_cookie,
        receive=stamps.receive,
        transmit=stamps.transmit if earlier is None else earlier,
    )
    answers = (_answer(field, telling, stamps) for field in request.fields)
    return build_header(header) + b"".join(answers)


def _answer(field: ExtensionField, telling: Telling, stamps: Stamps) -> bytes:
    """The field that answers one of the request's; empty for what is unknown, or asked in too little room."""
    if field.kind == Field.DRAFT and field.body.rstrip(b"\0") == DRAFT:
        return build_field(Field.DRAFT, DRAFT)
    if field.kind == Field.SERVER_INFORMATION and len(field.body) == 4:
        return build_field(Field.SERVER_INFORMATION, struct.pack("!HH", VERSIONS_SPOKEN, 0))
    if field.kind == Field.REFERENCE_STAMP and len(field.body) == 8:
        return build_field(Field.REFERENCE_STAMP, stamps.reference.to_bytes(8))
    if field.kind == Field.SECONDARY_STAMP and len(field.body) == 12:
        return _secondary(field.body[0], telling)
    if field.kind == Field.REFERENCE_IDS_REQUEST and len(field.body) >= 2:
        offset, length = int.from_bytes(field.body[:2]), len(field.body)
        if offset + length <= FILTER_BYTES:
            return build_field(Field.REFERENCE_IDS_RESPONSE, telling.reference_filter[offset : offset + length])
    return b""


def _secondary(scale: int, telling: Telling) -> bytes:
    stamps = next((stamps for known, stamps in telling.stamps.items() if known == scale), None)
    if stamps is None:
        return b""
    return build_field(Field.SECONDARY_STAMP, struct.pack("!BBHQ", scale, stamps.era, 0, stamps.receive))


def build_refusal(request: Message, poll: int, flags: Flags = Flags.NONE) -> bytes:
    """A reply of stratum 0 without time: `poll` says to slow down, POLL_NEVER to go away; or that the MAC is wrong."""
    asked = request.header
    return build_header(Header(3, MODE_SERVER, 0, poll, 0, 0, 0, 0, 0, flags, 0, asked.client_cookie, 0, 0)) + (
        build_field(Field.DRAFT, DRAFT) if any(field.kind == Field.DRAFT for field in request.fields) else b""
    )


def fill(reply: bytes, length: int) -> bytes:
    """The reply with the padding field that makes it `length` bytes, both multiples of 4 and `length` not less."""
    return reply + build_field(Field.PADDING, bytes(length - len(reply) - 4)) if len(reply) < length else reply


def reference_filter(reference_id: bytes) -> bytes:
    """The Bloom filter of 4096 bits that holds one reference id of 120 bits: ten positions of 12 bits each.

    Raises MalformedVersion5 for another length.
    """
    if len(reference_id) != 15:
        raise MalformedVersion5("reference id", f"of {len(reference_id)} bytes", "120 bits")
    number, bits = int.from_bytes(reference_id), bytearray(FILTER_BYTES)
    for k in range(10):
        position = number >> 12 * k & 0xFFF
        bits[position // 8] |= 1 << position % 8
    return bytes(bits)


def time32_up(value_s: float) -> int:
    """A time in the short format of version 5 (2⁻²⁸ s), rounded up; what does not fit, and NaN, is the largest."""
    if not value_s < 16.0:
        return 0xFFFFFFFF
    return min(math.ceil(value_s * 2.0**28), 0xFFFFFFFF) if value_s > 0.0 else 0
