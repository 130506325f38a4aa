"""What a person decides, in the fold: a steer taken back, a doubted bulletin that counts; and which are doubted."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fold_bulletins import BEGINS_S, HOURLY, changes_of, configured, live_days, lived, publish
from ledgers import Fold, of_type, write_ledger

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.station.fold.follow import Follower
from timeball.station.fold.instructions import INSTRUCTION, OPERATOR
from timeball.station.fold.memory import Memory
from timeball.station.fold.replay import ReplayError, replay

MICROSECOND_FS = 10**9
RULES_3 = "f70472ca7d37ccaf2efd83ebb3ad48aa63b023f32a3ce697f7188ddbe3e64b77"
"""SHA-256 of what the source before version 4 of the rules decided of `test_rules_of_version_3...`'s weeks."""
Values = list[tuple[int, int]]


@pytest.fixture(scope="module")
def steered() -> Fold:
    """Two weeks by UTCr: commissioned, then steered once."""
    return lived(2, law="utcr")


@pytest.fixture(scope="module")
def third(steered: Fold) -> tuple[Fold, Values]:
    """A week later, the bulletin at hand and not published yet."""
    fold = deepcopy(steered)
    return fold, live_days(fold, 7)


def approve(fold: Fold, **said: Any) -> list[dict[str, Any]]:
    return of_type(fold.give(OPERATOR, INSTRUCTION, {"why": "as the head of time said", **said}), "doubt")


def take_back(fold: Fold, epoch: str) -> None:
    approve(fold, kind="take-back", epoch=epoch)


def wild(values: Values, *places: int) -> Values:
    """The values with a microsecond added at some places."""
    return [(epoch, x_fs + MICROSECOND_FS * (at in places)) for at, (epoch, x_fs) in enumerate(values)]


def answered(fold: Fold, days: int = 1) -> list[dict[str, Any]]:
    """The answers to UTC of the next days."""
    before = len(changes_of(fold))
    live_days(fold, days)
    return changes_of(fold)[before:]


def told(fold: Fold, values: Values, **changes: Any) -> list[dict[str, Any]]:
    return of_type(publish(fold, values, **changes), "doubt")


def assert_replays(fold: Fold, folder: Path) -> None:
    """The ledger gives the recorded decisions, and a follower of its newest snapshot arrives where the fold is."""
    state = write_ledger(folder, fold.entries)
    report = replay(state)
    assert (report.pending, report.cannot_check) == (0, [])
    follower = Follower(state)
    list(follower.take())
    assert follower.take_complaints() == []
    assert follower.keeper.memory.to_payload() == fold.keeper.memory.to_payload()


def test_a_steer_is_taken_back_once_and_its_bulletin_not_answered_again(steered: Fold, tmp_path: Path) -> None:
    fold = deepcopy(steered)
    commission, wrong = changes_of(fold)
    take_back(fold, wrong["epoch"])
    assert answered(fold, 2) == [], "neither the law's answer nor another one to the same bulletin"
    [back] = [one for one in of_type(fold.decisions, "steer") if "taken_back" in one]
    assert back["paper"]["rate"] == commission["paper"]["rate"] != wrong["paper"]["rate"]
    assert back["taken_back"]["epoch"] == wrong["epoch"]
    assert "taken back" in back["why"]
    memory = fold.keeper.memory
    assert memory.paper is not None
    assert memory.paper.rate_at(int(back["paper"]["epoch"])) == float(commission["paper"]["rate"])
    assert steered.keeper.memory.paper is not None
    there = int(back["paper"]["epoch"])
    # no phase is stepped: the wrong rate held until the change
    assert memory.paper.at(there) == pytest.approx(steered.keeper.memory.paper.at(there), abs=1e-20)
    assert (memory.undo, memory.take_back) == (None, None)
    with pytest.raises(BatchError, match="there is none"):
        take_back(fold, wrong["epoch"])
    fold.entries.pop()
    assert_replays(fold, tmp_path)


def test_the_commission_can_be_taken_back_too_and_is_made_anew() -> None:
    fold = lived(1, law="utcr")
    [first] = changes_of(fold)
    take_back(fold, first["epoch"])
    publish(fold, live_days(fold, 7))
    assert fold.keeper.memory.commissioned is None
    [again] = answered(fold)
    assert again["why"].startswith("commissioned: ")


def test_in_a_dry_run_a_steer_is_taken_back_all_the_same(steered: Fold) -> None:
    """Whoever stops the law first must be able to take its last steer back then."""
    fold = deepcopy(steered)
    rules = fold.keeper.rules
    assert rules is not None
    fold.keeper.rules = msgspec.structs.replace(rules, steering=msgspec.structs.replace(rules.steering, dry_run=True))
    take_back(fold, changes_of(fold)[-1]["epoch"])
    live_days(fold, 1)
    assert of_type(fold.decisions, "steer")[-1]["taken_back"]


def test_only_the_last_steer_only_the_operator_and_only_in_words(steered: Fold) -> None:
    fold = deepcopy(steered)
    first, last = (one["epoch"] for one in changes_of(fold))
    before = fold.keeper.memory.to_payload()
    for said, match in (
        ({"kind": "take-back", "epoch": first}, f"the steer of epoch {last} is"),
        ({"kind": "take-back", "epoch": last, "why": ""}, "why"),
        ({"kind": "take-back", "epoch": 7}, "epoch"),
        ({"kind": "take-over", "epoch": last}, "kind"),
        ({"kind": "take-back", "epoch": last, "more": 1}, "more"),
        ({"kind": "bulletin", "entry": 3}, "nothing of entry 3 is doubted"),
    ):
        with pytest.raises(BatchError, match=match):
            approve(fold, **said)
    fold.give("collector", INSTRUCTION, {"kind": "take-back", "epoch": last, "why": "x"})
    assert fold.keeper.memory.to_payload() == before


def test_an_approval_that_is_taken_out_or_put_in_is_convicted(steered: Fold, tmp_path: Path) -> None:
    fold = deepcopy(steered)
    take_back(fold, changes_of(fold)[-1]["epoch"])
    live_days(fold, 1)
    without = [item for item in fold.entries if item.type != INSTRUCTION]
    with pytest.raises(ReplayError):
        replay(write_ledger(tmp_path, without))


def test_a_typing_error_is_doubted_and_the_other_days_are_answered(third: tuple[Fold, Values], tmp_path: Path) -> None:
    fold, values = deepcopy(third)
    other = deepcopy(fold)
    [doubt] = told(fold, wild(values, 4))
    assert (doubt["state"], doubt["epochs"]) == ("doubted", [str(values[4][0])])
    assert f"epoch {values[4][0]} is +99" in doubt["why"], "a microsecond, but for the noise of the link"
    [answer] = answered(fold)
    assert told(other, values[:4] + values[5:]) == []
    assert answered(other)[0]["estimate"] == answer["estimate"]
    # corrected on the same day, the right value counts at once
    assert told(fold, values) == []
    assert {one.epoch for one in fold.keeper.memory.published or ()} >= {epoch for epoch, _ in values}
    remembered = fold.keeper.memory.to_payload()
    assert Memory.from_payload(remembered).to_payload() == remembered
    assert fold.keeper.memory.version == 4
    assert_replays(fold, tmp_path)


def test_a_bulletin_that_is_off_as_a_whole_waits_for_a_second_or_a_person(third: tuple[Fold, Values]) -> None:
    fold, values = deepcopy(third)
    off = wild(values, *range(7))
    entry = fold.index
    assert len(told(fold, off)[0]["epochs"]) == 7
    assert told(fold, off) == [], "said again in the same words"
    again = told(fold, [(epoch, x_fs + 1) for epoch, x_fs in off])
    assert [one["state"] for one in again] == ["doubted"], "a second of the same day is none"
    assert answered(fold) == []
    person, second = deepcopy(fold), deepcopy(fold)
    [lifted] = approve(person, kind="bulletin", entry=entry)
    assert (lifted["state"], lifted["bulletin"], len(lifted["epochs"])) == ("lifted", entry, 7)
    assert float(answered(person)[0]["estimate"]["x_s"]) == pytest.approx(1e-6, rel=0.1)
    week = live_days(second, 6)
    states = [(one["state"], one["bulletin"]) for one in told(second, wild(week, *range(6)))]
    assert states[0] == ("lifted", entry)
    assert {state for state, _ in states} == {"lifted"}
    assert float(answered(second)[0]["estimate"]["x_s"]) == pytest.approx(1e-6, rel=0.1)
    # UTC(k) was stepped indeed: the next week lies where the last one did, and nobody doubts it
    assert told(second, wild(live_days(second, 5), *range(5))) == []


def test_two_errors_do_not_agree(third: tuple[Fold, Values]) -> None:
    fold, values = deepcopy(third)
    told(fold, wild(values, 4))
    week = live_days(fold, 7)
    [doubt] = told(fold, [(epoch, x_fs - MICROSECOND_FS * (at == 2)) for at, (epoch, x_fs) in enumerate(week)])
    assert (doubt["state"], doubt["epochs"]) == ("doubted", [str(week[2][0])])


def test_of_a_first_bulletin_the_odd_day_is_doubted() -> None:
    fold = Fold(configured(law="utcr"), begins_s=BEGINS_S)
    values = live_days(fold, 7)
    assert told(fold, wild(values, 2))[0]["epochs"] == [str(values[2][0])]


def test_who_asks_for_no_doubts_has_none() -> None:
    fold = Fold(configured(law="utcr", bulletin_sigmas=0.0), begins_s=BEGINS_S)
    assert told(fold, wild(live_days(fold, 7), 2)) == []
    assert len(fold.keeper.memory.published or ()) == 7


def test_rules_of_version_3_decide_as_they_did_and_know_no_instruction() -> None:
    hourly = msgspec.structs.replace(HOURLY, rules_version=3)
    fold = Fold(msgspec.structs.replace(configured(law="utcr"), ensemble=hourly), begins_s=BEGINS_S)
    for _ in range(2):
        publish(fold, live_days(fold, 7))
        live_days(fold, 1)
    assert told(fold, wild(live_days(fold, 7), 5)) == []
    live_days(fold, 1)
    digest = hashlib.sha256()
    for one in fold.decisions:
        if one.type in ("steer", "snapshot"):
            digest.update(canonical.encode([one.seq, one.type, one.version, one.payload]))
    assert len(fold.decisions) == 52
    assert digest.hexdigest() == RULES_3
    before = fold.keeper.memory.to_payload()
    take_back(fold, changes_of(fold)[-1]["epoch"])
    assert fold.keeper.memory.to_payload() == before
