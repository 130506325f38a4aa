"""Extension fields of NTS (RFC 8915 section 5, RFC 7822): a 16-bit type, a 16-bit length that counts itself, the body.

Every field here has 16 bytes or more and a multiple of 4, in clear and encrypted alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from timeball.protocols.nts.aead import TAG_BYTES
from timeball.protocols.nts.errors import BadAuthenticator, NTSError, TruncatedField

UNIQUE_ID, COOKIE, COOKIE_PLACEHOLDER, AUTHENTICATOR = 0x0104, 0x0204, 0x0304, 0x0404
UNIQUE_ID_BYTES = 32
"""The least length of a unique identifier (section 5.3)."""
LEAST_FIELD_BYTES, FIELD_HEAD_BYTES = 16, 4
PACKET_BYTES = 48
LONGEST_BYTES = 1280
"""No packet of ours is longer, and no request need be: one that asks for 8 cookies has about 1000 bytes."""
MOST_COOKIES = 8

_TWO = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the packet, and where in it the field begins and ends."""

    kind: int
    body: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Authenticator:
    """An authenticator's nonce and ciphertext, and the bytes of padding behind them (section 5.6)."""

    nonce: bytes
    ciphertext: bytes
    spare: int


def padded(length: int) -> int:
    """The next multiple of 4."""
    return -(-length // 4) * 4


def build_field(kind: int, body: bytes) -> bytes:
    """One field; the body filled up with zeros to a multiple of 4. Raises NTSError for one too short or too long."""
    length = FIELD_HEAD_BYTES + padded(len(body))
    if not LEAST_FIELD_BYTES <= length < 2**16:
        raise NTSError(f"field {kind:#06x}", f"of {length} bytes", "no field has this length")
    return _TWO.pack(kind, length) + body.ljust(length - FIELD_HEAD_BYTES, b"\0")


def parse_fields(data: bytes, start: int) -> Iterator[Field]:
    """The fields from `start` to the end of the data, one after the other. Raises TruncatedField where one ends it."""
    at = start
    while at < len(data):
        left = len(data) - at
        if left < LEAST_FIELD_BYTES:
            raise TruncatedField("field", f"at {at}", f"{left} bytes are left, the shortest has {LEAST_FIELD_BYTES}")
        kind, length = _TWO.unpack_from(data, at)
        if length < LEAST_FIELD_BYTES or length % 4 or length > left:
            raise TruncatedField(f"field {kind:#06x}", f"at {at}", f"length {length} where {left} bytes are left")
        yield Field(kind, data[at + FIELD_HEAD_BYTES : at + length], at, at + length)
        at += length


def build_authenticator(nonce: bytes, ciphertext: bytes, spare: int = 0) -> bytes:
    """The authenticator's field, with `spare` bytes of padding at its end."""
    body = _TWO.pack(len(nonce), len(ciphertext))
    body += nonce.ljust(padded(len(nonce)), b"\0") + ciphertext.ljust(padded(len(ciphertext)), b"\0")
    return build_field(AUTHENTICATOR, body + bytes(padded(spare)))


def parse_authenticator(body: bytes) -> Authenticator:
    """Nonce, ciphertext and what is left. Raises BadAuthenticator.

    The padding between them is not looked at: the tag does not cover it, and nothing depends on it.
    """
    nonce_length, length = _TWO.unpack_from(body)
    second = _TWO.size + padded(nonce_length)
    spare = len(body) - second - padded(length)
    if nonce_length == 0 or length < TAG_BYTES or spare < 0:
        raise BadAuthenticator("authenticator", f"of {len(body)} bytes", f"nonce {nonce_length}, ciphertext {length}")
    return Authenticator(body[_TWO.size : _TWO.size + nonce_length], body[second : second + length], spare)
