"""Compiled Roughtime server: read a request, grow the tree, write a reply, without leaving the batch.

The same reasons and bytes as message.py, merkle.py and server.py, which say what they mean. A packet stands in a row of
bytes with a zero byte before it, so that its leaf is hashed in one piece. Only where libcrypto.FOUND.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.roughtime.libcrypto import (
    CONTEXT_BYTES,
    DIGEST_BYTES,
    sha512_final,
    sha512_init,
    sha512_update,
)
from timeball.protocols.roughtime.message import HASH_BYTES, HEADER_BYTES, MOST_VERSIONS, NONC, SRV, TYPE, VER, ZZZZ
from timeball.protocols.roughtime.replies import NONCE_AT, PATH_AT
from timeball.protocols.roughtime.server import LARGEST_REQUEST

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

# server.Reason has the same numbers
ANSWERED, TOO_SHORT, TOO_LONG, MALFORMED, OTHER_KEY, NO_VERSION = range(6)
_MAGIC = np.frombuffer(b"ROUGHTIM", np.uint8)
_FIRST_LETTER, _LAST_LETTER = ord("A"), ord("Z")


def _constant(number: int) -> int:
    """A number that numba takes for an int64: for a plain one it would compile the callee anew."""
    return cast("int", np.int64(number))


# Scratch of one thread: the context, a digest, and 0x01 ‖ left ‖ right
_DIGEST_AT = _constant(CONTEXT_BYTES)
_NODE_AT = _constant(CONTEXT_BYTES + DIGEST_BYTES)
_LEFT_AT, _RIGHT_AT = _constant(CONTEXT_BYTES + DIGEST_BYTES + 1), _constant(CONTEXT_BYTES + DIGEST_BYTES + 33)
SCRATCH_BYTES = int(_RIGHT_AT) + HASH_BYTES
_START, _NONCE, _PATH = _constant(0), _constant(NONCE_AT), _constant(PATH_AT)
VERSION_FOUND, NONCE_FOUND = 0, 1


@njit(cache=True, nogil=True)
def load_u32(data: Bytes, at: int) -> int:
    """The little-endian uint32 at `at`."""
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    high = np.int64(data[at + 2]) | np.int64(data[at + 3]) << 8
    return int(low | high << 16)


@njit(cache=True, nogil=True)
def is_tag(data: Bytes, at: int) -> bool:
    """Whether four bytes are capital letters, at least one, behind them zeros."""
    if data[at] == 0:
        return False
    ended = False
    for i in range(at, at + 4):
        if data[i] == 0:
            ended = True
        elif ended or data[i] < _FIRST_LETTER or data[i] > _LAST_LETTER:
            return False
    return True


@njit(cache=True, nogil=True)
def choose_version(data: Bytes, at: int, size: int, versions: Integers) -> int:
    """Index in `versions` of the first that the VER at `at` offers; −1 when none, −2 when it is not well formed."""
    if size % 4 != 0 or size < 4 or size > 4 * MOST_VERSIONS:
        return -2
    best = versions.size
    before = -1
    for i in range(at, at + size, 4):
        offered = load_u32(data, i)
        if offered <= before:
            return -2
        before = offered
        for k in range(best):
            if versions[k] == offered:
                best = k
                break
    return best if best < versions.size else -1


@njit(cache=True, nogil=True)
def read_request(data: Bytes, at: int, length: int, srv: Bytes, versions: Integers, least: int, found: Integers) -> int:
    """Why the packet of `length` bytes at `at` gets no answer, or ANSWERED; as server.read_request.

    `data` is of whole words, and `at` a multiple of four. `srv` uint8[32], `versions` int64[v] in the order of
    preference, `least` the shortest request that is answered. Into int64[2] `found`: the version's index, and where in
    `data` the nonce stands.
    """
    if length > LARGEST_REQUEST:
        return TOO_LONG
    if length < least:
        return TOO_SHORT
    for i in range(8):
        if data[at + i] != _MAGIC[i]:
            return MALFORMED
    words = data.view(np.uint32)
    size = length - HEADER_BYTES
    start = at + HEADER_BYTES
    if load_u32(data, at + 8) != size or size < 4 or size % 4 != 0:
        return MALFORMED
    pairs = load_u32(data, start)
    if pairs == 0 or 8 * pairs > size:
        return MALFORMED
    values, values_size = start + 8 * pairs, size - 8 * pairs
    version, nonce, typed, other_key = -2, -1, False, False
    first, before = 0, -1
    for k in range(pairs):
        second = load_u32(data, start + 4 * (k + 1)) if k + 1 < pairs else values_size
        place = start + 4 * (pairs + k)
        number = load_u32(data, place)
        if second < first or second > values_size or second % 4 != 0 or number <= before or not is_tag(data, place):
            return MALFORMED
        value, count = values + first, second - first
        if number == VER:
            version = choose_version(data, value, count, versions)
        elif number == NONC and count == HASH_BYTES:
            nonce = value
        elif number == NONC:
            return MALFORMED
        elif number == TYPE:
            if count != 4 or load_u32(data, value) != 0:
                return MALFORMED
            typed = True
        elif number == SRV:
            if count != HASH_BYTES:
                return MALFORMED
            for i in range(HASH_BYTES):
                other_key = other_key or data[value + i] != srv[i]
        elif number == ZZZZ:
            any_bit = np.uint32(0)
            for word in words[value // 4 : (value + count) // 4]:
                any_bit |= word
            if any_bit != 0:
                return MALFORMED
        first, before = second, number
    if version == -2 or nonce < 0 or not typed:
        return MALFORMED
    if other_key:
        return OTHER_KEY
    if version < 0:
        return NO_VERSION
    found[VERSION_FOUND], found[NONCE_FOUND] = version, nonce
    return ANSWERED


@njit(cache=True, nogil=True)
def copy_hash(out: Bytes, to: int, data: Bytes, at: int) -> None:
    """Copy 32 bytes: a node or a nonce."""
    for i in range(HASH_BYTES):
        out[to + i] = data[at + i]


@njit(cache=True, nogil=True)
def hash_into(scratch: Bytes, address: int, length: int, nodes: Bytes, row: int) -> None:
    """SHA-512 of the bytes at `address`, cut to 32, into row `row` of uint8[n, 32] `nodes`."""
    context = scratch.ctypes.data
    sha512_init(context)
    sha512_update(context, address, length)
    sha512_final(context + _DIGEST_AT, context)
    copy_hash(nodes[row], _START, scratch, _DIGEST_AT)


@njit(cache=True, nogil=True)
def hash_leaf(scratch: Bytes, data: Bytes, at: int, length: int, nodes: Bytes, row: int) -> None:
    """H(0x00 ‖ packet) of the packet at `at`, before which a zero byte stands."""
    hash_into(scratch, data.ctypes.data + at - 1, length + 1, nodes, row)


@njit(cache=True, nogil=True)
def grow_tree(scratch: Bytes, nodes: Bytes, leaves: int) -> int:
    """Write all rows of the tree behind its leaves in uint8[n, 32] `nodes`; gives the row of the root.

    A level begins where the one below it ends; one of odd size is given its last node twice. n must be at least
    2·leaves + 24.
    """
    start, count = 0, leaves
    scratch[_NODE_AT] = 1
    while count > 1:
        if count % 2 == 1:
            copy_hash(nodes[start + count], _START, nodes[start + count - 1], _START)
            count += 1
        for i in range(0, count, 2):
            copy_hash(scratch, _LEFT_AT, nodes[start + i], _START)
            copy_hash(scratch, _RIGHT_AT, nodes[start + i + 1], _START)
            address = scratch.ctypes.data + _NODE_AT
            hash_into(scratch, address, 1 + 2 * HASH_BYTES, nodes, start + count + i // 2)
        start += count
        count //= 2
    return start


@njit(cache=True, nogil=True)
def fill_reply(
    out: Bytes, template: Bytes, length: int, data: Bytes, nonce: int, nodes: Bytes, leaves: int, index: int
) -> None:
    """Write the reply to leaf `index` of `leaves` into `out`: the template with its nonce, path and index."""
    for i in range(length):
        out[i] = template[i]
    copy_hash(out, _NONCE, data, nonce)
    start, count, place, to = 0, leaves, index, _PATH
    while count > 1:
        count += count % 2
        copy_hash(out, to, nodes[start + (place ^ 1)], _START)
        to += HASH_BYTES
        start += count
        count //= 2
        place //= 2
    for i in range(4):
        out[length - 4 + i] = (index >> (8 * i)) & 0xFF
