"""What the timekeeper believes of the ledger: entries of strangers, forged signatures and false snapshots move nothing.

Whoever can reach the recorder can have anything recorded on any stream; only the right stream with the right signature
counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ledgers import GENESIS, STRANGER, Item, build_small, entries_of, write_ledger

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station.fold.batches import Batch
from timeball.station.fold.follow import Follower
from timeball.station.fold.running import states_payload
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, STREAM, Decision
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entries, newest_entry

S = 10**9


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("station"))


@pytest.fixture(scope="module")
def honest(station: Path) -> Sequence[Item]:
    return tuple(entries_of(station))


def host_batch(x_s: float, second: int = 0) -> dict[str, Any]:
    return {
        "kind": "host",
        "epochs": [str(GENESIS + second * S)],
        "pairs": [["HOST", "OUT"]],
        "x_fs": [[str(round(x_s * 1e15))]],
        "u_fs": ["1000000"],
        "boot_id": "b",
        "anchor_ns": "0",
        "boottime_minus_raw_ns": "0",
    }


def signed(station: Path, batch: dict[str, Any]) -> Item:
    return Item(COLLECTOR, "readings", sign_batch(batch, load_or_create_key(station, COLLECTOR)))


class Following:
    """A follower of a ledger, with what it was told of the host's counter and what it decided."""

    def __init__(self, state: Path) -> None:
        self.host: list[Batch] = []
        self.follower = Follower(state, self.host.append)
        self.begun_at = self.follower.next
        self.decisions: list[Decision] = list(self.follower.take())
        self.complaints = self.follower.take_complaints()

    def state(self) -> tuple[Any, Any]:
        return states_payload(self.follower.keeper.states), self.follower.keeper.memory.to_payload()


def snapshot_at(items: Sequence[Item]) -> int:
    return max(index for index, item in enumerate(items) if (item.stream, item.type) == (STREAM, "snapshot"))


def test_from_the_newest_snapshot_everything_is_as_from_the_first_entry(honest, tmp_path: Path) -> None:
    """One that begins at the snapshot and one that has no snapshot to begin at end in the same state."""
    last = snapshot_at(honest)
    readings = [index for index, item in enumerate(honest[: last + 1]) if item.type == "readings"]
    for length in (readings[-1] + 2, last, last + 1, last + 2, len(honest)):
        items = honest[:length]
        whole = Following(write_ledger(tmp_path / f"whole{length}", [i for i in items if i.type != "snapshot"]))
        quick = Following(write_ledger(tmp_path / f"quick{length}", items))
        assert whole.begun_at == 0
        assert quick.begun_at > 0
        assert whole.state()[0] == quick.state()[0]
        assert whole.follower.residual_s == quick.follower.residual_s
        assert quick.complaints == []


def test_right_after_a_snapshot_the_residual_is_known(honest, tmp_path: Path) -> None:
    """A timekeeper killed there must not withhold its lease until the next epoch."""
    following = Following(write_ledger(tmp_path / "state", honest[: snapshot_at(honest) + 1]))
    assert following.decisions == []
    assert abs(following.follower.residual_s) < 1e-9


def test_what_follows_is_what_is_recorded(honest, tmp_path: Path) -> None:
    following = Following(write_ledger(tmp_path / "state", honest))
    recorded = [item for item in honest if item.stream == STREAM]
    for decision in following.decisions:
        assert canonical.encode(decision.payload) == canonical.encode(recorded[decision.seq - 1].payload)
    assert following.decisions


def test_the_hosts_counter_is_heard_from_before_the_snapshot_on(station, honest, tmp_path: Path) -> None:
    at = snapshot_at(honest)
    before = [signed(station, host_batch(1e-3, second)) for second in range(3)]
    readings = max(index for index in range(at) if honest[index].type == "readings")
    items = [*honest[:readings], *before, *honest[readings:], signed(station, host_batch(1e-3, 9))]
    items[snapshot_at(items)] = items[snapshot_at(items)].changed(lambda p: p["memory"].update(through=readings + 3))
    following = Following(write_ledger(tmp_path / "state", items))
    assert following.begun_at == readings + 4
    assert [int(batch.epochs[0]) - GENESIS for batch in following.host] == [0, S, 2 * S, 9 * S]


def test_a_forged_reading_of_the_hosts_counter_never_reaches_the_page(station, honest, tmp_path: Path) -> None:
    """With an unsigned word of the counter the served time could be moved to any second."""
    batch = host_batch(3600.0, 5)
    own = signed(station, host_batch(1e-3, 6))
    broken = own.changed(lambda payload: payload["batch"].update(anchor_ns="3600000000000"))
    named = own.changed(lambda payload: payload.update(sign_batch(batch, STRANGER), key=payload["key"]))
    forged = [
        Item(COLLECTOR, "readings", {"batch": batch, "key": own.payload["key"], "signature": ""}),
        Item(COLLECTOR, "readings", sign_batch(batch, STRANGER)),
        broken,
        named,
    ]
    following = Following(write_ledger(tmp_path / "state", [*honest, *forged, own]))
    assert [batch.x_fs for batch in following.host] == [[["1000000000000"]]], "the signed one is heard, no other"
    assert len(following.complaints) == len(forged)
    for index, complaint in enumerate(following.complaints, len(honest)):
        assert complaint.startswith(f"entry {index}: ")


def test_another_streams_readings_are_nobodys_even_well_signed(station, honest, tmp_path: Path) -> None:
    foreign = Item("intruder", "readings", signed(station, host_batch(3600.0)).payload)
    following = Following(write_ledger(tmp_path / "state", [*honest, foreign]))
    assert following.host == []


@pytest.mark.parametrize("damage", [{"x_fs": [[1]]}, {"epochs": []}, {"anchor_ns": "soon"}, {"pairs": None}])
def test_a_malformed_batch_is_told_and_stops_nobody(station, honest, tmp_path: Path, damage: dict[str, Any]) -> None:
    items = [*honest, signed(station, {**host_batch(1.0), **damage}), signed(station, host_batch(1e-3, 1))]
    following = Following(write_ledger(tmp_path / "state", items))
    assert len(following.host) == 1
    assert "malformed batch" in following.complaints[0]


def test_a_strangers_snapshot_is_no_ground_to_stand_on(honest, tmp_path: Path) -> None:
    """It would bring its own weights, its own UTC(k) and its own key of the collector."""
    at = snapshot_at(honest)
    evil = honest[at].changed(
        lambda payload: payload["memory"].update(through=len(honest) - 1, collector=STRANGER.verifier.vkey)
    )
    intruder = Item("intruder", "snapshot", evil.payload)
    following = Following(write_ledger(tmp_path / "state", [*honest, intruder]))
    assert following.state() == Following(write_ledger(tmp_path / "control", honest)).state()
    assert following.begun_at < at


def test_a_snapshot_that_cannot_be_read_gives_way_to_the_one_before(honest, tmp_path: Path) -> None:
    at = snapshot_at(honest)
    broken = [*honest[:at], honest[at].changed(lambda payload: payload.pop("at1")), *honest[at + 1 :]]
    following = Following(write_ledger(tmp_path / "state", broken))
    control = Following(write_ledger(tmp_path / "control", honest))
    assert following.state()[0] == control.state()[0]
    assert following.begun_at < control.begun_at
    assert "this snapshot is of no use" in following.complaints[0]


def test_rules_of_tomorrow_are_told_and_nothing_is_decided_until_known_ones_come(honest, tmp_path: Path) -> None:
    at = next(index for index in range(snapshot_at(honest) + 1, len(honest)) if honest[index].type == "readings")
    junk = Item(CONFIG, "config", {"rules": {"version": 99}})
    inputs = [item for item in honest[at:] if item.stream != STREAM]
    following = Following(write_ledger(tmp_path / "junk", [*honest[:at], junk, *inputs]))
    assert following.decisions == []
    assert "rules of version 99" in following.complaints[0]
    mended = Following(write_ledger(tmp_path / "mended", [*honest[:at], junk, honest[0], *inputs]))
    assert mended.decisions


def test_the_newest_entry_is_that_of_the_right_stream(honest, tmp_path: Path) -> None:
    fake = honest[next(index for index, item in enumerate(honest) if item.type == "scale")]
    state = write_ledger(tmp_path / "state", [*honest, *(Item("intruder", "scale", fake.payload) for _ in range(5))])
    reader = LedgerReader(state)
    entry = newest_entry(reader, "scale", STREAM)
    assert entry is not None
    assert entry.index == max(i for i, item in enumerate(honest) if (item.type, item.stream) == ("scale", STREAM))
    assert newest_entry(reader, "scale", "nobody") is None
    everything = [entry.index for entry in newest_entries(reader, "scale", STREAM)]
    assert everything == [i for i, item in enumerate(honest) if (item.type, item.stream) == ("scale", STREAM)][::-1]
    assert [entry.index for entry in newest_entries(reader, "scale", STREAM, everything[1])] == everything[2:]


def test_a_ledger_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    following = Following(tmp_path)
    assert (following.begun_at, following.decisions, following.complaints) == (0, [], [])


def test_a_bite_at_a_time_decides_the_same(honest, tmp_path: Path) -> None:
    items = [item for item in honest if item.type != "snapshot"]
    state = write_ledger(tmp_path / "state", items)
    bites = Follower(state)
    decisions: list[Decision] = []
    for _ in range(len(items)):
        decisions += bites.take(2)
    assert decisions == Following(state).decisions
    assert bites.next == len(items)
