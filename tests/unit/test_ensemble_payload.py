"""What the ledger gets from the ensemble: exact, without floats, and compared without mercy."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.ensemble.errors import EnsembleError, ReplayMismatch, StateError
from timeball.ensemble.replay import compare_payloads
from timeball.ensemble.steps import femtoseconds, si_time
from timeball.readings import PhaseTable

RULES = AT1Parameters(memory_s=1e5, min_epochs=15, interval_s=300.0, tau_min_s=2e4, zero_weight=("OUT",))


def table(seed: int = 1, m: int = 80) -> PhaseTable:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 1e-11, (m, 4)), axis=0)
    x[40:, 1] += 2e-8
    x[50, 2] = np.nan
    x -= x[:, [0]]
    epochs = (1_700_000_000 + 300 * np.arange(m, dtype=np.int64)) * 10**9
    return PhaseTable(epochs, ("A", "B", "C", "OUT"), x, np.zeros(m, dtype=np.int32), "A")


def holds_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_float(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_float(item) for item in value)
    return isinstance(value, float)


def test_a_state_comes_back_from_json_to_the_last_bit() -> None:
    state, _ = advance(AT1State.empty(), RULES, table())
    payload = state.to_payload()
    assert not holds_float(payload)
    back = AT1State.from_payload(json.loads(json.dumps(payload)))
    assert back.to_payload() == payload
    for name in ("x", "y", "d", "eps2", "seen", "streak_s"):
        assert getattr(back, name).tobytes() == getattr(state, name).tobytes()
        assert getattr(back, name).dtype == getattr(state, name).dtype
    assert back.epoch == state.epoch


def test_the_empty_state_comes_back_too() -> None:
    back = AT1State.from_payload(json.loads(json.dumps(AT1State.empty().to_payload())))
    assert back.epoch is None
    assert back.clocks == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"algorithm": "AT2"}, "AT1"),
        ({"x": ["0.0"]}, "'x'"),
        ({"eps2": ["0.0", "zero", "0.0", "0.0"]}, "'eps2'"),
        ({"learned": None}, "'learned'"),
        ({"clocks": ["B", "A", "C", "OUT"]}, "order"),
        ({"clocks": [1, "A", "C", "OUT"]}, "'clocks'"),
        ({"clocks": None}, "'clocks'"),
        ({"epoch": "noon"}, "'epoch'"),
        ({"seen": ["1", "2", "3", str(2**64)]}, "'seen'"),
    ],
)
def test_a_payload_that_is_no_state_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    state, _ = advance(AT1State.empty(), RULES, table())
    with pytest.raises(StateError, match=field):
        AT1State.from_payload({**state.to_payload(), **change})


def test_the_steps_of_a_batch_have_no_floats_and_tell_only_what_is_out_of_the_ordinary() -> None:
    _, steps = advance(AT1State.empty(), RULES, table())
    payload = steps.to_payload()
    assert not holds_float(payload)
    assert payload["algorithm"] == "AT1"
    assert payload["version"] == 1
    assert payload["clocks"] == ["A", "B", "C", "OUT"]
    epochs = payload["epochs"]
    assert epochs[0] == "1700000000000000000"
    assert payload["x_fs"][50][2] is None
    assert payload["errors_fs"][50][2] is None
    assert int(payload["x_fs"][60][1]) == round(steps.x[60, 1] * 1e15)
    assert float(payload["weights"][60][1]) == steps.weight[60, 1]
    assert payload["reasons"][epochs[50]] == {"C": "missing"}
    assert "left out" in payload["reasons"][epochs[40]]["B"]
    assert payload["reasons"][epochs[41]]["B"].startswith("phase step of 20")
    assert epochs[70] not in payload["reasons"]
    assert "OUT" not in {clock for told in payload["reasons"].values() for clock in told}


def test_the_same_steps_compare_equal() -> None:
    _, steps = advance(AT1State.empty(), RULES, table())
    compare_payloads(json.loads(json.dumps(steps.to_payload())), steps.to_payload())


def test_a_phase_may_differ_by_one_femtosecond_and_no_more() -> None:
    _, steps = advance(AT1State.empty(), RULES, table())
    recorded = steps.to_payload()
    recorded["x_fs"][7][1] = str(int(recorded["x_fs"][7][1]) + 1)
    compare_payloads(recorded, steps.to_payload())
    recorded["x_fs"][7][1] = str(int(recorded["x_fs"][7][1]) + 1)
    with pytest.raises(ReplayMismatch) as caught:
        compare_payloads(recorded, steps.to_payload())
    assert (caught.value.clock, caught.value.field) == ("B", "x_fs")
    assert caught.value.epoch == str(1_700_000_000 * 10**9 + 7 * 300 * 10**9)
    assert recorded["x_fs"][7][1] in str(caught.value)
    assert steps.to_payload()["x_fs"][7][1] in str(caught.value)


def forge(payload: dict[str, Any], field: str) -> None:
    if field == "weights":
        weight = float(payload["weights"][60][1])
        payload["weights"][60][1] = repr(np.nextafter(weight, 1.0).item())
    elif field == "codes":
        payload["codes"][60][1] = 4
    elif field == "errors_fs":
        payload["errors_fs"][50][2] = "0"
    elif field == "x_fs":
        payload["x_fs"][60][0] = "not a number"
    elif field == "reasons":
        payload["reasons"][payload["epochs"][40]]["B"] = "maintenance"
    elif field == "clocks":
        payload["clocks"][0] = "Q"
    elif field == "epochs":
        payload["epochs"][0] = "1"
    elif field == "version":
        payload["version"] = 2


@pytest.mark.parametrize("field", ["weights", "codes", "errors_fs", "x_fs", "reasons", "clocks", "epochs", "version"])
def test_any_forged_decision_is_found(field: str) -> None:
    _, steps = advance(AT1State.empty(), RULES, table())
    recorded = copy.deepcopy(steps.to_payload())
    forge(recorded, field)
    with pytest.raises(ReplayMismatch, match=field):
        compare_payloads(recorded, steps.to_payload())


@pytest.mark.parametrize("field", ["weights", "codes", "errors_fs", "x_fs"])
def test_rows_that_were_taken_out_are_found(field: str) -> None:
    _, steps = advance(AT1State.empty(), RULES, table())
    short, narrow = steps.to_payload(), steps.to_payload()
    short[field].pop()
    narrow[field][3].pop()
    for recorded in (short, narrow, {key: value for key, value in steps.to_payload().items() if key != field}):
        with pytest.raises(ReplayMismatch, match=field):
            compare_payloads(recorded, steps.to_payload())


def test_a_mismatch_is_an_ensemble_error() -> None:
    assert issubclass(ReplayMismatch, EnsembleError)


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(4.7e-9, "4.7 ns"), (-382e-12, "-382 ps"), (0.99999e-9, "1 ns"), (2.5, "2.5 s"), (1e-3, "1 ms"), (3e-15, "3 fs")],
)
def test_times_are_told_in_the_unit_that_reads_well(value_s: float, text: str) -> None:
    assert si_time(value_s) == text


def test_femtoseconds_are_whole_and_unknown_is_null() -> None:
    assert femtoseconds(1.23456e-9) == "1234560"
    assert femtoseconds(float("nan")) is None
