"""Forged ledgers, outwardly beyond reproach: the forger owns the host and the log's key, numbers and signs all anew.

Each attack is one change to a real ledger that `timeball replay` must convict, exit code 4, naming the entry; its
control is the same ledger written anew without the change, which must agree.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ledgers import STRANGER, Item, build_small, entries_of, write_ledger

from timeball.cli import root
from timeball.ledger.batch import sign_batch
from timeball.station.fold.timekeeping import STREAM
from timeball.station.recording.store import Store

Alter = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Item]:
    return tuple(entries_of(build_small(tmp_path_factory.mktemp("honest"))))


@pytest.fixture
def replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[Item]], tuple[int, str, str]]:
    """Write a ledger, replay it with the command, and give exit code, output and errors."""
    count = 0

    def run(items: Sequence[Item], *options: str) -> tuple[int, str, str]:
        nonlocal count
        count += 1
        state = write_ledger(tmp_path / str(count), items)
        code = root.run(["replay", str(state), *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def places(items: Sequence[Item], kind: str) -> list[int]:
    return [index for index, item in enumerate(items) if (item.type, item.stream) == (kind, STREAM)]


def altered(items: Sequence[Item], index: int, change: Alter) -> list[Item]:
    return [*items[:index], items[index].changed(change), *items[index + 1 :]]


def renumbered(before: Sequence[Item], after: Sequence[Item]) -> list[Item]:
    """What a careful forger does after taking an entry out or putting one in: every reference fits again."""
    at = {id(item): index for index, item in enumerate(after)}
    index_of = {old: at[id(item)] for old, item in enumerate(before) if id(item) in at}
    configs = [index for index, item in enumerate(after) if item.stream == "config"]

    def mend(payload: dict[str, Any]) -> None:
        for name in ("readings", "steer"):
            if name in payload:
                payload[name] = index_of.get(payload[name], payload[name])
        if "memory" in payload:
            through = payload["memory"]["through"] = index_of[payload["memory"]["through"]]
            payload["memory"]["config"] = max(index for index in configs if index < through)

    return [item.changed(mend) if isinstance(item.payload, dict) else item for item in after]


def test_the_control_agrees_and_says_what_was_compared(honest, replayed) -> None:
    code, out, err = replayed(honest)
    assert code == 0, err
    counted = {kind: len(places(honest, kind)) for kind in ("scale", "steer", "snapshot")}
    assert min(counted.values()) >= 2
    for kind, count in counted.items():
        assert f"{count} {kind}" in out
    assert "cannot check" not in out
    code, out, _ = replayed(honest, "--json")
    document = json.loads(out)
    assert document.pop("path")
    assert document == {
        "ok": True,
        "entries": len(honest),
        "agreed": counted,
        "pending": 0,
        "unchecked": 0,
        "cannot_check": [],
    }


def ulp(text: str) -> str:
    return repr(math.nextafter(float(text), math.inf))


def one_weight_by_an_ulp(payload: dict[str, Any]) -> None:
    row = payload["weights"][-1]
    place = max(range(len(row)), key=lambda i: float(row[i]))
    row[place] = ulp(row[place])


def add_fs(rows: list[str | None], fs: int) -> None:
    place = next(i for i, value in enumerate(rows) if value is not None)
    rows[place] = str(int(rows[place] or 0) + fs)


def other_code(payload: dict[str, Any]) -> None:
    payload["codes"][0][0] = (payload["codes"][0][0] + 1) % 14


def other_reason(payload: dict[str, Any]) -> None:
    epoch = next(iter(payload["reasons"]))
    clock = next(iter(payload["reasons"][epoch]))
    payload["reasons"][epoch][clock] += "!"


def no_reasons(payload: dict[str, Any]) -> None:
    payload["reasons"] = {}


ATTACKS: dict[str, tuple[str, Alter, str]] = {
    "a weight by one ulp": ("scale", one_weight_by_an_ulp, "weights is recorded as"),
    "a phase by 2 fs": ("scale", lambda p: add_fs(p["x_fs"][7], 2), "x_fs is recorded as"),
    "a phase by −2 fs": ("scale", lambda p: add_fs(p["x_fs"][0], -2), "x_fs is recorded as"),
    "an error by 2 fs": ("scale", lambda p: add_fs(p["errors_fs"][-1], 2), "errors_fs is recorded as"),
    "a phase that is no number": ("scale", lambda p: p["x_fs"][0].__setitem__(0, "big"), "x_fs is recorded as"),
    "a phase taken out": ("scale", lambda p: p["x_fs"][0].__setitem__(0, None), "x_fs is recorded as None"),
    "a rate by one ulp": ("scale", lambda p: p["rates"].__setitem__(0, ulp(p["rates"][0])), "field rates of the scale"),
    "a rejection hidden": ("scale", other_code, "codes is recorded as"),
    "a reason in other words": ("scale", other_reason, "reasons is recorded as"),
    "all reasons gone": ("scale", no_reasons, "reasons is recorded as None"),
    "a row too few": ("scale", lambda p: p["x_fs"].pop(), "x_fs is recorded as"),
    "the algorithm's name": ("scale", lambda p: p.update(algorithm="AT2"), "algorithm is recorded as"),
    "other readings": ("scale", lambda p: p.update(readings=p["readings"] - 1), "field readings of the scale"),
    "a residual by 2 fs": ("scale", lambda p: add_fs(p["output"]["residual_fs"], 2), "field output of the scale"),
    "a residual too many": ("scale", lambda p: p["output"]["residual_fs"].append("0"), "field output of the scale"),
    "UTC by 2 fs": ("scale", lambda p: add_fs(p["utc"]["utck_minus_utc_fs"], 2), "field utc of the scale"),
    "UTC at another epoch": ("scale", lambda p: p["utc"]["epochs"].reverse(), "field utc of the scale"),
    "UTC(k) by one ulp": ("scale", lambda p: p["paper"].update(phase_s=ulp(p["paper"]["phase_s"])), "field paper"),
    "a field of its own": ("scale", lambda p: p.update(note="all is well"), "field note of the scale"),
    "a field taken out": ("scale", lambda p: p.pop("output"), "field output of the scale is recorded as nothing"),
    "an order's rate": (
        "steer",
        lambda p: p["commands"][0].update(rate=ulp(p["commands"][0]["rate"])),
        "field commands of the steer",
    ),
    "an order's step": ("steer", lambda p: p["commands"][0].update(phase_step_fs="1"), "field commands of the steer"),
    "an order taken out": ("steer", lambda p: p["commands"].clear(), "field commands of the steer"),
    "a steer's rate on paper": (
        "steer",
        lambda p: p.update(paper={"epoch": p["epoch"], "rate": "1e-13"}),
        "field paper of the steer",
    ),
    "a steer's reason": ("steer", lambda p: p.update(why="as ordered"), "field why of the steer"),
    "a snapshot's rate": (
        "snapshot",
        lambda p: p["at1"]["y"].__setitem__(0, ulp(p["at1"]["y"][0])),
        "field at1 of the snapshot",
    ),
    "a snapshot's memory": ("snapshot", lambda p: p["memory"].update(steered=None), "field memory of the snapshot"),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_an_altered_decision_is_convicted(attack: str, which: int, honest, replayed) -> None:
    kind, change, sentence = ATTACKS[attack]
    index = places(honest, kind)[which]
    forged = altered(honest, index, change)
    if forged == list(honest):
        pytest.fail(f"{attack}: the attack changed nothing")
    code, out, err = replayed(forged)
    assert code == 4, out
    assert f"replay failed: entry {index}: " in err
    assert sentence in err
    assert replayed(honest)[0] == 0


@pytest.mark.parametrize("fs", [1, -1])
def test_a_femtosecond_is_within_rounding(fs: int, honest, replayed) -> None:
    """Phases agree to 1 fs by the replay rule; the same change to anything but a phase is convicted above."""

    def change(payload: dict[str, Any]) -> None:
        for row in (*payload["x_fs"], *payload["errors_fs"], payload["output"]["residual_fs"]):
            if any(value is not None for value in row):
                add_fs(row, fs)
        add_fs(payload["utc"]["utck_minus_utc_fs"], fs)

    forged = altered(honest, places(honest, "scale")[1], change)
    assert forged != list(honest)
    assert replayed(forged)[0] == 0


def inserted(honest: Sequence[Item], at: int, item: Item) -> list[Item]:
    return renumbered(honest, [*honest[:at], item, *honest[at:]])


def test_a_steer_that_follows_from_nothing_is_convicted(honest, replayed) -> None:
    steer = honest[places(honest, "steer")[1]]
    for at in (places(honest, "scale")[0], places(honest, "scale")[2], len(honest)):
        code, _, err = replayed(inserted(honest, at, steer.changed(lambda payload: None)))
        assert code == 4
        assert f"replay failed: entry {at}: " in err
        assert "steer" in err
    assert "follows from no readings before it" in err


def test_a_steer_by_a_stranger_is_convicted(honest, replayed) -> None:
    """Nobody obeys it, and yet it stands in the ledger and could be shown to somebody."""
    steer = honest[places(honest, "steer")[1]]
    intruder = Item("intruder", "steer", steer.payload)
    code, _, err = replayed(inserted(honest, len(honest) - 3, intruder))
    assert code == 4
    assert f"entry {len(honest) - 3}: a steer is recorded by stream intruder; only {STREAM} decides" in err


@pytest.mark.parametrize("kind", ["scale", "steer", "snapshot"])
def test_a_decision_taken_out_is_convicted(kind: str, honest, replayed) -> None:
    index = places(honest, kind)[0]
    code, _, err = replayed(renumbered(honest, [*honest[:index], *honest[index + 1 :]]))
    assert code == 4
    nearest = min(at for name in ("scale", "steer", "snapshot") for at in places(honest, name) if at > index) - 1
    assert f"replay failed: entry {nearest}: " in err


def test_two_decisions_in_the_other_order_are_convicted(honest, replayed) -> None:
    scale = places(honest, "scale")[0]
    assert honest[scale + 1].type == "steer"
    swapped = [*honest[:scale], honest[scale + 1], honest[scale], *honest[scale + 2 :]]
    code, _, err = replayed(renumbered(honest, swapped))
    assert code == 4
    assert f"entry {scale}: steer number 1 is recorded, scale number 1 follows from the readings" in err


def test_a_decision_before_its_readings_is_convicted(honest, replayed) -> None:
    scale = places(honest, "scale")[0]
    early = [*honest[: scale - 1], honest[scale], honest[scale - 1], *honest[scale + 1 :]]
    code, _, err = replayed(renumbered(honest, early))
    assert code == 4
    assert f"entry {scale - 1}: a scale is recorded that follows from no readings before it" in err


def test_readings_changed_under_their_signature_move_nothing_and_what_was_made_of_them_is_convicted(
    honest, replayed
) -> None:
    index = next(index for index, item in enumerate(honest) if item.type == "readings")
    forged = altered(honest, index, lambda payload: add_fs(payload["batch"]["x_fs"][0], 1))
    code, _, err = replayed(forged)
    assert code == 4
    assert "follows from no readings before it" in err


def test_readings_signed_by_a_stranger_are_convicted(honest, replayed) -> None:
    index = next(index for index, item in enumerate(honest) if item.type == "readings")
    forged = list(honest)
    forged[index] = Item("collector", "readings", sign_batch(honest[index].payload["batch"], STRANGER))
    assert replayed(forged)[0] == 4


def test_other_rules_than_those_decided_by_are_convicted(honest, replayed) -> None:
    forged = list(honest)
    assert forged[0].type == "config"
    forged[0] = forged[0].changed(lambda payload: payload["rules"]["at1"].update(cap="0.2"))
    code, _, err = replayed(forged)
    assert code == 4
    assert re.search(r"replay failed: entry \d+: epoch \d+ ns of TAI, clock H\d: (codes|weights) is recorded as", err)


def test_the_newest_decisions_may_be_on_their_way(honest, replayed) -> None:
    """Cutting off the end looks like a crash, so it is said; only an older head (`verify --since`) convicts it."""
    last = places(honest, "scale")[-1]
    code, out, _ = replayed(honest[:last])
    assert code == 0
    follow = len([item for item in honest[last:] if item.stream == STREAM])
    assert f"not yet recorded: {follow} decisions" in out


def test_json_says_which_entry_and_why(honest, replayed) -> None:
    index = places(honest, "scale")[0]
    code, out, err = replayed(altered(honest, index, one_weight_by_an_ulp), "--json")
    document = json.loads(out)
    assert code == 4
    assert (document["ok"], document["index"]) == (False, index)
    assert document["reason"] in err


def erase(state: Path, *indices: int) -> None:
    with Store(state) as store:
        for index in indices:
            store.erase(index)


def replay_json(state: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = root.run(["replay", str(state), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_erased_readings_are_no_conviction_and_no_agreement(honest, tmp_path, capsys) -> None:
    """What followed from them cannot be checked; from the next snapshot on everything is again."""
    inputs = [index for index, item in enumerate(honest) if item.type == "readings"]
    snapshots = places(honest, "snapshot")
    state = write_ledger(tmp_path / "erased", honest)
    erase(state, inputs[1])
    code, document = replay_json(state, capsys)
    assert code == 0
    assert f"entry {inputs[1]}: the payload of this readings entry was erased" in document["cannot_check"][0]
    after = [index for kind in ("scale", "steer", "snapshot") for index in places(honest, kind)]
    later = next(snapshot for snapshot in snapshots if snapshot > inputs[1])
    assert document["unchecked"] == len([index for index in after if inputs[1] < index <= later])
    assert sum(document["agreed"].values()) == len(after) - document["unchecked"]
    assert f"entry {later}: this snapshot is taken as recorded" in document["cannot_check"][1]


def test_behind_erased_readings_nothing_hides_beyond_the_next_snapshot(honest, tmp_path, capsys) -> None:
    inputs = [index for index, item in enumerate(honest) if item.type == "readings"]
    index = places(honest, "scale")[-1]
    state = write_ledger(tmp_path / "erased", altered(honest, index, one_weight_by_an_ulp))
    erase(state, inputs[1])
    code, document = replay_json(state, capsys)
    assert code == 4
    assert document["index"] == index


@pytest.mark.parametrize("kind", ["scale", "steer", "snapshot"])
def test_an_erased_decision_cannot_be_checked_and_the_others_are(kind: str, honest, tmp_path, capsys) -> None:
    index = places(honest, kind)[0]
    state = write_ledger(tmp_path / "erased", honest)
    erase(state, index)
    code, document = replay_json(state, capsys)
    assert (code, document["unchecked"]) == (0, 1)
    assert document["cannot_check"] == [f"entry {index}: the payload of this {kind} entry was erased"]
    assert document["agreed"][kind] == len(places(honest, kind)) - 1


def test_an_erased_configuration_leaves_all_unchecked(honest, tmp_path, capsys) -> None:
    state = write_ledger(tmp_path / "erased", honest)
    erase(state, 0)
    code, document = replay_json(state, capsys)
    assert (code, document["agreed"]) == (0, {})
    assert document["unchecked"] == len([item for item in honest if item.stream == STREAM])


def test_a_version_of_tomorrow_cannot_be_checked(honest, replayed) -> None:
    index = places(honest, "scale")[1]
    newer = [*honest[:index], Item(STREAM, "scale", {"all": "new"}, version=2), *honest[index + 1 :]]
    code, out, _ = replayed(newer)
    assert code == 0
    assert f"cannot check: entry {index}: scale of version 2 is not known here" in out
    assert "not checked: 1 recorded decisions" in out


def test_rules_of_tomorrow_cannot_be_checked(honest, replayed) -> None:
    forged = [honest[0].changed(lambda payload: payload["rules"].update(version=5)), *honest[1:]]
    code, out, _ = replayed(forged)
    assert code == 0
    assert "rules of version 5, this software knows versions 1, 2, 3 and 4" in out
    assert "replayed: no decisions" in out


def test_rules_of_tomorrow_by_which_nothing_was_decided_change_nothing(honest, replayed) -> None:
    """Somebody's garbage in the configuration's stream: the timekeeper records its own again, and all is checked."""
    at = places(honest, "scale")[2] - 1
    junk = Item("config", "config", {"rules": {"version": 99}})
    forged = renumbered(honest, [*honest[:at], junk, honest[0].changed(lambda payload: None), *honest[at:]])
    code, out, err = replayed(forged)
    assert code == 0, err
    assert "not checked" not in out
