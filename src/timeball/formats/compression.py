"""Gzip, recognised from its first bytes and inflated under a bound, so that a small file cannot fill the memory.

A stream that is cut short or fails its checksum gives what came before the fault, and a defect that says so.
"""

from __future__ import annotations

import zlib

from timeball.formats.defects import Defect, FormatError, whole_file_error

GZIP_MAGIC = b"\x1f\x8b"
MAX_PLAIN_BYTES = 1 << 28  # 256 MiB; a day of 30 s clocks of every satellite and station is 40 MB
_GZIP_WINDOW = 31  # zlib: 15 bits of window, and 16 for a gzip header and trailer


def plain_bytes(data: bytes, file: str, limit: int = MAX_PLAIN_BYTES) -> tuple[bytes, list[Defect]]:
    """Give the bytes themselves, or what they inflate to when they are gzip, and what was wrong with the stream.

    Raises ``FormatError`` when the result would be longer than ``limit`` or nothing can be inflated.
    """
    if data[:2] != GZIP_MAGIC:
        return data, []
    parts: list[bytes] = []
    room, rest = limit, data
    while rest[:2] == GZIP_MAGIC:  # a gzip file may hold several members one after the other
        part, rest, fault = _inflate_member(rest, room)
        if len(part) > room:
            raise whole_file_error(file, "gzip", f"inflates to more than {limit} bytes")
        parts.append(part)
        room -= len(part)
        if fault:
            return _salvaged(b"".join(parts), file, fault)
    return b"".join(parts), []


def _inflate_member(data: bytes, room: int) -> tuple[bytes, bytes, str]:
    """Inflate one member to at most room + 1 bytes: (plain bytes, what follows the member, fault or '')."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    parts: list[bytes] = []
    size, tail = 0, data
    while not stream.eof and size <= room:
        try:
            parts.append(stream.decompress(tail, min(room + 1 - size, 1 << 20)))
        except zlib.error as error:
            return b"".join(parts), b"", str(error)
        tail = stream.unconsumed_tail
        size += len(parts[-1])
        if not tail and not parts[-1] and not stream.eof:
            return b"".join(parts), b"", "the stream ends before its end"
    return b"".join(parts), stream.unused_data, ""


def _salvaged(plain: bytes, file: str, fault: str) -> tuple[bytes, list[Defect]]:
    defect = Defect(file, 0, "gzip", "", f"{fault}; what came before is used")
    if not plain:
        raise FormatError(defect)
    return plain, [defect]
