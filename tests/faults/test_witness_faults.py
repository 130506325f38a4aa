"""A witness on a disk that forgets and breaks: no two cosignatures ever contradict, none is older than an earlier one.

Each life of a witness ends by a kill or a power cut, its steps are broken at random ("failed and not stored", "failed
but stored"), its clock is set back, and its log shows forks whenever it can.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

import numpy as np
import pytest

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text, sign_checkpoint
from timeball.ledger.cosignature import make_cosigner
from timeball.ledger.errors import EvidenceError, Refusal
from timeball.ledger.merkle import MerkleTree, hash_leaf, make_consistency_proof
from timeball.ledger.note import make_signer, parse_note
from timeball.ledger.witnessing import AddCheckpoint
from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.recording import filesystem
from timeball.station.witnessing import heads as heads_module
from timeball.station.witnessing.heads import Heads

LOGS = [make_signer(f"log.example.org/{number}", bytes([number] * 32)) for number in range(2)]
COSIGNER = make_cosigner("witness.example.org/w1", bytes(range(32)))
LEAVES = 24
BRANCHES = 3


def grow(branch: int) -> MerkleTree:
    """History 0 is shared by all branches up to a leaf that depends on the branch."""
    tree = MerkleTree()
    for index in range(LEAVES):
        tree.append(hash_leaf(f"{index} {branch if index >= 5 * branch else 0}".encode()))
    return tree


TREES = [grow(branch) for branch in range(BRANCHES)]
ROOTS = [[tree.root(size) for size in range(LEAVES + 1)] for tree in TREES]
HEADS = {
    (log, branch, size): sign_checkpoint(Checkpoint(LOGS[log].name, size, TREES[branch].root(size)), [LOGS[log]])
    for log in range(len(LOGS))
    for branch in range(BRANCHES)
    for size in range(LEAVES + 1)
}


@dataclass
class World:
    """What the public has seen: every cosigned head of each log, in order, with its time."""

    given: dict[str, list[tuple[Checkpoint, int]]] = field(default_factory=dict)
    clock: int = 1_800_000_000

    def see(self, text: str, line: str) -> None:
        """Take a cosignature; fails when it contradicts an earlier one of the same log."""
        head = parse_checkpoint_text(text)
        [signature] = parse_note((text + "\n" + line).encode()).signatures
        time_s = COSIGNER.verifier.verify_cosignature(head, signature.signature)
        earlier = self.given.setdefault(head.origin, [])
        for other, other_time_s in earlier:
            assert consistent(other, head), f"two histories of {head.origin}: {other.size} and {head.size} entries"
            assert other.size <= head.size, "a smaller head after a larger"
            assert other_time_s <= time_s, "an older cosignature after a newer"
        earlier.append((head, time_s))


def consistent(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether some history of the log has both roots."""
    return any(roots[one.size] == one.root and roots[other.size] == other.root for roots in ROOTS)


def ask(heads: Heads, world: World, rng: np.random.Generator) -> None:
    """One request of a log that tries everything: any branch, any size, mostly from the size the witness holds."""
    log, branch = int(rng.integers(len(LOGS))), int(rng.integers(BRANCHES))
    known = heads.newest(LOGS[log].name)
    old = known.checkpoint.size if known is not None and rng.random() < 0.9 else int(rng.integers(4))
    size = min(LEAVES, max(0, old + int(rng.integers(-1, 4))))
    proof = make_consistency_proof(old, size, TREES[branch].node) if 0 < old < size else []
    note = HEADS[log, branch, size]
    try:
        lines = heads.add(AddCheckpoint(old, tuple(proof), note))
    except (Refusal, OSError):
        lines = []
    for line in lines:
        world.see(parse_note(note).text, line)
    served = heads.newest(LOGS[log].name)
    if served is not None:
        assert any(head == served.checkpoint for head, _ in world.given[LOGS[log].name]), "served, and not yet given"


def live(disk: SimulatedDisk, world: World, rng: np.random.Generator, turns: int) -> None:
    """One life of the witness, as far as the disk lets it start."""
    try:
        heads = Heads(disk, [log.verifier for log in LOGS], [COSIGNER], lambda: world.clock)
    except OSError:
        return
    for origin in heads.origins:
        found = heads.newest(origin)
        if found is not None and all(head != found.checkpoint for head, _ in world.given.get(origin, [])):
            # stored, but its answer never left: from here on it is served, so the public sees it now
            world.see(found.checkpoint.text, next(line for line in signatures(found.note) if COSIGNER.name in line))
    for _ in range(turns):
        world.clock += int(rng.integers(-30, 60))
        ask(heads, world, rng)


def signatures(note: bytes) -> list[str]:
    return note.decode().rpartition("\n\n")[2].splitlines(keepends=True)


def live_through(seed: int, make: type[SimulatedDisk] = SimulatedDisk) -> World:
    """Lives with random broken steps, each ended by a power cut or a kill."""
    rng = np.random.default_rng(seed)
    world, disk = World(), make()
    for _ in range(3):
        disk.faults = {
            disk.steps + int(step): (str(rng.choice([NOT_STORED, STORED])), int(rng.choice([errno.ENOSPC, errno.EIO])))
            for step in rng.integers(0, 40, int(rng.integers(0, 8)))
        }
        live(disk, world, rng, int(rng.integers(1, 8)))
        if rng.random() < 0.7:
            disk = disk.crash(rng, float(rng.choice([0.0, 0.5, 1.0])))
        else:
            disk.close()
    disk.faults = {}
    live(disk, world, rng, 3)
    return world


@pytest.mark.parametrize("block", range(10))
def test_random_schedules(block: int) -> None:
    given = 0
    for seed in range(block * 120, block * 120 + 120):
        try:
            given += sum(map(len, live_through(seed).given.values()))
        except BaseException:
            print(f"seed {seed}")
            raise
    assert given > 200, "hardly anything was cosigned"


@pytest.mark.parametrize("how", [NOT_STORED, STORED])
@pytest.mark.parametrize("kept", [0.0, 1.0])
def test_every_single_step_broken(how: str, kept: float) -> None:
    """Each step is broken once, then the power fails; a fork is offered right after it."""
    step, steps = 0, 1
    while step < steps:
        rng, world = np.random.default_rng(step), World()
        disk = SimulatedDisk(faults={step: (how, errno.EIO)})
        live(disk, world, rng, 6)
        steps = max(steps, disk.steps)
        live(disk.crash(rng, kept), world, rng, 6)
        step += 1
    assert steps > 10, "the steps were not counted"


def is_convicted(make: type[SimulatedDisk]) -> bool:
    """Whether some schedule shows two contradicting cosignatures, or a file that is torn."""
    for seed in range(2000):
        try:
            live_through(seed, make)
        except (AssertionError, EvidenceError):
            return True
    return False


@pytest.mark.parametrize("careless", ["sync", "sync_dir"])
def test_a_witness_that_skips_a_sync_is_convicted(careless: str) -> None:
    """The positive control: without either sync two contradicting cosignatures are given sooner or later."""

    class Careless(SimulatedDisk):
        def crash(self, rng: np.random.Generator, kept: float) -> SimulatedDisk:
            after = super().crash(rng, kept)
            after.__class__ = Careless
            return after

    setattr(Careless, careless, lambda _self, _path: None)
    assert is_convicted(Careless)


def test_a_witness_that_answers_before_it_stores_is_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other positive control: a failing disk that is not noticed."""

    def careless(fs: filesystem.FileSystem, path: str, data: bytes) -> None:
        try:
            filesystem.replace(fs, path, data)
        except OSError:
            return

    monkeypatch.setattr(heads_module, "replace", careless)
    assert is_convicted(SimulatedDisk)
