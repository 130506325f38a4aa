"""The tree over the requests of one batch (RFC 10049, 5.3): its leaves are whole packets, H is SHA-512 cut to 32 bytes.

Where a row of nodes has no partner for its last, the last is its own partner: a path then has a node for every level,
as INDX demands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from timeball.protocols.roughtime.errors import MalformedMessage, SpareIndexBits
from timeball.protocols.roughtime.message import HASH_BYTES, MOST_NODES

Levels = list[list[bytes]]


def truncated_hash(data: bytes) -> bytes:
    """H: the first 32 bytes of SHA-512."""
    return hashlib.sha512(data).digest()[:HASH_BYTES]


def leaf_hash(request: bytes) -> bytes:
    """H(0x00 ‖ the whole request packet)."""
    return truncated_hash(b"\0" + request)


def node_hash(left: bytes, right: bytes) -> bytes:
    """H(0x01 ‖ left ‖ right)."""
    return truncated_hash(b"\1" + left + right)


def build_levels(requests: Sequence[bytes]) -> Levels:
    """All rows of the tree over the request packets, leaves first, the root alone at the end."""
    levels = [[leaf_hash(request) for request in requests]]
    while len(row := levels[-1]) > 1:
        if len(row) % 2:
            row.append(row[-1])
        levels.append([node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)])
    return levels


def path_of(levels: Levels, index: int) -> bytes:
    """The siblings of leaf `index` from the leaf to the root, one after the other."""
    return b"".join(row[(index >> height) ^ 1] for height, row in enumerate(levels[:-1]))


def depth_of(leaves: int) -> int:
    """How many nodes a path has in a tree of so many leaves."""
    return max(leaves - 1, 0).bit_length()


def root_of(request: bytes, path: bytes, index: int) -> bytes:
    """The root that a request, its PATH and its INDX lead to (5.3.1).

    Raises MalformedMessage for a path of broken or too many nodes, SpareIndexBits for an index beyond the path.
    """
    if len(path) % HASH_BYTES or len(path) > MOST_NODES * HASH_BYTES:
        raise MalformedMessage("PATH", f"of {len(path)} bytes", f"must hold at most {MOST_NODES} whole hashes")
    root = leaf_hash(request)
    for start in range(0, len(path), HASH_BYTES):
        node = path[start : start + HASH_BYTES]
        root = node_hash(node, root) if index & 1 else node_hash(root, node)
        index >>= 1
    if index:
        raise SpareIndexBits(f"INDX has bits beyond the {len(path) // HASH_BYTES} nodes of PATH")
    return root
