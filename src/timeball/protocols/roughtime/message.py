"""Roughtime messages and packets, strictly: what is accepted here is written back byte for byte (RFC 10049, 4 and 5).

A message maps tags (uint32) to values; all integers are little-endian, all lengths multiples of four. A packet is a
message behind "ROUGHTIM" and its length. What the values mean is said elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

from timeball.protocols.roughtime.errors import MalformedMessage

MAGIC = b"ROUGHTIM"
HEADER_BYTES = 12
"""Of a packet: magic and length."""
HASH_BYTES = 32
NONCE_BYTES = 32
SIGNATURE_BYTES = 64
REQUEST_TYPE, RESPONSE_TYPE = 0, 1
MOST_VERSIONS = 32
MOST_NODES = 32
"""Versions in VER or VERS, and hashes in PATH (RFC 10049, 5.1.1, 5.2.5 and 5.2.4)."""

FAMILIAR_PAIRS = 16

Message = dict[int, bytes]


def tag(name: str) -> int:
    """The uint32 of a tag's name: ASCII, padded with zeros, first character in the lowest byte (4.1.3)."""
    return int.from_bytes(name.encode("ascii").ljust(4, b"\0"), "little")


SIG, VER, SRV, NONC, DELE, TYPE, PATH, RADI, PUBK = map(
    tag, ("SIG", "VER", "SRV", "NONC", "DELE", "TYPE", "PATH", "RADI", "PUBK")
)
MIDP, SREP, VERS, MINT, ROOT, CERT, MAXT, INDX, ZZZZ = map(
    tag, ("MIDP", "SREP", "VERS", "MINT", "ROOT", "CERT", "MAXT", "INDX", "ZZZZ")
)


def tag_name(number: int) -> str:
    """A tag for people."""
    return number.to_bytes(4, "little").rstrip(b"\0").decode("ascii", "replace")


def parse_message(data: bytes) -> Message:
    """Take a message apart. Raises MalformedMessage.

    Checked: at least one pair, a header that fits, offsets in order and in multiples of four, tags in ascending order
    and of capital letters alone.
    """
    if len(data) < 4 or len(data) % 4:
        raise MalformedMessage("message", f"of {len(data)} bytes", "not a whole number of words, or empty")
    pairs = int.from_bytes(data[:4], "little")
    if pairs == 0 or 8 * pairs > len(data):
        raise MalformedMessage("message", f"of {len(data)} bytes", f"no room for {pairs} pairs")
    layout = (_known_layout if pairs <= FAMILIAR_PAIRS else _layout)(data[: 8 * pairs], len(data))
    return {number: data[place] for number, place in layout.items()}


def _layout(header: bytes, size: int) -> dict[int, slice]:
    """Where each value stands in a message of `size` bytes with this header. Raises MalformedMessage."""
    pairs = len(header) // 8
    numbers = struct.unpack(f"<{2 * pairs}I", header)
    tags = numbers[pairs:]
    starts = [8 * pairs, *(8 * pairs + offset for offset in numbers[1:pairs]), size]
    if any(first > second or second % 4 for first, second in pairwise(starts)):
        raise MalformedMessage("offsets", numbers[1:pairs], "not in order, beyond the end, or no multiples of four")
    if any(first >= second for first, second in pairwise(tags)):
        raise MalformedMessage("tags", " ".join(map(tag_name, tags)), "not in ascending order")
    for number in tags:
        _check_tag(number)
    return {number: slice(first, second) for number, (first, second) in zip(tags, pairwise(starts), strict=True)}


_known_layout = lru_cache(maxsize=256)(_layout)
"""Clients of one make send one header: it is read once."""


def _check_tag(number: int) -> None:
    letters = number.to_bytes(4, "little").rstrip(b"\0")
    if not letters or not all(0x41 <= letter <= 0x5A for letter in letters):
        raise MalformedMessage("tag", f"0x{number:08x}", "not made of capital letters")


def write_message(pairs: Mapping[int, bytes]) -> bytes:
    """Write a message; the order of `pairs` does not matter. ValueError for a value of broken words or no pair."""
    tags = sorted(pairs)
    if not tags or any(len(value) % 4 for value in pairs.values()):
        raise ValueError("a message has at least one pair, and values in whole words")
    offsets, end = [], 0
    for number in tags:
        end += len(pairs[number])
        offsets.append(end)
    header = struct.pack(f"<{2 * len(tags)}I", len(tags), *offsets[:-1], *tags)
    return header + b"".join(pairs[number] for number in tags)


def parse_packet(data: bytes) -> bytes:
    """The message of a packet, which must end where its length says. Raises MalformedMessage."""
    if data[:8] != MAGIC or len(data) < HEADER_BYTES:
        raise MalformedMessage("packet", data[:8].hex(), "does not begin with ROUGHTIM")
    length = int.from_bytes(data[8:HEADER_BYTES], "little")
    if length != len(data) - HEADER_BYTES:
        raise MalformedMessage("packet", f"of {len(data)} bytes", f"its header says {length} and {HEADER_BYTES}")
    return data[HEADER_BYTES:]


def write_packet(message: bytes) -> bytes:
    """A message behind the magic and its length."""
    return MAGIC + len(message).to_bytes(4, "little") + message


def value_of(message: Message, number: int, size: int | None = None) -> bytes:
    """The value of a tag that must be there, of `size` bytes (None: any). Raises MalformedMessage."""
    value = message.get(number)
    if value is None:
        raise MalformedMessage("tag", tag_name(number), "is missing")
    if size is not None and len(value) != size:
        raise MalformedMessage(tag_name(number), f"of {len(value)} bytes", f"must have {size}")
    return value


def integer_of(message: Message, number: int, size: int) -> int:
    """The value of a tag as an integer of `size` bytes. Raises MalformedMessage."""
    return int.from_bytes(value_of(message, number, size), "little")


def versions_of(message: Message, number: int) -> tuple[int, ...]:
    """The list of versions in VER or VERS: 1 to 32 of them, ascending. Raises MalformedMessage."""
    value = value_of(message, number)
    if len(value) % 4 or not 4 <= len(value) <= 4 * MOST_VERSIONS:
        raise MalformedMessage(tag_name(number), f"of {len(value)} bytes", f"must list 1 to {MOST_VERSIONS} versions")
    versions = struct.unpack(f"<{len(value) // 4}I", value)
    if any(first >= second for first, second in pairwise(versions)):
        raise MalformedMessage(tag_name(number), ", ".join(map(hex, versions)), "not in ascending order")
    return versions


def write_versions(versions: tuple[int, ...]) -> bytes:
    """The value of VER or VERS: sorted, each once."""
    ordered = sorted(set(versions))
    return struct.pack(f"<{len(ordered)}I", *ordered)
