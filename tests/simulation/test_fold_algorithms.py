"""Rules of version 3 over days of the default laboratory: who carries TA(k), what runs beside it, who takes over.

Physics as in test_station_timekeeping: five caesium clocks and three masers through 3 ps, UTC each hour through 1 ns.
To be quick the laboratory is read every ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import BRISK, HOUR, Fold, Item, of_type, write_ledger

from timeball.ledger import canonical
from timeball.readings import Readings
from timeball.station.configuration.settings import Config, Ensemble
from timeball.station.fold.follow import Follower
from timeball.station.fold.replay import ReplayError, replay
from timeball.station.fold.rules import config_payload
from timeball.station.fold.running import states_payload
from timeball.station.fold.timekeeping import CONFIG, STREAM, Decision, Timekeeping
from timeball.station.fold.versions import NEWEST

STEP_S = 600.0
NO_JUMP_S = 0.1e-9
"""A takeover may not move UTC(k): well below what the link to UTC could show (1 ns)."""


def ensemble(**settings: Any) -> Ensemble:
    return Ensemble(interval_s=STEP_S, snapshot_every=6, algos_window_s=6 * 3600.0, **settings)


def thinned(readings: Readings) -> Readings:
    return readings.take(readings.epoch % int(STEP_S * 1e9) == 0)


def lived(hours: int, **settings: Any) -> Fold:
    fold = Fold(Config(steering=BRISK, ensemble=ensemble(**settings)))
    print(f"seed {fold.seed}")
    fold.live(hours, thinned)
    return fold


@pytest.fixture(scope="module")
def beside() -> Fold:
    return lived(60, beside=("algos", "kalman"))


def test_all_three_stand_beside_each_other(beside: Fold) -> None:
    plain = lived(60)
    scales, others = of_type(beside.decisions, "scale"), of_type(beside.decisions, "beside")
    alone = of_type(plain.decisions, "scale")
    assert [{**one, "readings": 0} for one in scales] == [{**one, "readings": 0} for one in alone]
    assert [other["algorithm"] for other in others[:2]] == ["ALGOS", "Kalman"]
    assert len(others) == 2 * len(scales)
    newest = {other["algorithm"]: other for other in others[-2:]}
    for name, most_s in (("ALGOS", 20e-9), ("Kalman", 20e-9)):
        apart = [int(x) / 1e15 for x in newest[name]["minus_ta_fs"]]
        assert 0.0 < max(map(abs, apart)) < most_s, name
        assert sum(map(float, newest[name]["weights"][-1])) == pytest.approx(1.0)


def test_the_difference_is_that_of_the_phases(beside: Fold) -> None:
    """minus_ta is x_i against TA(k) minus x_i against the other scale, for every clock that AT1 and ALGOS read."""
    scale = of_type(beside.decisions, "scale")[-1]
    other = [payload for payload in of_type(beside.decisions, "beside") if payload["algorithm"] == "ALGOS"][-1]
    for row, against, apart in zip(scale["x_fs"], other["x_fs"], other["minus_ta_fs"], strict=True):
        assert len(row) == 9
        assert all(abs(int(x) - int(o) - int(apart)) <= 2 for x, o in zip(row, against, strict=True))


def test_a_replay_makes_all_of_it_again(beside: Fold, tmp_path: Path) -> None:
    report = replay(write_ledger(tmp_path, beside.entries))
    assert (report.agreed["scale"], report.agreed["beside"], report.pending) == (60, 120, 0)
    assert report.cannot_check == []


def nudge(path: str) -> Callable[[Any], None]:
    """Change one recorded figure by 2 fs, or one word."""

    def change(payload: Any) -> None:
        inside = payload[path]
        while isinstance(inside[0], list):
            inside = inside[0]
        inside[0] = str(int(inside[0]) + 2) if path.endswith("_fs") else "0.5"

    return change


@pytest.mark.parametrize("field", ["x_fs", "minus_ta_fs", "weights", "rates"])
def test_a_forged_step_beside_is_convicted(beside: Fold, tmp_path: Path, field: str) -> None:
    at = [place for place, item in enumerate(beside.entries) if item.type == "beside"][-1]
    forged = [*beside.entries]
    forged[at] = forged[at].changed(nudge(field))
    with pytest.raises(ReplayError, match=f"entry {at}: "):
        replay(write_ledger(tmp_path, forged))


def test_from_any_snapshot_all_of_them_continue_bit_for_bit(beside: Fold) -> None:
    snapshots = [one for one in beside.decisions if one.type == "snapshot"]
    assert {one.version for one in snapshots} == {NEWEST}
    assert len(snapshots) == 1, "54 scale entries for nine clocks: a covariance is not written every six"
    for taken in snapshots:
        payload = canonical.decode(canonical.encode(taken.payload))
        keeper = Timekeeping.from_snapshot(payload, beside.keeper.rules)
        again: list[Decision] = []
        for index, by, kind, entry in beside.inputs:
            if index > keeper.memory.through:
                again += keeper.take(index, by, kind, entry)
        assert again == [one for one in beside.decisions if one.seq > taken.seq]
        assert states_payload(keeper.states) == states_payload(beside.keeper.states)


@pytest.fixture(scope="module")
def taken_over() -> Fold:
    """Two days by AT1, then Kalman is named, which has not run before."""
    fold = lived(48)
    fold.reconfigure(ensemble(algorithm="kalman"))
    fold.live(30, thinned)
    return fold


def test_another_algorithm_takes_over_when_it_has_learned(taken_over: Fold) -> None:
    algorithms = [payload["algorithm"] for payload in of_type(taken_over.decisions, "scale")]
    over = [payload for payload in of_type(taken_over.decisions, "scale") if "takeover" in payload]
    assert len(over) == 1
    at = algorithms.index("Kalman")
    assert set(algorithms[:at]) == {"AT1"}
    assert set(algorithms[at:]) == {"Kalman"}
    assert at > 48, "it must learn its clocks first"
    assert (over[0]["takeover"]["from"], over[0]["takeover"]["to"]) == ("AT1", "Kalman")
    assert set(taken_over.keeper.states) == {"kalman"}


def test_utck_goes_on_through_the_takeover(taken_over: Fold) -> None:
    """UTC(k) − UTC as read before and after, the output's residual, and the truth: no step, and no jump of rate."""
    scales = of_type(taken_over.decisions, "scale")
    at = next(place for place, payload in enumerate(scales) if "takeover" in payload)
    residuals = [int(payload["output"]["residual_fs"][-1]) / 1e15 for payload in scales]
    assert abs(residuals[at + 1] - residuals[at]) < NO_JUMP_S
    assert max(map(abs, residuals[at + 1 : at + 4])) < 0.5e-9
    moved = abs(float(scales[at]["takeover"]["x_s"]))
    assert moved > 10 * NO_JUMP_S, "the two scales are not the same, so continuity is somebody's work"
    steers = [payload for payload in of_type(taken_over.decisions, "steer") if payload["estimate"] is not None]
    offsets = [float(payload["estimate"]["x_s"]) for payload in steers]
    assert max(abs(b - a) for a, b in zip(offsets[-4:], offsets[-3:], strict=False)) < 5e-9


def test_the_takeover_replays_and_a_follower_arrives_where_the_fold_is(taken_over: Fold, tmp_path: Path) -> None:
    state = write_ledger(tmp_path, taken_over.entries)
    report = replay(state)
    assert (report.agreed["scale"], report.pending, report.cannot_check) == (78, 0, [])
    follower = Follower(state)
    list(follower.take())
    assert follower.take_complaints() == []
    assert follower.keeper.memory.to_payload() == taken_over.keeper.memory.to_payload()
    assert states_payload(follower.keeper.states) == states_payload(taken_over.keeper.states)


def test_a_takeover_that_was_left_out_is_convicted(taken_over: Fold, tmp_path: Path) -> None:
    entries = [
        item.changed(lambda payload: payload.pop("takeover")) if "takeover" in (item.payload or {}) else item
        for item in taken_over.entries
    ]
    with pytest.raises(ReplayError, match="takeover"):
        replay(write_ledger(tmp_path, entries))


def test_a_new_ledger_may_begin_with_any_algorithm() -> None:
    fold = lived(8, algorithm="kalman")
    assert {payload["algorithm"] for payload in of_type(fold.decisions, "scale")} == {"Kalman"}
    assert fold.keeper.memory.carrier == "kalman"


def test_going_back_to_old_rules_begins_utck_where_the_output_is(taken_over: Fold, tmp_path: Path) -> None:
    """Rules of version 2 know only AT1: who goes back before AT1 carries TA(k) again loses the rate, not the time."""
    payload = config_payload(taken_over.config, 2)
    now = taken_over.entries[-1].time_ns
    items = [
        *taken_over.entries,
        Item(CONFIG, "upgrade", {"from": NEWEST, "to": 2, "software": "", "why": ""}, 1, now),
        Item(CONFIG, "config", payload, 2, now),
    ]
    readings = next(item for item in reversed(taken_over.entries) if item.type == "readings")
    keeper = Timekeeping()
    for index, item in enumerate(items):
        if item.stream != STREAM:
            keeper.take(index, item.stream, item.type, item.payload, item.time_ns)
    assert keeper.memory.carrying == "kalman"
    later = canonical.decode(canonical.encode(readings.payload))["batch"]
    later["epochs"] = [str(int(epoch) + HOUR) for epoch in later["epochs"]]
    decisions = keeper.take_readings(len(items), later, now + 2 * HOUR)
    assert decisions[0].payload["algorithm"] == "AT1"
    assert decisions[0].payload["output"]["residual_fs"][0] == "0"
    assert (keeper.memory.carrier, keeper.memory.commissioned) == (None, None)
