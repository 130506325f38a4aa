"""The store on a disk that forgets, breaks and fills up: nothing acknowledged is lost, no two heads contradict."""

from __future__ import annotations

import contextlib
import errno

import numpy as np
import pytest
from ledger_lives import Clients, Witness, open_store, verify_whole

from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.recording.errors import LedgerFull
from timeball.station.recording.store import EntryBatch, NewEntry, Store


def work(store: Store, clients: Clients, rng: np.random.Generator, turns: int) -> None:
    for turn in range(turns):
        if store.stalled:
            try:
                store.integrate()
            except LedgerFull:
                continue
        clients.turn(store, 1_000 + turn)
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
    witness.check(store)
    assert store.size >= len(clients.acknowledged) > 0
    verify_whole(disk)
    return clients, witness


@pytest.mark.parametrize("block", range(4))
def test_long_lives_with_faults_and_crashes(block: int) -> None:
    for seed in range(block * 10, block * 10 + 10):
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
                clients.turn(store, turn)
                store.integrate()
        except (OSError, LedgerFull):
            pass
        if disk.steps <= step:
            break  # all steps have had their turn
        disk = disk.crash(rng, kept)
        store = open_store(disk, rng)
        clients.check(store)
        store.integrate()
        witness.check(store)
        verify_whole(disk)
        step += 1
    assert step > 60, "the steps were not counted"


class Killed(BaseException):
    """SIGKILL: no handler of the store runs."""


def kill_after(disk: SimulatedDisk, step: int) -> None:
    def observe(seen: SimulatedDisk) -> None:
        if seen.steps > step:
            raise Killed

    disk.observe = observe


@pytest.mark.parametrize("synced", ["killed before", "failed"])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_group_that_was_never_durable_leaves_nothing_behind(synced: str, kept: float) -> None:
    """Killed before the journal's sync or after it failed; the next life integrates; the power fails in between."""
    step = 0
    while True:
        rng = np.random.default_rng(step)
        disk = SimulatedDisk()
        store = open_store(disk, rng)
        long = EntryBatch("collector", 1, "readings", 1, [b'{"bytes":"%s"}' % (b"7" * 40)] * 300)
        if synced == "failed":
            disk.faults = {disk.steps + 2: (NOT_STORED, errno.EIO)}
            assert isinstance(store.append_groups([long], 0)[0], LedgerFull)
        else:
            kill_after(disk, disk.steps + 1)
            with pytest.raises(Killed):
                store.append_groups([long], 0)
        disk.close()
        kill_after(disk, disk.steps + step)
        try:
            assert open_store(disk, rng).size in (0, 300)
            break  # no step is left to be killed after
        except Killed:
            pass
        disk.observe = None
        disk = disk.crash(rng, kept)
        store = open_store(disk, rng)
        first = store.next_seq("collector")
        store.append_many(EntryBatch("collector", first, "readings", 1, [b"{}"] * (513 - first)), 0)
        store.integrate()
        verify_whole(disk)
        step += 1
    assert step > 20, "the steps were not counted"


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
