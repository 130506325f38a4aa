"""The reader: only what is signed, checked, cheap to poll, and never half an entry while the writer works."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.errors import EvidenceError
from timeball.ledger.note import make_signer
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store


def entry(number: int, stream: str = "collector", kind: str = "readings") -> NewEntry:
    return NewEntry(stream, number, kind, 1, canonical.encode({"number": number, "fill": "x" * (number % 50)}))


def test_before_there_is_a_log(tmp_path: Path) -> None:
    reader = LedgerReader(tmp_path)
    assert (reader.size(), reader.checkpoint(), list(reader.entries()), reader.last("x")) == (0, None, [], None)
    with Store(tmp_path) as store:
        assert reader.size() == 0
        store.append_many([entry(1)], 5)
        assert reader.size() == 0  # acknowledged, but no signed head covers it yet
        store.integrate()
        assert reader.size() == 1


def test_entries_and_scans(tmp_path: Path) -> None:
    reader = LedgerReader(tmp_path)
    with Store(tmp_path) as store:
        store.append_many([entry(number) for number in range(1, 601)], 100)
        store.append_many([entry(1, "timekeeper", "snapshot"), entry(2, "timekeeper", "scale")], 50)
        store.append_many([entry(number) for number in range(601, 700)], 200)
    everything = list(reader.entries())
    assert [found.index for found in everything] == list(range(701))
    assert everything[299].payload == entry(300).payload
    assert [found.envelope.time_ns for found in everything[599:603]] == [100, 100, 100, 200]  # never back to 50
    assert [found.index for found in reader.entries(250, 260)] == list(range(250, 260))
    assert list(reader.entries(701)) == list(reader.entries(9, 3)) == []
    assert [envelope.seq for _, envelope in reader.envelopes(600, 602)] == [1, 2]
    snapshot, collector = reader.last("snapshot"), reader.find_stream_tail("collector")
    assert snapshot is not None
    assert collector is not None
    assert (snapshot.index, collector.index, collector.envelope.seq) == (600, 700, 699)
    assert reader.last("snapshot", before=600) is None
    before = reader.last("readings", before=600)
    assert before is not None
    assert before.index == 599
    assert reader.last("snap") is None


def test_polling_costs_a_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path) as store:
        store.append_many([entry(1)], 0)
    reader = LedgerReader(tmp_path)
    assert reader.size() == 1

    def refuse(self: Path) -> bytes:
        raise AssertionError(f"read {self}")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert [reader.size() for _ in range(100)] == [1] * 100


def test_an_erased_payload_is_none(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many([entry(number) for number in range(1, 4)], 0)
        store.erase(1)
    assert [found.payload is None for found in LedgerReader(tmp_path).entries()] == [False, True, False]


def test_altered_bytes_are_not_given_out(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many([entry(number) for number in range(1, 400)], 0)
    for name in ("ledger/tile/entries/000", "ledger/tile/0/000", "ledger/tile/1/000.p/1", "payloads/000"):
        content = (tmp_path / name).read_bytes()
        spoiled = bytearray(content)
        spoiled[30] ^= 4
        (tmp_path / name).write_bytes(spoiled)
        with pytest.raises(EvidenceError):
            list(LedgerReader(tmp_path).entries())
        (tmp_path / name).write_bytes(content)
    assert len(list(LedgerReader(tmp_path).entries())) == 399


def test_heads_that_contradict_an_earlier_one(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append_many([entry(1)], 0)
        old = store.integrate()
        reader = LedgerReader(tmp_path)
        store.append_many([entry(2)], 0)
    assert reader.size() == 2
    signer = load_or_create_key(tmp_path, "log")
    path = tmp_path / "ledger/checkpoint"
    good = path.read_bytes()
    stranger = make_signer(signer.name, bytes(32))
    for head, key, words in (
        (old, signer, "rolled back from 2 entries to 1"),
        (Checkpoint(signer.name, 2, bytes(32)), signer, "two heads of 2 entries"),
        (Checkpoint(signer.name, 3, bytes(32)), stranger, "no signature of a known key"),
    ):
        path.write_bytes(sign_checkpoint(head, [key]))
        with pytest.raises(EvidenceError, match=words):
            reader.size()
    path.write_bytes(good)
    assert reader.size() == 2
    path.unlink()
    with pytest.raises(EvidenceError, match="vanished"):
        reader.size()


def test_reading_while_the_writer_replaces_partial_tiles(tmp_path: Path) -> None:
    """Every read, at any moment of 200 integrations, gives whole entries in order."""
    written = 1600
    done = threading.Event()

    def write() -> None:
        try:
            with Store(tmp_path) as store:
                for first in range(1, written, 8):
                    store.append_many([entry(number) for number in range(first, first + 8)], first)
                    store.integrate()
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader, reads = LedgerReader(tmp_path), 0
    try:
        while not done.is_set():
            size = reader.size()
            for found in reader.entries(max(0, size - 10)):
                assert found.payload == entry(found.index + 1).payload
                reads += 1
            # or this thread would keep the interpreter from the one that writes
            time.sleep(0.001)
    finally:
        writer.join()
    assert len(list(reader.entries())) == written
    assert reads > 100
