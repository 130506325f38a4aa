"""Grease: replies made wrong on purpose, so that clients verify and tolerate what they must (RFC 10049, 7).

A greased reply lacks a tag, states a version nobody speaks, has an undefined tag, or a wrong time under a signature
that does not hold. Never a wrong time under one that holds: both are overwritten here. Noise comes in as an argument.
"""

from __future__ import annotations

from enum import IntEnum

from timeball.protocols.roughtime.message import (
    MIDP,
    SIG,
    SIGNATURE_BYTES,
    SREP,
    VER,
    Message,
    parse_message,
    parse_packet,
    write_message,
    write_packet,
)

NOISE_BYTES = SIGNATURE_BYTES + 12
UNASSIGNED_VERSION = 0x7F000000
"""Versions from here on have no meaning (RFC 10049, 13.2: 0x2 to 0x7fffffff are unassigned)."""
UNDEFINED = b"QXZ"


class Grease(IntEnum):
    """The ways to be wrong."""

    MISSING_TAG = 0
    UNKNOWN_VERSION = 1
    UNDEFINED_TAG = 2
    WRONG_TIME = 3


def grease_reply(reply: bytes, kind: Grease, noise: bytes) -> bytes:
    """A valid reply packet made wrong, at most 16 bytes longer; `noise` has NOISE_BYTES random bytes."""
    message = parse_message(parse_packet(reply))
    number = int.from_bytes(noise[:4], "little")
    if kind is Grease.MISSING_TAG:
        del message[sorted(message)[number % len(message)]]
    elif kind is Grease.UNDEFINED_TAG:
        # its four letters are in no registry; what it says means nothing
        message[int.from_bytes(UNDEFINED + bytes([0x41 + number % 26]), "little")] = noise[4:12]
    else:
        signed = parse_message(message[SREP])
        _falsify(signed, kind, number)
        message[SREP] = write_message(signed)
        message[SIG] = noise[12:]
    return write_packet(write_message(message))


def _falsify(signed: Message, kind: Grease, number: int) -> None:
    if kind is Grease.UNKNOWN_VERSION:
        signed[VER] = (UNASSIGNED_VERSION | number & 0xFFFFFF).to_bytes(4, "little")
    else:
        signed[MIDP] = number.to_bytes(8, "little")
