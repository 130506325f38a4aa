"""Verification of a whole log from its files: every byte that the signed head covers, tiles of all levels, contents.

`read(path)` gives a file's bytes or None; paths are relative to the log's prefix. The first contradiction is raised as
EvidenceError with file, entry and byte. Memory does not grow with the log. What it cannot see: that a whole log, its
signed head included, was replaced by an older or another one, unless an earlier head is given to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from timeball.ledger.bundles import SPAN, BundleJudge, Fill, JudgedBundle, fill_by
from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.contents import Contents, is_envelope
from timeball.ledger.errors import EvidenceError, LedgerError, TileError
from timeball.ledger.kernels import COMPILED
from timeball.ledger.log import Read, TiledLog, prove_inclusion
from timeball.ledger.logfiles import LogFiles
from timeball.ledger.merkle import HASH_SIZE, hash_leaf, verify_inclusion
from timeball.ledger.note import Verifier
from timeball.ledger.tiles import WIDTH, Edge, TilePath, parse_bundle, write_bundle

CHECKPOINT = "checkpoint"
Progress = Callable[[int, int], None]
Judge = Callable[[range], list[JudgedBundle | None]]
Spread = Callable[[Judge, Iterable[range]], Iterable[list[JudgedBundle | None]]]


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
    spread: Spread = map,
    fill: Fill | None = None,
    fill_payloads: Fill | None = None,
) -> Report:
    """Verify the log signed by `log`; `payloads` gives payload bundles by path (None: they are not at hand).

    `present` names the partial tiles that lie there; other paths do no harm. `since` is an older head, already
    verified, that this log must extend. `spread` is a map that keeps the order, and may run in threads, and
    `fill` and `fill_payloads` are what to read with in it (`read` and `payloads` where they are not given). Raises
    EvidenceError.
    """
    head = read_head(read, log)
    _expect_not_shorter(head, since)
    files = LogFiles(read, head.size, present)
    verification = _Verification(files, head, since, payloads)
    fast = fill or fill_by(read), fill_payloads or (fill_by(payloads) if payloads else None)
    for numbers, judged in verification.judge(spread, *fast):
        for number, bundle in zip(numbers, judged, strict=True):
            verification.take(number, bundle)
        if progress:
            progress(verification.edge.size, head.size)
    verification.finish()
    return Report(head, files.count, files.bytes_read, verification.contents)


class _Verification:
    """One pass over a log: compiled loops judge complete bundles; what they doubt, the plain code judges, and words."""

    def __init__(self, files: LogFiles, head: Checkpoint, since: Checkpoint | None, payloads: Read | None) -> None:
        self.edge = Edge()
        self._files = files
        self._head = head
        self._since = since
        first = files.peek(str(TilePath(None, 0, min(WIDTH, head.size)))) if head.size else None
        has_envelopes = first is not None and is_envelope(first[2 : 2 + int.from_bytes(first[:2], "big")])
        self.contents = Contents(payloads) if has_envelopes else None

    def judge(
        self, spread: Spread, log: Fill, payloads: Fill | None
    ) -> Iterator[tuple[range, list[JudgedBundle | None]]]:
        """Bundles in spans, in order; None for what the plain code must judge."""
        complete = self._head.size // WIDTH if COMPILED else 0
        judge = BundleJudge(log, payloads, self.contents is not None)
        spans = [range(first, min(first + SPAN, complete)) for first in range(0, complete, SPAN)]
        yield from zip(spans, spread(judge.judge_span, spans), strict=True)
        for number in range(complete, (self._head.size + WIDTH - 1) // WIDTH):
            yield range(number, number + 1), [None]

    def take(self, number: int, bundle: JudgedBundle | None) -> None:
        """Join one bundle to those before it; raises EvidenceError."""
        if bundle is None or not self._joins(number, bundle):
            leaves = _verify_bundle(self._files, self.edge, number, self._head, self._since)
            if self.contents:
                self.contents.take_bundle(number, leaves)
            return
        self._files.add_read(bundle.files, bundle.bytes_read)
        for tile, content in self.edge.append_tile(bundle.root):
            _verify_tile(self._files, tile, content)
        if self.contents:
            self.contents.take_judged(bundle)

    def finish(self) -> None:
        """Partial tiles, the root, and what can be said only after the last entry; raises EvidenceError."""
        for path, data in self.edge.partial_tiles():
            _verify_tile(self._files, path, data)
        if self.edge.root() != self._head.root:
            reason = f"its root {self._head.root.hex()} is not that of the {self._head.size} entries"
            raise EvidenceError(CHECKPOINT, reason)
        if self.contents:
            self.contents.finish()

    def _joins(self, number: int, bundle: JudgedBundle) -> bool:
        """Whether nothing but the bundle itself needs a look: no narrower tiles, no older head that ends in it."""
        if self._since is not None and 0 <= self._since.size - 1 - number * WIDTH < WIDTH:
            return False
        if self._files.has_narrower(None, number) or self._files.has_narrower(0, number):
            return False
        return self.contents is None or self.contents.follows(bundle)


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
    ends = list(accumulate(2 + len(leaf) for leaf in leaves))
    for narrow in files.narrower(path):
        if files.read(narrow) != data[: ends[narrow.width - 1]]:
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
        verify_inclusion(leaf_hash, index, head.size, prove_inclusion(log, index), head.root)
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
