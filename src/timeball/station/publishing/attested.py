"""What a mirror fetches, checked before anything is kept: heads against keys, tiles and entries against the head,
payloads against the entries, and the new head against the old one. It stores nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.entry import parse_envelope, verify_payload
from timeball.ledger.errors import EvidenceError, LedgerError, ProofError, TileError
from timeball.ledger.log import AttestedLog, Read
from timeball.ledger.merkle import (
    fold_right,
    make_consistency_proof,
    perfect_subtrees,
    verify_consistency,
)
from timeball.ledger.note import NoteKey
from timeball.ledger.payload import WITHHELD, parse_frame
from timeball.ledger.policy import Policy
from timeball.ledger.tiles import WIDTH, TilePath, index_path, tile_width


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose heads are taken: a log's key, or a policy with its quorum of witnesses."""

    key: NoteKey | None = None
    policy: Policy | None = None

    def open(self, note: bytes) -> tuple[Checkpoint, NoteKey, dict[str, int]]:
        """Verify a head: the checkpoint, the log's key, the times (POSIX s) of known witnesses; raises LedgerError."""
        if self.policy is not None:
            seen = self.policy.check(note, [] if self.key is None else [self.key])
            return seen.checkpoint, seen.log, dict(seen.times)
        if self.key is None:
            raise EvidenceError("checkpoint", "there is no key to verify it with")
        return open_checkpoint(note, self.key), self.key, {}


class Recorder:
    """Reads through another reader and remembers what it gave: the evidence, when it turns out to be one."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.files: dict[str, bytes] = {}

    def __call__(self, path: str) -> bytes | None:
        """A file's bytes or None."""
        data = self._read(path)
        if data is not None:
            self.files[path] = data
        return data


def check_extends(read: Read, old: Checkpoint, new: Checkpoint) -> dict[str, bytes] | None:
    """None when `new` extends `old`; the tiles that prove that it does not, when it does not.

    Raises EvidenceError when the tiles served do not lead to `new`: then they say nothing about either.
    """
    if old.size == new.size or not old.size:
        return None if not old.size or old.root == new.root else {}
    recorder = Recorder(read)
    log = AttestedLog(recorder, new.size, new.root)
    try:
        proof = make_consistency_proof(old.size, new.size, log.node)
        verify_consistency(old.size, new.size, proof, old.root, new.root)
    except ProofError:
        # only a tree whose tiles are all under the new head can convict it
        return None if _attested_root(log, old.size) == old.root else recorder.files
    return None


def _attested_root(log: AttestedLog, size: int) -> bytes:
    """Root that the first `size` leaves have under the log's own head; raises EvidenceError."""
    hashes = []
    for level, index in perfect_subtrees(0, size):
        tile_level, rest = divmod(level, 8)
        log.attest(tile_level, (index << rest) // WIDTH)
        hashes.append(log.node(level, index))
    return fold_right(hashes)


def new_tiles(log: AttestedLog, old_size: int, size: int) -> Iterator[tuple[TilePath, bytes]]:
    """The hash tiles above the leaf tiles that a tree of `size` has and one of `old_size` had not, checked."""
    level = 1
    while size >> (8 * level):
        for index in range((old_size >> (8 * level)) // WIDTH, ((size >> (8 * level)) + WIDTH - 1) // WIDTH):
            if not tile_width(level, index, size):
                continue
            log.attest(level, index)
            path = log.tile_path(level, index)
            yield path, log.read_tile(path)
        level += 1


def check_payloads(number: int, leaves: Sequence[bytes], served: bytes | None) -> tuple[bytes, int]:
    """The frames of `leaves` out of a served bundle, each checked; and how many were withheld.

    A server without payloads withholds all of them. Raises EvidenceError for a frame that is not its entry's.
    """
    if served is None:
        return WITHHELD * len(leaves), len(leaves)
    withheld = offset = 0
    for position, leaf in enumerate(leaves):
        try:
            frame = parse_frame(served, offset)
            if frame.payload is not None:
                verify_payload(parse_envelope(leaf), frame.salt, frame.payload)
        except (LedgerError, TileError) as error:
            index = number * WIDTH + position
            raise EvidenceError(f"payloads/{index_path(number)}", str(error), index, offset) from error
        withheld += frame.withheld
        offset = frame.end
    return served[:offset], withheld
