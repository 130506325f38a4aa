"""Payload bundles: the frames that hold salt and payload of the entries of one entry bundle, in the same order.

A frame is one byte of salt length, four bytes of payload length (big-endian), the salt, the payload. An erased frame
keeps its place and length: salt length 0, payload length as the number of zero bytes that follow. So erasing one
payload moves nothing, and any frame that is neither whole nor all zero is damage.

A withheld frame stands in bundles that were given to somebody who may not read that payload: five bytes, salt length
255 and payload length 0. It hides the length too, and it never stands in the log's own state folder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from timeball.ledger.entry import MAX_SALT, MIN_SALT
from timeball.ledger.errors import TileError

HEADER = struct.Struct(">BI")
MAX_PAYLOAD = 16 * 1024 * 1024
WITHHELD = HEADER.pack(255, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a payload bundle; `end` is the offset after it.

    `salt` is empty and `payload` None when it was erased, or was withheld from whoever fetched this bundle.
    """

    salt: bytes
    payload: bytes | None
    end: int
    withheld: bool = False


def write_frame(salt: bytes, payload: bytes) -> bytes:
    """Write a frame; raises TileError for lengths out of bounds."""
    if not MIN_SALT <= len(salt) <= MAX_SALT:
        raise TileError(f"a salt has {MIN_SALT} to {MAX_SALT} bytes, not {len(salt)}")
    if len(payload) > MAX_PAYLOAD:
        raise TileError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    return HEADER.pack(len(salt), len(payload)) + salt + payload


def erase_frame(frame: bytes) -> bytes:
    """Give the tombstone of a whole frame: the same length, nothing of its content."""
    return HEADER.pack(0, len(frame) - HEADER.size) + bytes(len(frame) - HEADER.size)


def erase_frames(bundle: bytes, positions: Iterable[int]) -> bytes:
    """Give a payload bundle with the frames at these positions erased; raises TileError when it has fewer frames."""
    wanted = set(positions)
    data, offset = bytearray(bundle), 0
    for position in range(max(wanted, default=-1) + 1):
        end = offset + frame_length(bundle[offset : offset + HEADER.size])
        if position in wanted:
            data[offset:end] = erase_frame(bundle[offset:end])
        offset = end
    return bytes(data)


def frame_length(header: bytes) -> int:
    """Length of the frame whose first five bytes are `header`; raises TileError."""
    if len(header) < HEADER.size:
        raise TileError("payload bundle ends inside a frame header")
    salt_length, payload_length = HEADER.unpack(header[: HEADER.size])
    if header[: HEADER.size] == WITHHELD:
        return HEADER.size
    if salt_length and not MIN_SALT <= salt_length <= MAX_SALT:
        raise TileError(f"salt length {salt_length} in a payload frame")
    if payload_length > MAX_PAYLOAD + MAX_SALT:
        raise TileError(f"payload length {payload_length} in a payload frame")
    return HEADER.size + int(salt_length) + int(payload_length)


def parse_frame(data: bytes, offset: int = 0) -> Frame:
    """Parse the frame that begins at `offset`; raises TileError when it is cut short or a broken tombstone."""
    end = offset + frame_length(data[offset : offset + HEADER.size])
    if end > len(data):
        raise TileError(f"payload bundle ends at byte {len(data)} inside the frame that begins at {offset}")
    body = offset + HEADER.size
    salt_length = data[offset]
    if data[offset:body] == WITHHELD:
        return Frame(b"", None, end, withheld=True)
    if salt_length:
        return Frame(data[body : body + salt_length], data[body + salt_length : end], end)
    if data.count(0, body, end) != end - body:
        raise TileError(f"the erased frame at byte {offset} is not all zero")
    return Frame(b"", None, end)
