"""The timekeeper's turn: decisions recorded once whatever fails, a lease granted or withheld, and in which words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import GENESIS, HOUR, SMALL, STRANGER, Item, build_small, entries_of, write_ledger

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station import paths, timekeeper
from timeball.station.configuration.config import Config, parse_config
from timeball.station.fold.replay import replay
from timeball.station.fold.timekeeping import COLLECTOR, STREAM
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.timeofday import TimeOfDayUnknown
from timeball.station.page.clockpage import PageReader, TimekeeperPage
from timeball.station.recording import say
from timeball.station.recording.errors import LedgerFull, RecorderUnavailable, StoreError
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.recorder_client import Record
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.process import Process
from timeball.station.timekeeper import Timekeeper

S = 10**9
NOW = GENESIS + 5 * HOUR + 60 * S
CONFIG = msgspec.structs.replace(parse_config(SMALL), lease=Config().lease)


class Recorder:
    """The recorder without its process: writes the ledger itself, and fails as it is told to."""

    store: Store
    trouble: StoreError | None = None
    loses_answers = False

    def __init__(self, _state: Path, stream: str, timeout_s: float = 0.0) -> None:
        assert 0 < timeout_s < 3, "no call may outlast a lease"
        self.stream = stream

    def next_seq(self) -> int:
        return Recorder.store.next_seq(self.stream)

    def append(self, kind: str, version: int, payload: Any, seq: int) -> int:
        return self.append_many([Record(kind, version, payload, seq)])[0]

    def append_many(self, records: Iterable[Record]) -> list[int]:
        if Recorder.trouble is not None and not Recorder.loses_answers:
            raise Recorder.trouble
        entries = [NewEntry(self.stream, r.seq, r.type, r.version, canonical.encode(r.payload)) for r in records]
        indices = Recorder.store.append_many(entries, NOW)
        Recorder.store.integrate()
        if Recorder.trouble is not None:
            raise Recorder.trouble
        return indices


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("past"))


@pytest.fixture(scope="module")
def items(past: Path) -> Sequence[Item]:
    return tuple(entries_of(past))


@pytest.fixture(scope="module")
def interrupted(items: Sequence[Item]) -> Sequence[Item]:
    """The same ledger up to its newest readings: the timekeeper was killed before it decided on them."""
    return items[: 1 + max(index for index, item in enumerate(items) if item.type == "readings")]


def host(past: Path, signer: Any = None, fast_s: float = 0.0) -> Item:
    """A minute of the host's counter up to this moment, which is NOW."""
    raw_ns, boottime_ns = hostclocks.raw_ns(), hostclocks.boottime_ns()
    batch = {
        "kind": "host",
        "epochs": [str(NOW - second * S) for second in range(59, -1, -1)],
        "pairs": [["HOST", "OUT"]],
        "x_fs": [[str(round(fast_s * 1e15))]] * 60,
        "u_fs": ["200000000"],
        "boot_id": hostclocks.boot_name(),
        "anchor_ns": str(NOW - raw_ns),
        "boottime_minus_raw_ns": str(boottime_ns - raw_ns),
    }
    return Item(COLLECTOR, "readings", sign_batch(batch, signer or load_or_create_key(past, COLLECTOR)))


Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a timekeeper for some turns on a ledger of these items; gives the state folder."""
    monkeypatch.setattr(timekeeper, "RecorderClient", Recorder)
    monkeypatch.setattr(say, "RecorderClient", Recorder)
    monkeypatch.setattr(
        timekeeper, "agreed_tai_ns", lambda _sources, now, *_rest: NOW + now.raw_ns - hostclocks.raw_ns()
    )
    monkeypatch.setattr(Recorder, "trouble", None)
    monkeypatch.setattr(Recorder, "loses_answers", False)
    state = tmp_path / "state"

    def go(items: Sequence[Item] = (), config: Config = CONFIG, turns: int = 1) -> Path:
        if items:
            write_ledger(state, items)
        process = Process("timekeeper", state, config)
        left = [turns]

        def sleep(_process: Process, _seconds: float) -> bool:
            left[0] -= 1
            if left[0] <= 0:
                process.stop.set()
            return process.stop.is_set()

        monkeypatch.setattr(Process, "sleep", sleep)
        with Store(state) as Recorder.store:
            keeper = Timekeeper(process)
            try:
                keeper.run()
            finally:
                keeper.page.close()
        return state

    return go


def decided(state: Path) -> list[tuple[str, bytes | None]]:
    return [(e.envelope.type, e.payload) for e in LedgerReader(state).entries() if e.envelope.by == STREAM]


def honest(items: Sequence[Item]) -> list[tuple[str, bytes]]:
    return [(item.type, canonical.encode(item.payload)) for item in items if item.stream == STREAM]


def leases(state: Path) -> list[dict[str, Any]]:
    return [item.payload for item in entries_of(state) if item.stream == "lease"]


def page(state: Path) -> TimekeeperPage:
    found = PageReader(paths.timekeeper_page(state), TimekeeperPage).read()
    assert found is not None
    return found


def test_what_was_not_yet_decided_is_decided_as_if_nothing_had_happened(run: Run, past, items, interrupted) -> None:
    state = run([*interrupted, host(past)])
    assert decided(state) == honest(items)
    assert replay(state).pending == 0


def test_what_is_recorded_is_not_recorded_again(run: Run, past, items) -> None:
    state = run([*items, host(past)])
    run()
    assert decided(state) == honest(items)


def test_a_lost_answer_records_nothing_twice(run: Run, past, items, interrupted, monkeypatch) -> None:
    monkeypatch.setattr(Recorder, "trouble", RecorderUnavailable("no answer"))
    monkeypatch.setattr(Recorder, "loses_answers", True)
    state = run([*interrupted, host(past)], turns=3)
    monkeypatch.setattr(Recorder, "trouble", None)
    run()
    assert decided(state) == honest(items)
    assert replay(state).pending == 0


def test_a_full_disk_stops_decisions_and_not_the_lease(run: Run, past, items, interrupted, monkeypatch) -> None:
    """The clock goes on, its bound grows; what follows from the readings is recorded once there is space."""
    monkeypatch.setattr(Recorder, "trouble", LedgerFull("full"))
    state = run([*interrupted, host(past)])
    assert len(decided(state)) < len(honest(items))
    assert page(state).lease_raw_ns > hostclocks.raw_ns()
    monkeypatch.setattr(Recorder, "trouble", None)
    run()
    assert decided(state) == honest(items)


def test_the_lease_is_granted_while_all_agree(run: Run, past, items) -> None:
    state = run([*items, host(past)])
    assert leases(state) == [
        {"lease": "timekeeper", "state": "granted", "why": "scale, ledger and output agree"},
    ]
    found, length = page(state), CONFIG.lease.timekeeper_s * 1e9
    assert 0.3 * length < found.lease_raw_ns - hostclocks.raw_ns() <= length
    assert 0.3 * length < found.lease_boottime_ns - hostclocks.boottime_ns() <= length
    assert abs(found.tai_ns + hostclocks.raw_ns() - found.raw_ns - NOW) < 60 * S
    served = [item.payload for item in entries_of(state) if item.stream == "served"]
    assert [payload["against"] for payload in served] == [""]
    assert float(served[0]["bound_s"]) == found.bound_s


def test_without_the_hosts_counter_nothing_is_granted(run: Run, items) -> None:
    state = run(items)
    assert [lease["state"] for lease in leases(state)] == ["withheld"]
    assert "the host's counter has not been read" in leases(state)[0]["why"]
    assert PageReader(paths.timekeeper_page(state), TimekeeperPage).read() is None


def test_a_time_of_day_nobody_confirms_is_not_served(run: Run, past, items, monkeypatch) -> None:
    def alone(*_arguments: object) -> int:
        raise TimeOfDayUnknown("no two sources of the time of day agree")

    monkeypatch.setattr(timekeeper, "agreed_tai_ns", alone)
    state = run([*items, host(past)])
    assert leases(state)[0]["why"] == "no two sources of the time of day agree"
    assert (page(state).lease_raw_ns, page(state).lease_boottime_ns) == (0, 0)
    monkeypatch.setattr(timekeeper, "agreed_tai_ns", lambda *_arguments: NOW + 5 * S)
    run()
    assert leases(state)[-1]["why"].startswith("the output's second is -")
    assert page(state).lease_raw_ns == 0


def test_a_forged_counter_moves_no_page_and_is_told(run: Run, past, items, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        state = run([*items, host(past), host(past, STRANGER, fast_s=3600.0)])
    assert "not believed: entry" in caplog.text
    assert abs(page(state).tai_ns + hostclocks.raw_ns() - page(state).raw_ns - NOW) < 60 * S
    assert leases(state)[0]["state"] == "granted"


def test_a_changed_configuration_is_recorded_before_anything_is_decided_by_it(run: Run, past, interrupted) -> None:
    changed = msgspec.structs.replace(
        CONFIG, ensemble=msgspec.structs.replace(CONFIG.ensemble, snapshot_every=1), steering=CONFIG.steering
    )
    state = run([*interrupted, host(past)], changed)
    kinds = [item.type for item in entries_of(state)[len(interrupted) + 1 :]]
    assert kinds[0] == "config"
    assert "scale" in kinds
    assert replay(state).agreed["scale"] == 5
    assert entries_of(run(config=changed))[-1].type != "config", "it is recorded once"


def with_ensemble(config: Config, **settings: Any) -> Config:
    return msgspec.structs.replace(config, ensemble=msgspec.structs.replace(config.ensemble, **settings))


def of_config(state: Path) -> list[tuple[str, int]]:
    return [(item.type, item.version) for item in entries_of(state) if item.stream == "config"]


def test_a_live_station_waits_for_witnesses_where_its_computed_past_did_not(
    run: Run, tmp_path: Path, monkeypatch
) -> None:
    """The past was decided without them and replays; its last readings are decided anew, live, and steer nothing."""
    policy = msgspec.structs.replace(parse_config(SMALL).ledger, policy="witnesses.policy")
    config = msgspec.structs.replace(CONFIG, ledger=policy)
    monkeypatch.setattr("ledgers.parse_config", lambda _text: config)
    past = entries_of(build_small(tmp_path / "past"))
    assert [item.payload["rules"]["witnessed_within_s"] for item in past if item.type == "config"] == [None]
    assert any(item.payload["commands"] for item in past if item.type == "steer")
    last = max(index for index, item in enumerate(past) if item.type == "readings")
    state = run([*past[:last], host(tmp_path / "past")], config)
    assert of_config(state) == [("config", 4), ("config", 4)]
    assert entries_of(state)[-1].type != "steer"
    assert replay(state).cannot_check == []
    upto = entries_of(state)
    run([], config)
    assert of_config(state) == [("config", 4), ("config", 4)], "it is recorded once"
    with Store(state) as store:
        seq = store.next_seq(COLLECTOR)
        store.append_many([NewEntry(COLLECTOR, seq, "readings", 1, canonical.encode(past[last].payload))], NOW)
        store.integrate()
    run([], config)
    [steer] = [item.payload for item in entries_of(state)[len(upto) :] if item.type == "steer"]
    assert steer["commands"] == []
    assert "no quorum of witnesses has cosigned yet" in steer["why"]
    assert replay(state).pending == 0


def test_an_upgrade_of_the_rules_is_ordered_and_recorded_once(run: Run, past, items, caplog) -> None:
    older = with_ensemble(CONFIG, rules_version=1)
    state = run([host(past)], older)
    assert of_config(state) == [("config", 1)]
    run([], CONFIG)
    assert of_config(state) == [("config", 1)] * 2, "newer software keeps the rules it finds"
    newer = with_ensemble(CONFIG, rules_version=2)
    for _ in range(2):
        run([], newer)
        assert of_config(state) == [("config", 1), ("config", 1), ("upgrade", 1), ("config", 2)]
    assert "the rules change from version 1 to 2" in caplog.text
    [upgrade] = [item.payload for item in entries_of(state) if item.type == "upgrade"]
    assert (upgrade["from"], upgrade["to"]) == (1, 2)


def test_without_a_configuration_nothing_is_decided(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(Recorder, "trouble", LedgerFull("full"))
    monkeypatch.setattr(timekeeper.Say, "now", lambda *_arguments, **_named: False)
    with pytest.raises(RecorderUnavailable, match="no configuration is recorded"):
        run([Item("outside", "note", {})])
