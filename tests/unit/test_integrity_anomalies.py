"""The anomaly detectors: what they tell of each kind, whom they blame, what they keep quiet about."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
from tests.fakes.clock_anomalies import (
    INTERVAL_S,
    SIGMA_S,
    START_NS,
    all_but,
    quiet_laboratory,
    with_step,
)

from timeball.integrity.anomalies import (
    Anomaly,
    AnomalyError,
    AnomalyRules,
    DetectorState,
    Record,
    find_in_record,
)
from timeball.integrity.anomalies.live import advance_phases
from timeball.integrity.anomalies.record import lone_readings

RULES = AnomalyRules(interval_s=INTERVAL_S, levels=3)
AT = 600
LATE = 2000


def live(record: Record, rules: AnomalyRules = RULES, pieces: int = 1) -> tuple[DetectorState, list[Anomaly]]:
    state, told = DetectorState.empty(), []
    for part in np.array_split(np.arange(len(record.epochs)), pieces):
        state, new = advance_phases(
            state,
            rules,
            record.epochs[part],
            record.clocks,
            record.x[part],
            record.links,
            record.reference,
            outside=record.outside,
        )
        told += new
    return state, told


def index_of(anomaly: Anomaly) -> int:
    return round((anomaly.epoch - START_NS) / (INTERVAL_S * 1e9))


def only(found: list[Anomaly]) -> Anomaly:
    assert len(found) == 1, [each.words for each in found]
    return found[0]


def test_quiet_clocks_are_left_alone() -> None:
    for seed in range(4):
        assert live(quiet_laboratory(seed))[1] == [], seed


@pytest.mark.parametrize("sign", [1, -1])
def test_a_phase_step_of_one_clock(sign: int) -> None:
    told = only(live(with_step(quiet_laboratory(1), AT, ("C3",), phase_s=sign * 12 * SIGMA_S))[1])
    assert (told.kind, told.origin, told.clocks, told.link) == ("phase step", "clock", ("C3",), None)
    assert index_of(told) == AT
    assert abs(told.size - sign * 12 * SIGMA_S) < 3.5 * told.u_size
    assert 0.9 * SIGMA_S < told.u_size < 1.5 * SIGMA_S
    # seen within the longest wait of the shortest window, and told as of then
    assert 0 < (told.found - told.epoch) / (INTERVAL_S * 1e9) <= 12
    assert told.readmit > told.found
    assert "phase step of " in told.words
    assert told.words.endswith("clock C3 alone moved")


def test_a_rate_step_far_below_what_one_epoch_shows() -> None:
    # 1.6 sigma of one epoch: hardly a single prediction error is out of the ordinary
    rate = 1.6 * SIGMA_S / INTERVAL_S
    told = only(live(with_step(quiet_laboratory(2, epochs=2500), LATE, ("C4",), rate=rate))[1])
    assert (told.kind, told.origin, told.clocks) == ("rate step", "clock", ("C4",))
    assert abs(told.size - rate) < 3.5 * told.u_size
    assert abs(index_of(told) - LATE) * INTERVAL_S <= 3 * told.u_epoch_s


def test_a_step_of_a_link_is_not_blamed_on_its_clocks() -> None:
    record = quiet_laboratory(3)
    told = only(live(with_step(record, AT, ("C5", "C6", "C7"), phase_s=10 * SIGMA_S))[1])
    assert (told.kind, told.origin, told.link, told.clocks) == ("phase step", "link", "L1", ("C5", "C6", "C7"))
    assert "the 3 clocks of link L1 moved alike" in told.words


def test_one_clock_of_a_link_is_not_blamed_on_the_link() -> None:
    told = only(live(with_step(quiet_laboratory(3), AT, ("C6",), phase_s=10 * SIGMA_S))[1])
    assert (told.origin, told.clocks) == ("clock", ("C6",))


@pytest.mark.parametrize("what", [{"phase_s": 10 * SIGMA_S}, {"rate": 4 * SIGMA_S / INTERVAL_S}])
def test_when_all_others_move_alike_it_is_the_reference(what: dict[str, float]) -> None:
    record = quiet_laboratory(4)
    told = only(live(with_step(record, AT, all_but(record, "C0"), **what))[1])
    assert (told.origin, told.clocks) == ("reference", ("C0",))
    # all others went ahead, so the reference fell behind
    assert told.size < 0


def test_against_an_outside_reference_what_all_share_is_the_references() -> None:
    record = dataclasses.replace(quiet_laboratory(5), links={}, reference="UTC(USNO)", outside=True)
    told = only(live(with_step(record, AT, record.clocks, phase_s=8 * SIGMA_S))[1])
    assert (told.origin, told.clocks) == ("reference", record.clocks)
    told = only(live(with_step(record, AT, ("C2",), phase_s=8 * SIGMA_S))[1])
    assert (told.origin, told.clocks) == ("clock", ("C2",))


def test_of_two_clocks_nobody_is_named() -> None:
    record = with_step(quiet_laboratory(6, clocks=2), AT, ("C1",), phase_s=20 * SIGMA_S)
    assert "which of them cannot be told" in only(live(record)[1]).words


def test_a_bad_reading_is_no_anomaly() -> None:
    record = quiet_laboratory(7, missing=0.0)
    record.x[AT, 3] += 100 * SIGMA_S
    assert live(record)[1] == []


def test_a_missing_week_is_no_anomaly() -> None:
    record = quiet_laboratory(8)
    record.x[500:668, 3] = np.nan
    assert live(record)[1] == []


def test_louder_noise_is_a_change_of_noise_and_no_row_of_steps() -> None:
    record = quiet_laboratory(9, epochs=1200, missing=0.0)
    record.x[AT:, 2] += np.cumsum(np.random.default_rng(9).normal(scale=3 * SIGMA_S, size=1200 - AT))
    told = live(record)[1]
    first = next(each for each in told if each.kind == "variance")
    assert (first.origin, first.clocks) == ("clock", ("C2",))
    assert first.size > 1.8
    assert len([each for each in told if each.kind != "variance"]) <= 4, [each.words for each in told]


def test_a_drift_that_begins_is_told_as_one_and_once() -> None:
    record = quiet_laboratory(10, epochs=1600, missing=0.0)
    since_s = np.maximum(np.arange(1600) - 700, 0) * INTERVAL_S
    drift = 0.05 * SIGMA_S / INTERVAL_S**2
    record.x[:, 4] += 0.5 * drift * since_s**2
    told = live(record)[1]
    assert {each.clocks for each in told} == {("C4",)}
    drifts = [each for each in told if each.kind == "drift"]
    assert drifts, [each.words for each in told]
    assert sum(each.size for each in drifts) == pytest.approx(drift, rel=0.35)
    assert len(told) <= 4, [each.words for each in told]


def test_a_clock_that_always_drifted_is_left_alone() -> None:
    record = quiet_laboratory(11, epochs=1600)
    t_s = np.arange(1600) * INTERVAL_S
    record.x[:, 4] += 0.5 * 2.0 * SIGMA_S / INTERVAL_S**2 / 100 * t_s**2
    assert [each.words for each in live(record)[1]] == []


def test_a_clock_is_trusted_again_after_a_while() -> None:
    record = with_step(quiet_laboratory(1), AT, ("C3",), phase_s=12 * SIGMA_S)
    told = only(live(record)[1])
    cut = int(np.searchsorted(record.epochs, told.found)) + 1
    early, _ = live(dataclasses.replace(record, epochs=record.epochs[:cut], x=record.x[:cut]))
    assert early.held_until("C3") == told.readmit
    assert early.held_until("C4") is None
    assert early.held_until("nobody") is None
    late, _ = live(record)
    assert late.held_until("C3") is None


def test_a_record_is_measured_from_both_sides() -> None:
    rate = 1.6 * SIGMA_S / INTERVAL_S
    record = with_step(quiet_laboratory(2, epochs=2500), LATE, ("C4",), rate=rate)
    seen, whole = only(live(record)[1]), only(find_in_record(record))
    assert whole.u_size < seen.u_size
    assert abs(whole.size - rate) < 3.5 * whole.u_size
    assert abs(index_of(whole) - LATE) <= 6


def test_a_record_that_steps_before_anything_is_known_live() -> None:
    record = with_step(quiet_laboratory(12), 20, ("C3",), phase_s=15 * SIGMA_S)
    told = only(find_in_record(record))
    assert (index_of(told), told.clocks) == (20, ("C3",))


def test_one_call_or_many_give_the_same_bits() -> None:
    record = with_step(quiet_laboratory(13), AT, ("C5", "C6", "C7"), rate=4 * SIGMA_S / INTERVAL_S)
    whole_state, whole = live(record)
    state, told = live(record, pieces=37)
    assert told == whole
    assert state.to_payload() == whole_state.to_payload()


def test_the_state_survives_the_ledger() -> None:
    record = with_step(quiet_laboratory(14), 400, ("C3",), phase_s=15 * SIGMA_S)
    half = 403  # in the middle of an alarm
    state, first = advance_phases(
        DetectorState.empty(), RULES, record.epochs[:half], record.clocks, record.x[:half], record.links, "C0"
    )
    payload = json.loads(json.dumps(state.to_payload()))
    assert not [value for value in flat(payload) if isinstance(value, float)]
    back = DetectorState.from_payload(payload)
    _, second = advance_phases(back, RULES, record.epochs[half:], record.clocks, record.x[half:], record.links, "C0")
    assert first + second == live(record)[1] != []


def flat(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in flat(each)]
    return [leaf for each in value for leaf in flat(each)] if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("clocks", "C1"),
        ("clocks", ["b", "a"]),
        ("levels", 1000),
        ("levels", "2"),
        ("ring_fs", ["1"]),
        ("mean", None),
        ("count", ["x"]),
        ("epoch", "soon"),
    ],
)
def test_what_is_no_state_is_refused(field: str, value: object) -> None:
    payload = live(quiet_laboratory(1, epochs=50))[0].to_payload() | {field: value}
    with pytest.raises(AnomalyError):
        DetectorState.from_payload(payload)


@pytest.mark.parametrize(
    "field", [{"interval_s": 0.0}, {"threshold": -1.0}, {"levels": 0}, {"levels": 99}, {"memory": 3}]
)
def test_rules_that_cannot_be_meant_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(AnomalyError, match=next(iter(field))):
        AnomalyRules(**field)  # type: ignore[arg-type]


def test_short_cells_ask_for_more_sigmas() -> None:
    """A normal's tail beyond the limit falls fourfold, as cells four times as short are four times as many."""
    limits = AnomalyRules(interval_s=60.0, levels=5).thresholds()
    tails = [math.erfc(limit / math.sqrt(2.0)) for limit in limits]
    assert limits[3:] == [5.0, 5.0]
    for shorter, longer in itertools.pairwise(tails[:4]):
        assert longer / shorter == pytest.approx(4.0, rel=0.2)
    assert AnomalyRules(interval_s=3600.0, threshold=6.0, levels=2).thresholds() == [6.0, 6.0]


def test_epochs_go_forward() -> None:
    record = quiet_laboratory(1, epochs=50)
    state, _ = live(record)
    with pytest.raises(AnomalyError, match="is not after"):
        advance_phases(state, RULES, record.epochs, record.clocks, record.x, {}, None)
    with pytest.raises(AnomalyError, match="stands after"):
        live(dataclasses.replace(record, epochs=record.epochs[::-1].copy()))
    with pytest.raises(AnomalyError, match="at least 40"):
        find_in_record(quiet_laboratory(1, epochs=30))


def test_clocks_join_and_links_change() -> None:
    record = quiet_laboratory(15)
    state, told = advance_phases(
        DetectorState.empty(), RULES, record.epochs[:300], record.clocks[2:], record.x[:300, 2:], {}, None
    )
    state, more = advance_phases(state, RULES, record.epochs[300:], record.clocks, record.x[300:], record.links, "C0")
    assert told + more == []
    assert state.clocks == record.clocks
    assert state.links == ("L1",)


def test_the_payload_of_an_anomaly_holds_no_float() -> None:
    for what in ({"phase_s": 12 * SIGMA_S}, {"rate": 4 * SIGMA_S / INTERVAL_S}):
        payload = only(live(with_step(quiet_laboratory(1), AT, ("C3",), **what))[1]).to_payload()
        assert not [leaf for leaf in flat(payload) if isinstance(leaf, float)]
        assert int(payload["epoch"]) > START_NS
        assert ("size_fs" in payload) == ("phase_s" in what)


def test_a_lone_reading_of_a_record_is_no_step_of_rate() -> None:
    """One wild reading of C3, 2000 sigma off, where the clock is also stepped by 30: the step is told, and no more."""
    record = with_step(quiet_laboratory(1), AT, ("C3",), phase_s=30 * SIGMA_S)
    assert not lone_readings(record).any(), "a step is none"
    wild = record.x.copy()
    column = record.clocks.index("C3")
    wild[AT - 1, column] += 2000 * SIGMA_S
    record = dataclasses.replace(record, x=wild)
    assert np.argwhere(lone_readings(record)).tolist() == [[AT - 1, column]]
    told = only(find_in_record(record))
    assert (told.kind, told.clocks) == ("phase step", ("C3",))
    assert told.size == pytest.approx(30 * SIGMA_S, abs=6 * SIGMA_S)
    assert abs(index_of(told) - AT) <= 1
