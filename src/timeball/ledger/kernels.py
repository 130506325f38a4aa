"""Compiled loops of the ledger: SHA-256 of many leaves, frames and nodes at once.

`hash_leaves`, `hash_frames` and `fold_pairs` are compiled where libcrypto is found, and loops over hashlib with equal
answers where it is not or where the JIT is off (`COMPILED` says which). Arrays must be contiguous. These loops read
and write arrays only.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.ledger.libcrypto import CONTEXT_BYTES, FOUND, sha256_final, sha256_init, sha256_update

COMPILED = FOUND
HASH_BYTES = 32
# Scratch of one thread: the context, and behind it the two prefixes of RFC 6962.
SCRATCH_BYTES = 128
LEAF_PREFIX = CONTEXT_BYTES
NODE_PREFIX = CONTEXT_BYTES + 1

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


@njit(cache=True, nogil=True)
def new_scratch() -> Bytes:
    """Scratch for the digests below. Its owner must pass it on by name: behind a bare address it would be freed."""
    scratch = np.zeros(SCRATCH_BYTES, np.uint8)
    scratch[NODE_PREFIX] = 1
    return scratch


@njit(cache=True, nogil=True)
def digest_bytes(scratch: Bytes, data: Bytes, start: int, length: int, out: Bytes, row: int) -> None:
    """SHA-256 of `length` bytes of `data` from `start`, into row `row` of uint8[n, 32] `out`."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, data.ctypes.data + start, length)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def digest_leaf(scratch: Bytes, data: Bytes, start: int, length: int, out: Bytes, row: int) -> None:
    """SHA-256(0x00 ‖ the bytes), as `digest_bytes` (RFC 6962, 2.1)."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, context + LEAF_PREFIX, 1)
    sha256_update(context, data.ctypes.data + start, length)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def digest_node(scratch: Bytes, hashes: Bytes, left: int, out: Bytes, row: int) -> None:
    """SHA-256(0x01 ‖ l ‖ r) of rows `left` and `left` + 1 of uint8[m, 32] `hashes`; `out` may be `hashes` itself."""
    context = scratch.ctypes.data
    sha256_init(context)
    sha256_update(context, context + NODE_PREFIX, 1)
    sha256_update(context, hashes.ctypes.data + HASH_BYTES * left, 2 * HASH_BYTES)
    sha256_final(out.ctypes.data + HASH_BYTES * row, context)


@njit(cache=True, nogil=True)
def _hash_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(starts.size):
        if starts[i] < 0 or lengths[i] < 0 or starts[i] + lengths[i] > data.size or i >= out.shape[0]:
            raise IndexError("a leaf is not inside the data")
        digest_leaf(scratch, data, starts[i], lengths[i], out, i)


@njit(cache=True, nogil=True)
def _hash_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(starts.size):
        if starts[i] < 0 or lengths[i] < 0 or starts[i] + lengths[i] > data.size or i >= out.shape[0]:
            raise IndexError("a frame is not inside the data")
        digest_bytes(scratch, data, starts[i], lengths[i], out, i)


@njit(cache=True, nogil=True)
def _fold_pairs(row: Bytes, out: Bytes) -> None:
    scratch = new_scratch()
    for i in range(row.shape[0] // 2):
        if i >= out.shape[0]:
            raise IndexError("no room for the parents")
        digest_node(scratch, row, 2 * i, out, i)


def _plain_digests(prefix: bytes, data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    whole, digests = data.tobytes(), []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        if start < 0 or length < 0 or start + length > len(whole):
            raise IndexError("a message is not inside the data")
        digests.append(hashlib.sha256(prefix + whole[start : start + length]).digest())
    if len(digests) > len(out):
        raise IndexError("no room for the digests")
    out[: len(digests)] = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES)


def _plain_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    _plain_digests(b"\0", data, starts, lengths, out)


def _plain_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    _plain_digests(b"", data, starts, lengths, out)


def _plain_pairs(row: Bytes, out: Bytes) -> None:
    starts = np.arange(0, row.shape[0] - 1, 2, dtype=np.int64) * HASH_BYTES
    _plain_digests(b"\1", row.reshape(-1), starts, np.full(starts.size, 2 * HASH_BYTES, np.int64), out)


def hash_leaves(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    """Leaf hashes SHA-256(0x00 ‖ leaf) into uint8[n, 32] `out`, of the leaves at int64[n] `starts` and `lengths`.

    IndexError when a leaf is not inside the data.
    """
    (_hash_leaves if COMPILED else _plain_leaves)(data, starts, lengths, out)


def hash_frames(data: Bytes, starts: Integers, lengths: Integers, out: Bytes) -> None:
    """As `hash_leaves`, without the prefix: the digest of salt ‖ payload, where the two stand side by side."""
    (_hash_frames if COMPILED else _plain_frames)(data, starts, lengths, out)


def fold_pairs(row: Bytes, out: Bytes) -> None:
    """Parents SHA-256(0x01 ‖ l ‖ r) of uint8[2k, 32] `row`, into uint8[k, 32] `out` (RFC 6962, 2.1).

    `out` may be the front of `row` itself. An odd hash at the end is left out.
    """
    (_fold_pairs if COMPILED else _plain_pairs)(row, out)
