"""Extension fields and the MAC behind the header of an NTP packet (RFC 5905 section 7.5, RFC 7822): any bytes in.

What follows the 48 bytes is a row of fields, each of 16 bytes or more and a multiple of 4, and then at most one MAC. A
field without a MAC behind it has 28 bytes or more, so that 20 or 24 bytes that are left are always a MAC: a key id and
a digest of 128 or 160 bits. Four bytes of zero are a crypto-NAK. Versions 1 to 3 know no fields.

Nothing is verified here, and the fields of version 5, which have another least length, are parsed in version5.py.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from timeball.protocols.ntp.packet import (
    MODE_CLIENT,
    NEWEST_VERSION,
    OLDEST_VERSION,
    PACKET_BYTES,
    NTPError,
    PacketTooShort,
)
from timeball.protocols.ntp.reasons import Reason

LONGEST_BYTES = 1280
"""No request of any kind is longer: one of NTS for 8 cookies has about 1000 bytes."""
FIELD_BYTES, LAST_FIELD_BYTES = 16, 28
MAC_BYTES = (20, 24)
CRYPTO_NAK = bytes(4)
FIELDS_VERSION = 4
VERSION5 = 5
NTS_COOKIE, NTS_AUTHENTICATOR = 0x0204, 0x0404


class MalformedFields(NTPError):
    """An extension field that does not fit where it stands."""


class MalformedMAC(NTPError):
    """What is left behind the fields is neither a field nor a MAC."""


@dataclass(frozen=True, slots=True)
class ExtensionField:
    """One field: its 16-bit type and what follows its 4-byte header, padding included."""

    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands behind the header: the fields in their order, and the MAC (empty, 4, 20 or 24 bytes)."""

    fields: tuple[ExtensionField, ...]
    mac: bytes

    def first(self, kind: int) -> bytes | None:
        """The body of the first field of this type, None when there is none."""
        return next((field.body for field in self.fields if field.kind == kind), None)


def build_field(kind: int, body: bytes) -> bytes:
    """The field on the wire, padded with zeros to a multiple of 4 and to 16 bytes (RFC 7822 section 3)."""
    length = max(FIELD_BYTES, 4 + len(body) + -len(body) % 4)
    return struct.pack("!HH", kind, length) + body.ljust(length - 4, b"\0")


def parse_fields(data: bytes) -> Fields:
    """Take apart what follows the header of a whole datagram of versions 1 to 4.

    Raises PacketTooShort, MalformedFields, MalformedMAC.
    """
    if len(data) < PACKET_BYTES:
        raise PacketTooShort("packet", f"of {len(data)} bytes", f"the header has {PACKET_BYTES}")
    fields: list[ExtensionField] = []
    at = PACKET_BYTES
    while at < len(data):
        left = len(data) - at
        if left in MAC_BYTES or data[at:] == CRYPTO_NAK:
            return Fields(tuple(fields), data[at:])
        if left < FIELD_BYTES or data[0] >> 3 & 7 < FIELDS_VERSION:
            raise MalformedMAC("MAC", f"of {left} bytes", "20 or 24 bytes")
        fields.append(_field_at(data, at))
        at += 4 + len(fields[-1].body)
    return Fields(tuple(fields), b"")


def _field_at(data: bytes, at: int) -> ExtensionField:
    kind, length = struct.unpack_from("!HH", data, at)
    left = len(data) - at
    if length % 4 or not FIELD_BYTES <= length <= left:
        raise MalformedFields("extension field", f"of {length} bytes", f"a multiple of 4 from 16 to the {left} left")
    if length == left and length < LAST_FIELD_BYTES:
        raise MalformedFields("extension field", f"of {length} bytes", "the last without a MAC has 28 or more")
    return ExtensionField(kind, data[at + 4 : at + length])


def classify_request(data: bytes) -> Reason:
    """What the datagram is: one of the first ten of Reason. The compiled twin is kernels.classify."""
    if len(data) < PACKET_BYTES:
        return Reason.TOO_SHORT
    version = data[0] >> 3 & 7
    if not OLDEST_VERSION <= version <= VERSION5:
        return Reason.WRONG_VERSION
    if data[0] & 7 != MODE_CLIENT:
        return Reason.WRONG_MODE
    if len(data) > LONGEST_BYTES:
        return Reason.TOO_LONG
    return _kind_of_fields(data) if version <= NEWEST_VERSION else Reason.VERSION5


def _kind_of_fields(data: bytes) -> Reason:
    try:
        behind = parse_fields(data)
    except MalformedFields:
        return Reason.MALFORMED_FIELDS
    except MalformedMAC:
        return Reason.MALFORMED_MAC
    if behind.mac == CRYPTO_NAK:
        return Reason.MALFORMED_MAC
    if any(field.kind in (NTS_COOKIE, NTS_AUTHENTICATOR) for field in behind.fields):
        return Reason.NTS
    return Reason.MAC if behind.mac else Reason.BASIC
