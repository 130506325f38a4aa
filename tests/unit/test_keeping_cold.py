"""Cold storage: batches as rows and back to the byte, bundles out of Parquet, a ledger read as if nothing had moved."""

from __future__ import annotations

import base64
import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.errors import EvidenceError
from timeball.ledger.note import make_signer
from timeball.ledger.payload import erase_frames
from timeball.station.keeping.archiving import Archive, Archived, bundles_before, erase_cold, leaves_of
from timeball.station.keeping.cold import COLD, ColdStorage, read_payload_bundle
from timeball.station.keeping.columns import join_readings, split_readings
from timeball.station.keeping.erasing import erase_entries
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.store import NewEntry, Store

KEY = make_signer("timeball.test/collector", bytes(range(32)))
PAIRS = [["CS1", "OUT"], ["H1", "OUT"]]


def batch(epochs: list[int], table: list[list[int | None]], **more: Any) -> dict[str, Any]:
    return {
        "epochs": [str(epoch) for epoch in epochs],
        "kind": "comparison",
        "pairs": PAIRS,
        "u_fs": ["1500", None],
        "x_fs": [[None if x is None else str(x) for x in row] for row in table],
        **more,
    }


def signed(epochs: list[int], table: list[list[int | None]], **more: Any) -> bytes:
    return canonical.encode(sign_batch(batch(epochs, table, **more), KEY))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Five bundles: batches of every form, other entries, odd readings, two erased payloads."""
    rng = np.random.default_rng(7)
    with Store(tmp_path / "state") as store:
        vkey = canonical.encode({"name": "collector", "purpose": "readings", "vkey": KEY.verifier.vkey})
        seqs = itertools.count(1)
        entries = [NewEntry("collector", next(seqs), "key", 1, vkey)]
        for n in range(1, 1300):
            x = [[int(value) for value in row] for row in rng.integers(-(10**12), 10**12, (3, 2))]
            more = {"boot_id": "b", "anchor_ns": "12", "boottime_minus_raw_ns": None} if n % 7 == 0 else {}
            payload = signed([n * 10**9, n * 10**9 + 1, n * 10**9 + 2], [x[0], [None, x[1][1]], x[2]], **more)
            kind = "readings"
            if n % 5 == 0:
                kind, payload = "verdict", canonical.encode({"n": n, "words": "nothing found ü"})
            elif n % 11 == 0:
                payload = canonical.encode({"batch": {}, "what": "no batch at all"})
            elif n % 13 == 0:
                payload = signed([], [])
            entries.append(NewEntry("collector", next(seqs), kind, 1, payload))
        store.append_many([NewEntry("log", 1, "served", 1, b"{}")], 500)
        for start in range(0, 1300, 100):
            store.append_many(entries[start : start + 100], 1000 + start)
        erasure = canonical.encode({"indices": [5, 700], "reason": "test"})
        store.append_many([NewEntry("erasure", 1, "erasure", 1, erasure)], 9000)
        store.erase_all([5, 700])
    return tmp_path / "state"


def archive(state: Path, time_ns: int = 1 << 62) -> Archived:
    folder = state.parent / "cold"
    folder.mkdir(exist_ok=True)
    reader = LedgerReader(state)
    run = Archive(OSFileSystem(state), OSFileSystem(folder), str(folder), leaves_of(reader))
    return run.run(bundles_before(reader, time_ns))


def bundles(state: Path) -> list[str]:
    return sorted(path.name for path in (state / "payloads").iterdir() if path.name != COLD)


def test_everything_reads_and_verifies_as_before(state: Path) -> None:
    before = list(LedgerReader(state).entries())
    files = {name: (state / "payloads" / name).read_bytes() for name in bundles(state)}
    report = verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]
    done = archive(state)
    assert done.bundles == 5
    assert done.bytes_after < 0.7 * done.bytes_before
    assert bundles(state) == ["005"]
    assert list(LedgerReader(state).entries()) == before
    after = verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]
    assert after.contents
    assert report.contents
    assert (after.contents.types, after.contents.erased) == (report.contents.types, {5, 700})
    assert {name: read_payload_bundle(state / "payloads", name) for name in files} == files
    assert read_payload_bundle(state / "payloads", "006") is None
    assert archive(state) == Archived()


def test_only_whole_bundles_older_than_the_time_go(state: Path) -> None:
    reader = LedgerReader(state)
    assert [bundles_before(reader, time) for time in (0, 1000, 1201, 1300, 1 << 62)] == [0, 0, 1, 1, 5]
    assert archive(state, 1201).bundles == 1
    assert bundles(state) == ["001", "002", "003", "004", "005"]
    assert archive(state, 1601).bundles == 1
    assert archive(state).bundles == 3
    assert [(part.first, part.last) for part in ColdStorage(OSFileSystem(state.parent / "cold")).parts()] == [
        (0, 0), (1, 1), (2, 4),
    ]  # fmt: skip
    verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]


def test_the_table_of_readings_is_for_analysis(state: Path) -> None:
    archive(state)
    [path] = (state.parent / "cold").glob("*.readings.parquet")
    rows = pq.read_table(path).to_pylist()
    entry = next(entry for entry in LedgerReader(state).entries() if entry.index == 2)
    recorded = canonical.decode(entry.payload or b"")["batch"]
    mine = [row for row in rows if row["entry"] == 2]
    assert [(row["epoch"], row["a"], row["b"]) for row in mine[:2]] == [
        (int(recorded["epochs"][0]), *PAIRS[0]), (int(recorded["epochs"][0]), *PAIRS[1]),
    ]  # fmt: skip
    assert [row["x_fs"] for row in mine] == [None if x is None else int(x) for line in recorded["x_fs"] for x in line]
    assert {row["u_fs"] for row in mine} == {1500, None}
    assert not any(row["entry"] in (5, 700) for row in rows)


def test_a_spoiled_archive_is_convicted_and_a_missing_one_named(state: Path) -> None:
    archive(state)
    [path] = (state.parent / "cold").glob("*.readings.parquet")
    good = path.read_bytes()
    table = pq.read_table(path)
    column = table.column("x_fs").to_pylist()
    column[100] = (column[100] or 0) + 1
    spoiled = table.set_column(4, "x_fs", [column])
    pq.write_table(spoiled, path, row_group_size=1 << 30)
    with pytest.raises(EvidenceError):
        verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]
    with pytest.raises(EvidenceError):
        list(LedgerReader(state).entries())
    path.write_bytes(good[:1000])
    with pytest.raises(ColdStorageError, match="not the Parquet files of a part"):
        list(LedgerReader(state).entries())
    path.write_bytes(good)
    verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]
    shutil.move(state.parent / "cold", state.parent / "moved")
    with pytest.raises(ColdStorageError, match="bring it back, or write in this file where it is"):
        list(LedgerReader(state).entries())
    (state / "payloads" / COLD).write_text("../moved\n")
    verify_folder(LogFolder.find(state), None)  # type: ignore[arg-type]


def test_what_does_not_match_the_ledger_is_not_archived(state: Path) -> None:
    path = state / "payloads/001"
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ColdStorageError, match=r"^payloads/001, entry \d+: .*nothing was deleted"):
        archive(state)
    assert len(bundles(state)) == 6


def test_erasing_in_cold_storage(state: Path) -> None:
    archive(state, 1601)
    archive(state)
    cold, reader = OSFileSystem(state.parent / "cold"), LedgerReader(state)
    before = list(reader.entries())
    erase_cold(cold, leaves_of(reader), [6, 7])
    erase_cold(cold, leaves_of(reader), [7, 8])
    for entry in LedgerReader(state).entries():
        assert entry.payload == (None if entry.index in (6, 7, 8) else before[entry.index].payload)
    names = sorted(cold.list(""))
    assert names == [
        "000000000000-000000000001.g2.entries.parquet",
        "000000000000-000000000001.g2.readings.parquet",
        "000000000002-000000000004.entries.parquet",
        "000000000002-000000000004.readings.parquet",
    ]
    rows = pq.read_table(state.parent / "cold" / names[1]).column("entry").to_pylist()
    assert 6 not in rows
    assert 9 in rows


class Mistaken(OSFileSystem):
    """A cold storage that gives back other bytes than it was given: those of an older part."""

    older: dict[str, bytes]

    def read(self, path: str) -> bytes | None:
        return self.older[path.rsplit(".", 2)[1]]


def test_nothing_is_removed_when_the_archive_gives_back_something_else(state: Path) -> None:
    other, cold, reader = state.parent / "other", state.parent / "cold", LedgerReader(state)
    shutil.copytree(state, other)
    with Store(other) as store:
        erase_entries(store, [9], "why", 10_000, force=True, state=other)
    cold.mkdir()
    Archive(OSFileSystem(other), OSFileSystem(cold), str(cold), leaves_of(reader)).run(1)
    Mistaken.older = {kind: next(cold.glob(f"*.{kind}.parquet")).read_bytes() for kind in ("entries", "readings")}
    shutil.rmtree(cold)
    cold.mkdir()
    with pytest.raises(ColdStorageError, match="what cold storage gives back differs"):
        Archive(OSFileSystem(state), Mistaken(cold), str(cold), leaves_of(reader)).run(1)
    assert len(bundles(state)) == 6


class Stopped(BaseException):
    """The archive run is killed."""


class KilledAfterAPart(OSFileSystem):
    """A cold storage whose first whole part is the last thing that happens."""

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        if new.endswith(".entries.parquet"):
            raise Stopped(new)


def test_an_erasure_finds_the_copy_that_a_killed_run_left(state: Path) -> None:
    """The part is there and nothing is removed yet: both copies lose the payload, and the next run goes on."""
    folder, reader = state.parent / "cold", LedgerReader(state)
    folder.mkdir()
    with pytest.raises(Stopped):
        Archive(OSFileSystem(state), KilledAfterAPart(folder), str(folder), leaves_of(reader)).run(3)
    assert len(list(folder.iterdir())) == 2
    with Store(state) as store:
        assert store.read(6)[1] is not None
        erase_entries(store, [6], "why", 10_000, force=True, state=state)
    cold = ColdStorage(OSFileSystem(folder)).read_bundle(0)
    assert cold == (state / "payloads" / "000").read_bytes()
    assert erase_frames(cold, [6]) == cold
    assert archive(state).present == 3
    verify_folder(LogFolder.find(state), None)


def test_nothing_that_an_erasure_left_half_written_stays_beside_the_ledger(state: Path) -> None:
    """It holds the other payloads of its bundle; who erases one of those later looks in cold storage alone."""
    (state / "payloads" / "001.tmp").write_bytes((state / "payloads" / "001").read_bytes())
    archive(state)
    assert [name for name in bundles(state) if "tmp" in name] == []


numbers = st.integers(-(2**70), 2**70).map(str) | st.sampled_from(["-0", "+1", "01", "", "1_0", " 1", "1e3", "٣"])
values = st.none() | numbers | st.integers(-5, 5) | st.text(max_size=3)
names = st.text(max_size=2) | st.none() | st.integers(0, 3)
payloads = st.fixed_dictionaries(
    {
        "key": st.text(max_size=4),
        "signature": st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode()) | st.text(),
        "batch": st.fixed_dictionaries(
            {
                "epochs": st.lists(values, max_size=3),
                "pairs": st.lists(
                    st.lists(st.text(max_size=2) | st.none() | st.integers(0, 3), max_size=3), max_size=3
                ),
                "u_fs": st.lists(values, max_size=3),
                "x_fs": st.lists(st.lists(values, max_size=3), max_size=3),
            },
            optional={"kind": st.text(max_size=3), "other": st.none() | st.integers(0, 9)},
        ),
    },
    optional={"more": st.integers(0, 9)},
)


@given(payloads)
def test_what_goes_into_rows_comes_back_to_the_byte(payload: dict[str, Any]) -> None:
    data = canonical.encode(payload)
    rows = split_readings(data)
    if rows is not None:
        assert join_readings(rows) == data
        assert all(isinstance(name, str) for name in rows.a + rows.b)


def test_real_batches_do_go_into_rows() -> None:
    data = signed([1, 2], [[1, None], [-(2**63), 2**63 - 1]])
    rows = split_readings(data)
    assert rows is not None
    assert rows.epoch == [1, 1, 2, 2]
    assert rows.x_fs == [1, None, -(2**63), 2**63 - 1]
    assert join_readings(rows) == data
    assert split_readings(signed([1], [[1, 2**63]])) is None
