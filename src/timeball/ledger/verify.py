"""Verification of a whole log from its files: every byte that the signed head covers, tiles of all levels, contents.

`read(path)` gives a file's bytes or None; paths are relative to the log's prefix. The first contradiction is raised as
EvidenceError with file, entry and byte. Memory does not grow with the log. What it cannot see: that a whole log, its
signed head included, was replaced by an older or another one, unless an earlier head is given to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.contents import Contents, is_envelope
from timeball.ledger.errors import EvidenceError, LedgerError, TileError
from timeball.ledger.log import Read, TiledLog
from timeball.ledger.logfiles import LogFiles
from timeball.ledger.merkle import HASH_SIZE, hash_leaf, make_inclusion_proof, verify_inclusion
from timeball.ledger.note import Verifier
from timeball.ledger.tiles import WIDTH, Edge, TilePath, parse_bundle, write_bundle

CHECKPOINT = "checkpoint"
Progress = Callable[[int, int], None]


@dataclass
class Report:
    """What was verified: the head, how many files and bytes, and what the entries say when they are Timeball's own."""

    head: Checkpoint
    files: int = 0
    bytes_read: int = 0
    contents: Contents | None = None


def verify_log(
    read: Read,
    present: Iterable[str],
    log: Verifier,
    *,
    payloads: Read | None = None,
    since: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify the log signed by `log`; `payloads` gives payload bundles by path (None: they are not at hand).

    `since` is an older head, already verified, that this log must extend. Raises EvidenceError.
    """
    head = read_head(read, log)
    _expect_not_shorter(head, since)
    files = LogFiles(read, head.size, present)
    report = Report(head)
    edge = Edge()
    for number in range((head.size + WIDTH - 1) // WIDTH):
        leaves = _verify_bundle(files, edge, number, head, since)
        if number == 0 and is_envelope(leaves[0]):
            report.contents = Contents(payloads)
        if report.contents:
            report.contents.take_bundle(number, leaves)
        if progress:
            progress(edge.size, head.size)
    for path, data in edge.partial_tiles():
        _verify_tile(files, path, data)
    if edge.root() != head.root:
        raise EvidenceError(CHECKPOINT, f"its root {head.root.hex()} is not that of the {head.size} entries")
    if report.contents:
        report.contents.finish()
    report.files, report.bytes_read = files.count, files.bytes_read
    return report


def read_head(read: Read, log: Verifier) -> Checkpoint:
    """The signed head; raises EvidenceError."""
    data = read(CHECKPOINT)
    if data is None:
        raise EvidenceError(CHECKPOINT, "the file is missing")
    try:
        return open_checkpoint(data, log)
    except LedgerError as error:
        raise EvidenceError(CHECKPOINT, str(error)) from error


def _expect_not_shorter(head: Checkpoint, since: Checkpoint | None) -> None:
    if since is None:
        return
    if since.size > head.size:
        raise EvidenceError(
            CHECKPOINT, f"rolled back: an earlier signed head covers {since.size} entries, this one {head.size}"
        )
    if since.size == head.size and since.root != head.root:
        raise EvidenceError(CHECKPOINT, f"forked: two signed heads of {head.size} entries have different roots")


def _verify_bundle(files: LogFiles, edge: Edge, number: int, head: Checkpoint, since: Checkpoint | None) -> list[bytes]:
    path = TilePath(None, number, min(WIDTH, head.size - number * WIDTH))
    data = files.read(path)
    try:
        leaves = parse_bundle(data, path.width)
    except TileError as error:
        raise EvidenceError(str(path), str(error), number * WIDTH) from error
    hashes = [hash_leaf(leaf) for leaf in leaves]
    _compare_leaves(files, head, path, leaves, hashes)
    for leaf_hash in hashes:
        for tile, content in edge.append(leaf_hash):
            _verify_tile(files, tile, content)
        if since is not None and edge.size == since.size and edge.root() != since.root:
            raise EvidenceError(
                CHECKPOINT, f"forked: it does not extend the earlier signed head of {since.size} entries"
            )
    for narrow in files.narrower(path):
        if files.read(narrow) != write_bundle(leaves[: narrow.width]):
            raise EvidenceError(str(narrow), f"it differs from the first {narrow.width} entries of the wider bundle")
    return leaves


def _compare_leaves(
    files: LogFiles, head: Checkpoint, bundle: TilePath, leaves: list[bytes], hashes: list[bytes]
) -> None:
    """Compare entries with the leaf tile, and when they differ, find out which of the two the head vouches for."""
    tile = TilePath(0, bundle.index, bundle.width)
    found = files.peek(str(tile))
    expected = b"".join(hashes)
    if found is None or len(found) != len(expected) or found == expected:
        return  # a missing or misshapen tile is judged with all other tiles
    position = _first_difference(found, expected) // HASH_SIZE
    index = bundle.index * WIDTH + position
    if not _vouched(files, head, index, found[position * HASH_SIZE : (position + 1) * HASH_SIZE]):
        return
    offset = len(write_bundle(leaves[:position]))
    raise EvidenceError(str(bundle), "the entry was altered: it does not hash to the leaf in the tree", index, offset)


def _vouched(files: LogFiles, head: Checkpoint, index: int, leaf_hash: bytes) -> bool:
    log = TiledLog(files.peek, head.size)
    try:
        verify_inclusion(leaf_hash, index, head.size, make_inclusion_proof(index, head.size, log.node), head.root)
    except LedgerError:
        return False
    return True


def _verify_tile(files: LogFiles, path: TilePath, expected: bytes) -> None:
    _expect_equal(path, files.read(path), expected)
    for narrow in files.narrower(path):
        _expect_equal(narrow, files.read(narrow), expected[: HASH_SIZE * narrow.width])


def _expect_equal(path: TilePath, found: bytes, expected: bytes) -> None:
    if found == expected:
        return
    if len(found) != len(expected):
        raise EvidenceError(str(path), f"a tile of width {path.width} has {len(expected)} bytes, not {len(found)}")
    offset = _first_difference(found, expected)
    raise EvidenceError(str(path), f"hash {offset // HASH_SIZE} is not that of the entries below it", None, offset)


def _first_difference(one: bytes, other: bytes) -> int:
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
