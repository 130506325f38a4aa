"""Cookies: the keys of one client, sealed so that the server need not remember them (RFC 8915 section 6).

A cookie is key id (4 bytes, big-endian) ‖ nonce (16) ‖ tag (16) ‖ encrypted C2S ‖ S2C, sealed with AES-SIV-CMAC-256
over an empty associated data and the nonce. The two lengths tell the algorithm of the client's keys: 100 bytes for
AEAD 15, 68 for AEAD 30. chronyd seals its cookies of AEAD 15 in the same form.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from timeball.protocols.nts.aead import AES_128_GCM_SIV, AES_SIV_CMAC_256, TAG_BYTES, aead
from timeball.protocols.nts.errors import AuthenticationFailed, ForgedCookie, NTSError, UnknownKey
from timeball.protocols.nts.keyring import KeyRing

NONCE_BYTES = 16
_ID = struct.Struct("!I")
HEAD_BYTES = _ID.size + NONCE_BYTES
AEAD_OF_LENGTH = {
    HEAD_BYTES + TAG_BYTES + 2 * aead(number).key_bytes: number for number in (AES_SIV_CMAC_256, AES_128_GCM_SIV)
}
"""Length of a cookie → number of the algorithm whose keys it holds."""
_SIV = aead(AES_SIV_CMAC_256)


@dataclass(frozen=True, slots=True)
class Session:
    """What client and server agreed on: the algorithm's number, and the keys of requests and of replies."""

    aead: int
    c2s: bytes = field(repr=False)
    s2c: bytes = field(repr=False)

    def __post_init__(self) -> None:
        expected = aead(self.aead).key_bytes
        if len(self.c2s) != expected or len(self.s2c) != expected:
            raise NTSError("keys", f"of {len(self.c2s)} and {len(self.s2c)} bytes", f"AEAD {self.aead} has {expected}")


def seal_cookie(ring: KeyRing, aead: int, c2s: bytes, s2c: bytes, nonce16: bytes) -> bytes:
    """A cookie for the keys `c2s` and `s2c` of AEAD number `aead`; `nonce16` is 16 bytes, never used before.

    Raises NTSError for keys or a nonce of another length, UnknownAEAD.
    """
    session = Session(aead, c2s, s2c)
    if len(nonce16) != NONCE_BYTES:
        raise NTSError("cookie nonce", f"of {len(nonce16)} bytes", f"must have {NONCE_BYTES}")
    return _ID.pack(ring.current.id) + nonce16 + _SIV.seal(ring.current.key, nonce16, session.c2s + session.s2c, b"")


def seal_cookies(ring: KeyRing, aead: int, c2s: bytes, s2c: bytes, nonces: bytes) -> list[bytes]:
    """As many cookies for one session as there are nonces of 16 bytes; the same as one by one, and quicker."""
    session, key = Session(aead, c2s, s2c), AESSIV(ring.current.key)
    if len(nonces) % NONCE_BYTES:
        raise NTSError("cookie nonces", f"of {len(nonces)} bytes", f"must have {NONCE_BYTES} each")
    keys = session.c2s + session.s2c
    each = (nonces[at : at + NONCE_BYTES] for at in range(0, len(nonces), NONCE_BYTES))
    return [_ID.pack(ring.current.id) + nonce + key.encrypt(keys, [b"", nonce]) for nonce in each]


def open_cookie(ring: KeyRing, cookie: bytes) -> Session:
    """The keys in a cookie. Raises ForgedCookie, UnknownKey."""
    number = AEAD_OF_LENGTH.get(len(cookie))
    if number is None:
        raise ForgedCookie("cookie", f"of {len(cookie)} bytes", "none of ours has this length")
    (key_id,) = _ID.unpack_from(cookie)
    key = ring.find(key_id)
    if key is None:
        raise UnknownKey("cookie key", key_id, "not held, or not any more")
    try:
        keys = _SIV.open(key.key, cookie[_ID.size : HEAD_BYTES], cookie[HEAD_BYTES:], b"")
    except AuthenticationFailed as error:
        raise ForgedCookie("cookie", f"of key {key_id}", "was not sealed with it") from error
    half = len(keys) // 2
    return Session(number, keys[:half], keys[half:])
