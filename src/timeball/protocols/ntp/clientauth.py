"""How a client proves its replies: not at all, or by a symmetric key (RFC 8573). NTS stands in `clientnts`.

An authentication seals one request at a time and opens the replies to the newest one. `open` raises; it never returns
a verdict.
"""

from __future__ import annotations

from typing import Protocol

from timeball.protocols.ntp.clientevents import AuthenticationFailed
from timeball.protocols.ntp.extensions import parse_fields
from timeball.protocols.ntp.mac import SymmetricKey, seal_mac, verify_mac
from timeball.protocols.ntp.packet import PACKET_BYTES, NTPError, parse_packet


class Authentication(Protocol):
    """What an association asks of it; `verifies` is False where anyone on the way may have written a reply."""

    verifies: bool

    def seal(self, header: bytes) -> bytes:
        """The datagram of a request with this 48-byte header. Raises `KeysExhausted`."""

    def open(self, data: bytes) -> bytes:
        """The 48 bytes of a reply that are vouched for. Raises `AuthenticationFailed`, `KeysRefused`."""


class NoAuthentication:
    """Plain NTP: what a reply says is believed when it gives our nonce back."""

    verifies = False

    def seal(self, header: bytes) -> bytes:
        """The header is the datagram."""
        return header

    def open(self, data: bytes) -> bytes:
        """The header; whatever follows is left alone. Raises PacketTooShort."""
        parse_packet(data)
        return data[:PACKET_BYTES]


class MACAuthentication:
    """One symmetric key, AES-CMAC behind every packet (RFC 8573). A crypto-NAK is no proof of anything."""

    verifies = True

    def __init__(self, key: SymmetricKey) -> None:
        self._key = key

    def seal(self, header: bytes) -> bytes:
        """The header with its MAC."""
        return seal_mac(self._key, header)

    def open(self, data: bytes) -> bytes:
        """The header of a reply that our key vouches for. Raises `AuthenticationFailed`."""
        try:
            mac = parse_fields(data).mac
            verify_mac({self._key.id: self._key}, data[: len(data) - len(mac)], mac)
        except NTPError as error:
            raise AuthenticationFailed(error.field, error.text, "is not authenticated by our key") from error
        return data[:PACKET_BYTES]
