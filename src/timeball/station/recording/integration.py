"""From journal to tiles: which bytes go into which files when entries join the tree. It writes nothing itself.

Every file is only ever extended or written with the same bytes again, so integration can be repeated after any failure,
also when an earlier attempt got as far as its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from timeball.ledger.merkle import hash_leaf
from timeball.ledger.payload import write_frame
from timeball.ledger.tiles import WIDTH, Edge, TilePath, index_path, write_bundle
from timeball.station.recording.journal import JournalFrame

LEDGER = "ledger"
PAYLOADS = "payloads"


def payload_path(bundle: int) -> str:
    """The payload bundle beside entry bundle `bundle`, relative to the state folder."""
    return f"{PAYLOADS}/{index_path(bundle)}"


@dataclass
class Frontier:
    """The open end of the log: the tree's edge, the leaves of the open bundle, the length of its payload file."""

    edge: Edge = field(default_factory=Edge)
    bundle: list[bytes] = field(default_factory=list)
    payload_length: int = 0

    def partial_paths(self) -> list[str]:
        """Files that a longer log replaces, relative to the state folder."""
        paths = [str(path) for path, _ in self.edge.partial_tiles()]
        if self.bundle:
            paths.append(str(TilePath(None, self.edge.size // WIDTH, len(self.bundle))))
        return [f"{LEDGER}/{path}" for path in paths]


@dataclass
class Integration:
    """Writes (path, offset, bytes) that bring the log to `frontier`, in an order that needs no reading."""

    frontier: Frontier
    writes: list[tuple[str, int, bytes]] = field(default_factory=list)


def plan_integration(frontier: Frontier, frames: Sequence[JournalFrame]) -> Integration:
    """Plan the files of `frames`, which follow the log that ends at `frontier`."""
    after = Frontier(frontier.edge.copy(), list(frontier.bundle), frontier.payload_length)
    plan = Integration(after)
    payloads: list[bytes] = []
    for frame in frames:
        after.bundle.append(frame.leaf)
        payloads.append(write_frame(frame.salt, frame.payload))
        completed = after.edge.append(hash_leaf(frame.leaf))
        if completed:
            _add_tiles(plan, completed)
            _close_bundle(plan, payloads, frame.index // WIDTH)
            after.bundle, after.payload_length, payloads = [], 0, []
    _add_tiles(plan, after.edge.partial_tiles())
    if after.bundle:
        after.payload_length += _close_bundle(plan, payloads, after.edge.size // WIDTH)
    return plan


def _add_tiles(plan: Integration, tiles: Sequence[tuple[TilePath, bytes]]) -> None:
    plan.writes += [(f"{LEDGER}/{path}", 0, data) for path, data in tiles]


def _close_bundle(plan: Integration, payloads: Sequence[bytes], bundle: int) -> int:
    after = plan.frontier
    data = b"".join(payloads)
    if data:
        plan.writes.append((payload_path(bundle), after.payload_length, data))
    path = TilePath(None, bundle, len(after.bundle))
    plan.writes.append((f"{LEDGER}/{path}", 0, write_bundle(after.bundle)))
    return len(data)
