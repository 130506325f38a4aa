"""Messages of chronyd's command protocol, version 6: a request of any report, and the head of its reply.

All is in network byte order. A request is padded to at least the length of its reply, so that a forged sender gains
nothing; here to the greatest padding of the protocol, so that it holds for reports that grow in later versions too.

Only requests that read are made. It opens no socket, and never sends what changes a chronyd.
Source: chrony's candm.h and pktlength.c (4.0 to 4.8).
"""

from __future__ import annotations

import ipaddress
import math
import struct
from dataclasses import dataclass
from enum import IntEnum

from timeball.protocols.chrony.errors import LayoutError, RefusedError, ReplyError

VERSION = 6
REQUEST, REPLY = 1, 2
REQUEST_HEAD = struct.Struct("!BBxxHHIxxxxxxxx")
REPLY_HEAD = struct.Struct("!BBxxHHHxxxxxxIxxxxxxxx")
PADDED_BYTES = REQUEST_HEAD.size + 484
LONGEST_REPLY = 2048
IPV4, IPV6, BY_ID = 1, 2, 3
NO_HIGH_SECONDS = 0x7FFFFFFF


class Command(IntEnum):
    """The requests that read a report."""

    N_SOURCES = 14
    SOURCE_DATA = 15
    TRACKING = 33
    SOURCESTATS = 34
    ACTIVITY = 44
    SERVER_STATS = 54
    NTP_DATA = 57
    AUTH_DATA = 67


STATUS_WORDS = {
    1: "it failed",
    2: "not allowed here: ask on its Unix socket",
    3: "it does not know this request",
    4: "there is no such source",
    6: "not enabled",
    15: "not active",
    18: "it speaks another version of the protocol",
    19: "it wants a request of another length",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to what was asked: `layout` the number of its report's form, `body` what follows the head."""

    layout: int
    body: bytes


def build_request(command: Command, sequence: int, body: bytes = b"", attempt: int = 0) -> bytes:
    """A request with `sequence` (uint32), padded."""
    head = REQUEST_HEAD.pack(VERSION, REQUEST, command, attempt, sequence)
    return (head + body).ljust(PADDED_BYTES, b"\0")


def parse_reply(data: bytes, command: Command, sequence: int) -> Reply:
    """The reply to the request of that command and sequence. Raises ReplyError, or RefusedError with the status."""
    if not REPLY_HEAD.size <= len(data) <= LONGEST_REPLY:
        raise ReplyError(f"{len(data)} bytes are no reply of chronyd")
    version, kind, echoed, layout, status, echo = REPLY_HEAD.unpack_from(data)
    if version != VERSION or kind != REPLY:
        raise ReplyError(f"not a reply of version {VERSION} (version {version}, kind {kind})")
    if echoed != command or echo != sequence:
        raise ReplyError(f"a reply to another request (command {echoed}, sequence {echo})")
    if status != 0:
        raise RefusedError(status, f"chronyd: {STATUS_WORDS.get(status, f'status {status}')}")
    return Reply(layout, data[REPLY_HEAD.size :])


class Fields:
    """The fields of a report, taken one after the other; LayoutError where it ends too early. What follows is left."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, form: str) -> tuple[int, ...]:
        """The next fields, `form` as of struct, in network byte order."""
        size = struct.calcsize(f"!{form}")
        if self._at + size > len(self._body):
            raise LayoutError(f"a report of {len(self._body)} bytes ends before its fields do")
        values = struct.unpack_from(f"!{form}", self._body, self._at)
        self._at += size
        return values

    def number(self) -> float:
        """A number of the protocol's own floating point: 7 bits of exponent, 25 of coefficient, both signed."""
        (word,) = self.take("I")
        exponent, coefficient = word >> 25, word & 0x1FFFFFF
        exponent -= (exponent & 0x40) << 1
        coefficient -= (coefficient & 0x1000000) << 1
        return math.ldexp(coefficient, exponent - 25)

    def instant_ns(self) -> int:
        """A time of the system clock, ns since 1970; the high word says when it is of 32 bits alone."""
        high, low, nanos = self.take("III")
        seconds = low if high == NO_HIGH_SECONDS else high << 32 | low
        return seconds * 1_000_000_000 + min(nanos, 999_999_999)

    def address(self) -> tuple[int, bytes]:
        """The family and the 16 bytes of an address."""
        *octets, family = self.take("16BHxx")
        return family, bytes(octets)


def address_words(family: int, octets: bytes) -> str:
    """An address for people: empty when there is none, `ID#n` for a source whose name has no address yet."""
    if family == IPV4:
        return str(ipaddress.IPv4Address(octets[:4]))
    if family == IPV6:
        return str(ipaddress.IPv6Address(octets))
    return f"ID#{int.from_bytes(octets[:4]):010d}" if family == BY_ID else ""


def address_bytes(family: int, octets: bytes) -> bytes:
    """The field of an address in a request."""
    return octets + struct.pack("!Hxx", family)


def refid_words(refid: int) -> str:
    """A reference id as text where it is text (a reference clock's), else as an IPv4 address."""
    octets = refid.to_bytes(4)
    plain = octets.rstrip(b"\0")
    if plain and all(0x21 <= octet < 0x7F for octet in plain):
        return plain.decode("ascii")
    return str(ipaddress.IPv4Address(octets))
