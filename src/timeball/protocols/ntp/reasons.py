"""What a datagram to the server turned out to be: every one ends in exactly one of these, and each can be counted.

The numbers are those of the compiled loops (kernels.classify). `classify` gives the kinds up to VERSION5; what stands
after them is known only once state, keys or limits were asked (server.respond).
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Kinds of requests, why a datagram gets no answer, and what became of a request."""

    BASIC = 0
    """A client request of versions 1 to 4 that is answered with the plain 48 bytes."""
    TOO_SHORT = 1
    """Fewer bytes than the header has."""
    WRONG_VERSION = 2
    """None of the versions 1 to 5 (5 too where it is not configured)."""
    WRONG_MODE = 3
    """Not from a client: no other mode is answered, so nothing can be made to answer itself."""
    MALFORMED_FIELDS = 4
    """An extension field shorter than 16 bytes, no multiple of 4, or longer than what is left (RFC 7822)."""
    MALFORMED_MAC = 5
    """What is left behind the fields is too short for a field and no MAC of 20 or 24 bytes."""
    TOO_LONG = 6
    """More bytes than a request of any kind needs; it may have been cut off."""
    NTS = 7
    """Carries a cookie or an authenticator of RFC 8915."""
    MAC = 8
    """Carries a key id and a digest (RFC 5905 section 7.3)."""
    VERSION5 = 9
    """A client request of version 5; its fields have not been looked at."""

    INTERLEAVED = 10
    """Answered in interleaved mode (RFC 9769)."""
    CRYPTO_NAK = 11
    """A MAC of an unknown key or a wrong one: answered with a crypto-NAK (RFC 5905 section 9.2)."""
    OTHER_DRAFT = 12
    """Version 5 of another draft, or a request that this draft does not answer: no answer."""
    KISS_RATE = 13
    """Over its limit, and told so (RFC 5905 section 7.4)."""
    KISS_DENY = 14
    """Not on the access list, and told so."""
    KISS_RSTR = 15
    """Answered over NTS alone, and told so."""
    LIMITED = 16
    """Over its limit: no answer."""
    DENIED = 17
    """Not on the access list, or without the NTS that is asked of it: no answer."""
    ELSEWHERE = 18
    """NTS, which another room answers."""


ANSWERABLE = (Reason.BASIC, Reason.NTS, Reason.MAC, Reason.VERSION5)
"""The kinds of `classify` that may get an answer."""
