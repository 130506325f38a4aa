"""Entries that become durable together: runs of like entries in columns, their payload frames end to end.

A run holds what its entries share (stream, type, version, time); frames, digests and envelopes are made for all of
them at once (see `kernels`), so an entry costs no Python object. The frames are the bytes of the payload bundles.
Nothing is checked here (see `staging`) and nothing written (see `journal`, `integration`).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from timeball.ledger.entry import Envelope, write_envelope
from timeball.ledger.kernels import hash_frames
from timeball.station.recording.kernels import (
    DIGEST_CHARS,
    FRAME_HEADER,
    MOST_DIGITS,
    SEQ,
    Bytes,
    Integers,
    measure_frames,
    write_frames,
    write_leaves,
)

SALT_BYTES = 16
_BEFORE_DIGEST = b'"digest":"'
_PLACEHOLDER = b'","seq":1'


@dataclass(frozen=True, slots=True)
class Run:
    """Entries of one stream with consecutive sequence numbers and everything but the payload in common."""

    stream: str
    first_seq: int
    count: int
    type: str
    version: int
    supersedes: int | None
    time_ns: int

    def envelope(self, position: int, digest: bytes) -> Envelope:
        """The envelope of one entry of the run."""
        return Envelope(
            by=self.stream,
            digest=binascii.b2a_base64(digest, newline=False).decode("ascii"),
            seq=self.first_seq + position,
            supersedes=self.supersedes,
            time=str(self.time_ns),
            type=self.type,
            version=self.version,
        )

    def templates(self) -> tuple[bytes, bytes]:
        """The bytes of every envelope before its digest, and after its sequence number."""
        leaf = write_envelope(
            Envelope(
                by=self.stream, digest="", seq=1, supersedes=self.supersedes, time=str(self.time_ns),
                type=self.type, version=self.version,
            )
        )  # fmt: skip
        middle = leaf.index(_BEFORE_DIGEST) + len(_BEFORE_DIGEST)
        return leaf[:middle], leaf[middle + len(_PLACEHOLDER) :]


class Group:
    """Entries from index `first` on. `frames` holds their payload frames, `starts` int64[n + 1] the bounds of those."""

    def __init__(self, first: int, runs: Sequence[Run], frames: Bytes, starts: Integers) -> None:
        self.first = first
        self.runs = tuple(runs)
        self.frames = frames
        self.starts = starts

    @property
    def count(self) -> int:
        """How many entries."""
        return int(self.starts.size) - 1

    @property
    def end(self) -> int:
        """Index after the last entry."""
        return self.first + self.count

    @cached_property
    def digests(self) -> Bytes:
        """SHA-256(salt ‖ payload) of each entry: uint8[n, 32]. Nothing needs them before the entries join the tree."""
        found = np.empty((self.count, 32), np.uint8)
        hash_frames(self.frames, self.starts[:-1] + FRAME_HEADER, np.diff(self.starts) - FRAME_HEADER, found)
        return found

    def payload(self, position: int) -> bytes:
        """The payload of one entry."""
        start, end = int(self.starts[position]), int(self.starts[position + 1])
        return self.frames[start + FRAME_HEADER + SALT_BYTES : end].tobytes()

    def envelope(self, position: int) -> Envelope:
        """The envelope of one entry."""
        before = 0
        for run in self.runs:
            if position - before < run.count:
                return run.envelope(position - before, self.digests[position].tobytes())
            before += run.count
        raise IndexError(position)


def make_group(first: int, runs: Sequence[Run], payloads: Sequence[bytes], entropy: Callable[[int], bytes]) -> Group:
    """Salt payloads and frame them; the runs say what they are."""
    lengths = np.fromiter(map(len, payloads), np.int64, len(payloads))
    starts = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths + (FRAME_HEADER + SALT_BYTES), out=starts[1:])
    frames = np.empty(int(starts[-1]), np.uint8)
    salts = np.frombuffer(entropy(SALT_BYTES * lengths.size), np.uint8)
    write_frames(np.frombuffer(b"".join(payloads), np.uint8), lengths, salts, SALT_BYTES, frames)
    return Group(first, runs, frames, starts)


def parse_group(first: int, runs: Sequence[Run], frames: bytes | memoryview) -> Group | None:
    """A group of which the frames lie at hand; None when they are not those of so many entries."""
    data = np.frombuffer(frames, np.uint8)
    starts = np.empty(sum(run.count for run in runs) + 1, np.int64)
    return Group(first, runs, data, starts) if measure_frames(data, SALT_BYTES, starts) else None


@dataclass(frozen=True, slots=True)
class Block:
    """Leaves in bundle form and payload frames of the same entries, with int64[n + 1] bounds, ready for their files."""

    leaves: Bytes
    leaf_starts: Integers
    frames: Bytes
    frame_starts: Integers

    @property
    def count(self) -> int:
        """How many entries."""
        return int(self.leaf_starts.size) - 1

    def leaf(self, position: int) -> bytes:
        """The envelope bytes of one entry."""
        return self.leaves[int(self.leaf_starts[position]) + 2 : int(self.leaf_starts[position + 1])].tobytes()


def make_block(groups: Sequence[Group]) -> Block:
    """The entries of groups that follow each other."""
    frames = groups[0].frames if len(groups) == 1 else np.concatenate([group.frames for group in groups])
    offsets = accumulate((group.frames.size for group in groups), initial=0)
    frame_starts = np.concatenate(
        [group.starts[:-1] + offset for group, offset in zip(groups, offsets, strict=False)]
        + [np.array([frames.size], np.int64)]
    )
    digests = np.concatenate([group.digests for group in groups])
    leaves, leaf_starts = _make_leaves([run for group in groups for run in group.runs], digests)
    return Block(leaves, leaf_starts, frames, frame_starts)


def join_block(leaves: Sequence[bytes], frames: Sequence[bytes]) -> Block:
    """A block of leaves and frames whatever they say."""
    bundle = [len(leaf).to_bytes(2, "big") + leaf for leaf in leaves]
    return Block(_join(bundle), _bounds(bundle), _join(frames), _bounds(frames))


def _make_leaves(runs: Sequence[Run], digests: Bytes) -> tuple[Bytes, Integers]:
    table = np.empty((len(runs), 6), np.int64)
    templates = bytearray()
    room = 0
    for row, run in zip(table, runs, strict=True):
        head, tail = run.templates()
        middle = len(templates) + len(head)
        row[:] = (run.count, run.first_seq, len(templates), middle, middle, middle + len(tail))
        templates += head + tail
        room += run.count * (2 + len(head) + DIGEST_CHARS + SEQ.size + MOST_DIGITS + len(tail))
    leaves, starts = np.empty(room, np.uint8), np.empty(len(digests) + 1, np.int64)
    write_leaves(digests, table, np.frombuffer(bytes(templates), np.uint8), leaves, starts)
    return leaves[: int(starts[-1])], starts


def _join(parts: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(parts), np.uint8)


def _bounds(parts: Sequence[bytes]) -> Integers:
    return np.fromiter(accumulate(map(len, parts), initial=0), np.int64, len(parts) + 1)
