"""From journal to tiles: which bytes go into which files when entries join the tree. It writes nothing itself.

Every file is only ever extended or written with the same bytes again, so integration can be repeated after any failure,
also when an earlier attempt got as far as its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from timeball.ledger.kernels import fold_pairs, hash_leaves
from timeball.ledger.tiles import WIDTH, Edge, TilePath, index_path
from timeball.station.recording.group import Block
from timeball.station.recording.kernels import Bytes

LEDGER = "ledger"
PAYLOADS = "payloads"
Write = tuple[str, int, bytes | memoryview]


def payload_path(bundle: int) -> str:
    """The payload bundle beside entry bundle `bundle`, relative to the state folder."""
    return f"{PAYLOADS}/{index_path(bundle)}"


@dataclass
class Frontier:
    """The open end of the log: the tree's edge, the bytes of the open bundle, the length of its payload file."""

    edge: Edge = field(default_factory=Edge)
    bundle: bytes = b""
    payload_length: int = 0

    def partial_tiles(self) -> list[TilePath]:
        """Tiles and the bundle that a longer log completes."""
        tiles = [path for path, _ in self.edge.partial_tiles()]
        if self.bundle:
            tiles.append(TilePath(None, self.edge.size // WIDTH, self.edge.size % WIDTH))
        return tiles


@dataclass
class Integration:
    """Writes (path, offset, bytes) that bring the log to `frontier`, in an order that needs no reading."""

    frontier: Frontier
    writes: list[Write] = field(default_factory=list)


def plan_integration(frontier: Frontier, block: Block) -> Integration:
    """Plan the files of the entries of `block`, which follow the log that ends at `frontier`."""
    hashes = np.empty((block.count, 32), np.uint8)
    hash_leaves(block.leaves, block.leaf_starts[:-1] + 2, np.diff(block.leaf_starts) - 2, hashes)
    edge, tiles = extend_edge(frontier.edge, hashes)
    plan = Integration(Frontier(edge))
    for path, tile in [*tiles, *edge.partial_tiles()]:
        plan.writes.append((f"{LEDGER}/{path}", 0, tile))
    _plan_bundles(plan, frontier, block)
    return plan


def extend_edge(edge: Edge, hashes: Bytes) -> tuple[Edge, list[tuple[TilePath, bytes]]]:
    """The edge of a tree that grew by leaf hashes uint8[n, 32], and the tiles that this completed, leaves first."""
    tiles: list[tuple[TilePath, bytes]] = []
    levels: list[Sequence[bytes]] = []
    size = edge.size + len(hashes)
    while len(levels) < len(edge.levels) or len(hashes):
        number = len(levels)
        present = b"".join(edge.levels[number]) if number < len(edge.levels) else b""
        row = np.concatenate([np.frombuffer(present, np.uint8).reshape(-1, 32), hashes])
        complete = len(row) // WIDTH
        first = edge.size >> (8 * (number + 1))
        for tile in range(complete):
            tiles.append((TilePath(number, first + tile), row[WIDTH * tile : WIDTH * (tile + 1)].tobytes()))
        levels.append([item.tobytes() for item in row[WIDTH * complete :]])
        hashes = tile_roots(row[: WIDTH * complete])
    return Edge(size, levels), tiles


def tile_roots(hashes: Bytes) -> Bytes:
    """Roots of complete tiles that stand end to end in uint8[256k, 32] `hashes`: uint8[k, 32]."""
    for _ in range(WIDTH.bit_length() - 1):
        parents = np.empty((len(hashes) // 2, 32), np.uint8)
        fold_pairs(hashes, parents)
        hashes = parents
    return hashes


def _plan_bundles(plan: Integration, frontier: Frontier, block: Block) -> None:
    before, after = frontier.edge.size, plan.frontier
    present, offset = frontier.bundle, frontier.payload_length
    for number in range(before // WIDTH, (after.edge.size + WIDTH - 1) // WIDTH):
        start = max(number * WIDTH, before) - before
        end = min((number + 1) * WIDTH, after.edge.size) - before
        payloads = block.frames[int(block.frame_starts[start]) : int(block.frame_starts[end])]
        leaves = present + block.leaves[int(block.leaf_starts[start]) : int(block.leaf_starts[end])].tobytes()
        path = TilePath(None, number, before + end - number * WIDTH)
        plan.writes += [(payload_path(number), offset, payloads.data), (f"{LEDGER}/{path}", 0, leaves)]
        if path.width < WIDTH:
            after.bundle, after.payload_length = leaves, offset + payloads.size
        present, offset = b"", 0
