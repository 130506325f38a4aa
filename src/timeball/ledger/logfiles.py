"""The files of a log under verification: what a head covers, read once, counted; and partial tiles that lie about."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.ledger.errors import TileError
from timeball.ledger.log import MissingTileError, Read, TiledLog
from timeball.ledger.tiles import WIDTH, TilePath, parse_tile_path


class LogFiles:
    """Reads tiles of a log of `size` entries. `count` and `bytes_read` say how much."""

    def __init__(self, read_path: Read, size: int, present: Iterable[str]) -> None:
        self.size = size
        self.count = 0
        self.bytes_read = 0
        self._read_path = read_path
        self._partial: dict[tuple[int | None, int], list[int]] = {}
        self._note(present)
        # now, because on a log that grows they may be gone later
        self._edge = {path: self._fetch(path) for path in self._edge_paths()}

    def read(self, path: TilePath) -> bytes:
        """Bytes of a tile; raises MissingTileError."""
        data = self._edge.get(path)
        if data is None:
            data = self._fetch(path)
        self.count += 1
        self.bytes_read += len(data)
        return data

    def peek(self, path: str) -> bytes | None:
        """Bytes of a tile as they lie there, not counted."""
        return self._edge.get(parse_tile_path(path)) or self._read_path(path)

    def narrower(self, tile: TilePath) -> list[TilePath]:
        """Narrower versions of a tile that are still there: the head covers them too."""
        widths = sorted(self._partial.pop((tile.level, tile.index), []))
        return [TilePath(tile.level, tile.index, width) for width in widths if width < tile.width]

    def has_narrower(self, level: int | None, index: int) -> bool:
        """Whether `narrower` may give anything for a tile."""
        return (level, index) in self._partial

    def add_read(self, count: int, size: int) -> None:
        """Count files that were read elsewhere."""
        self.count += count
        self.bytes_read += size

    def _note(self, present: Iterable[str]) -> None:
        for path in present:
            try:
                tile = parse_tile_path(path)
            except TileError:
                continue  # other names are no part of the log
            if tile.width < WIDTH:
                self._partial.setdefault((tile.level, tile.index), []).append(tile.width)

    def _edge_paths(self) -> list[TilePath]:
        paths = []
        if self.size % WIDTH:
            paths.append(TilePath(None, self.size // WIDTH, self.size % WIDTH))
        level = 0
        while count := self.size >> (8 * level):
            if count % WIDTH:
                paths.append(TilePath(level, count // WIDTH, count % WIDTH))
            level += 1
        return paths

    def _fetch(self, path: TilePath) -> bytes:
        data = self._read_path(str(path))
        if data is None and path.width < WIDTH:
            # its complete tile has taken its place since; the head still covers the front of that
            data = TiledLog(self._read_path, self.size).read_tile(path)
        if data is None:
            raise MissingTileError(str(path), "the file is missing")
        return data
