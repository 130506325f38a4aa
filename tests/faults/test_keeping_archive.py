"""An archive run on disks that break and forget: each payload is in one place at least, and a second run ends it."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import numpy as np
import pytest

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.log import TiledLog
from timeball.ledger.note import make_signer
from timeball.simulation.disk import NOT_STORED, STORED, SimulatedDisk
from timeball.station.keeping.archiving import Archive, Leaves, erase_cold
from timeball.station.keeping.cold import ColdStorage
from timeball.station.recording.integration import payload_path
from timeball.station.recording.store import NewEntry, Store

SIGNER = make_signer("timeball.example/tb", bytes(range(32)))
BUNDLES = 2
SECRET = b"Anna Bauer"


def populate() -> tuple[SimulatedDisk, Leaves, list[bytes]]:
    """A durable ledger of three whole bundles and a bit; its leaves; its payload bundles."""
    rng, disk = np.random.default_rng(1), SimulatedDisk()
    with Store(Path("/nonexistent"), disk, signer=SIGNER, entropy=rng.bytes) as store:
        entries = []
        for n in range(1, 256 * BUNDLES + 20):
            body: dict[str, object] = {
                "epochs": [str(n)], "kind": "comparison", "pairs": [["A", "B"]], "u_fs": [None], "x_fs": [[str(-n)]],
            }  # fmt: skip
            kind, payload = "readings", canonical.encode(sign_batch(body, SIGNER)) if n % 50 == 0 else b'{"n":%d}' % n
            if n == 300:
                kind, payload = "visit", b'{"name":"%s"}' % SECRET
            entries.append(NewEntry("collector", n, kind, 1, payload))
        store.append_many(entries, 1)
    disk = disk.crash(rng, 0.0)
    files = disk.files()
    log = TiledLog(lambda path: files.get(f"ledger/{path}"), 256 * BUNDLES + 19)
    return disk, log.bundle, [files[payload_path(number)] for number in range(BUNDLES)]


@pytest.mark.parametrize("how", [NOT_STORED, STORED])
@pytest.mark.parametrize("kept", [0.0, 0.7])
def test_every_step_broken_then_power_cut(how: str, kept: float) -> None:
    """Each step of a run is broken once, on either disk; then both lose what was not durable."""
    start, leaves, bundles = populate()
    lost_early = False
    for broken in ("state", "cold"):
        step = 0
        while True:
            rng = np.random.default_rng(step)
            disks = {"state": start.crash(rng, 0.0), "cold": SimulatedDisk()}
            disks[broken].faults = {step: (how, errno.EIO)}
            with contextlib.suppress(OSError):
                Archive(disks["state"], disks["cold"], "/cold", leaves).run(BUNDLES)
            if disks[broken].steps <= step:
                break
            disks = {name: disk.crash(rng, kept) for name, disk in disks.items()}
            storage = ColdStorage(disks["cold"])
            for number, data in enumerate(bundles):
                beside = disks["state"].read(payload_path(number))
                assert data in (beside, storage.read_bundle(number)), f"bundle {number} is lost: {broken}, step {step}"
                lost_early |= beside is None
                if beside is None:
                    assert disks["state"].read("payloads/cold") == b"/cold\n"
            Archive(disks["state"], disks["cold"], "/cold", leaves).run(BUNDLES)
            assert [ColdStorage(disks["cold"]).read_bundle(number) for number in range(BUNDLES)] == bundles
            assert not any(disks["state"].read(payload_path(number)) for number in range(BUNDLES))
            assert len(disks["cold"].list("")) == 2
            step += 1
        assert step > 5
    # the last step of all is the one that makes the removal durable
    assert lost_early or (how == NOT_STORED and kept == 0), "no crash came after the first removal"


@pytest.mark.parametrize("how", [NOT_STORED, STORED])
@pytest.mark.parametrize("kept", [0.0, 0.7])
def test_every_step_of_an_erasure_in_cold_storage_broken(how: str, kept: float) -> None:
    state, leaves, bundles = populate()
    archived = SimulatedDisk()
    Archive(state, archived, "/cold", leaves).run(BUNDLES)
    archived = archived.crash(np.random.default_rng(0), 0.0)
    step = 0
    while True:
        rng = np.random.default_rng(step)
        cold = archived.crash(rng, 0.0)
        cold.faults = {step: (how, errno.EIO)}
        done = False
        try:
            erase_cold(cold, leaves, [299])
            done = True
        except OSError:
            pass
        if cold.steps <= step:
            break
        cold = cold.crash(rng, kept)
        after = ColdStorage(cold).read_bundle(1)
        assert after is not None
        assert len(after) == len(bundles[1])
        if done:
            assert SECRET not in after
        erase_cold(cold, leaves, [299])
        after = ColdStorage(cold).read_bundle(1)
        assert after is not None
        assert SECRET not in after
        assert len(cold.list("")) == 2
        assert ColdStorage(cold).read_bundle(0) == bundles[0]
        step += 1
    assert step > 10


def test_what_is_archived_was_under_a_durable_head() -> None:
    """A head seen and not yet durable is taken back by a power cut; the payloads below it must be there then."""
    rng, disk = np.random.default_rng(1), SimulatedDisk()
    store = Store(Path("/nonexistent"), disk, signer=SIGNER, entropy=rng.bytes)
    store.append_many([NewEntry("collector", n, "visit", 1, b"{}") for n in range(1, 251)], 1)
    store.integrate()
    store.append_many([NewEntry("collector", n, "visit", 1, b"{}") for n in range(251, 261)], 1)

    class Killed(BaseException):
        pass

    def observe(seen: SimulatedDisk) -> None:
        if b"\n260\n" in (seen.read("ledger/checkpoint") or b""):
            raise Killed

    disk.observe = observe
    with pytest.raises(Killed):
        store.integrate()
    disk.close()
    disk.observe, files = None, disk.files()
    leaves = TiledLog(lambda path: files.get(f"ledger/{path}"), 260).bundle
    Archive(disk, SimulatedDisk(), "/cold", leaves).run(1)
    assert disk.read(payload_path(0)) is None
    disk = disk.crash(rng, 0.0)
    assert Store(Path("/nonexistent"), disk, signer=SIGNER, entropy=rng.bytes).size == 260
