"""The store on a disk that forgets, breaks and fills up: nothing acknowledged is lost, no two heads contradict."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.entry import parse_envelope
from timeball.ledger.merkle import MerkleTree, hash_leaf
from timeball.ledger.note import make_signer
from timeball.ledger.payload import parse_frame
from timeball.ledger.verify import verify_log
from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.recording.errors import LedgerFull
from timeball.station.recording.integration import payload_path
from timeball.station.recording.store import NewEntry, Store

SIGNER = make_signer("timeball.example/tb", bytes(range(32)))
NOWHERE = Path("/nonexistent")


class Witness:
    """Sees every head that ever stands at ledger/checkpoint, also one that a crash takes back."""

    def __init__(self) -> None:
        self.heads: dict[int, Checkpoint] = {}
        self.last = b""

    def __call__(self, disk: SimulatedDisk) -> None:
        data = disk.read("ledger/checkpoint")
        if data is None or data == self.last:
            return
        self.last = data
        head = open_checkpoint(data, SIGNER.verifier)
        assert self.heads.setdefault(head.size, head) == head, f"two heads of {head.size} entries"


def open_store(disk: SimulatedDisk, rng: np.random.Generator) -> Store:
    return Store(NOWHERE, disk, signer=SIGNER, entropy=rng.bytes)


def verify_whole(disk: SimulatedDisk) -> None:
    files = disk.files()
    present = [path.removeprefix("ledger/") for path in files if path.startswith("ledger/")]
    verify_log(
        lambda path: files.get(f"ledger/{path}"),
        present,
        SIGNER.verifier,
        payloads=lambda path: files.get(f"payloads/{path}"),
    )


def check_heads(witness: Witness, store: Store) -> None:
    """Every head ever shown is the root of that many of the present entries."""
    tree = MerkleTree()
    log = store._log()
    for bundle in range((store.checkpoint.size + 255) // 256):
        for leaf in log.bundle(bundle):
            tree.append(hash_leaf(leaf))
    for size, head in witness.heads.items():
        assert size <= tree.size, "a head was shown that the log has not reached again"
        assert tree.root(size) == head.root, f"the head of {size} entries is not of this log"


def read_all(store: Store) -> Iterator[tuple[str, int, bytes | None]]:
    """Stream, number and payload of every acknowledged entry: those under the head in one pass, then the rest."""
    log = store._log()
    for bundle in range((store.checkpoint.size + 255) // 256):
        data, offset = store._fs.read(payload_path(bundle)) or b"", 0
        for leaf in log.bundle(bundle):
            frame = parse_frame(data, offset)
            offset = frame.end
            envelope = parse_envelope(leaf)
            yield envelope.by, envelope.seq, frame.payload
    for index in range(store.checkpoint.size, store.size):
        envelope, payload = store.read(index)
        yield envelope.by, envelope.seq, payload


class Clients:
    """Three streams that repeat what was not acknowledged, and remember what was."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.acknowledged: dict[tuple[str, int], tuple[int, bytes]] = {}
        self.waiting: dict[str, NewEntry] = {}
        self.last = dict.fromkeys(("collector", "timekeeper", "observer"), 0)

    def ask(self) -> list[list[NewEntry]]:
        groups = []
        for stream in self.last:
            if self.rng.random() < 0.8:
                payload = b'{"bytes":"%s"}' % self.rng.bytes(int(self.rng.integers(1, 3000))).hex().encode()
                entry = NewEntry(stream, self.last[stream] + 1, "readings", 1, payload)
                groups.append([self.waiting.setdefault(stream, entry)])
        return groups

    def hear(self, groups: list[list[NewEntry]], answers: list[list[int] | Exception]) -> None:
        for [entry], answer in zip(groups, answers, strict=True):
            if isinstance(answer, list):
                self.acknowledged[entry.stream, entry.seq] = (answer[0], entry.payload)
                self.last[entry.stream] = entry.seq
                del self.waiting[entry.stream]
            else:
                assert isinstance(answer, LedgerFull), answer

    def check(self, store: Store) -> None:
        everything = list(read_all(store))
        for (stream, seq), (index, payload) in self.acknowledged.items():
            assert everything[index] == (stream, seq, payload), f"entry {index} is lost"


def work(store: Store, clients: Clients, rng: np.random.Generator, turns: int) -> None:
    for turn in range(turns):
        if store.stalled:
            try:
                store.integrate()
            except LedgerFull:
                continue
        groups = clients.ask()
        clients.hear(groups, store.append_groups(groups, 1_000 + turn))
        if rng.random() < 0.4:
            with contextlib.suppress(LedgerFull):
                store.integrate()


def live_through(seed: int) -> tuple[Clients, Witness]:
    """Lives of a store: each with random broken steps, ended by a power cut or by a kill; then one in peace."""
    rng = np.random.default_rng(seed)
    witness, clients = Witness(), Clients(rng)
    disk = SimulatedDisk(observe=witness)
    for _life in range(4):
        steps = rng.integers(0, 400, int(rng.integers(0, 12)))
        disk.faults = {
            disk.steps + int(step): (str(rng.choice([NOT_STORED, STORED])), int(rng.choice([errno.ENOSPC, errno.EIO])))
            for step in steps
        }
        try:
            store = open_store(disk, rng)
        except OSError:
            store = None  # it could not even found the log; nothing was acknowledged by this life
        if store is not None:
            clients.check(store)
            work(store, clients, rng, int(rng.integers(1, 40)))
        if rng.random() < 0.7:
            disk = disk.crash(rng, float(rng.choice([0.0, 0.5, 1.0])))
        else:
            disk.close()  # killed: the lock is gone, what processes saw is still seen
    disk.faults = {}
    store = open_store(disk, rng)
    clients.check(store)
    work(store, clients, rng, 5)
    store.integrate()
    clients.check(store)
    check_heads(witness, store)
    assert store.size >= len(clients.acknowledged) > 0
    verify_whole(disk)
    return clients, witness


@pytest.mark.parametrize("block", range(10))
def test_random_faults_and_crashes(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        try:
            live_through(seed)
        except BaseException:
            print(f"seed {seed}")
            raise


@pytest.mark.parametrize("how", [NOT_STORED, STORED])
@pytest.mark.parametrize("kept", [0.0, 1.0])
def test_every_single_step_broken_then_power_cut(how: str, kept: float) -> None:
    """Each step of founding, appending and integrating is broken once, and the power fails right after it."""
    step = 0
    while True:
        rng = np.random.default_rng(step)
        witness, clients = Witness(), Clients(rng)
        disk = SimulatedDisk(faults={step: (how, errno.EIO)}, observe=witness)
        try:
            store = open_store(disk, rng)
            for turn in range(4):
                groups = clients.ask()
                clients.hear(groups, store.append_groups(groups, turn))
                store.integrate()
        except (OSError, LedgerFull):
            pass
        if disk.steps <= step:
            break  # all steps have had their turn
        disk = disk.crash(rng, kept)
        store = open_store(disk, rng)
        clients.check(store)
        store.integrate()
        check_heads(witness, store)
        verify_whole(disk)
        step += 1
    assert step > 60, "the steps were not counted"


def test_the_simulated_disk_does_forget() -> None:
    """The positive control: without syncs an entry does not survive, so the tests above can fail."""

    class Careless(SimulatedDisk):
        def sync(self, path: str) -> None:
            if path != "journal":
                super().sync(path)

    rng = np.random.default_rng(1)
    disk = Careless()
    store = open_store(disk, rng)
    store.append_many([NewEntry("collector", 1, "readings", 1, b"{}")], 0)
    after = disk.crash(rng, 0.0)
    assert open_store(after, rng).size == 0


def test_full_disk_refuses_serves_and_recovers() -> None:
    rng = np.random.default_rng(2)
    disk = SimulatedDisk(capacity=200_000)
    store = open_store(disk, rng)
    clients = Clients(rng)
    refused = 0
    for turn in range(400):
        groups = clients.ask()
        answers = store.append_groups(groups, turn)
        refused += sum(isinstance(answer, LedgerFull) for answer in answers)
        clients.hear(groups, answers)
        try:
            store.integrate()
        except LedgerFull:
            clients.check(store)
            assert store.next_seq("collector") == clients.last["collector"] + 1
    assert refused > 100
    assert store.stalled is not None
    before = len(clients.acknowledged)
    disk.capacity = None
    store.integrate()
    work(store, clients, rng, 10)
    assert len(clients.acknowledged) > before
    store.integrate()
    clients.check(store)
    verify_whole(disk)


def test_a_full_disk_loses_nothing_at_a_power_cut() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        disk = SimulatedDisk(capacity=60_000 + 1000 * seed)
        store, clients = open_store(disk, rng), Clients(rng)
        work(store, clients, rng, 60)
        disk = disk.crash(rng, 0.5)
        clients.check(open_store(disk, rng))
