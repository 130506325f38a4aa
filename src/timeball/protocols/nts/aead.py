"""The two algorithms served: AES-SIV-CMAC-256 (number 15) and AES-128-GCM-SIV (number 30), from `cryptography`.

Numbers are those of the IANA registry of AEAD algorithms (RFC 5297, RFC 8452), which NTS-KE negotiates by. A sealed
message is what the RFCs give: of 15 the tag stands before the ciphertext, of 30 behind it; both add 16 bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV, AESSIV

from timeball.protocols.nts.errors import AuthenticationFailed, UnknownAEAD

AES_SIV_CMAC_256, AES_128_GCM_SIV = 15, 30
TAG_BYTES = 16


class AEAD(ABC):
    """One algorithm. `nonce_bytes` is the length of our nonces, and what a client's must leave room for in a reply.

    That is N_REQ of RFC 8915 section 5.6: the lesser of 16 and the longest nonce allowed.
    """

    number: int
    key_bytes: int
    nonce_bytes: int

    @abstractmethod
    def takes_nonce(self, length: int) -> bool:
        """Whether a nonce may have this many bytes."""

    @abstractmethod
    def seal(self, key: bytes, nonce: bytes, plain: bytes, ad: bytes) -> bytes:
        """Encrypt `plain` and authenticate it with `ad`; 16 bytes longer than `plain`."""

    @abstractmethod
    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        """What was sealed. Raises AuthenticationFailed."""


class _AESSIVCMAC256(AEAD):
    """RFC 5297: S2V over the associated data, the nonce, the plaintext; 16 bytes of the key each for MAC and CTR."""

    number, key_bytes, nonce_bytes = AES_SIV_CMAC_256, 32, 16

    def takes_nonce(self, length: int) -> bool:
        """Any but none (RFC 5297 section 6)."""
        return length >= 1

    def seal(self, key: bytes, nonce: bytes, plain: bytes, ad: bytes) -> bytes:
        return AESSIV(key).encrypt(plain, [ad, nonce])

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        try:
            return AESSIV(key).decrypt(sealed, [ad, nonce])
        except InvalidTag as error:
            raise _failed(sealed) from error


class _AES128GCMSIV(AEAD):
    """RFC 8452 with a key of 16 bytes: nonces of 12 bytes and no others."""

    number, key_bytes, nonce_bytes = AES_128_GCM_SIV, 16, 12

    def takes_nonce(self, length: int) -> bool:
        """Exactly 12 bytes."""
        return length == self.nonce_bytes

    def seal(self, key: bytes, nonce: bytes, plain: bytes, ad: bytes) -> bytes:
        return AESGCMSIV(key).encrypt(nonce, plain, ad)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, ad: bytes) -> bytes:
        try:
            return AESGCMSIV(key).decrypt(nonce, sealed, ad)
        except InvalidTag as error:
            raise _failed(sealed) from error


def _failed(sealed: bytes) -> AuthenticationFailed:
    return AuthenticationFailed("sealed message", f"of {len(sealed)} bytes", "its tag does not fit")


_SERVED = {each.number: each for each in (_AESSIVCMAC256(), _AES128GCMSIV())}
NUMBERS = tuple(_SERVED)
"""The algorithms served, in the order of preference: 15 is the compiled one."""


def aead(number: int) -> AEAD:
    """The algorithm of this number. Raises UnknownAEAD."""
    found = _SERVED.get(number)
    if found is None:
        raise UnknownAEAD("AEAD", number, f"served are {', '.join(map(str, NUMBERS))}")
    return found
