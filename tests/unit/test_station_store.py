"""The store on a real folder: numbering, repetition, refusals, what a new life finds, and what it will not touch."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import NoteError
from timeball.ledger.note import make_signer
from timeball.station.recording.errors import (
    EntryRefusedError,
    LedgerFull,
    SequenceRefusedError,
    StoreDamagedError,
    StoreFailedError,
    StoreLockedError,
)
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.group import Group, Run, make_group
from timeball.station.recording.journal import scan_journal, write_group_head
from timeball.station.recording.keys import key_path, load_or_create_key
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.recovery import LocalHead
from timeball.station.recording.store import NewEntry, Store


def entry(number: int, stream: str = "collector", payload: bytes = b"{}") -> NewEntry:
    return NewEntry(stream, number, "readings", 1, payload)


def entries(first: int, last: int) -> list[NewEntry]:
    return [entry(number, payload=b'"%d"' % number) for number in range(first, last + 1)]


def verified_size(state: Path) -> int:
    folder = LogFolder.find(state)
    assert folder is not None
    return verify_folder(folder, None).head.size


def test_numbers_follow_and_repetitions_are_recognised(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.next_seq("collector") == 1
        assert store.append_many(entries(1, 300), 1) == list(range(300))
        assert store.append_many([entry(1, "timekeeper")], 1) == [300]
        # not yet integrated, then integrated, then after a new start; also in one go with what is new
        assert store.append_many(entries(299, 302), 2) == [298, 299, 301, 302]
        store.integrate()
        assert store.append_many(entries(1, 2), 2) == [0, 1]
    with Store(tmp_path) as store:
        assert store.append_many(entries(1, 2), 2) == [0, 1]
        assert store.append_many(entries(302, 302), 2) == [302]
        assert (store.next_seq("collector"), store.next_seq("timekeeper"), store.size) == (303, 2, 303)
    assert verified_size(tmp_path) == 303


def test_refusals_leave_nothing_behind(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 3), 1)
        with pytest.raises(SequenceRefusedError, match="leaves a gap; the next is 4") as gap:
            store.append_many([*entries(4, 4), entry(6)], 1)
        assert gap.value.expected == 4
        bad = [
            (entry(2, payload=b'"other"'), SequenceRefusedError, "other content"),
            (entry(0), SequenceRefusedError, "below 1"),
            (NewEntry("Collector", 1, "readings", 1, b"{}"), EntryRefusedError, "by"),
            (NewEntry("collector", 4, "Readings", 1, b"{}"), EntryRefusedError, "type"),
            (NewEntry("collector", 4, "readings", 0, b"{}"), EntryRefusedError, "version"),
            (NewEntry("collector", 4, "readings", 1, b"{}", supersedes=3), EntryRefusedError, "superseded"),
            (NewEntry("collector", 4, "readings", 1, bytes(17 << 20)), EntryRefusedError, "at most"),
        ]
        for refused, kind, words in bad:
            with pytest.raises(kind, match=words):
                store.append_many([refused], 1)
        assert store.size == 3
        assert store.append_many([NewEntry("collector", 4, "readings", 1, b"{}", supersedes=2)], 1) == [3]
    assert verified_size(tmp_path) == 4


def test_groups_are_answered_each_for_itself(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        answers = store.append_groups(
            [entries(1, 2), [entry(1, "observer"), entry(3, "observer")], [entry(1, "timekeeper")], entries(2, 3)], 7
        )
        assert answers[0] == [0, 1]
        assert isinstance(answers[1], SequenceRefusedError)
        assert answers[2:] == [[2], [1, 3]]
        assert (store.next_seq("observer"), store.size) == (1, 4)


def test_a_new_life_redoes_what_only_the_journal_has(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with Store(tmp_path / "state") as store:
        store.append_many(entries(1, 10), 1)
        store.integrate()
        store.append_many(entries(11, 700), 1)
        shutil.copytree(tmp_path / "state", copy)  # what a kill -9 leaves
    with (copy / "journal").open("ab") as journal:
        journal.write(written(group(700, b"{}"), 10**9)[:-1])
    with Store(copy) as store:
        assert (store.size, store.pending) == (700, 0)
        assert store.append_many(entries(700, 701), 1) == [699, 700]
    assert verified_size(copy) == 701
    assert sorted(path.name for path in (copy / "ledger/tile/0").iterdir()) == ["000", "001", "002.p"]
    assert sorted(path.name for path in (copy / "ledger/tile/0/002.p").iterdir()) == ["188", "189"]


def group(first: int, *payloads: bytes, seq: int | None = None) -> Group:
    run = Run("collector", first + 1 if seq is None else seq, len(payloads), "readings", 1, None, 1_000)
    return make_group(first, [run], payloads, bytes)


def written(group: Group, durable: int) -> bytes:
    return write_group_head(group, durable) + group.frames.tobytes()


def old_frame(index: int, payload: bytes, durable: int, **envelope: object) -> bytes:
    """A frame of the journal's first format, as earlier versions wrote it: one entry, its envelope beside it."""
    salt = index.to_bytes(16, "big")
    fields = {"by": "collector", "seq": index + 1, "time_ns": 5 + index, "type": "readings", "version": 1} | envelope
    leaf = write_envelope(make_envelope(salt=salt, payload=payload, **fields))  # type: ignore[arg-type]
    lengths = struct.pack(">HBIQQ", len(leaf), len(salt), len(payload), index, durable)
    body = lengths + leaf + salt + payload
    return b"TBj1" + zlib.crc32(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("make", [written, lambda group, durable: old_frame(group.first, b"{}", durable)])
def test_a_torn_tail_is_told_from_damage(make: Callable[[Group, int], bytes]) -> None:
    first = make(group(0, b"{}"), 0)
    second = make(group(1, b"{}"), len(first))
    groups, end = scan_journal(first + second)
    assert ([group.first for group in groups], end) == ([0, 1], len(first + second))
    for cut in range(len(second)):
        groups, end = scan_journal(first + second[:cut])
        assert (len(groups), end) == (1, len(first))
    # the first group was durable when the second was begun: that it is unreadable is no torn tail
    for position in range(len(first)):
        spoiled = bytearray(first + second)
        spoiled[position] ^= 1
        with pytest.raises(StoreDamagedError, match="acknowledged entry is unreadable"):
            scan_journal(bytes(spoiled))
    # two frames that were begun together: the second may have reached the disk without the first
    assert scan_journal(b"\0" * len(first) + make(group(1, b"{}"), 0)) == ([], 0)
    with pytest.raises(StoreDamagedError, match="entry 5 after entry 0"):
        scan_journal(first + make(group(5, b"{}"), len(first)))


def test_every_byte_of_a_group_is_under_its_checksum() -> None:
    whole = written(group(0, b"{}", b'"long"' * 40, b"[]"), 0)
    assert scan_journal(whole)[1] == len(whole)
    for position in range(len(whole)):
        spoiled = bytearray(whole)
        spoiled[position] ^= 1
        assert scan_journal(bytes(spoiled)) == ([], 0), position


def test_a_journal_of_the_first_format_is_still_read(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 2), 1)
    frames, length = b"", 0
    for index in range(2, 300):
        supersedes = 3 if index == 7 else None
        frames += old_frame(index, b'"%d"' % (index + 1), length - length % 2, supersedes=supersedes)
        length = len(frames)
    (tmp_path / "journal").write_bytes(frames + written(group(300, b"{}", b"[]"), length) + frames[:50])
    with Store(tmp_path) as store:
        assert (store.size, store.pending, store.next_seq("collector")) == (302, 0, 303)
        envelope, payload = store.read(7)
        assert (envelope.supersedes, envelope.time, payload) == (3, "12", b'"8"')
        assert store.append_many(entries(303, 303), 1) == [302]
    assert verified_size(tmp_path) == 303


def test_an_old_frame_that_differs_from_the_tree_stops_the_writer(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 2), 1)
    (tmp_path / "journal").write_bytes(old_frame(1, b'"other"', 0))
    with pytest.raises(StoreDamagedError, match="entry 1 differs from the one in the tree"):
        Store(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ledger/checkpoint", "checkpoint"),
        ("ledger/tile/0/001.p/44", "tiles do not lead to the root"),
        ("ledger/tile/1/000.p/1", "tiles do not lead to the root"),
        ("ledger/tile/entries/001.p/44", "entry"),
        ("payloads/001", "entry"),
        ("ledger/log.vkey", "log.vkey"),
    ],
)
@pytest.mark.parametrize("missing", [False, True])
def test_damage_stops_the_writer_and_nothing_is_overwritten(
    tmp_path: Path, name: str, words: str, missing: bool
) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 300), 1)
    if missing:
        (tmp_path / name).unlink()
    else:
        content = bytearray((tmp_path / name).read_bytes())
        content[20] ^= 1
        (tmp_path / name).write_bytes(content)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(StoreDamagedError, match="missing|ends inside" if missing else words):
        Store(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_ledger_rolled_back_below_its_journal(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 3), 1)
        store.integrate()
        shutil.copytree(tmp_path / "ledger", tmp_path / "older")
        store.append_many(entries(4, 6), 1)
        store.integrate()
        store._journal.cut()
        store.append_many(entries(7, 9), 1)
        shutil.copyfile(tmp_path / "journal", tmp_path / "kept")
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "older").rename(tmp_path / "ledger")
    (tmp_path / "kept").rename(tmp_path / "journal")
    with pytest.raises(StoreDamagedError, match="begins with entry 6, but the signed head covers only 3"):
        Store(tmp_path)


def test_keys_and_origins_must_fit(tmp_path: Path) -> None:
    with Store(tmp_path, origin="timeball.example/one") as store:
        assert store.origin == "timeball.example/one"
        store.append_many(entries(1, 1), 1)
    with pytest.raises(StoreDamagedError, match="the key at hand"):
        Store(tmp_path, signer=make_signer("timeball.example/one", bytes(32)))
    key_path(tmp_path, "log").rename(tmp_path / "aside")
    with pytest.raises(StoreDamagedError, match="is missing although the log it signs"):
        Store(tmp_path, origin="timeball.example/one")
    assert not key_path(tmp_path, "log").exists()


def test_a_guard_judges_the_head_before_anything_is_signed(tmp_path: Path) -> None:
    class Elsewhere(Exception):
        pass

    def refuse(head: LocalHead) -> None:
        raise Elsewhere(head.size, head.acknowledged)

    with pytest.raises(Elsewhere, match=r"\(0, 0\)"):
        Store(tmp_path, guard=refuse)
    assert not (tmp_path / "ledger").exists()
    copy = tmp_path / "copy"
    with Store(tmp_path / "state") as store:
        store.append_many(entries(1, 300), 1)
        older = store.integrate()
        store.append_many(entries(301, 310), 1)
        shutil.copytree(tmp_path / "state", copy)
        newer = store.integrate()
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(Elsewhere, match=r"\(300, 310\)"):
        Store(copy, guard=refuse)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    seen: list[LocalHead] = []
    with Store(copy, guard=seen.append) as store:
        assert store.checkpoint == newer
    [head] = seen
    assert (head.size, head.root, head.root_at(300), head.root_at(310)) == (300, older.root, older.root, newer.root)


def test_a_repetition_of_what_is_damaged_is_refused_and_others_go_on(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 300), 1)
        store.integrate()
        (tmp_path / "payloads/000").write_bytes(b"")
        asked = [entries(1, 1), [entry(1, "timekeeper")]]
        refused, recorded = store.append_groups(asked, 2)
        assert isinstance(refused, EntryRefusedError)
        assert "sequence number 1 is recorded, unreadably" in str(refused)
        assert recorded == [300]


def test_one_writer(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(StoreLockedError):
        Store(tmp_path)
    Store(tmp_path).close()


def test_the_cache_of_streams_is_only_a_cache(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many(entries(1, 5), 1)
    cached = (tmp_path / "ledger.tails").read_bytes()
    for content in (b"", b"{", cached.replace(b'"size":5', b'"size":4'), cached.replace(b'"size":5', b'"size":9')):
        (tmp_path / "ledger.tails").write_bytes(content)
        with Store(tmp_path) as store:
            assert store.next_seq("collector") == 6


class Failing(OSFileSystem):
    """A real folder whose syncs fail on demand."""

    error = 0

    def sync(self, path: str) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        super().sync(path)

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        for path in files:
            self.sync(path)
        super().sync_all([], folders)


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, LedgerFull), (errno.EIO, StoreFailedError)])
def test_it_stalls_and_recovers(tmp_path: Path, number: int, kind: type[LedgerFull]) -> None:
    disk = Failing(tmp_path)
    with Store(tmp_path, disk) as store:
        store.append_many(entries(1, 2), 1)
        disk.error = number
        with pytest.raises(kind):
            store.append_many(entries(3, 3), 1)
        assert isinstance(store.stalled, kind)
        with pytest.raises(kind):
            store.integrate()
        assert isinstance(store.append_groups([entries(3, 3)], 1)[0], kind)
        assert store.read(1)[1] == b'"2"'
        disk.error = 0
        assert store.append_many(entries(3, 3), 1) == [2]
        assert store.stalled is None
    assert verified_size(tmp_path) == 3


def test_keys_are_private_and_stay(tmp_path: Path) -> None:
    signer = load_or_create_key(tmp_path, "observer")
    path = key_path(tmp_path, "observer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert signer.name == "timeball.local/observer"
    assert load_or_create_key(tmp_path, "observer") == signer
    assert load_or_create_key(tmp_path, "collector") != signer
    assert [item.name for item in path.parent.iterdir() if item.suffix == ".tmp"] == []
    path.write_text("nonsense")
    with pytest.raises(NoteError):
        load_or_create_key(tmp_path, "observer")
