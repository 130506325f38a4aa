"""A ledger that older software recorded, by rules of version 1: replayed, kept, and upgraded in the open."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from ledgers import GENESIS, HOUR, KEY, Fold, Item, entries_of, write_ledger

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station.configuration.config import Config
from timeball.station.configuration.settings import Ensemble, Ledger
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.follow import Follower
from timeball.station.fold.replay import ReplayError, replay
from timeball.station.fold.rules import RulesUnknown
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, STREAM, Decision
from timeball.station.fold.upgrades import config_records, unheeded
from timeball.station.recording.ledger_reader import LedgerReader

ARCHIVE = Path(__file__).with_name("ledger-v1") / "ledger.tar.xz"
HOURS = 40
DECIDED = {"scale": 40, "steer": 40, "snapshot": 5}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(state, filter="data")
    return state


@pytest.fixture(scope="module")
def items(old: Path) -> Sequence[Item]:
    return tuple(entries_of(old))


@pytest.fixture(scope="module")
def later() -> Sequence[Item]:
    """Readings of the hours after the ledger's last, from the same laboratory, with nobody steering."""
    fold = Fold()
    fold.readings(HOURS)
    entries = []
    for hour in range(HOURS + 1, HOURS + 4):
        readings = fold.readings()
        batch = comparison_batch(readings.take(readings.epoch % (20 * 60 * 10**9) == 0))
        entries.append(Item(COLLECTOR, "readings", sign_batch(batch, KEY), 1, GENESIS + hour * HOUR + 10**9))
    return entries


def configured(items: Sequence[Item], **ensemble: int | str) -> Config:
    """The configuration of the ledger, on the new software with a policy of witnesses."""
    recorded = items[0].payload["config"]
    # what the recorded form had not is at its default
    config = msgspec.convert(recorded, Config, strict=False)
    return msgspec.structs.replace(
        config,
        ledger=Ledger(policy="witnesses.policy"),
        ensemble=msgspec.structs.replace(config.ensemble, **ensemble),
    )


def restarted(items: Sequence[Item], config: Config, later: Sequence[Item]) -> list[Item]:
    """What stands in the ledger after a station took it up with this configuration, and its collector read on."""
    now = items[-1].time_ns
    due = config_records(config, canonical.encode(items[0].payload))
    return [*items, *(Item(CONFIG, one.type, one.payload, one.version, now) for one in due), *later]


def decided(state: Path) -> list[Decision]:
    follower = Follower(state)
    decisions = list(follower.take())
    assert follower.take_complaints() == []
    return decisions


def test_it_replays_by_its_own_rules(old: Path) -> None:
    report = replay(old)
    assert report.agreed == DECIDED
    assert (report.entries, report.pending, report.unchecked, report.cannot_check) == (127, 0, 0, [])


def test_it_replays_without_the_recorded_decisions_to_the_last_byte(old: Path) -> None:
    """The tolerance of a femtosecond is for other machines; what one machine says of old rules stays what it was."""
    from timeball.station.fold.replay import Replay

    run = Replay()
    for entry in LedgerReader(old).entries():
        if entry.envelope.by == STREAM:
            decision = run.expected.popleft()
            assert canonical.encode(decision.payload) == entry.payload
            assert (decision.seq, decision.version) == (entry.envelope.seq, entry.envelope.version)
        else:
            run.take(entry)


def test_a_station_restarted_on_it_keeps_the_old_rules(
    items: Sequence[Item], later: Sequence[Item], tmp_path: Path
) -> None:
    entries = restarted(items, configured(items), later)
    configs = [item for item in entries if item.type == "config"]
    assert [(item.version, item.payload["rules"]["version"]) for item in configs] == [(1, 1), (1, 1)]
    assert not [item for item in entries if item.type == "upgrade"]
    state = write_ledger(tmp_path / "kept", entries)
    steers = [one.payload for one in decided(state) if one.type == "steer"]
    assert len(steers) == len(later)
    assert all(steer["commands"] for steer in steers), "version 1 asks for no witness"
    assert replay(state).agreed == DECIDED


def test_an_upgrade_is_a_recorded_decision_and_holds_from_there(
    items: Sequence[Item], later: Sequence[Item], tmp_path: Path
) -> None:
    config = configured(items, rules_version=2)
    entries = restarted(items, config, later)
    upgrade, newer = entries[len(items) : len(items) + 2]
    assert (upgrade.type, upgrade.version) == ("upgrade", 1)
    assert (upgrade.payload["from"], upgrade.payload["to"]) == (1, 2)
    assert "ensemble.rules_version = 2" in upgrade.payload["why"]
    assert (newer.type, newer.version, newer.payload["rules"]["version"]) == ("config", 2, 2)
    state = write_ledger(tmp_path / "upgraded", entries)
    steers = [one.payload for one in decided(state) if one.type == "steer"]
    assert len(steers) == len(later)
    assert all(not steer["commands"] and "no quorum" in steer["why"] for steer in steers)
    report = replay(state)
    assert (report.agreed, report.cannot_check) == (DECIDED, [])
    assert report.pending == len(decided(state))


def test_a_policy_that_old_rules_do_not_ask_about_is_told(items: Sequence[Item]) -> None:
    recorded = canonical.encode(items[0].payload)
    assert unheeded(configured(items), recorded)
    assert not unheeded(configured(items, rules_version=2), recorded)
    assert not unheeded(configured(items), None), "a new ledger has the newest rules"
    assert not unheeded(Config(), recorded), "there is no policy"


def test_settings_that_old_rules_do_not_know_are_told(items: Sequence[Item]) -> None:
    recorded = canonical.encode(items[0].payload)
    config = configured(items, algorithm="kalman")
    config = msgspec.structs.replace(config, steering=msgspec.structs.replace(config.steering, law="lqg"))
    [_, told] = unheeded(config, recorded)
    assert "rules of version 1 hold, which do not know ensemble.algorithm, steering.law" in told
    assert unheeded(msgspec.structs.replace(config, ensemble=Ensemble(rules_version=3)), recorded) == []
    [config_1] = config_records(config, recorded)
    assert config_1.payload["rules"] == items[0].payload["rules"], "the rules themselves stay what they were"


def test_rules_of_tomorrow_keep_the_station_from_starting(items: Sequence[Item]) -> None:
    newer = canonical.encode({**items[0].payload, "rules": {"version": 5}})
    with pytest.raises(RulesUnknown, match="rules of version 5, this software knows 1, 2, 3 and 4"):
        config_records(configured(items), newer)
    assert [one.type for one in config_records(configured(items, rules_version=2), newer)] == ["upgrade", "config"]


def test_what_is_recorded_is_not_recorded_again(items: Sequence[Item]) -> None:
    for config in (configured(items), configured(items, rules_version=2)):
        *_, last = restarted(items, config, ())
        assert config_records(config, canonical.encode(last.payload)) == []
    upgraded = restarted(items, configured(items, rules_version=2), ())[-1]
    [kept] = config_records(configured(items), canonical.encode(upgraded.payload))
    assert (kept.type, kept.version) == ("config", 2), "an upgrade stays when the setting is taken out again"


def test_rules_that_nobody_announced_are_convicted(
    items: Sequence[Item], later: Sequence[Item], tmp_path: Path
) -> None:
    entries = restarted(items, configured(items, rules_version=2), later)
    silent = [item for item in entries if item.type != "upgrade"]
    state = write_ledger(tmp_path / "silent", silent)
    follower = Follower(state)
    assert list(follower.take()) == [], "nothing is decided by rules that nobody announced"
    assert any("no `upgrade` says so" in complaint for complaint in follower.take_complaints())
    with pytest.raises(ReplayError, match=f"entry {len(items)}: rules of version 2 follow those of version 1"):
        replay(state)


def test_a_snapshot_before_the_upgrade_leads_to_the_same_decisions(
    items: Sequence[Item], later: Sequence[Item], tmp_path: Path
) -> None:
    """Started anew from a snapshot of version 1, or folded from the first entry: the gate is shut alike."""
    entries = restarted(items, configured(items, rules_version=2), later)
    whole = write_ledger(tmp_path / "whole", entries)
    without = [item for item in entries if item.type != "snapshot"]
    shortened = write_ledger(tmp_path / "without", without)
    ours = [one.payload["why"] for one in decided(whole) if one.type == "steer"]
    theirs = [one.payload["why"] for one in decided(shortened) if one.type == "steer"]
    assert ours == theirs[-len(ours) :]
    assert len(theirs) > len(ours), "this one began at the beginning"
