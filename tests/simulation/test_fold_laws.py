"""The laws of the steering in the fold: bulletins signed and recorded, LQG, the smallest step, dry run; their replay.

Physics: the default laboratory, read each hour, its output 20 ns off UTC at the start; UTCr gives each Wednesday the
seven days before, as the simulated link (1 ns) saw them. The seed is printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fold_bulletins import BEGINS_S, DAY, HOURLY, bulletin, changes_of, configured, live_days, lived, publish
from ledgers import GENESIS, HOUR, KEY, STRANGER, Fold, of_type, write_ledger

from timeball.ledger.batch import sign_batch
from timeball.ledger.errors import BatchError
from timeball.station.fold.follow import Follower
from timeball.station.fold.replay import ReplayError, replay
from timeball.station.fold.timekeeping import COLLECTOR

WEEKS = 5
SETTLED_S = 6e-9


@pytest.fixture(scope="module")
def weekly() -> Fold:
    return lived(WEEKS, law="utcr")


def test_each_bulletin_is_answered_once_and_brings_utck_home(weekly: Fold) -> None:
    answers = changes_of(weekly)
    assert len(answers) == WEEKS
    assert answers[0]["why"].startswith("commissioned: ")
    assert all("UTCr" in answer["why"] for answer in answers[1:])
    assert abs(int(answers[0]["epoch"]) - (GENESIS + 8 * DAY)) < HOUR
    offsets = [abs(float(answer["estimate"]["x_s"])) for answer in answers]
    assert offsets[0] > SETTLED_S
    assert offsets[-1] < SETTLED_S
    assert all(answer["paper"] for answer in answers)


def test_it_replays_and_a_follower_arrives_where_the_fold_is(weekly: Fold, tmp_path: Path) -> None:
    state = write_ledger(tmp_path, weekly.entries)
    report = replay(state)
    assert (report.agreed["steer"], report.pending, report.cannot_check) == (8 * WEEKS, 0, [])
    follower = Follower(state)
    list(follower.take())
    assert follower.take_complaints() == []
    assert follower.keeper.memory.to_payload() == weekly.keeper.memory.to_payload()


def test_a_bulletin_that_was_altered_is_convicted_or_counts_for_nothing(weekly: Fold, tmp_path: Path) -> None:
    at = next(place for place, item in enumerate(weekly.entries) if item.type == "bulletin")
    forged = [*weekly.entries]
    forged[at] = forged[at].changed(lambda payload: payload["batch"]["utc_minus_utck_fs"].reverse())
    with pytest.raises(ReplayError):
        replay(write_ledger(tmp_path, forged))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kind": "utcx"}, "kind"),
        ({"u_fs": "many"}, "u_fs"),
        ({"epochs": []}, "value for each epoch"),
        ({"sha256": "0"}, "sha256"),
        ({"more": 1}, "more"),
        ({"epochs": [str(GENESIS + 400 * DAY)], "utc_minus_utck_fs": ["1"]}, "had not come yet"),
    ],
)
def test_what_is_no_bulletin_moves_nothing(changes: dict[str, Any], match: str) -> None:
    fold = Fold(configured(law="utcr"))
    values = live_days(fold, 2)
    before = fold.keeper.memory.to_payload()
    with pytest.raises(BatchError, match=match):
        publish(fold, values, **changes)
    assert fold.keeper.memory.to_payload() == before


def test_only_the_collectors_key_speaks_for_the_bipm() -> None:
    fold = Fold(configured(law="utcr"))
    values = live_days(fold, 2)
    with pytest.raises(BatchError):
        fold.give(COLLECTOR, "bulletin", sign_batch(bulletin(values), STRANGER))
    fold.give("timekeeper", "bulletin", sign_batch(bulletin(values), KEY))
    publish(fold, values, laboratory="PTB")
    assert fold.keeper.memory.published is None


def test_what_is_said_again_is_not_answered_again(weekly: Fold) -> None:
    values = [(int(p.epoch), round(p.x_s * 1e15)) for p in weekly.keeper.memory.published or ()][-7:]
    before = len(changes_of(weekly))
    publish(weekly, values)
    live_days(weekly, 1)
    assert len(changes_of(weekly)) == before


def test_a_dry_run_proposes_and_changes_nothing() -> None:
    fold = lived(2, law="utcr", dry_run=True)
    answers = changes_of(fold)
    assert [answer["paper"] for answer in answers] == [None, None]
    assert all(float(answer["proposed"]["rate"]) != 0.0 for answer in answers)
    assert all(answer["why"].startswith("dry run, nothing is changed: ") for answer in answers)
    assert fold.keeper.memory.paper is not None
    assert (fold.keeper.memory.paper.rate, fold.keeper.memory.paper.change) == (0.0, None)
    assert any(steer["commands"] for steer in of_type(fold.decisions, "steer")), "the output goes on following"


def test_a_change_below_the_smallest_is_left_and_rates_are_whole_steps() -> None:
    coarse = lived(2, law="utcr", resolution=1e-15)
    rates = [float(answer["paper"]["rate"]) for answer in changes_of(coarse)]
    base = rates[0]
    assert all(abs((rate - base) / 1e-15 - round((rate - base) / 1e-15)) < 1e-6 for rate in rates[1:])
    idle = lived(2, law="utcr", least_change=9e-14)
    rates = [answer["paper"]["rate"] for answer in changes_of(idle)]
    assert rates[1:] == rates[:1]
    assert "left as it is" in changes_of(idle)[-1]["why"]


def test_circular_t_is_answered_by_its_month() -> None:
    fold = Fold(configured(law="circular-t", time_constant_s=30 * 86400.0), begins_s=BEGINS_S)
    for _ in range(2):
        values = live_days(fold, 30)
        publish(fold, values[4::5], kind="circular-t", label="457", u_fs="300000")
        live_days(fold, 2)
    answers = changes_of(fold)
    assert len(answers) == 2
    assert "Circular T" in answers[1]["why"]


def test_lqg_answers_the_link() -> None:
    fold = Fold(configured(law="lqg", lqg_offset_s=2e-9, lqg_change=2e-14), begins_s=BEGINS_S)
    live_days(fold, 16)
    answers = changes_of(fold)
    assert "least cost" in answers[-1]["why"]
    assert abs(float(answers[-1]["estimate"]["x_s"])) < SETTLED_S < abs(float(answers[0]["estimate"]["x_s"]))


def test_rules_of_version_2_pass_bulletins_over() -> None:
    old = msgspec.structs.replace(configured(law="utcr"), ensemble=msgspec.structs.replace(HOURLY, rules_version=2))
    fold = Fold(old)
    publish(fold, live_days(fold, 3))
    live_days(fold, 1)
    assert fold.keeper.memory.published is None
    assert {one.version for one in fold.decisions if one.type == "snapshot"} <= {1, 2}
    assert fold.keeper.rules.steering.law == "pole-placement"
