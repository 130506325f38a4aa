"""Merkle trees of RFC 6962: hashes, roots, inclusion and consistency proofs, made and verified; also of subtrees.

A node (level, index) is the perfect subtree over leaves index·2**level … (index+1)·2**level − 1. Proof makers take a
function that gives such nodes, so they work on tiles and in memory alike. Verification raises ProofError.
It does not store anything (see `tiles`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from timeball.ledger.errors import ProofError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]


def hash_leaf(entry: bytes) -> bytes:
    """Leaf hash: SHA-256(0x00 ‖ entry) (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Node hash: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree in memory, growing leaf by leaf; every perfect subtree's hash is kept."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf hash at the right."""
        carry = leaf_hash
        for level in range(len(self._levels) + 1):
            if level == len(self._levels):
                self._levels.append([])
            row = self._levels[level]
            row.append(carry)
            if len(row) % 2:
                return
            carry = hash_children(row[-2], row[-1])

    def node(self, level: int, index: int) -> bytes:
        """Hash of the perfect subtree (level, index); IndexError when it is not complete."""
        return self._levels[level][index]

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` leaves (all by default)."""
        return range_root(0, self.size if size is None else size, self.node)


def perfect_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Cover [start, end) by the fewest perfect subtrees, left to right, as (level, index).

    `start` must be aligned to the range: a multiple of the smallest power of two not below `end` − `start`.
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def fold_right(hashes: Sequence[bytes]) -> bytes:
    """Combine subtree hashes of falling size, left to right, into one root; the empty tree's root for none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = hash_children(left, root)
    return root


def range_root(start: int, end: int, node: NodeReader) -> bytes:
    """Root of the leaves [start, end), aligned as in `perfect_subtrees`."""
    return fold_right([node(level, index) for level, index in perfect_subtrees(start, end)])


def make_inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Proof that leaf `index` is in the tree of `size` leaves (RFC 6962, 2.1.1), leaf side first."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(range_root(middle, end, node))
            end = middle
        else:
            proof.append(range_root(start, middle, node))
            start = middle
    return proof[::-1]


def make_consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962, 2.1.2)."""
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof from {old} to {new} leaves")
    proof: list[bytes] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(range_root(middle, end, node))
            end = middle
        else:
            proof.append(range_root(start, middle, node))
            start = middle
    if start:
        proof.append(range_root(start, end, node))
    return proof[::-1]


def make_subtree_proof(start: int, end: int, size: int, node: NodeReader) -> list[bytes]:
    """Proof that the subtree [start, end) stands in the tree of `size` leaves, for `verify_subtree_consistency`.

    draft-ietf-plants-merkle-tree-certs, 4.4. Raises ProofError for a range that is no subtree of this tree.
    """
    check_subtree(start, end)
    if not start < end <= size:
        raise ProofError(f"the subtree [{start}, {end}) is not in a tree of {size}")
    proof: list[bytes] = []
    low, high, whole = 0, size, True
    while (start, end) != (low, high):
        middle = low + _split(high - low)
        if end <= middle:
            proof.append(range_root(middle, high, node))
            high = middle
            continue
        proof.append(range_root(low, middle, node))
        if start < middle:
            # it reaches over the middle, so it begins at `low`: its left part is given, the rest is still to be found
            start, whole = middle, False
        low = middle
    if not whole:
        proof.append(range_root(low, high, node))
    return proof[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ProofError unless `proof` leads from leaf `index` to the `root` of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    _check_hashes([leaf_hash, *proof])
    fn, sn, found = index, size - 1, leaf_hash
    for sibling in proof:
        if sn == 0:
            raise ProofError("inclusion proof is too long")
        if fn & 1 or fn == sn:
            found = hash_children(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = hash_children(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("inclusion proof is too short")
    if found != root:
        raise ProofError(f"inclusion proof of leaf {index} leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise ProofError unless `proof` shows the tree under `old_root` to be a prefix of the one under `new_root`.

    RFC 9162, 2.1.4.2. An empty old tree proves nothing and is refused.
    """
    if not 0 < old <= new:
        raise ProofError(f"no consistency from {old} to {new} leaves")
    verify_subtree_consistency(0, old, new, proof, old_root, new_root)


def verify_subtree_inclusion(
    leaf_hash: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise ProofError unless leaf `index` is in the subtree [start, end) of `root`."""
    check_subtree(start, end)
    if start == end or not start <= index < end:
        raise ProofError(f"leaf {index} is not in the subtree [{start}, {end})")
    verify_inclusion(leaf_hash, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """Raise ProofError unless the subtree [start, end) with `subtree_root` stands in the tree of `size` with `root`."""
    check_subtree(start, end)
    if not 0 <= end <= size:
        raise ProofError(f"the subtree [{start}, {end}) is not in a tree of {size}")
    _check_hashes(proof)
    if start == end:
        _expect_empty_subtree(proof, subtree_root)
        return
    fn, sn, tn = start, end - 1, size - 1
    # climb to the node that is the subtree itself, or its largest complete right part
    while sn & 1 and sn not in (fn, tn):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if sn == tn:
        while fn != sn:
            fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    path = list(proof)
    if fn == sn:
        seed = subtree_root
    elif path:
        seed = path.pop(0)
    else:
        raise ProofError("consistency proof is empty")
    _climb(fn, sn, tn, path, seed, subtree_root, root)


def check_subtree(start: int, end: int) -> None:
    """Raise ProofError unless [start, end) is aligned: `start` a multiple of the power of two that covers it."""
    if not 0 <= start <= end or end >= 2**63:
        raise ProofError(f"[{start}, {end}) is no subtree")
    if end > start and start % (1 << (end - start - 1).bit_length()):
        raise ProofError(f"[{start}, {end}) is not aligned to a subtree")


def _climb(fn: int, sn: int, tn: int, path: Sequence[bytes], seed: bytes, subtree_root: bytes, root: bytes) -> None:
    old = new = seed
    for sibling in path:
        if tn == 0:
            raise ProofError("consistency proof is too long")
        if sn & 1 or sn == tn:
            if fn < sn:
                old = hash_children(sibling, old)
            new = hash_children(sibling, new)
            while not sn & 1 and sn:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            new = hash_children(new, sibling)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn:
        raise ProofError("consistency proof is too short")
    if old != subtree_root or new != root:
        raise ProofError("consistency proof leads to other roots: the newer tree does not extend the older")


def _expect_empty_subtree(proof: Sequence[bytes], subtree_root: bytes) -> None:
    if proof or subtree_root != EMPTY_ROOT:
        raise ProofError("an empty subtree has the empty root and needs no proof")


def _split(count: int) -> int:
    """Largest power of two below `count` (RFC 6962's k)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(f"a hash has {HASH_SIZE} bytes, not {len(value)}: {value.hex()}")
