"""A server's side of NTS packets, in plain Python: what the compiled server says, and what it leaves to do by hand.

A request is a header of version 4 and mode 3, one unique identifier, one cookie, perhaps placeholders each as long as
the cookie, and the authenticator at the end over everything before it (RFC 8915 section 5.7). No state is kept of it:
the cookie holds the client's keys, and a request that is sent again is answered again, with other cookies.

The reply carries the unique identifier in clear and a fresh cookie for the one used and for each placeholder,
encrypted: it is never longer than the request. What cannot be authenticated gets a kiss NTSN, what is malformed
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.cookies import AEAD_OF_LENGTH, NONCE_BYTES, Session, open_cookie, seal_cookies
from timeball.protocols.nts.errors import (
    AuthenticationFailed,
    BadAuthenticator,
    BadEncrypted,
    ForgedRequest,
    NoAuthenticator,
    NoCookie,
    NotARequest,
    NoUniqueID,
    NTSError,
    TruncatedField,
)
from timeball.protocols.nts.fields import (
    AUTHENTICATOR,
    COOKIE,
    COOKIE_PLACEHOLDER,
    LONGEST_BYTES,
    MOST_COOKIES,
    PACKET_BYTES,
    UNIQUE_ID,
    UNIQUE_ID_BYTES,
    Authenticator,
    Field,
    build_authenticator,
    build_field,
    padded,
    parse_authenticator,
    parse_fields,
)
from timeball.protocols.nts.keyring import KeyRing

VERSION_AND_MODE, REQUEST_BITS, REPLY_BITS = 0x3F, 4 << 3 | 3, 4 << 3 | 4
LEAP_UNSYNCHRONISED = 3
KISS_NTSN = b"NTSN"


@dataclass(frozen=True, slots=True)
class NTSRequest:
    """An authentic request: how many fresh cookies it gets, and how long a reply may be."""

    unique_id: bytes
    session: Session
    cookies: int
    length: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """The fields of a well-formed request; `protected` is what the authenticator covers."""

    unique_id: bytes
    cookie: bytes
    placeholders: tuple[Field, ...]
    authenticator: Authenticator
    protected: bytes


def open_request(ring: KeyRing, datagram: bytes) -> NTSRequest:
    """Take a request apart and authenticate it. Raises RefusedRequest: one class for each reason.

    The order in which things are looked at is part of the contract: the compiled twin gives the same reason.
    """
    layout = _take_apart(datagram)
    session = open_cookie(ring, layout.cookie)
    sealed = layout.authenticator
    try:
        plain = aead(session.aead).open(session.c2s, sealed.nonce, sealed.ciphertext, layout.protected)
    except AuthenticationFailed as error:
        raise ForgedRequest("authenticator", f"of {len(sealed.ciphertext)} bytes", "does not fit the packet") from error
    asked = layout.placeholders + _encrypted_placeholders(plain)
    # one that is not as long as the cookie is none (section 5.5): it would not pay for the cookie it asks for
    valid = sum(len(field.body) == len(layout.cookie) for field in asked)
    return NTSRequest(layout.unique_id, session, min(1 + valid, MOST_COOKIES), len(datagram))


def fresh_cookies(ring: KeyRing, request: NTSRequest, nonces: Sequence[bytes]) -> tuple[bytes, ...]:
    """As many cookies as the request gets; `nonces` has as many, of 16 bytes each. Raises NTSError for others."""
    session = request.session
    if len(nonces) != request.cookies or {len(nonce) for nonce in nonces} != {NONCE_BYTES}:
        raise NTSError("cookie nonces", len(nonces), f"must be {request.cookies} of {NONCE_BYTES} bytes")
    return tuple(seal_cookies(ring, session.aead, session.c2s, session.s2c, b"".join(nonces)))


def build_reply(request: NTSRequest, header48: bytes, cookies: Sequence[bytes], nonce: bytes) -> bytes:
    """The reply with this header. Raises NTSError when it would be longer than its request."""
    algorithm = aead(request.session.aead)
    if len(header48) != PACKET_BYTES or len(nonce) != algorithm.nonce_bytes:
        raise NTSError("reply", f"of {len(header48)} and {len(nonce)} bytes", "no such header, or no such nonce")
    protected = header48 + build_field(UNIQUE_ID, request.unique_id)
    plain = b"".join(build_field(COOKIE, cookie) for cookie in cookies)
    sealed = algorithm.seal(request.session.s2c, nonce, plain, protected)
    reply = protected + build_authenticator(nonce, sealed)
    if len(reply) > request.length:
        raise NTSError("reply", f"of {len(reply)} bytes", f"longer than its request of {request.length}")
    return reply


def build_nak(datagram: bytes) -> bytes:
    """The kiss NTSN to a request that could not be authenticated: its unique identifier, and nothing that protects.

    All three stamps are the request's transmit stamp: the packet tells no time. Raises RefusedRequest for a datagram
    that is no such request.
    """
    unique_id = _take_apart(datagram).unique_id
    first = bytes([LEAP_UNSYNCHRONISED << 6 | REPLY_BITS, 0])
    stamp = datagram[40:48]
    header = first + datagram[2:3] + bytes(9) + KISS_NTSN + bytes(8) + 3 * stamp
    return header + build_field(UNIQUE_ID, unique_id)


def _take_apart(datagram: bytes) -> _Layout:
    length = len(datagram)
    if not PACKET_BYTES <= length <= LONGEST_BYTES or datagram[0] & VERSION_AND_MODE != REQUEST_BITS:
        raise NotARequest("request", f"of {length} bytes", "not of version 4 and mode 3, or of a wrong length")
    fields = list(_fields_before_end(datagram))
    unique_ids, cookies, placeholders, last = (
        tuple(field for field in fields if field.kind == kind)
        for kind in (UNIQUE_ID, COOKIE, COOKIE_PLACEHOLDER, AUTHENTICATOR)
    )
    if len(unique_ids) != 1 or len(unique_ids[0].body) < UNIQUE_ID_BYTES:
        raise NoUniqueID("unique identifiers", len(unique_ids), f"must be one of {UNIQUE_ID_BYTES} bytes or more")
    if len(cookies) != 1:
        raise NoCookie("cookies", len(cookies), "must be one")
    if not last or last[0].end != length:
        raise NoAuthenticator("authenticators", len(last), "must be one, and the last field")
    cookie = cookies[0].body
    authenticator = parse_authenticator(last[0].body)
    _check_nonce(authenticator, len(cookie))
    return _Layout(unique_ids[0].body, cookie, placeholders, authenticator, datagram[: last[0].start])


def _fields_before_end(datagram: bytes) -> Sequence[Field]:
    """The fields up to the first authenticator: what follows it is nothing that a request has."""
    fields = []
    for field in parse_fields(datagram, PACKET_BYTES):
        fields.append(field)
        if field.kind == AUTHENTICATOR:
            break
    return fields


def _check_nonce(sealed: Authenticator, cookie_length: int) -> None:
    """A nonce that the algorithm takes, and with its padding room enough for ours (section 5.6).

    Which algorithm, the cookie's length tells; one that is none of ours gets a NAK whatever its nonce.
    """
    number = AEAD_OF_LENGTH.get(cookie_length)
    if number is None:
        return
    room = padded(len(sealed.nonce)) + sealed.spare
    if not aead(number).takes_nonce(len(sealed.nonce)) or room < aead(number).nonce_bytes:
        raise BadAuthenticator("nonce", f"of {len(sealed.nonce)} bytes", f"and {sealed.spare} of padding are too few")


def _encrypted_placeholders(plain: bytes) -> tuple[Field, ...]:
    try:
        fields = tuple(parse_fields(plain, 0))
    except TruncatedField as error:
        raise BadEncrypted("encrypted fields", f"of {len(plain)} bytes", "are no row of fields") from error
    for field in fields:
        if field.kind in (UNIQUE_ID, COOKIE, AUTHENTICATOR):
            raise BadEncrypted(f"field {field.kind:#06x}", "encrypted", "must stand in clear")
    return tuple(field for field in fields if field.kind == COOKIE_PLACEHOLDER)
