"""A replay over an archived ledger is the replay before, whatever lies where; erased readings are "cannot check"."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from timeball.station.configuration.settings import Config
from timeball.station.fold.replay import replay
from timeball.station.keeping.cold import ColdStorage
from timeball.station.keeping.errors import ColdStorageError
from timeball.station.keeping.offline import erase
from timeball.station.keeping.retention import archive_state, tai_ns
from timeball.station.recording.errors import EntryRefusedError
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.history import build_history

# A batch a minute, so that some bundles fill within hours.
BUSY: dict[str, dict[str, object]] = {
    "history": {"days": 0.25},
    "ensemble": {"snapshot_every": 30},
    "steering": {"tracking_interval_s": 60.0},
    "simulation": {"utc_every_s": 600.0},
}
LATE = datetime(2200, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("busy") / "state"
    build_history(folder, msgspec.convert(BUSY, Config), lambda _fraction, _words: None)
    return folder


def test_replay_reads_from_cold_storage(state: Path) -> None:
    before = replay(state)
    assert before.agreed["scale"] > 300
    cold = state.parent / "cold"
    first = archive_state(state, cold, LATE)
    assert first.bundles >= 3
    storage = ColdStorage(OSFileSystem(cold))
    assert storage.read_bundle(0)
    assert not (state / "payloads/000").exists()
    assert replay(state) == before
    assert archive_state(state, cold, LATE).bundles == 0
    with pytest.raises(ColdStorageError, match="cold storage of this ledger is at"):
        archive_state(state, state.parent / "elsewhere", LATE)
    other = state.parent / "other"
    with Store(other) as store:
        store.append_many([NewEntry("x", 1, "served", 1, b"{}")], 1)
    with pytest.raises(ColdStorageError, match="the cold storage of another log"):
        archive_state(other, cold, LATE)

    index = next(entry.index for entry in LedgerReader(state).entries(20) if entry.envelope.type == "readings")
    with pytest.raises(EntryRefusedError, match="only with --force"):
        erase(state, [index], "a test")
    erase(state, [index], "a test", force=True)
    after = replay(state)
    assert any(f"entry {index}: the payload of this readings entry was erased" in words for words in after.cannot_check)
    assert 0 < after.unchecked < 100


def test_utc_becomes_tai() -> None:
    assert tai_ns(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert tai_ns(datetime(2026, 11, 22, 9, 31, 7, 123456, UTC)) == (1795339867 + 37) * 10**9 + 123456000
