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
    sha512_final,
    sha512_init,
    sha512_update,
)
from timeball.protocols.roughtime.message import HASH_BYTES, HEADER_BYTES, MOST_VERSIONS, NONC, SRV, TYPE, VER, ZZZZ
from timeball.protocols.roughtime.replies import NONCE_AT, PATH_AT
from timeball.protocols.roughtime.server import LARGEST_REQUEST

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint32]
Integers = NDArray[np.int64]

# server.Reason has the same numbers
ANSWERED, TOO_SHORT, TOO_LONG, MALFORMED, OTHER_KEY, NO_VERSION = range(6)
_MAGIC = np.frombuffer(b"ROUGHTIM", np.uint8)
_FIRST_LETTER, _LAST_LETTER = ord("A"), ord("Z")


def _constant(number: int) -> int:
    """A number that numba takes for an int64: for a plain one it would compile the callee anew."""
    return cast("int", np.int64(number))


# Scratch of one thread: the context, and the byte 0x01 that a node's hash begins with
_ONE_AT, _ONE = _constant(CONTEXT_BYTES), _constant(1)
SCRATCH_BYTES = CONTEXT_BYTES + 8
_HASH, _TWO_HASHES, _HASH_WORDS = _constant(HASH_BYTES), _constant(2 * HASH_BYTES), _constant(HASH_BYTES // 4)
_NONCE, _PATH = _constant(NONCE_AT // 4), _constant(PATH_AT // 4)
VERSION_FOUND, NONCE_FOUND = 0, 1


@njit(cache=True, nogil=True)
def load_u32(data: Bytes, at: int) -> int:
    """The little-endian uint32 at `at`."""
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    high = np.int64(data[at + 2]) | np.int64(data[at + 3]) << 8
    return int(low | high << 16)


@njit(cache=True, nogil=True)
def word_at(words: Words, place: int) -> int:
    """The uint32 at a whole word, on hosts that put the lowest byte first as the protocol does."""
    return int(np.int64(words[place]))


@njit(cache=True, nogil=True)
def is_tag(number: int) -> bool:
    """Whether the four bytes of a uint32 are capital letters, at least one, behind them zeros."""
    while number & 0xFF >= _FIRST_LETTER and number & 0xFF <= _LAST_LETTER:
        number >>= 8
        if number == 0:
            return True
    return False


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
    if word_at(words, (at + 8) >> 2) != size or size < 4 or size % 4 != 0:
        return MALFORMED
    pairs = word_at(words, start >> 2)
    if pairs == 0 or 8 * pairs > size:
        return MALFORMED
    values, values_size = start + 8 * pairs, size - 8 * pairs
    version, nonce, typed, other_key = -2, -1, False, False
    first, before = 0, -1
    for k in range(pairs):
        second = word_at(words, (start >> 2) + k + 1) if k + 1 < pairs else values_size
        number = word_at(words, (start >> 2) + pairs + k)
        if second < first or second > values_size or second % 4 != 0 or number <= before or not is_tag(number):
            return MALFORMED
        value, count = values + first, second - first
        if number == VER:
            version = choose_version(data, value, count, versions)
        elif number == NONC and count == HASH_BYTES:
            nonce = value
        elif number == NONC:
            return MALFORMED
        elif number == TYPE:
            if count != 4 or words[value >> 2] != 0:
                return MALFORMED
            typed = True
        elif number == SRV:
            if count != HASH_BYTES:
                return MALFORMED
            differing = np.uint8(0)
            for i in range(HASH_BYTES):
                differing |= data[value + i] ^ srv[i]
            other_key = differing != 0
        elif number == ZZZZ:
            any_bit = np.uint32(0)
            padding = words[value // 4 : (value + count) // 4]
            for i in range(padding.size):
                any_bit |= padding[i]
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
def copy_hash(out: Words, to: int, data: Words, at: int) -> None:
    """Copy 32 bytes, a node or a nonce, as words: byte by byte it takes longer than all else that a reply needs."""
    for i in range(_HASH_WORDS):
        out[to + i] = data[at + i]


@njit(cache=True, nogil=True)
def hash_leaf(scratch: Bytes, data: Bytes, at: int, length: int, nodes: Bytes, row: int) -> None:
    """H(0x00 ‖ packet) of the packet at `at`, before which a zero byte stands, into row `row` of uint8[n, 32] `nodes`.

    SHA-512 gives 64 bytes: the row behind is overwritten, and must be there. Leaves are written in their order.
    """
    context = scratch.ctypes.data
    sha512_init(context)
    sha512_update(context, data.ctypes.data + at - 1, length + 1)
    sha512_final(nodes.ctypes.data + row * _HASH, context)


@njit(cache=True, nogil=True)
def grow_tree(scratch: Bytes, nodes: Bytes, leaves: int) -> int:
    """Write all rows of the tree behind its leaves in uint8[n, 32] `nodes`; gives the row of the root.

    A level begins where the one below it ends; one of odd size is given its last node twice. n must be at least
    2·leaves + 24. As in hash_leaf, the row behind the one that is written is overwritten.
    """
    start, count = 0, leaves
    scratch[_ONE_AT] = 1
    context, first = scratch.ctypes.data, nodes.ctypes.data
    words = nodes.reshape(-1).view(np.uint32)
    while count > 1:
        if count % 2 == 1:
            copy_hash(words, (start + count) * _HASH_WORDS, words, (start + count - 1) * _HASH_WORDS)
            count += 1
        for i in range(0, count, 2):
            # H(0x01 ‖ left ‖ right): the two stand side by side
            sha512_init(context)
            sha512_update(context, context + _ONE_AT, _ONE)
            sha512_update(context, first + (start + i) * _HASH, _TWO_HASHES)
            sha512_final(first + (start + count + i // 2) * _HASH, context)
        start += count
        count //= 2
    return start


@njit(cache=True, nogil=True)
def fill_reply(
    out: Bytes, template: Bytes, length: int, data: Bytes, nonce: int, nodes: Bytes, leaves: int, index: int
) -> None:
    """Write the reply to leaf `index` of `leaves` into `out`: the template with its nonce, path and index.

    All arrays are of whole words of four bytes, and so are `length` and `nonce`, the place of the nonce in `data`.
    """
    to_words, rows = out.view(np.uint32), nodes.reshape(-1).view(np.uint32)
    from_words = template.view(np.uint32)
    for i in range(length // 4):
        to_words[i] = from_words[i]
    copy_hash(to_words, _NONCE, data.view(np.uint32), nonce // 4)
    start, count, place, to = 0, leaves, index, _PATH
    while count > 1:
        count += count % 2
        copy_hash(to_words, to, rows, (start + (place ^ 1)) * _HASH_WORDS)
        to += _HASH_WORDS
        start += count
        count //= 2
        place //= 2
    to_words[length // 4 - 1] = index
