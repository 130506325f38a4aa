"""Large logs on disk for the ledger's figures, built without the recorder: the same files, in seconds.

`write_log` gives a whole log with envelopes and payloads; `write_tiles` every tile of a log of short entries, and the
bundles of those that will be asked for. Nothing here is synced: these files are to be read, not to be kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from timeball.ledger import kernels
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.note import make_signer
from timeball.ledger.payload import HEADER
from timeball.ledger.tiles import WIDTH, Edge, TilePath, index_path

SIGNER = make_signer("bench.example/log", bytes(range(32)))
SALT = bytes(32)


def write_log(state: Path, size: int, payload: bytes) -> None:
    """A state folder whose `size` entries all have this payload."""
    (state / "payloads").mkdir(parents=True)
    digest = base64.b64encode(hashlib.sha256(SALT + payload).digest()).decode()
    frame = HEADER.pack(len(SALT), len(payload)) + SALT + payload
    edge = Edge()
    for number in range((size + WIDTH - 1) // WIDTH):
        first, last = number * WIDTH + 1, min(size, (number + 1) * WIDTH)
        leaves = [
            b'{"by":"bench","digest":"%b","seq":%d,"time":"%d","type":"bench","version":1}'
            % (digest.encode(), seq, 1_800_000_000_000_000_000 + seq)
            for seq in range(first, last + 1)
        ]
        _write(state, number, leaves, edge)
        path = state / "payloads" / index_path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(frame * len(leaves))
    _finish(state, edge)


def write_tiles(state: Path, size: int, asked: Iterable[int]) -> None:
    """Every tile of a log of `size` entries of eight bytes, and the entry bundles that hold the `asked` ones."""
    bundles = {index // WIDTH for index in asked}
    edge = Edge()
    for number in range((size + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - number * WIDTH)
        data = np.arange(number * WIDTH, number * WIDTH + width, dtype=">i8").view(np.uint8)
        if number in bundles:
            path = state / "ledger" / str(TilePath(None, number, width))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(b"\0\x08" + each.tobytes() for each in data.reshape(-1, 8)))
        _append(state, edge, _leaf_hashes(data, np.full(width, 8, np.int64)))
    _finish(state, edge)


def entry_of(index: int) -> bytes:
    """The entry that `write_tiles` put at an index."""
    return index.to_bytes(8)


def _write(state: Path, number: int, leaves: list[bytes], edge: Edge) -> None:
    path = state / "ledger" / str(TilePath(None, number, len(leaves)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(len(leaf).to_bytes(2) + leaf for leaf in leaves))
    data = np.frombuffer(b"".join(leaves), np.uint8)
    _append(state, edge, _leaf_hashes(data, np.array([len(leaf) for leaf in leaves], np.int64)))


def _leaf_hashes(data: kernels.Bytes, lengths: kernels.Integers) -> kernels.Bytes:
    hashes = np.empty((lengths.size, kernels.HASH_BYTES), np.uint8)
    kernels.hash_leaves(data, np.cumsum(lengths) - lengths, lengths, hashes)
    return hashes


def _append(state: Path, edge: Edge, hashes: kernels.Bytes) -> None:
    if len(hashes) < WIDTH:
        for each in hashes:
            edge.append(each.tobytes())
        return
    tile = TilePath(0, edge.size // WIDTH), hashes.tobytes()
    while len(hashes) > 1:
        kernels.fold_pairs(hashes, hashes)
        hashes = hashes[: len(hashes) // 2]
    _write_tiles(state, [tile, *edge.append_tile(hashes[0].tobytes())])


def _finish(state: Path, edge: Edge) -> None:
    _write_tiles(state, edge.partial_tiles())
    head = Checkpoint(SIGNER.name, edge.size, edge.root())
    (state / "ledger/checkpoint").write_bytes(sign_checkpoint(head, [SIGNER]))
    (state / "ledger/log.vkey").write_text(SIGNER.verifier.vkey + "\n")


def _write_tiles(state: Path, tiles: Iterable[tuple[TilePath, bytes]]) -> None:
    for tile, content in tiles:
        path = state / "ledger" / str(tile)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
