"""How a client proves its replies: not at all, or by a symmetric key (RFC 8573). NTS stands in `clientnts`.

An authentication seals one request at a time and opens the replies to the newest one. `open` raises; it never returns
a verdict.
"""

from __future__ import annotations

from typing import Protocol

from timeball.protocols.ntp.packet import PACKET_BYTES, parse_packet


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
