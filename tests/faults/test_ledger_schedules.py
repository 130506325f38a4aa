"""Ten thousand random schedules of broken steps and power cuts: nothing acknowledged is lost, no fork is ever signed.

A schedule is one life of a store: it opens what the life before left, under faults already, records, signs heads, and
ends by a power cut or a kill. A chain of lives shares one disk; every head that any of them wrote must be a prefix of
the log that the last one finds in peace.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from ledger_lives import Clients, Witness, check_partial_tiles, open_store, verify_whole

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.errors import EvidenceError
from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.recording.errors import LedgerFull, StoreDamagedError
from timeball.station.recording.filesystem import replace
from timeball.station.recording.integration import Integration
from timeball.station.recording.recovery import CHECKPOINT
from timeball.station.recording.store import Store

BLOCKS, CHAINS, LIVES = 10, 40, 25
STEPS = 60


class Chain:
    """Lives of one log."""

    def __init__(self, seed: int, disk: type[SimulatedDisk] = SimulatedDisk, store: type[Store] = Store) -> None:
        self.rng = np.random.default_rng(seed)
        self.witness = Witness()
        self.clients = Clients(self.rng, longest=60, largest_batch=2)
        self.kind = store
        self.disk = disk(observe=self.witness)
        self.time_ns = 0

    def run(self, lives: int) -> None:
        """Live so often, then once in peace, and look at everything."""
        if self.rng.random() < 0.15:
            # near the end of a tile, so that lives complete tiles too
            self.clients.waiting["collector"] = self.clients.batch("collector", int(self.rng.integers(180, 250)))
        for _ in range(lives):
            self.live()
        self.disk.faults = {}
        store = open_store(self.disk, self.rng, self.kind)
        self.clients.check(store)
        self.clients.turn(store, self.time_ns)
        store.integrate()
        self.clients.check(store)
        self.witness.check(store)
        verify_whole(self.disk)
        store.close()
        open_store(self.disk, self.rng, self.kind).close()
        check_partial_tiles(self.disk)

    def live(self) -> None:
        rng, disk = self.rng, self.disk
        disk.faults = {
            disk.steps + int(step): (str(rng.choice([NOT_STORED, STORED])), int(rng.choice([errno.ENOSPC, errno.EIO])))
            for step in rng.integers(0, STEPS, int(rng.integers(0, 5)))
        }
        # founding the log may fail; nothing is acknowledged by such a life
        with contextlib.suppress(OSError):
            self.work(open_store(disk, rng, self.kind))
        if rng.random() < 0.8:
            self.disk = disk.crash(rng, float(rng.choice([0.0, 0.5, 1.0])))
        else:
            disk.close()  # killed: the lock is gone, what processes saw is still seen

    def work(self, store: Store) -> None:
        self.clients.check_ends(store)
        for _ in range(int(self.rng.integers(1, 4))):
            self.time_ns += 1
            with contextlib.suppress(LedgerFull):
                if store.stalled or self.rng.random() < 0.5:
                    store.integrate()
            self.clients.turn(store, self.time_ns)
        if self.rng.random() < 0.2:
            store.close()  # a stop in good order, as far as the disk lets it


def block_of_chains(block: int) -> Counter[tuple[str, str, str]]:
    broken: Counter[tuple[str, str, str]] = Counter()
    for seed in range(block * CHAINS, (block + 1) * CHAINS):
        chain = Chain(seed)
        try:
            chain.run(LIVES)
        except BaseException:
            print(f"seed {seed}")
            raise
        broken += chain.disk.broken
    return broken


blocks = cache(block_of_chains)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_thousand_schedules(block: int) -> None:
    print(f"seeds {block * CHAINS} to {(block + 1) * CHAINS - 1}, {LIVES} schedules each")
    assert sum(blocks(block).values()) > 500


KINDS = {
    "journal": r"journal",
    "payloads": r"payloads/\d+",
    "bundles": r"ledger/tile/entries.*",
    "tiles": r"ledger/tile/\d.*",
    "head": r"ledger/checkpoint(\.tmp)?",
    "key": r"ledger/log\.vkey(\.tmp)?",
    "cache": r"ledger\.tails(\.tmp)?",
    "folder": r"|ledger|payloads",
}
STEPS_BROKEN = {
    ("write", "journal"), ("sync", "journal"), ("truncate", "journal"),
    ("write", "payloads"), ("sync", "payloads"),
    ("write", "bundles"), ("sync", "bundles"), ("sync_dir", "bundles"), ("unlink", "bundles"),
    ("write", "tiles"), ("sync", "tiles"), ("sync_dir", "tiles"), ("unlink", "tiles"),
    ("truncate", "head"), ("write", "head"), ("sync", "head"), ("rename", "head"),
    ("truncate", "key"), ("write", "key"), ("sync", "key"), ("rename", "key"),
    ("truncate", "cache"), ("write", "cache"), ("sync", "cache"), ("rename", "cache"),
    ("sync_dir", "folder"),
}  # fmt: skip


def test_every_kind_of_step_was_broken_both_ways() -> None:
    found: Counter[tuple[tuple[str, str], str]] = Counter()
    for block in range(BLOCKS):
        for (operation, path, how), count in blocks(block).items():
            kind = next(kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, path))
            found[(operation, kind), how] += count
    assert {step for step, _ in found} == STEPS_BROKEN, "a durable step that this test does not know, or never breaks"
    for step in STEPS_BROKEN:
        for how in (NOT_STORED, STORED):
            assert found[step, how] >= 3, f"{step} {how}: {found[step, how]} times"


class NoTileSync(SimulatedDisk):
    """Heads are signed over files that are not durable."""

    def sync_all(self, files: object, folders: object) -> None:
        pass


class AcknowledgedEarly(SimulatedDisk):
    """The journal is never synced."""

    def sync(self, path: str) -> None:
        if path != "journal":
            super().sync(path)


class HeadFirst(Store):
    """The head is written before the tiles it is about."""

    def _write(self, plan: Integration) -> None:
        edge = plan.frontier.edge
        head = Checkpoint(self.origin, edge.size, edge.root())
        replace(self._fs, CHECKPOINT, sign_checkpoint(head, [self._signer]))
        super()._write(plan)


class CutFirst(Store):
    """The journal is cut before the head is durable."""

    def _write(self, plan: Integration) -> None:
        super()._write(plan)
        self._journal.cut()


class Unsettled(Store):
    """It takes the head that it reads for durable, and what lies beyond it for its own."""

    def _settle(self, end: int) -> None:
        pass


@pytest.mark.parametrize(
    ("disk", "store"),
    [
        (NoTileSync, Store),
        (AcknowledgedEarly, Store),
        (SimulatedDisk, HeadFirst),
        (SimulatedDisk, CutFirst),
        (SimulatedDisk, Unsettled),
    ],
)
def test_one_ordering_broken_is_caught(disk: type[SimulatedDisk], store: type[Store]) -> None:
    """The positive control: a careless store loses entries or contradicts itself, and that is seen."""
    caught = None
    for seed in range(2 * CHAINS):
        try:
            Chain(seed, disk, store).run(LIVES)
        except (AssertionError, StoreDamagedError, EvidenceError) as error:
            caught = error
            break
    print(f"seed {seed}: {caught}")
    assert caught is not None
