"""Nothing is steered while the witnesses do not cosign, and nobody but the witness stream says that they do.

The laboratory is folded in memory and its ledger written to disk; each attack stands beside a control that passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import BRISK, KEY, Fold, Item, of_type, write_ledger

from timeball.ledger.batch import sign_batch
from timeball.readings import Readings
from timeball.station.configuration.config import Config
from timeball.station.configuration.settings import Ensemble, Ledger
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.follow import Follower
from timeball.station.fold.replay import Replay, ReplayError, replay
from timeball.station.fold.timekeeping import COLLECTOR, STREAM, WITNESS
from timeball.station.recording.ledger_reader import LedgerReader

WITNESSED = Config(
    steering=BRISK,
    ensemble=Ensemble(interval_s=1200.0, snapshot_every=3),
    ledger=Ledger(policy="witnesses.policy"),
)


def thinned(readings: Readings) -> Readings:
    return readings.take(readings.epoch % (20 * 60 * 10**9) == 0)


def say(fold: Fold, state: str, by: str = WITNESS, kind: str = "witnessing", version: int = 1) -> None:
    fold.give(by, kind, {"state": state, "size": fold.index, "since": "0", "why": "a test"}, version)


def live_cosigned(fold: Fold, hours: int) -> None:
    """Hours in which the publisher says again and again that all is well."""
    for _ in range(hours):
        say(fold, "cosigned")
        fold.live(1, thinned)


def steer_of(fold: Fold) -> dict[str, Any]:
    """The steer of the next hour."""
    [steer] = of_type(fold.live(1, thinned), "steer")
    return steer


@pytest.fixture(scope="module")
def fold() -> Fold:
    """Two hours unwitnessed, then six cosigned, three missing, and one cosigned again."""
    fold = Fold(config=WITNESSED)
    fold.live(2, thinned)
    live_cosigned(fold, 6)
    say(fold, "missing")
    fold.live(3, thinned)
    live_cosigned(fold, 1)
    return fold


def test_the_gate_is_shut_until_cosigned_and_while_missing(fold: Fold) -> None:
    steers = of_type(fold.decisions, "steer")
    ordered = [bool(steer["commands"]) for steer in steers]
    assert ordered == [False] * 2 + [True] * 6 + [False] * 3 + [True]
    shut = [steer for steer in steers if not steer["commands"]]
    assert all(steer["paper"] is None and steer["estimate"] is None for steer in shut)
    assert "no quorum of witnesses has cosigned yet" in shut[0]["why"]
    missing = next(i for i, item in enumerate(fold.entries) if item.payload.get("state") == "missing")
    assert f"missing since entry {missing}" in shut[-1]["why"]


def test_the_scale_goes_on_whatever_the_witnesses_do(fold: Fold) -> None:
    assert len(of_type(fold.decisions, "scale")) == fold.hour


def test_paper_is_not_steered_either() -> None:
    fold = Fold(config=WITNESSED)
    live_cosigned(fold, 23)
    say(fold, "missing")
    assert not any(steer["paper"] for steer in of_type(fold.live(3, thinned), "steer"))
    say(fold, "cosigned")
    assert steer_of(fold)["paper"], "it was due, and waited"


def test_a_publisher_that_fell_silent_is_believed_for_two_hours() -> None:
    """Root who stops the publisher stops it from saying that cosignatures are missing, and the steers with it."""
    fold = Fold(config=WITNESSED)
    say(fold, "cosigned")
    steers = of_type(fold.live(4, thinned), "steer")
    assert [bool(steer["commands"]) for steer in steers] == [True, True, False, False]
    assert "nothing was heard of the witnesses for 7200 s" in steers[2]["why"]
    say(fold, "cosigned")
    assert steer_of(fold)["commands"]


def test_without_a_policy_nobody_is_waited_for() -> None:
    fold = Fold(config=msgspec.structs.replace(WITNESSED, ledger=Ledger()))
    assert steer_of(fold)["commands"]
    say(fold, "missing")
    assert steer_of(fold)["commands"]


def test_the_honest_ledger_replays_and_its_snapshots_carry_the_state(fold: Fold, tmp_path: Path) -> None:
    state = write_ledger(tmp_path, fold.entries)
    report = replay(state)
    assert (report.agreed["steer"], report.pending, report.cannot_check) == (fold.hour, 0, [])
    snapshots = [item for item in fold.entries if item.type == "snapshot"]
    assert {item.version for item in snapshots} <= {2, 3}
    follower = Follower(state)
    assert follower.keeper.memory.witness == fold.keeper.memory.witness
    assert follower.next > fold.index // 2, "it began at the newest snapshot"


def test_who_follows_from_the_first_entry_decides_as_the_replay_does(fold: Fold, tmp_path: Path) -> None:
    """The live timekeeper knows when the witnesses were last heard of: it is how it finds out that they fell silent."""
    follower = Follower(write_ledger(tmp_path, [item for item in fold.entries if item.stream != STREAM]))
    decided = list(follower.take())
    assert follower.take_complaints() == []
    recorded = [(item.type, item.version) for item in fold.entries if item.stream == STREAM]
    assert [(one.type, one.version) for one in decided] == recorded
    assert follower.keeper.memory.witness is not None
    assert follower.keeper.memory.witness.time == fold.keeper.memory.witness.time


def test_a_snapshot_says_nothing_of_witnesses_nobody_heard_of() -> None:
    fold = Fold(config=WITNESSED)
    fold.live(3, thinned)
    [snapshot] = [item for item in fold.entries if item.type == "snapshot"]
    assert "witness" not in snapshot.payload["memory"]


@pytest.mark.parametrize(
    ("by", "kind", "said"),
    [
        ("collector", "witnessing", "cosigned"),
        ("timekeeper", "witnessing", "cosigned"),
        (WITNESS, "lease", "cosigned"),
        (WITNESS, "witnessing", "COSIGNED"),
        (WITNESS, "witnessing", ""),
    ],
)
def test_a_forged_cosigned_opens_nothing(by: str, kind: str, said: str, tmp_path: Path) -> None:
    fold = Fold(config=WITNESSED)
    say(fold, "missing")
    forged = [
        *fold.entries,
        Item(by, kind, {"state": said, "size": 1, "since": "0", "why": ""}, 1, fold.entries[0].time_ns),
    ]
    batch = Item(COLLECTOR, "readings", sign_batch(comparison_batch(thinned(fold.readings())), KEY))
    forged.append(an_hour_on(batch, fold))
    follower = Follower(write_ledger(tmp_path, forged))
    [steer] = [one.payload for one in follower.take() if one.type == "steer"]
    assert steer["commands"] == []
    assert f"missing since entry {len(fold.entries) - 1}" in steer["why"]


def test_the_right_stream_opens_it(tmp_path: Path) -> None:
    """The control of the forgeries."""
    fold = Fold(config=WITNESSED)
    say(fold, "missing")
    say(fold, "cosigned")
    batch = Item(COLLECTOR, "readings", sign_batch(comparison_batch(thinned(fold.readings())), KEY))
    follower = Follower(write_ledger(tmp_path, [*fold.entries, an_hour_on(batch, fold)]))
    [steer] = [one.payload for one in follower.take() if one.type == "steer"]
    assert steer["commands"]


def an_hour_on(item: Item, fold: Fold) -> Item:
    return Item(item.stream, item.type, item.payload, item.version, fold.entries[-1].time_ns + 3600 * 10**9)


def altered(fold: Fold, state: str, into: str | None) -> Sequence[Item]:
    """The ledger with its first `state` turned into another, or into an entry that says nothing."""
    place = next(i for i, item in enumerate(fold.entries) if item.payload.get("state") == state)
    item = fold.entries[place]
    other = (
        Item("served", "served", {}, 1, item.time_ns) if into is None else item.changed(lambda p: p.update(state=into))
    )
    return [*fold.entries[:place], other, *fold.entries[place + 1 :]]


@pytest.mark.parametrize(("state", "into"), [("cosigned", "missing"), ("cosigned", None), ("missing", "cosigned")])
def test_steers_that_do_not_follow_from_the_witnesses_are_convicted(
    state: str, into: str | None, fold: Fold, tmp_path: Path
) -> None:
    with pytest.raises(ReplayError, match="field commands of the steer"):
        replay(write_ledger(tmp_path, altered(fold, state, into)))


def test_what_cannot_be_read_of_the_witnesses_cannot_be_checked(fold: Fold, tmp_path: Path) -> None:
    place = next(i for i, item in enumerate(fold.entries) if item.payload.get("state") == "missing")
    item = fold.entries[place]
    newer = Item(item.stream, item.type, {"all": "new"}, 2, item.time_ns)
    report = replay(write_ledger(tmp_path, [*fold.entries[:place], newer, *fold.entries[place + 1 :]]))
    assert report.unchecked > 0
    assert any(f"entry {place}: witnessing of version 2 is not known here" in why for why in report.cannot_check)


def ahead(fold: Fold, seconds: int) -> Item:
    """Readings signed by the collector, of an hour that is the entry's own but for its last epoch."""
    readings = thinned(fold.readings())
    batch = comparison_batch(readings)
    now = fold.entries[-1].time_ns + 3600 * 10**9
    batch["epochs"][-1] = str(now + seconds * 10**9)
    return Item(COLLECTOR, "readings", sign_batch(batch, KEY), 1, now)


@pytest.mark.parametrize(("seconds", "moves"), [(59, True), (60, True), (61, False), (10 * 365 * 86400, False)])
def test_an_epoch_of_the_future_does_not_stall_the_scale(seconds: int, moves: bool, tmp_path: Path) -> None:
    fold = Fold(config=WITNESSED)
    state = write_ledger(tmp_path, [*fold.entries, ahead(fold, seconds)])
    follower = Follower(state)
    assert [one.type for one in follower.take()][:1] == (["scale"] if moves else [])
    assert bool(follower.take_complaints()) is not moves
    report = replay(state)
    assert any("later than the entry that reports it" in why for why in report.cannot_check) is not moves


def test_rules_of_version_1_took_any_epoch(tmp_path: Path) -> None:
    ensemble = msgspec.structs.replace(WITNESSED.ensemble, rules_version=1)
    fold = Fold(config=msgspec.structs.replace(WITNESSED, ensemble=ensemble))
    follower = Follower(write_ledger(tmp_path, [*fold.entries, ahead(fold, 10**6)]))
    assert [one.type for one in follower.take()] == ["scale", "steer"]
    assert not follower.take_complaints()


def test_an_auditor_stops_at_the_first_steer_that_should_not_have_been(fold: Fold, tmp_path: Path) -> None:
    """Entry by entry, as an auditor takes them."""
    run = Replay()
    entries = LedgerReader(write_ledger(tmp_path, altered(fold, "cosigned", "missing"))).entries()
    with pytest.raises(ReplayError) as caught:
        deque(map(run.take, entries), maxlen=0)
    place = next(i for i, item in enumerate(fold.entries) if item.payload.get("state") == "cosigned")
    later = (i for i, item in enumerate(fold.entries) if i > place and (item.stream, item.type) == (STREAM, "steer"))
    assert caught.value.index == next(later)
