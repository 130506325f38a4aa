"""The records of NTS key establishment (RFC 8915 section 4): bytes to records and back, and where a message ends.

A record is a critical bit and a type (16 bits together), a length (16 bits) and a body; a message is records up to the
first End of Message. What the records say is judged in `exchange`. No TLS, no sockets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

CRITICAL = 0x8000
HEADER_BYTES = 4
LONGEST_BODY = 0xFFFF
# RFC 8915 section 4: a server takes at least 1024 octets, a client should take at least 65536.
LONGEST_REQUEST = 4096
LONGEST_RESPONSE = 65536
NTPV4 = 0


class RecordType(IntEnum):
    """Record types known here (RFC 8915 section 7.6; 1024 is chrony's)."""

    END = 0
    NEXT_PROTOCOL = 1
    ERROR = 2
    WARNING = 3
    AEAD = 4
    COOKIE = 5
    SERVER = 6
    PORT = 7
    COMPLIANT_EXPORT = 1024


KNOWN = frozenset(int(kind) for kind in RecordType)


class ExchangeError(ValueError):
    """A message of the key exchange that cannot be used."""


class MalformedMessage(ExchangeError):
    """Bytes that are no message: cut off, too long, or going on behind its end."""


class Record(NamedTuple):
    """One record; `critical` says that whoever does not know its type must not go on."""

    kind: int
    body: bytes = b""
    critical: bool = False


class MessageReader:
    """Collects one message of at most `limit` bytes as it arrives, however it is cut, looking at each record once."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit
        self._next = 0

    def feed(self, data: bytes) -> bool:
        """Take bytes in; true when the message is whole. Raises MalformedMessage when it is too long, or goes on."""
        self.data += data
        if len(self.data) > self._limit:
            raise MalformedMessage(f"a message of more than {self._limit} bytes")
        while len(self.data) >= self._next + HEADER_BYTES:
            kind, length = struct.unpack_from(">HH", self.data, self._next)
            end = self._next + HEADER_BYTES + length
            if kind & ~CRITICAL == RecordType.END:
                return self._whole(end)
            if end > self._limit:
                raise MalformedMessage(f"a record that ends beyond {self._limit} bytes")
            if len(self.data) < end:
                return False
            self._next = end
        return False

    def _whole(self, end: int) -> bool:
        if len(self.data) > end:
            raise MalformedMessage("the message goes on behind its end")
        return len(self.data) == end


def parse_records(data: bytes) -> tuple[Record, ...]:
    """The records of one whole message, without its End of Message.

    Raises MalformedMessage for anything but records that end in exactly one critical, empty End of Message
    (RFC 8915 section 4.1.1).
    """
    records: list[Record] = []
    position = 0
    while position + HEADER_BYTES <= len(data):
        first, length = struct.unpack_from(">HH", data, position)
        position += HEADER_BYTES
        record = Record(first & ~CRITICAL, bytes(data[position : position + length]), bool(first & CRITICAL))
        position += length
        if position > len(data):
            raise MalformedMessage("a record is cut off")
        if record.kind == RecordType.END:
            _check_end(record, len(data) - position)
            return tuple(records)
        records.append(record)
    raise MalformedMessage("a message without its end")


def _check_end(record: Record, behind: int) -> None:
    if record.body or not record.critical:
        raise MalformedMessage("the End of Message must be critical and empty")
    if behind:
        raise MalformedMessage("the message goes on behind its end")


def write_message(records: Iterable[Record]) -> bytes:
    """The bytes of a message, its End of Message added. Raises MalformedMessage for a body that no record holds."""
    parts = []
    for record in (*records, Record(RecordType.END, critical=True)):
        if len(record.body) > LONGEST_BODY:
            raise MalformedMessage(f"a record's body has at most {LONGEST_BODY} bytes")
        parts.append(struct.pack(">HH", record.kind | (CRITICAL if record.critical else 0), len(record.body)))
        parts.append(record.body)
    return b"".join(parts)


def write_numbers(numbers: Sequence[int]) -> bytes:
    """A list of 16-bit numbers as a body."""
    return struct.pack(f">{len(numbers)}H", *numbers)


def parse_numbers(body: bytes) -> tuple[int, ...]:
    """The 16-bit numbers in a body. Raises MalformedMessage when it has an odd length."""
    if len(body) % 2:
        raise MalformedMessage(f"a list of 16-bit numbers in {len(body)} bytes")
    return struct.unpack(f">{len(body) // 2}H", body)
