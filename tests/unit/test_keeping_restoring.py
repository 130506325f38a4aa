"""Backup and restore: good while the recorder writes, brought up to date, completed from a mirror, or refused."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.errors import EvidenceError
from timeball.ledger.note import NoteKey
from timeball.ledger.payload import parse_frame
from timeball.ledger.policy import Policy, parse_policy
from timeball.station.keeping.archiving import Archive, bundles_before, leaves_of
from timeball.station.keeping.asking import Answer
from timeball.station.keeping.backup import back_up
from timeball.station.keeping.copying import read_head
from timeball.station.keeping.erasing import erase_entries, finish_erasures
from timeball.station.keeping.errors import RestoreError, WitnessesSilentError, WouldForkError
from timeball.station.keeping.lock import KeepingBusyError, keeping_lock
from timeball.station.keeping.place import PLACE, read_place
from timeball.station.keeping.restoring import Plan, restore
from timeball.station.keeping.retention import archive_state
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.keys import key_path, load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.store import NewEntry, Store

SECRET = b"Anna Bauer"
ONE = "timeball.example/one"


def entries(first: int, last: int) -> list[NewEntry]:
    return [NewEntry("x", n, "visit", 1, b'{"n":%d,"name":"%s"}' % (n, SECRET)) for n in range(first, last + 1)]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with Store(folder) as store:
        store.append_many(entries(1, 700), 1)
    (folder / "simulation.json").write_text("{}")
    return folder


def policy() -> Policy:
    from timeball.ledger.cosignature import make_cosigner

    return parse_policy(f"witness one {make_cosigner(ONE, bytes(32)).verifier.vkey} http://127.0.0.1:1\nquorum one\n")


def plan(source: Path, head: Checkpoint | None = None, silent: bool = False, **more: object) -> Plan:
    def ask(_policy: Policy, _log: NoteKey, _timeout_s: float) -> list[Answer]:
        return [Answer("one", head, "no answer" if silent else "")]

    return Plan(source, policy=policy(), ask=ask, **more)  # type: ignore[arg-type]


def size(folder: Path) -> int:
    found = LogFolder.find(folder)
    assert found is not None
    return verify_folder(found, None).head.size


def record(state: Path, first: int, last: int) -> Checkpoint:
    with Store(state) as store:
        store.append_many(entries(first, last), 2)
        return store.integrate()


def test_a_backup_verifies_and_costs_what_is_new(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    assert back_up(state, folder).size == size(folder) == 700
    assert sorted(path.name for path in folder.iterdir()) == ["ledger", "payloads", "simulation.json"]
    first = (folder / "ledger/tile/entries/000").stat().st_mtime_ns, (folder / "payloads/000").stat().st_ino
    record(state, 701, 1400)
    assert back_up(state, folder, keys=True).size == size(folder) == 1400
    assert first == ((folder / "ledger/tile/entries/000").stat().st_mtime_ns, (folder / "payloads/000").stat().st_ino)
    assert (key_path(folder, "log").stat().st_mode & 0o777) == 0o600
    assert not (folder / PLACE).exists()
    other = tmp_path / "other"
    with Store(other, origin="timeball.example/other") as store:
        store.append_many(entries(1, 1), 1)
    with pytest.raises(RestoreError, match="the backup of another log"):
        back_up(other, folder)


def test_an_erasure_reaches_the_backup(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    back_up(state, folder)
    with Store(state) as store:
        erase_entries(store, [3], "asked for", 5, state=state)
        store.integrate()
    back_up(state, folder)
    assert (folder / "payloads/000").read_bytes() == (state / "payloads/000").read_bytes()
    found = LogFolder.find(folder)
    assert found is not None
    report = verify_folder(found, None)
    assert report.contents
    assert set(report.contents.erased) == {3}


def test_a_backup_taken_while_the_recorder_writes(state: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 701
        with Store(state) as store:
            while not stop.is_set():
                store.append_many(entries(number, number + 29), 2)
                store.integrate()
                number += 30

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for number in range(6):
            folder = tmp_path / f"backup{number}"
            sizes.append(back_up(state, folder).size)
            assert size(folder) == sizes[-1]
    finally:
        stop.set()
        writer.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > 700
    for number in range(6):
        restored = tmp_path / f"restored{number}"
        restore(plan(tmp_path / f"backup{number}", None, keys=state / "keys"), restored)
        record(restored, sizes[number] + 1, sizes[number] + 600)
        assert size(restored) == sizes[number] + 600


def test_the_newest_backup_goes_on(state: Path, tmp_path: Path) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    head = back_up(state, backup, keys=True)
    done = restore(plan(backup, head), restored)
    assert (done.size, done.from_mirror, done.erased) == (700, 0, 0)
    assert (restored / "simulation.json").exists()
    assert (key_path(restored, "log").stat().st_mode & 0o777) == 0o600
    assert read_place(restored) is None
    record(restored, 701, 800)
    assert size(restored) == 800
    with pytest.raises(RestoreError, match="is there already and not empty"):
        restore(plan(backup, head), restored)


def test_an_old_backup_is_refused_and_completed_from_a_mirror(state: Path, tmp_path: Path) -> None:
    backup, mirror, restored = tmp_path / "backup", tmp_path / "mirror", tmp_path / "restored"
    back_up(state, backup, keys=True)
    head = record(state, 701, 900)
    with Store(state) as store:
        erase_entries(store, [2, 650], "asked for", 5, state=state)
        head = store.integrate()
    back_up(state, mirror)
    shutil.rmtree(state)
    with pytest.raises(WouldForkError, match="entries 700 to 900 are not in this copy; get them from a mirror"):
        restore(plan(backup, head), restored)
    assert not restored.exists()
    done = restore(plan(backup, head, mirror=mirror), restored)
    assert (done.size, done.from_mirror, done.erased) == (901, 201, 0)
    payloads = {entry.index: entry.payload for entry in LedgerReader(restored).entries()}
    assert [index for index, payload in payloads.items() if payload is None] == [2, 650]
    with Store(restored) as store:
        assert store.checkpoint == head


def test_what_was_erased_is_erased_again(state: Path, tmp_path: Path) -> None:
    """The mirror learnt of the erasure but had kept the payload: the restored folder has not."""
    mirror = tmp_path / "mirror"
    with Store(state) as store:
        store.append_many(
            [NewEntry("erasure", 1, "erasure", 1, canonical.encode({"indices": [1, 2], "reason": "asked for"}))], 5
        )
        head = store.integrate()
    back_up(state, mirror)
    done = restore(plan(mirror, head, keys=state / "keys"), tmp_path / "restored")
    assert done.erased == 2
    found = {entry.index: entry.payload for entry in LedgerReader(tmp_path / "restored").entries()}
    assert [index for index, payload in found.items() if payload is None] == [1, 2]


def test_what_was_withheld_from_the_mirror_comes_from_the_backup(state: Path, tmp_path: Path) -> None:
    """A mirror that may not read visits: what the backup has of them is put back, the rest is counted as lost."""
    backup, mirror, restored = tmp_path / "backup", tmp_path / "mirror", tmp_path / "restored"
    back_up(state, backup, keys=True)
    head = record(state, 701, 800)
    back_up(state, mirror)
    for path in sorted((mirror / "payloads").iterdir()):
        data, offset, frames = path.read_bytes(), 0, b""
        while offset < len(data):
            frames, offset = frames + b"\xff\0\0\0\0", parse_frame(data, offset).end
        path.write_bytes(frames)
    done = restore(plan(backup, head, mirror=mirror), restored)
    assert (done.size, done.withheld) == (800, 100)
    payloads = [entry.payload for entry in LedgerReader(restored).entries()]
    assert payloads[:700] == [entry.payload for entry in LedgerReader(state).entries(0, 700)]
    assert payloads[700:] == [None] * 100
    record(restored, 801, 1100)
    assert size(restored) == 1100


def test_a_fork_is_refused_whoever_shows_it(state: Path, tmp_path: Path) -> None:
    backup, mirror, restored = tmp_path / "backup", tmp_path / "mirror", tmp_path / "restored"
    back_up(state, backup, keys=True)
    shutil.copytree(state / "keys", mirror / "keys")
    with Store(mirror) as store:
        store.append_many(entries(2, 1) + [NewEntry("y", n, "visit", 1, b"{}") for n in range(1, 900)], 1)
        other = store.integrate()
    with pytest.raises(WouldForkError, match="two different ledgers within their first 700 entries"):
        restore(plan(backup, None, mirror=mirror), restored)
    assert record(state, 701, 899).size == other.size
    back_up(state, backup, keys=True)
    with pytest.raises(WouldForkError, match="another head of 899 entries: this ledger was written anew"):
        restore(plan(backup, other), restored)
    assert not restored.exists()


def test_silence_and_the_operators_word(state: Path, tmp_path: Path) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    head = back_up(state, backup, keys=True)
    with pytest.raises(WitnessesSilentError, match="one: no answer"):
        restore(plan(backup, None, silent=True), restored)
    restore(plan(backup, None, silent=True, unwitnessed=True), restored)
    place = read_place(restored)
    assert place is not None
    assert place.unwitnessed
    record(state, 701, 702)
    newer = read_head(state, load_or_create_key(state, "log").verifier)
    assert newer.size > head.size
    with pytest.raises(WouldForkError):
        restore(plan(backup, newer, silent=True, unwitnessed=True), tmp_path / "second")


def test_keys_and_evidence_are_looked_at_before_anything_is_written(state: Path, tmp_path: Path) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    back_up(state, backup)
    with pytest.raises(RestoreError, match=r"log\.key is missing"):
        restore(plan(backup), restored)
    load_or_create_key(tmp_path / "stranger", "log", "timeball.example/tb")
    with pytest.raises(RestoreError, match="but the key at hand is"):
        restore(plan(backup, keys=tmp_path / "stranger/keys"), restored)
    data = bytearray((backup / "payloads/001").read_bytes())
    data[100] ^= 1
    (backup / "payloads/001").write_bytes(data)
    with pytest.raises(EvidenceError, match="payloads/001"):
        restore(plan(backup, keys=state / "keys"), restored)
    assert not restored.exists()


def test_what_a_stopped_recorder_had_acknowledged_comes_along(state: Path, tmp_path: Path) -> None:
    """The power failed after the journal was synced and before the next head; the disk is moved to another machine."""
    store = Store(state)
    store.append_many(entries(701, 705), 2)
    lost = shutil.copytree(state, tmp_path / "lost")
    store.close()
    head = read_head(lost, load_or_create_key(lost, "log").verifier)
    assert head.size == 700
    restore(plan(lost, head), tmp_path / "restored")
    with Store(tmp_path / "restored") as store:
        assert store.size == 705
    (lost / "journal").write_bytes((lost / "journal").read_bytes()[:-1])
    restore(plan(lost, head), tmp_path / "torn")
    with Store(tmp_path / "torn") as store:
        assert store.size == 700


def test_a_backup_that_is_cut_short_still_has_its_old_head(state: Path, tmp_path: Path) -> None:
    backup, cold = tmp_path / "backup", tmp_path / "cold"
    back_up(state, backup)
    record(state, 701, 1400)
    stopper = backup / f"ledger/tile/0/002.{os.getpid()}.new"
    stopper.mkdir()
    with pytest.raises(OSError, match="directory"):
        back_up(state, backup)
    assert size(backup) == 700
    stopper.rmdir()
    cold.mkdir()
    reader = LedgerReader(state)
    Archive(OSFileSystem(state), OSFileSystem(cold), str(cold), leaves_of(reader)).run(1)

    def stop(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(state, backup, progress=stop)
    assert not (backup / "payloads/000").exists()
    assert size(backup) == 700
    assert back_up(state, backup).size == size(backup) == 1400
    assert list(backup.glob("ledger/tile/**/002.p")) == []


def test_one_at_a_time_moves_erases_or_copies_payloads(state: Path, tmp_path: Path) -> None:
    with keeping_lock(state), Store(state) as store:
        with pytest.raises(KeepingBusyError):
            erase_entries(store, [3], "asked for", 5, state=state)
        with pytest.raises(KeepingBusyError):
            finish_erasures(store, state)
        with pytest.raises(KeepingBusyError):
            back_up(state, tmp_path / "backup")
        with pytest.raises(KeepingBusyError):
            archive_state(state, tmp_path / "cold", datetime.now(UTC))
        assert store.size == 700
    assert not (tmp_path / "cold").exists()
    assert back_up(state, tmp_path / "backup").size == 700


def test_a_payload_file_that_is_lost_is_not_removed_from_the_backup(state: Path, tmp_path: Path) -> None:
    back_up(state, tmp_path / "backup")
    (state / "payloads/000").unlink()
    with pytest.raises(EvidenceError, match="payloads/000: the file is missing"):
        back_up(state, tmp_path / "backup")
    assert (tmp_path / "backup/payloads/000").exists()
    assert size(tmp_path / "backup") == 700


def test_an_archived_ledger_is_backed_up_beside_its_archive(state: Path, tmp_path: Path) -> None:
    backup, cold = tmp_path / "backup", tmp_path / "cold"
    back_up(state, backup, keys=True)
    cold.mkdir()
    reader = LedgerReader(state)
    Archive(OSFileSystem(state), OSFileSystem(cold), str(cold), leaves_of(reader)).run(bundles_before(reader, 1 << 62))
    head = back_up(state, backup)
    assert sorted(path.name for path in (backup / "payloads").iterdir()) == ["002", "cold"]
    restore(plan(backup, head), tmp_path / "restored")
    assert list(LedgerReader(tmp_path / "restored").entries()) == list(reader.entries())
