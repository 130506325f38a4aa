"""Gzip, recognised from its first bytes and inflated under a bound, so that a small file cannot fill the memory.

A stream that is cut short or fails its checksum gives what came before the fault, and a defect that says so.
"""

from __future__ import annotations

import zlib

from timeball.formats.defects import Defect, FormatError, whole_file_error

GZIP_MAGIC = b"\x1f\x8b"
MAX_PLAIN_BYTES = 1 << 28  # 256 MiB; a day of 30 s clocks of every satellite and station is 40 MB
_PIECE = 1 << 14  # bytes of gzip a step
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


def plain_head(data: bytes, size: int) -> bytes:
    """Give the first ``size`` bytes of what begins like this, unpacked when it is gzip; b"" when nothing inflates."""
    if data[:2] != GZIP_MAGIC:
        return data[:size]
    return _inflate_member(data, size)[0][:size]


def _inflate_member(data: bytes, room: int) -> tuple[bytes, bytes, str]:
    """Inflate one member to at most room + 1 bytes: (plain bytes, what follows the member, fault or '')."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    parts: list[bytes] = []
    size = position = 0
    while not stream.eof and position < len(data) and size <= room:
        piece = data[position : position + _PIECE]
        position += len(piece)
        before = stream.copy()
        try:
            parts.append(stream.decompress(piece, room + 1 - size))
        except zlib.error as error:
            parts.append(_up_to_the_fault(before, piece, room + 1 - size))
            return b"".join(parts), b"", str(error)
        size += len(parts[-1])
    fault = "" if stream.eof or size > room else "the stream ends before its end"
    return b"".join(parts), stream.unused_data + data[position:], fault


def _up_to_the_fault(stream: zlib._Decompress, piece: bytes, room: int) -> bytes:
    """Give what a faulty piece still yields: zlib drops the output of the call in which it meets a fault."""
    plain = b""
    for place in range(len(piece)):
        try:
            plain += stream.decompress(piece[place : place + 1], max(1, room - len(plain)))
        except zlib.error:
            break
    return plain[:room]


def _salvaged(plain: bytes, file: str, fault: str) -> tuple[bytes, list[Defect]]:
    defect = Defect(file, 0, "gzip", "", f"{fault}; what came before is used")
    if not plain:
        raise FormatError(defect)
    return plain, [defect]
