"""Journal frames of one entry each, as versions before the grouped journal wrote them. They are read, never written.

A frame, big-endian: magic `TBj1`; CRC-32 of all that follows; lengths of leaf (2 bytes), salt (1) and payload (4);
index of the entry (8); length of the journal that was durable when the frame's group was begun (8); leaf, salt,
payload.
"""

from __future__ import annotations

import struct
import zlib

from timeball.ledger.entry import parse_envelope
from timeball.ledger.errors import LedgerError
from timeball.ledger.payload import write_frame
from timeball.station.recording.group import Group, Run, make_block, parse_group

MAGIC = b"TBj1"
_HEADER = struct.Struct(">4sIHBIQQ")
_CHECKED = 8


def frame_at(data: bytes, offset: int) -> tuple[Group, int, int] | None:
    """The frame at `offset` as a group of one, the durable length it states, and its end; None when it is not whole."""
    if len(data) - offset < _HEADER.size:
        return None
    _, crc, leaf_length, salt_length, payload_length, index, durable = _HEADER.unpack_from(data, offset)
    leaf_at = offset + _HEADER.size
    salt_at = leaf_at + leaf_length
    payload_at = salt_at + salt_length
    end = payload_at + payload_length
    if end > len(data) or zlib.crc32(memoryview(data)[offset + _CHECKED : end]) != crc:
        return None
    group = _group(index, data[leaf_at:salt_at], data[salt_at:payload_at], data[payload_at:end])
    return None if group is None else (group, durable, end)


def _group(index: int, leaf: bytes, salt: bytes, payload: bytes) -> Group | None:
    try:
        envelope = parse_envelope(leaf)
        frame = write_frame(salt, payload)
    except LedgerError:
        return None
    run = Run(envelope.by, envelope.seq, 1, envelope.type, envelope.version, envelope.supersedes, envelope.time_ns)
    group = parse_group(index, [run], frame)
    # the envelope is made again from what it says: it must come out as the one that was acknowledged
    return group if group is not None and make_block([group]).leaf(0) == leaf else None
