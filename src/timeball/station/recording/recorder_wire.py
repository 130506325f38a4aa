"""What the recorder and its clients say to each other: length-prefixed JSON over a Unix socket in the state folder.

A frame is four bytes of length (big-endian) and one message. A payload travels as the bytes that are recorded.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

MAX_FRAME = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_LONGEST_ADDRESS = 100


class WireEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An entry on its way to the recorder."""

    type: str
    version: int
    seq: int
    payload: msgspec.Raw
    supersedes: int | None = None


class Append(msgspec.Struct, tag="append", tag_field="ask", forbid_unknown_fields=True):
    """Record these entries of one stream, all or none."""

    stream: str
    entries: list[WireEntry]


class NextSeq(msgspec.Struct, tag="next_seq", tag_field="ask", forbid_unknown_fields=True):
    """Which sequence number must the stream use next?"""

    stream: str


class Erase(msgspec.Struct, tag="erase", tag_field="ask", forbid_unknown_fields=True):
    """Record an erasure of these entries' payloads, then put zeros in their place; `force` also those that decide."""

    indices: list[int]
    reason: str
    force: bool = False


class Recorded(msgspec.Struct, tag="recorded", tag_field="answer", forbid_unknown_fields=True):
    """The entries are durable at these indices."""

    indices: list[int]


class Next(msgspec.Struct, tag="next", tag_field="answer", forbid_unknown_fields=True):
    """The sequence number asked for."""

    seq: int


class Refused(msgspec.Struct, tag="refused", tag_field="answer", forbid_unknown_fields=True):
    """Nothing was recorded; `kind` is full, sequence or entry."""

    kind: str
    reason: str
    seq: int = 0
    expected: int = 0


Question = Append | NextSeq | Erase
Answer = Recorded | Next | Refused

_ENCODER = msgspec.json.Encoder()
question_decoder = msgspec.json.Decoder(Question)
answer_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class WireError(Exception):
    """The other side sent something that is no message."""


def write_message(message: Question | Answer) -> bytes:
    """A message with its length in front."""
    data = _ENCODER.encode(message)
    if len(data) > MAX_FRAME:
        raise WireError(f"a message has at most {MAX_FRAME} bytes, not {len(data)}")
    return _LENGTH.pack(len(data)) + data


def take_message(buffer: bytearray) -> bytes | None:
    """Take the first whole message out of the buffer; None while it is incomplete; raises WireError when too long."""
    if len(buffer) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(buffer)
    if length > MAX_FRAME:
        raise WireError(f"a message of {length} bytes was announced")
    end = _LENGTH.size + length
    if len(buffer) < end:
        return None
    message = bytes(buffer[_LENGTH.size : end])
    del buffer[:end]
    return message


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address for bind or connect that stays within the 108 bytes of a Unix address however deep the path is."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def listen(path: Path) -> socket.socket:
    """Listen on a fresh socket that its owner alone may use; the caller holds the lock, so an old one is nobody's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        with socket_address(path) as address:
            listener.bind(address)
    finally:
        os.umask(old)
    listener.listen(64)
    listener.setblocking(False)
    return listener
