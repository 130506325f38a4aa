"""A client's side of NTS packets, sans-IO: build a protected request, open the reply to it (RFC 8915 section 5.7).

A cookie is used once; the caller keeps the others, asks for as many as it lost by placeholders, and draws the unique
identifier and the nonce at random. Which packet of NTP stands in the first 48 bytes is not looked at here.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import (
    AuthenticationFailed,
    BadEncrypted,
    BogusUID,
    ForgedReply,
    NotAReply,
    NTSError,
    NTSNak,
    TruncatedField,
    UnprotectedReply,
)
from timeball.protocols.nts.fields import (
    AUTHENTICATOR,
    COOKIE,
    COOKIE_PLACEHOLDER,
    PACKET_BYTES,
    UNIQUE_ID,
    UNIQUE_ID_BYTES,
    Field,
    build_authenticator,
    build_field,
    padded,
    parse_authenticator,
    parse_fields,
)
from timeball.protocols.nts.server import KISS_NTSN, REPLY_BITS, VERSION_AND_MODE


@dataclass(frozen=True, slots=True)
class NTSReply:
    """An authentic reply: the 48 bytes of its header, and the cookies it brought."""

    packet: bytes
    cookies: tuple[bytes, ...]


def build_request(
    session: Session, cookie: bytes, unique_id: bytes, placeholders: int, nonce: bytes, header48: bytes
) -> bytes:
    """The request that spends `cookie` and asks for 1 + `placeholders` new ones.

    `unique_id` has 32 bytes or more. A nonce shorter than the server's gets the padding that makes room for it
    (section 5.6). Raises NTSError for what no request carries.
    """
    algorithm = aead(session.aead)
    if len(header48) != PACKET_BYTES or len(unique_id) < UNIQUE_ID_BYTES or not algorithm.takes_nonce(len(nonce)):
        why = "no such header, unique identifier or nonce"
        raise NTSError("request", f"of {len(header48)}, {len(unique_id)} and {len(nonce)} bytes", why)
    protected = header48 + build_field(UNIQUE_ID, unique_id) + build_field(COOKIE, cookie)
    protected += placeholders * build_field(COOKIE_PLACEHOLDER, bytes(len(cookie)))
    sealed = algorithm.seal(session.c2s, nonce, b"", protected)
    return protected + build_authenticator(nonce, sealed, max(0, algorithm.nonce_bytes - padded(len(nonce))))


def open_reply(session: Session, unique_id: bytes, data: bytes) -> NTSReply:
    """Authenticate the reply to the request of this unique identifier.

    Raises NotAReply, TruncatedField, BogusUID, NTSNak, UnprotectedReply, BadAuthenticator, ForgedReply, BadEncrypted;
    after each of them the client waits on, because anybody can send such a packet. Fields behind the authenticator are
    not authentic and not read.
    """
    if len(data) < PACKET_BYTES or data[0] & VERSION_AND_MODE != REPLY_BITS:
        raise NotAReply("reply", f"of {len(data)} bytes", "not of version 4 and mode 4, or too short")
    fields, last = _split(data)
    identifiers = [field.body for field in fields if field.kind == UNIQUE_ID]
    if len(identifiers) != 1 or not hmac.compare_digest(identifiers[0], unique_id.ljust(padded(len(unique_id)), b"\0")):
        raise BogusUID("unique identifier", f"{len(identifiers)} of them", "not that of our request")
    if last is None:
        raise _unprotected(data)
    sealed = parse_authenticator(last.body)
    try:
        plain = aead(session.aead).open(
            session.s2c, _nonce(session, sealed.nonce), sealed.ciphertext, data[: last.start]
        )
    except AuthenticationFailed as error:
        raise ForgedReply("authenticator", f"of {len(sealed.ciphertext)} bytes", "does not fit the packet") from error
    return NTSReply(data[:PACKET_BYTES], _cookies(plain))


def _split(data: bytes) -> tuple[list[Field], Field | None]:
    """The fields before the first authenticator, and it."""
    fields: list[Field] = []
    for field in parse_fields(data, PACKET_BYTES):
        if field.kind == AUTHENTICATOR:
            return fields, field
        fields.append(field)
    return fields, None


def _nonce(session: Session, nonce: bytes) -> bytes:
    if not aead(session.aead).takes_nonce(len(nonce)):
        raise AuthenticationFailed("nonce", f"of {len(nonce)} bytes", f"AEAD {session.aead} takes none of this length")
    return nonce


def _unprotected(data: bytes) -> NTSError:
    stratum, code = data[1], data[12:16]
    if stratum == 0 and code == KISS_NTSN:
        return NTSNak("kiss", "NTSN", "the server could not open our cookie or our request")
    return UnprotectedReply("reply", f"of stratum {stratum}", "carries no authenticator")


def _cookies(plain: bytes) -> tuple[bytes, ...]:
    try:
        return tuple(field.body for field in parse_fields(plain, 0) if field.kind == COOKIE)
    except TruncatedField as error:
        raise BadEncrypted("encrypted fields", f"of {len(plain)} bytes", "are no row of fields") from error
