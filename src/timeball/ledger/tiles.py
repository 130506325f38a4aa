"""Tiles (C2SP tlog-tiles v0.1.0): paths, widths, entry bundles, and the growing right edge of a tiled tree.

A tile (level, index) holds up to 256 hashes; hash i of it is the root of the perfect subtree of 256**level leaves that
begins at leaf (256·index + i)·256**level. A partial tile of width W stands at `….p/W`; complete tiles have width 256.
It reads and writes nothing (see the station's store).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from timeball.ledger.errors import TileError
from timeball.ledger.merkle import HASH_SIZE, fold_right, hash_children, perfect_subtrees

WIDTH = 256
MAX_ENTRY = 65535
ENTRIES = "entries"
_TILE_PATH = re.compile(r"tile/(entries|0|[1-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile a path names; `level` is None for an entry bundle."""

    level: int | None
    index: int
    width: int = WIDTH

    def __str__(self) -> str:
        kind = ENTRIES if self.level is None else str(self.level)
        return f"tile/{kind}/{index_path(self.index)}" + ("" if self.width == WIDTH else f".p/{self.width}")


def index_path(index: int) -> str:
    """Spell a tile index in groups of three digits, all but the last with an x: 1234067 is x001/x234/067."""
    path = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        path = f"x{index % 1000:03d}/{path}"
    return path


def parse_index_path(path: str) -> int:
    """Undo `index_path`; raises TileError for any other spelling."""
    digits = path.replace("x", "").replace("/", "")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18 or index_path(int(digits)) != path:
        raise TileError(f"not a tile index: {path!r}")
    return int(digits)


def parse_tile_path(path: str) -> TilePath:
    """Parse a path below the log's prefix; raises TileError."""
    match = _TILE_PATH.fullmatch(path)
    if not match:
        raise TileError(f"not a tile path: {path!r}")
    kind, index, width = match.groups()
    if width is not None and int(width) >= WIDTH:
        raise TileError(f"a partial tile has at most 255 hashes: {path!r}")
    return TilePath(None if kind == ENTRIES else int(kind), parse_index_path(index), int(width or WIDTH))


def tile_width(level: int, index: int, size: int) -> int:
    """Hashes that tile (level, index) holds in a tree of `size` leaves: 0 to 256."""
    return max(0, min(WIDTH, (size >> (8 * level)) - index * WIDTH))


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """Root of a complete tile: the hash that stands for it one level up."""
    row = list(hashes)
    while len(row) > 1:
        row = [hash_children(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def subtree_root(data: bytes) -> bytes:
    """Root of a perfect subtree from the bytes of its hashes, as they stand in a tile: 1, 2, 4, … 256 of them."""
    while len(data) > HASH_SIZE:
        pairs = range(0, len(data), 2 * HASH_SIZE)
        data = b"".join([sha256(b"\x01" + data[at : at + 2 * HASH_SIZE]).digest() for at in pairs])
    return data


def split_tile(data: bytes, width: int) -> list[bytes]:
    """Hashes of a tile; raises TileError when its length is not 32 bytes times `width`."""
    if len(data) != HASH_SIZE * width:
        raise TileError(f"a tile of width {width} has {HASH_SIZE * width} bytes, not {len(data)}")
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def write_bundle(entries: Iterable[bytes]) -> bytes:
    """Write an entry bundle: each entry after its length as two bytes, big-endian."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise TileError(f"an entry has at most {MAX_ENTRY} bytes, not {len(entry)}")
        parts += (struct.pack(">H", len(entry)), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Entries of a bundle of `width` entries; raises TileError when it ends early or late."""
    entries: list[bytes] = []
    position = 0
    for number in range(width):
        end = position + 2
        if end > len(data):
            raise TileError(f"bundle ends at byte {len(data)} before the length of its entry {number}")
        end += int.from_bytes(data[position:end], "big")
        if end > len(data):
            raise TileError(f"bundle ends at byte {len(data)} inside its entry {number}, which begins at {position}")
        entries.append(data[position + 2 : end])
        position = end
    if position != len(data):
        raise TileError(f"{len(data) - position} bytes after the last of {width} entries, at byte {position}")
    return entries


class Edge:
    """The right edge of a tiled tree: for each level the hashes of its last, incomplete tile. Memory is O(log size)."""

    def __init__(self, size: int = 0, levels: Iterable[Sequence[bytes]] = ()) -> None:
        self.size = size
        self.levels: list[list[bytes]] = [list(level) for level in levels]
        for number, level in enumerate(self.levels):
            if len(level) != (size >> (8 * number)) % WIDTH:
                raise TileError(f"level {number} of a tree of {size} cannot end in a tile of width {len(level)}")

    def copy(self) -> Edge:
        """Give an edge that grows on its own."""
        return Edge(self.size, self.levels)

    def append(self, leaf_hash: bytes) -> list[tuple[TilePath, bytes]]:
        """Add a leaf hash; give the tiles it completed, from the leaves up."""
        self.size += 1
        return self._carry(0, leaf_hash)

    def append_tile(self, root: bytes) -> list[tuple[TilePath, bytes]]:
        """Add a complete tile of leaves by its root; give the tiles above it that it completed.

        Raises TileError when the leaves before it do not end with a complete tile.
        """
        if self.size % WIDTH:
            raise TileError(f"a tile cannot begin at leaf {self.size}")
        if not self.levels:
            self.levels.append([])
        self.size += WIDTH
        return self._carry(1, root)

    def _carry(self, number: int, carry: bytes) -> list[tuple[TilePath, bytes]]:
        completed: list[tuple[TilePath, bytes]] = []
        while True:
            if number == len(self.levels):
                self.levels.append([])
            row = self.levels[number]
            row.append(carry)
            if len(row) < WIDTH:
                return completed
            path = TilePath(number, (self.size >> (8 * (number + 1))) - 1)
            completed.append((path, b"".join(row)))
            carry = tile_root(row)
            row.clear()
            number += 1

    def partial_tiles(self) -> list[tuple[TilePath, bytes]]:
        """The incomplete tiles of every level, empty ones left out."""
        tiles = []
        for number, row in enumerate(self.levels):
            if row:
                tiles.append((TilePath(number, self.size >> (8 * (number + 1)), len(row)), b"".join(row)))
        return tiles

    def root(self) -> bytes:
        """Root of the whole tree."""
        hashes: list[bytes] = []
        for row in reversed(self.levels):
            for level, index in perfect_subtrees(0, len(row)):
                start = index << level
                hashes.append(tile_root(row[start : start + (1 << level)]))
        return fold_right(hashes)
