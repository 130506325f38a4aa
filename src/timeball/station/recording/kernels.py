"""Compiled loops of recording: payload frames, the bounds of frames, envelopes, and canonical JSON, many at once.

The bytes are those of `ledger.payload.write_frame` and `ledger.entry.write_envelope`; a property test says so, with
the JIT and without. Arrays in, arrays out; digests come from `ledger.kernels`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

import numpy as np
from numba import config, njit, types
from numpy.typing import NDArray

from timeball.ledger.kernels import REFUSED, STACK_SHAPE, scan_canonical

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

FRAME_HEADER = 5
DIGEST_CHARS = 44
MOST_DIGITS = 20
# columns of a run in `write_leaves`
COUNT, FIRST_SEQ, HEAD, HEAD_END, TAIL, TAIL_END = range(6)
SEQ = np.frombuffer(b'","seq":', np.uint8)
_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
_PAD = ord("=")
_ZERO = ord("0")

# open(2), read(2), close(2): a thread that reads files through these does not hold Python's lock
_open = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("open", types.int32(types.uintp, types.int32, types.int32)),
)
_read = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("read", types.intp(types.int32, types.uintp, types.uintp)),
)
_close = cast("Callable[[int], int]", types.ExternalFunction("close", types.int32(types.int32)))
_READ_ONLY = os.O_RDONLY | os.O_CLOEXEC

# an assignment of slices is a loop that goes byte by byte; libc's is ten times as fast (memcpy(3))
_memcpy = cast(
    "Callable[[int, int, int], int]",
    types.ExternalFunction("memcpy", types.uintp(types.uintp, types.uintp, types.uintp)),
)


def _assign(out: Bytes, at: int, source: Bytes, start: int, length: int) -> None:
    out[at : at + length] = source[start : start + length]


@njit(cache=True, nogil=True)
def _move(out: Bytes, at: int, source: Bytes, start: int, length: int) -> None:
    if at < 0 or start < 0 or length < 0 or at + length > out.size or start + length > source.size:
        raise IndexError("a copy beyond the end")
    _memcpy(out.ctypes.data + at, source.ctypes.data + start, length)


copy_bytes = _assign if config.DISABLE_JIT else _move  # type: ignore[attr-defined]


@njit(cache=True, nogil=True)
def write_frames(payloads: Bytes, lengths: Integers, salts: Bytes, salt_bytes: int, out: Bytes) -> None:
    """Payload frames, end to end: `payloads` and `salts` stand end to end too, `lengths` are the payloads' own."""
    source = 0
    at = 0
    for i in range(lengths.size):
        length = lengths[i]
        out[at] = salt_bytes
        for byte in range(4):
            out[at + 1 + byte] = (length >> (24 - 8 * byte)) & 255
        at += FRAME_HEADER
        copy_bytes(out, at, salts, i * salt_bytes, salt_bytes)
        at += salt_bytes
        copy_bytes(out, at, payloads, source, length)
        at += length
        source += length


@njit(cache=True, nogil=True)
def measure_frames(data: Bytes, salt_bytes: int, starts: Integers) -> bool:
    """Find where each frame of `data` begins, and the end: int64[n + 1] `starts`; whether exactly n whole ones fit."""
    at = 0
    for i in range(starts.size - 1):
        starts[i] = at
        if at + FRAME_HEADER > data.size or data[at] != salt_bytes:
            return False
        length = np.int64(0)
        for byte in range(4):
            length = (length << 8) | np.int64(data[at + 1 + byte])
        at += FRAME_HEADER + salt_bytes + int(length)
        if at > data.size:
            return False
    starts[starts.size - 1] = at
    return bool(at == data.size)


@njit(cache=True, nogil=True)
def write_base64(digest: Bytes, out: Bytes, at: int) -> None:
    """The 44 characters of a 32-byte digest."""
    for group in range(10):
        bits = np.int64(0)
        for byte in range(3):
            bits = (bits << 8) | np.int64(digest[3 * group + byte])
        for char in range(4):
            out[at + 4 * group + char] = _ALPHABET[(bits >> (18 - 6 * char)) & 63]
    bits = (np.int64(digest[30]) << 10) | (np.int64(digest[31]) << 2)
    for char in range(3):
        out[at + 40 + char] = _ALPHABET[(bits >> (12 - 6 * char)) & 63]
    out[at + 43] = _PAD


@njit(cache=True, nogil=True)
def write_decimal(value: int, out: Bytes, at: int) -> int:
    """A positive number in digits; gives the offset after it."""
    digits = 1
    rest = value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    rest = value
    for place in range(digits):
        out[at + digits - 1 - place] = _ZERO + rest % 10
        rest //= 10
    return at + digits


@njit(cache=True, nogil=True)
def write_leaves(digests: Bytes, runs: Integers, templates: Bytes, out: Bytes, starts: Integers) -> None:
    """Envelopes in bundle form (each after its length, two bytes) into `out`; `starts` int64[n + 1] get their bounds.

    `runs` int64[r, 6]: how many entries, the first one's sequence number, and where in `templates` the envelope's
    bytes before the digest and after the sequence number stand.
    """
    at = 0
    entry = 0
    for run in range(runs.shape[0]):
        head, tail = runs[run, HEAD], runs[run, TAIL]
        head_size, tail_size = runs[run, HEAD_END] - head, runs[run, TAIL_END] - tail
        for number in range(runs[run, COUNT]):
            starts[entry] = at
            begin = at + 2
            at = begin + head_size
            copy_bytes(out, begin, templates, head, head_size)
            write_base64(digests[entry], out, at)
            at += DIGEST_CHARS
            copy_bytes(out, at, SEQ, 0, SEQ.size)
            at = write_decimal(runs[run, FIRST_SEQ] + number, out, at + SEQ.size)
            copy_bytes(out, at, templates, tail, tail_size)
            at += tail_size
            out[begin - 2] = (at - begin) >> 8
            out[begin - 1] = (at - begin) & 255
            entry += 1
    starts[entry] = at


@njit(cache=True, nogil=True)
def find_uncanonical(data: Bytes, bounds: Integers, first: int) -> int:
    """Which payload, from number `first` on, the scanner refuses; −1 when none. `bounds` int64[n + 1] of n payloads."""
    stack = np.empty(STACK_SHAPE, np.int64)
    for number in range(first, bounds.size - 1):
        if scan_canonical(data, bounds[number], bounds[number + 1], stack) == REFUSED:
            return number
    return -1


@njit(cache=True, nogil=True)
def read_files(names: Bytes, starts: Integers, rows: Bytes, sizes: Integers) -> None:
    """Read file i, whose zero-ended name begins at `starts[i]` of `names`, into row i of uint8[n, m] `rows`.

    `sizes[i]` becomes its size; −1 when it cannot be read; m + 1 when it fills the row, and may be longer.
    """
    room = rows.shape[1]
    for i in range(starts.size):
        sizes[i] = -1
        file = _open(names.ctypes.data + starts[i], _READ_ONLY, 0)
        if file < 0:
            continue
        size = 0
        while size < room:
            got = _read(file, rows.ctypes.data + i * room + size, room - size)
            if got <= 0:
                break
            size += got
        if size == room:
            sizes[i] = room + 1
        elif got == 0:
            sizes[i] = size
        _close(file)
