"""What a datagram that carries NTS turned out to be: every one ends in exactly one of these, and each can be counted.

The numbers are those of the compiled functions (kernels.verify_request). What stands from MALFORMED on gets no answer.
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """What becomes of a request: an answer, a NAK, or nothing."""

    ACCEPTED = 0
    """Cookie and authenticator are good: a sealed reply."""
    BY_HAND = 1
    """The cookie is good and names an AEAD that is not compiled: the functions of server.py answer it."""
    UNKNOWN_KEY = 2
    """The cookie is sealed under a key that is not held, or not any more: NAK."""
    FORGED_COOKIE = 3
    """The cookie has a length that none of ours has, or was not sealed by us: NAK."""
    FORGED_REQUEST = 4
    """The authenticator does not fit the packet: NAK."""

    NOT_A_REQUEST = 5
    """Not of version 4 and mode 3, or shorter than the header, or longer than any request: no answer."""
    TRUNCATED = 6
    """A field reaches past the end, has fewer than 16 bytes, or is no multiple of 4 (RFC 7822)."""
    NO_UNIQUE_ID = 7
    """No unique identifier, two of them, or one of fewer than 32 bytes (RFC 8915 section 5.3)."""
    NO_COOKIE = 8
    """No cookie, or two of them (section 5.7)."""
    NO_AUTHENTICATOR = 9
    """No authenticator behind all other fields, or something behind it (section 5.7)."""
    BAD_AUTHENTICATOR = 10
    """Nonce and ciphertext do not stand as section 5.6 says, or the nonce is too short without its padding."""
    BAD_ENCRYPTED = 11
    """What was encrypted is no row of fields, or holds a field that must not be encrypted (section 5.7)."""


NAKS = (Reason.UNKNOWN_KEY, Reason.FORGED_COOKIE, Reason.FORGED_REQUEST)
"""What is answered with a kiss NTSN."""
