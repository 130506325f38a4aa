"""AES-SIV-CMAC-256 (RFC 5297) in compiled code, composed from AES-128 of libcrypto in kept contexts.

S2V's CMAC (RFC 4493) is CBC; CTR is ECB over counter blocks made here. A CBC context is never reset between messages:
its last ciphertext block is known, and XORed into the first block of the next message it cancels out, which spares an
initialisation a message (decision 0018).

Nothing branches on a secret or looks anything up by one: doubling in GF(2¹²⁸) masks, tags are compared whole. Lengths
are no secrets.

Everything is passed by address: `work` of the memory laid out below, `key` of a key's words. A block is two uint64 as
they lie in memory, on little-endian 64-bit machines. No cipher stands here: AES is libcrypto's.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.nts.siv.libcrypto import evp_encrypt_init, evp_encrypt_update
from timeball.protocols.nts.siv.memory import (
    address,
    constant,
    copy,
    copy_block,
    get,
    load_word,
    put,
    store_byte,
    store_word,
    swap,
    xor_block,
)

BLOCK, KEY_HALF = constant(16), constant(16)
NOTHING = constant(0)
LONGEST_BYTES = constant(1280)
"""Of one string."""

# A key's words (offsets in bytes): its id and contexts, then what CMAC and S2V keep of it: two subkeys, the chain (last
# ciphertext of its CBC), S2V's first value doubled, and the same after an empty string. KEY_ECB of the MAC's half is
# there for keys that are kept, not for clients'.
KEY_ID, KEY_CBC, KEY_ECB, KEY_CTR = (constant(at) for at in range(0, 32, 8))
FIRST_SUBKEY, SECOND_SUBKEY, CHAIN, START, START_EMPTY = (constant(at) for at in range(32, 112, 16))
KEY_BYTES = constant(112)

# A loop's memory (offsets in bytes): words, most of them for the packets' own kernels, then regions.
FAILED = constant(8)
WORDS_BYTES = constant(192)
OUT_LENGTH = WORDS_BYTES
VALUE = OUT_LENGTH + BLOCK
CLIENT = VALUE + BLOCK
BUFFER = CLIENT + KEY_BYTES
STREAM = BUFFER + LONGEST_BYTES + BLOCK
END = STREAM + LONGEST_BYTES + BLOCK

_POLYNOMIAL = np.uint64(0x87)
_0, _1, _63 = np.uint64(0), np.uint64(1), np.uint64(63)
# bits 31 and 63 from the right of a big-endian block are cleared before counting (RFC 5297 section 2.5)
_COUNTER_MASK = np.uint64(0xFFFFFF7FFFFFFF7F)


@njit(cache=True, nogil=True)
def double(at: int, to: int) -> None:
    """The block at `at` times x in GF(2¹²⁸) (RFC 5297 section 2.3), without a branch."""
    high, low = swap(load_word(at)), swap(load_word(at + 8))
    store_word(to, swap(high << _1 | low >> _63))
    store_word(to + 8, swap(low << _1 ^ (_POLYNOMIAL & (_0 - (high >> _63)))))


@njit(cache=True, nogil=True)
def zero_block(at: int) -> None:
    """Sixteen zeros."""
    store_word(at, _0)
    store_word(at + 8, _0)


@njit(cache=True, nogil=True)
def encrypt(context: int, work: int, at: int, length: int) -> None:
    """Encrypt whole blocks in place; a failure of libcrypto's is kept in FAILED."""
    if evp_encrypt_update(context, at, work + OUT_LENGTH, at, length) != 1:
        put(work + FAILED, 1)


@njit(cache=True, nogil=True)
def set_key(context: int, work: int, secret: int) -> None:
    """Give a context the 16 bytes at `secret` for a key; CBC begins at the context's first IV, of zeros."""
    if evp_encrypt_init(context, 0, 0, secret, 0) != 1:
        put(work + FAILED, 1)


@njit(cache=True, nogil=True)
def pad(at: int, length: int) -> None:
    """Put 0x80 and zeros behind `length` bytes, up to the end of their last block (RFC 4493 section 2.4)."""
    store_byte(at + length, 0x80)
    for i in range(length + 1, (length + BLOCK) & ~15):
        store_byte(at + i, 0)


@njit(cache=True, nogil=True)
def mac(key: int, work: int, length: int) -> None:
    """CMAC of the first `length` bytes of BUFFER, which it spoils; the result is the key's CHAIN."""
    buffer = work + BUFFER
    blocks = max(1, (length + BLOCK - 1) // BLOCK)
    last = buffer + (blocks - 1) * BLOCK
    if length == blocks * BLOCK:
        xor_block(last, last, key + FIRST_SUBKEY)
    else:
        pad(buffer, length)
        xor_block(last, last, key + SECOND_SUBKEY)
    xor_block(buffer, buffer, key + CHAIN)
    encrypt(get(key + KEY_CBC), work, buffer, blocks * BLOCK)
    copy_block(key + CHAIN, last)


@njit(cache=True, nogil=True)
def start_mac(key: int, work: int, secret: int) -> None:
    """Key the CBC context with the 16 bytes at `secret`, and derive subkeys and S2V's first value."""
    buffer = work + BUFFER
    set_key(get(key + KEY_CBC), work, secret)
    zero_block(buffer)
    encrypt(get(key + KEY_CBC), work, buffer, BLOCK)
    copy_block(key + CHAIN, buffer)
    double(buffer, key + FIRST_SUBKEY)
    double(key + FIRST_SUBKEY, key + SECOND_SUBKEY)
    zero_block(buffer)
    mac(key, work, BLOCK)
    double(key + CHAIN, key + START)


@njit(cache=True, nogil=True)
def absorb(key: int, work: int, source: int, length: int) -> None:
    """S2V's step over one string: VALUE, doubled before, XOR its CMAC."""
    copy(work + BUFFER, source, length)
    mac(key, work, length)
    xor_block(work + VALUE, work + VALUE, key + CHAIN)


@njit(cache=True, nogil=True)
def finish(key: int, work: int, source: int, length: int) -> None:
    """S2V's last step, over the plaintext, from VALUE not doubled yet; the tag is in VALUE (RFC 5297 section 2.4)."""
    buffer, value = work + BUFFER, work + VALUE
    copy(buffer, source, length)
    if length >= BLOCK:
        last = buffer + length - BLOCK
        xor_block(last, last, value)
        mac(key, work, length)
    else:
        pad(buffer, length)
        double(value, value)
        xor_block(buffer, buffer, value)
        mac(key, work, BLOCK)
    copy_block(value, key + CHAIN)


@njit(cache=True, nogil=True)
def counters(tag: int, to: int, blocks: int) -> None:
    """The counter blocks of the tag at `tag`.

    Only the last 32 bits count: their first bit is clear, and no message has 2³¹ blocks.
    """
    first, second = load_word(tag), swap(load_word(tag + 8) & _COUNTER_MASK)
    for i in range(blocks):
        store_word(to + i * BLOCK, first)
        store_word(to + i * BLOCK + 8, swap(second + np.uint64(i)))


@njit(cache=True, nogil=True)
def stream(context: int, work: int, tag: int, length: int) -> None:
    """CTR's key stream of `length` bytes, to the end of their last block, into STREAM."""
    blocks = (length + BLOCK - 1) // BLOCK
    if blocks > 0:
        counters(tag, work + STREAM, blocks)
        encrypt(context, work, work + STREAM, blocks * BLOCK)


@njit(cache=True, nogil=True)
def xor_stream(work: int, source: int, to: int, length: int) -> None:
    """XOR STREAM into `length` bytes, a multiple of 8."""
    whole = length & ~15
    for i in range(0, whole, BLOCK):
        xor_block(to + i, source + i, work + STREAM + i)
    if whole < length:
        store_word(to + whole, load_word(source + whole) ^ load_word(work + STREAM + whole))


@njit(cache=True, nogil=True)
def differs(first: int, second: int) -> bool:
    """Whether two blocks differ; all of both is looked at."""
    return ((load_word(first) ^ load_word(second)) | (load_word(first + 8) ^ load_word(second + 8))) != _0


@njit(cache=True, nogil=True)
def start_empty(key: int, work: int) -> None:
    """Derive S2V's value after an empty string, for a key that is kept."""
    copy_block(work + VALUE, key + START)
    absorb(key, work, work + VALUE, NOTHING)
    double(work + VALUE, key + START_EMPTY)


@njit(cache=True, nogil=True)
def tag_vector(secret: NDArray[np.uint8], source: NDArray[np.uint8], lengths: NDArray[np.int64], work: int) -> None:
    """S2V of strings of any number and length, for tests; the last one is the plaintext, the tag is left in VALUE.

    `secret` uint8[32], `source` the strings one after the other, `lengths` int64[n].
    """
    key, at = work + CLIENT, address(source)
    put(work + FAILED, 0)
    start_mac(key, work, address(secret))
    copy_block(work + VALUE, key + CHAIN)
    for i in range(lengths.size - 1):
        double(work + VALUE, work + VALUE)
        absorb(key, work, at, lengths[i])
        at += lengths[i]
    finish(key, work, at, lengths[lengths.size - 1])


@njit(cache=True, nogil=True)
def stream_vector(secret: NDArray[np.uint8], length: int, work: int) -> None:
    """The key stream of the tag in VALUE, for tests, into STREAM."""
    set_key(get(work + CLIENT + KEY_CTR), work, address(secret) + KEY_HALF)
    stream(get(work + CLIENT + KEY_CTR), work, work + VALUE, length)
