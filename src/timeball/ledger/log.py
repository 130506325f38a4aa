"""Reading a tiled log through a function that gives the bytes of a path: bundles, hashes, perfect subtrees, the edge.

It trusts what it reads only as far as the caller checks it (see `verify`); it opens no files itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from timeball.ledger.errors import EvidenceError, TileError
from timeball.ledger.merkle import (
    HASH_SIZE,
    fold_right,
    hash_leaf,
    make_consistency_proof,
    make_inclusion_proof,
    make_subtree_proof,
    perfect_subtrees,
)
from timeball.ledger.tiles import WIDTH, Edge, TilePath, parse_bundle, split_tile, subtree_root, tile_root, tile_width

Read = Callable[[str], bytes | None]
_CACHED_TILES = 64


class MissingTileError(EvidenceError):
    """A tile that a tree of this size must have is not there (it may just have been replaced by a wider one)."""


class TiledLog:
    """The tiles of a tree of `size` leaves; `read` takes paths relative to the log's prefix."""

    def __init__(self, read: Read, size: int) -> None:
        self.size = size
        self._read = read
        self._cache: OrderedDict[TilePath, bytes] = OrderedDict()

    def tile_path(self, level: int | None, index: int) -> TilePath:
        """The path of a tile in a tree of this size; its width is 0 when the tree does not reach it."""
        return TilePath(level, index, tile_width(level or 0, index, self.size))

    def read_tile(self, path: TilePath) -> bytes:
        """Bytes of a tile, taken from the complete tile when only that is left; raises MissingTileError."""
        found = self._cache.get(path)
        if found is None:
            found = self._read(str(path))
            if found is None and path.width < WIDTH:
                found = self._prefix_of_full(path)
            if found is None:
                raise MissingTileError(str(path), "the file is missing")
            self._cache[path] = found
            if len(self._cache) > _CACHED_TILES:
                self._cache.popitem(last=False)
        return found

    def bundle(self, index: int) -> list[bytes]:
        """The entries of bundle `index`; raises EvidenceError."""
        path = self.tile_path(None, index)
        try:
            return parse_bundle(self.read_tile(path), path.width)
        except TileError as error:
            raise EvidenceError(str(path), str(error)) from error

    def hashes(self, level: int, index: int) -> list[bytes]:
        """The hashes of tile (level, index); raises EvidenceError."""
        path = self.tile_path(level, index)
        try:
            return split_tile(self.read_tile(path), path.width)
        except TileError as error:
            raise EvidenceError(str(path), str(error)) from error

    def node(self, level: int, index: int) -> bytes:
        """Hash of the perfect subtree over 2**level leaves, for the proofs of `merkle`."""
        tile_level, rest = divmod(level, 8)
        tile, position = divmod(index << rest, WIDTH)
        path = self.tile_path(tile_level, tile)
        if position + (1 << rest) > path.width:
            raise EvidenceError(str(path), f"the tree has no complete subtree {index} of 2**{level} leaves")
        data = self.read_tile(path)
        if len(data) != HASH_SIZE * path.width:
            raise EvidenceError(str(path), f"a tile of width {path.width} does not have {len(data)} bytes")
        first = HASH_SIZE * position
        return subtree_root(data[first : first + (HASH_SIZE << rest)])

    def root(self) -> bytes:
        """Root of the tree, from the widest nodes there are."""
        return fold_right([self.node(level, index) for level, index in perfect_subtrees(0, self.size)])

    def edge(self) -> Edge:
        """The right edge, to go on from."""
        levels: list[list[bytes]] = []
        while self.size >> (8 * len(levels)):
            level = len(levels)
            count = self.size >> (8 * level)
            levels.append(self.hashes(level, count // WIDTH) if count % WIDTH else [])
        return Edge(self.size, levels)

    def _prefix_of_full(self, path: TilePath) -> bytes | None:
        data = self._read(str(TilePath(path.level, path.index)))
        if data is None or path.level is not None:
            return data if data is None else data[: HASH_SIZE * path.width]
        position = 0
        for _ in range(path.width):
            position += 2 + int.from_bytes(data[position : position + 2], "big")
        return data[:position]


def prove_inclusion(log: TiledLog, index: int) -> list[bytes]:
    """Proof that entry `index` is in the log (`merkle.verify_inclusion`); ProofError when it is not, EvidenceError."""
    return make_inclusion_proof(index, log.size, log.node)


def prove_consistency(log: TiledLog, old_size: int) -> list[bytes]:
    """Proof that the log extends its first `old_size` entries (`merkle.verify_consistency`); raises as above."""
    return make_consistency_proof(old_size, log.size, log.node)


def prove_subtree(log: TiledLog, start: int, end: int) -> list[bytes]:
    """Proof that the subtree [start, end) is in the log (`merkle.verify_subtree_consistency`); raises as above."""
    return make_subtree_proof(start, end, log.size, log.node)


class AttestedLog(TiledLog):
    """A log whose entries are checked, tile by tile, up to the root of its signed head before they are given out."""

    def __init__(self, read: Read, size: int, root: bytes) -> None:
        super().__init__(read, size)
        self._root = root
        self._attested: set[TilePath] = set()
        self._edge_attested = False

    def attested_bundle(self, index: int) -> list[bytes]:
        """The entries of bundle `index`; raises EvidenceError unless they are under the head."""
        leaves = self.bundle(index)
        self.attest(0, index)
        for position, (leaf, expected) in enumerate(zip(leaves, self.hashes(0, index), strict=True)):
            if hash_leaf(leaf) != expected:
                reason = "the entry does not hash to the leaf in the tree"
                raise EvidenceError(str(self.tile_path(None, index)), reason, index * WIDTH + position)
        return leaves

    def attest(self, level: int, index: int) -> None:
        """Check a tile up to the root; raises EvidenceError."""
        path = self.tile_path(level, index)
        if path in self._attested:
            return
        if path.width < WIDTH:
            self._attest_edge()
        else:
            above, position = divmod(index, WIDTH)
            self.attest(level + 1, above)
            if tile_root(self.hashes(level, index)) != self.hashes(level + 1, above)[position]:
                raise EvidenceError(str(path), f"the tile does not hash to its node in tile/{level + 1}")
        self._attested.add(path)

    def _attest_edge(self) -> None:
        if not self._edge_attested and self.edge().root() != self._root:
            raise EvidenceError("tile", f"the tiles do not lead to the root of the signed head of {self.size} entries")
        self._edge_attested = True
