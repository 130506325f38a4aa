"""Erasure on a disk that breaks and forgets: no payload gone without an entry, none left that was said to be gone."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from timeball.ledger import canonical
from timeball.ledger.note import make_signer
from timeball.ledger.verify import verify_log
from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.keeping.erasing import erase_entries, finish_erasures
from timeball.station.recording.errors import EntryRefusedError, LedgerFull
from timeball.station.recording.store import NewEntry, Store

SIGNER = make_signer("timeball.example/tb", bytes(range(32)))
NOWHERE = Path("/nonexistent")
NAMES = [b"Anna Bauer", b"Carl Dietz"]
REASON = "asked for by the person named"


def open_store(disk: SimulatedDisk, rng: np.random.Generator) -> Store:
    return Store(NOWHERE, disk, signer=SIGNER, entropy=rng.bytes)


def populate(store: Store) -> list[int]:
    """Two entries that name people, in two bundles, among others; some of them only in the journal."""
    plain = [NewEntry("served", n, "served", 1, b'{"n":%d}' % n) for n in range(1, 300)]
    people = [NewEntry("visitors", n, "visit", 1, b'{"name":"%s"}' % name) for n, name in enumerate(NAMES, 1)]
    indices = store.append_many([people[0]], 1)
    store.append_many(plain, 2)
    store.integrate()
    return indices + store.append_many([people[1]], 3)


def readable(disk: SimulatedDisk) -> list[bytes]:
    """The names that any file of the disk still holds."""
    return [name for name in NAMES if any(name in content for content in disk.files().values())]


def erased(disk: SimulatedDisk) -> set[int]:
    """What the whole ledger, verified, says of erased payloads; a payload gone without an entry raises."""
    files = disk.files()
    present = [path.removeprefix("ledger/") for path in files if path.startswith("ledger/")]
    report = verify_log(
        lambda path: files.get(f"ledger/{path}"),
        present,
        SIGNER.verifier,
        payloads=lambda path: files.get(f"payloads/{path}"),
    )
    assert report.contents is not None
    return set(report.contents.erased)


def test_nothing_of_an_erased_payload_is_left() -> None:
    rng = np.random.default_rng(0)
    disk = SimulatedDisk()
    store = open_store(disk, rng)
    indices = populate(store)
    assert readable(disk) == NAMES
    entry = erase_entries(store, indices, REASON, 4)
    assert readable(disk) == []
    assert canonical.decode(store.read(entry)[1] or b"") == {"indices": indices, "reason": REASON}
    assert erase_entries(store, indices, REASON, 5) == entry
    store.integrate()
    assert erased(disk) == set(indices)


def test_every_step_broken_then_asked_again_then_power_cut() -> None:
    """What processes see after a failed sync may never reach the disk: a repetition must not believe it."""
    step = 0
    while True:
        rng = np.random.default_rng(step)
        disk = SimulatedDisk()
        store = open_store(disk, rng)
        indices = populate(store)
        store.integrate()
        start = disk.steps
        disk.faults = {start + step: (NOT_STORED, errno.EIO)}
        try:
            erase_entries(store, indices, REASON, 4)
        except LedgerFull:
            store.integrate()
            erase_entries(store, indices, REASON, 4)
        if disk.steps <= start + step:
            break
        assert readable(disk.crash(rng, 0.0)) == [], f"step {step}"
        step += 1
    assert step > 10


@pytest.mark.parametrize("how", [NOT_STORED, STORED])
@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_every_step_of_an_erasure_broken_then_power_cut(how: str, kept: float) -> None:
    acknowledged = unfinished = step = 0
    while True:
        rng = np.random.default_rng(step)
        disk = SimulatedDisk()
        store = open_store(disk, rng)
        indices = populate(store)
        start = disk.steps
        disk.faults = {start + step: (how, errno.EIO)}
        done = False
        try:
            erase_entries(store, indices, REASON, 4)
            done = True
        except LedgerFull:
            pass
        if disk.steps <= start + step:
            break
        disk = disk.crash(rng, kept)
        store = open_store(disk, rng)
        entry = finish_erasures(store)
        store.integrate()
        gone = erased(disk)
        if entry is None:
            assert not done
            assert gone == set()
            assert readable(disk) == NAMES
        else:
            unfinished += not done
            assert gone == set(indices)
            assert readable(disk) == []
        acknowledged += done
        step += 1
    print(f"{step} steps, {acknowledged} acknowledged, {unfinished} finished at the next start")
    assert unfinished
    assert step > 10


def test_asked_again_after_a_full_disk_it_is_finished_once() -> None:
    rng = np.random.default_rng(3)
    disk = SimulatedDisk()
    store = open_store(disk, rng)
    indices = populate(store)
    store.integrate()
    disk.faults = {disk.steps + 8: (NOT_STORED, errno.ENOSPC)}
    with pytest.raises(LedgerFull):
        erase_entries(store, indices, REASON, 4)
    disk.faults = {}
    entry = erase_entries(store, indices, REASON, 5)
    assert readable(disk) == []
    assert store.next_seq("erasure") == 2
    assert store.last_index("erasure") == entry


def test_what_decides_time_is_not_erased_lightly() -> None:
    rng = np.random.default_rng(4)
    store = open_store(SimulatedDisk(), rng)
    kinds = ["readings", "scale", "steer", "config", "key"]
    store.append_many([NewEntry("x", n, kind, 1, b"{}") for n, kind in enumerate(kinds, 1)], 1)
    for index, kind in enumerate(kinds):
        with pytest.raises(EntryRefusedError, match=f"is a {kind} entry"):
            erase_entries(store, [index], REASON, 2)
    entry = erase_entries(store, [0], REASON, 2, force=True)
    assert store.read(0)[1] is None
    for never in (4, entry):
        with pytest.raises(EntryRefusedError, match="does not verify"):
            erase_entries(store, [never], REASON, 2, force=True)
    with pytest.raises(EntryRefusedError, match="there is no entry 99"):
        erase_entries(store, [99], REASON, 2)
    with pytest.raises(EntryRefusedError, match="there is no such entry"):
        erase_entries(store, [2**60], REASON, 2)
    for reason in ("", "x" * 501):
        with pytest.raises(EntryRefusedError, match="a reason"):
            erase_entries(store, [1], reason, 2, force=True)


@pytest.mark.parametrize("said", [b"{}", b"[]", b'{"indices":7}', b'{"indices":"0"}', b'{"indices":[0,99999999,-1]}'])
def test_attack_an_erasure_that_nobody_could_have_asked_for_stops_no_start(said: bytes) -> None:
    """Any client can append to any stream: what stands there at the next start must not kill it, nor be obeyed."""
    rng, disk = np.random.default_rng(5), SimulatedDisk()
    store = open_store(disk, rng)
    key = canonical.encode({"name": "a", "purpose": "b", "vkey": SIGNER.verifier.vkey})
    store.append_many([NewEntry("x", 1, "key", 1, key), NewEntry("erasure", 1, "erasure", 1, said)], 1)
    assert finish_erasures(store) == 1
    assert store.read(0)[1] == key
    store.append_many([NewEntry("x", 2, "visit", 1, b"{}")], 2)
    assert erase_entries(store, [2], REASON, 3) == 3
    assert erased(disk) == {2}
