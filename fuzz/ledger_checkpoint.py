"""Fuzz target: any text as a checkpoint, and any bytes as a tile path. What is accepted is written back the same."""

from __future__ import annotations

import contextlib

from timeball.ledger.checkpoint import parse_checkpoint_text
from timeball.ledger.errors import CheckpointError, TileError
from timeball.ledger.tiles import parse_tile_path


def target(data: bytes) -> None:
    """Parse, and compare with what writing gives."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(CheckpointError):
        assert parse_checkpoint_text(text).text == text
    with contextlib.suppress(TileError):
        assert str(parse_tile_path(text)) == text
