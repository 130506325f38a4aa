"""ALGOS in small: how a clock comes to its weight, what a step does to it, what it is told in words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from timeball.ensemble import codes
from timeball.ensemble.algorithms import ALGORITHMS, algorithm
from timeball.ensemble.algos import ALGOSParameters, ALGOSState, advance
from timeball.ensemble.algos.batch import fit_parameters, run_algos
from timeball.ensemble.errors import EnsembleError, StateError
from timeball.ensemble.replay import compare_payloads
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

TAU_S = 300
WINDOW = 20  # epochs
RULES = ALGOSParameters(window_s=WINDOW * float(TAU_S), interval_s=TAU_S)


def table_of(x: np.ndarray) -> PhaseTable:
    epochs = (2 * 86_400 + TAU_S * np.arange(len(x), dtype=np.int64)) * 10**9
    names = tuple(f"C{j}" for j in range(x.shape[1]))
    pivot = np.argmax(np.isfinite(x), axis=1)
    return PhaseTable(epochs, names, x - x[np.arange(len(x)), pivot][:, None], pivot.astype(np.int32), "C0")


def white(seed: int, n: int = 5, m: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 1e-11, (m, n)), axis=0) + np.outer(np.arange(m), rng.normal(0, 1e-9, n))


def live(x: np.ndarray, rules: ALGOSParameters = RULES) -> Steps:
    return advance(ALGOSState.empty(), rules, table_of(x))[1]


def test_it_is_one_of_the_algorithms() -> None:
    assert "algos" in ALGORITHMS
    assert algorithm("algos").name == "ALGOS"


def test_weights_are_shared_anew_when_a_window_begins_and_at_no_other_epoch() -> None:
    steps = live(white(1))
    changed = np.flatnonzero((np.diff(steps.weight[8 * WINDOW :], axis=0) != 0).any(axis=1)) + 8 * WINDOW + 1
    # an interval belongs to the window its middle lies in: the first one of a window ends one epoch after its start
    assert len(changed)
    assert (changed % WINDOW == 1).all()


def test_a_clock_that_joins_has_no_weight_before_five_windows_foretold() -> None:
    x = white(2)
    x[: 8 * WINDOW, 4] = np.nan
    steps = live(x)
    assert steps.reason(8 * WINDOW, 4) == "joined: first reading, phase taken"
    # one window to know its rate, five to be judged by
    assert (steps.weight[: 14 * WINDOW + 1, 4] == 0).all()
    assert (steps.weight[14 * WINDOW + 1 :, 4] > 0).all()
    assert steps.reason(12 * WINDOW + 5, 4) == "weight 0: judged by 3 of 5 windows"


def test_coming_and_going_leave_phase_and_rate_of_the_scale_as_they_were() -> None:
    x = white(3)
    gone = x.copy()
    gone[10 * WINDOW : 13 * WINDOW, 2] = np.nan
    gone[15 * WINDOW :, 1] = np.nan
    whole, less = live(x), live(gone)
    apart = less.x[:, 0] - whole.x[:, 0]
    # 1e-11 of white noise an epoch in each clock: no step beyond a few of it
    assert np.abs(np.diff(apart)).max() < 2e-11
    assert less.reason(13 * WINDOW, 2) == "back after 1.83e+04 s: phase taken, weight 0 at this epoch"


def test_no_weight_is_above_four_over_n() -> None:
    x = white(4, n=10)
    x[:, :2] = np.outer(np.arange(len(x)), [1e-9, 2e-9]) + x[:, :2] / 1e3
    steps = live(x)
    # where a reading is left out, what it leaves goes to the others in proportion
    complete = ~np.isin(steps.code, (codes.LEFT_OUT, codes.CAME_BACK)).any(axis=1)
    complete[: 8 * WINDOW] = False
    assert steps.weight[complete].max() <= 0.4 * 1.000001
    assert steps.reason(350, 0) == "weight at the cap of 0.40"


def test_a_rate_step_suspends_the_clock_until_the_window_ends() -> None:
    x = white(5)
    at = 10 * WINDOW + 8
    x[at:, 1] += 3e-10 * np.arange(1, len(x) - at + 1)
    steps = live(x)
    words = [steps.state_word(i, 1) for i in range(at, at + 4)]
    assert words == ["left out", "left out", "rate step", "suspended"]
    assert steps.figure[at + 2, 1] == pytest.approx(1e-12, rel=0.2)
    assert (steps.weight[at : 11 * WINDOW + 1, 1] == 0).all()
    # the window counts as badly foretold, cut to five sigma: less weight, but not for ever
    before, after = steps.weight[at - 1, 1], steps.weight[11 * WINDOW + 2, 1]
    assert 0 < after < before / 2
    quiet = live(white(5))
    assert np.abs(np.diff((steps.x - quiet.x)[:, 0])).max() < 2e-11


def test_a_phase_step_is_absorbed_and_is_no_rate() -> None:
    x = white(6)
    x[10 * WINDOW + 5 :, 3] += 5e-9
    steps = live(x)
    assert steps.state_word(10 * WINDOW + 5, 3) == "left out"
    assert steps.reason(10 * WINDOW + 6, 3).startswith("phase step of 5 ns: absorbed")
    assert abs(steps.y[11 * WINDOW + 5, 3] - steps.y[10 * WINDOW + 4, 3]) < 5e-14


def test_the_rounds_of_the_bipm_see_a_window_that_the_past_could_not_foretell() -> None:
    # too little to be seen at one epoch (2 sigma), ten sigma over the window: a monthly scale finds out at its end
    x = white(7, n=8)
    x[10 * WINDOW : 11 * WINDOW, 2] += 3e-11 * np.arange(1, WINDOW + 1)
    x[11 * WINDOW :, 2] += 3e-11 * WINDOW
    causal = run_algos(table_of(x), RULES)
    rounds = run_algos(table_of(x), msgspec.structs.replace(RULES, iterations=4))
    inside = slice(10 * WINDOW + 1, 11 * WINDOW)
    assert (causal.steps.weight[inside, 2] > 0.05).all()
    assert rounds.steps.state_word(10 * WINDOW + 5, 2) == "abnormal"
    assert (rounds.steps.weight[inside, 2] == 0).all()
    # afterwards the clock is weighed again, with that window among the others
    assert rounds.steps.weight[13 * WINDOW, 2] > 0


def test_drifts_that_are_given_are_used() -> None:
    x = np.outer(0.5 * (TAU_S * np.arange(400.0)) ** 2, [0, 0, 0, 4e-18]) + white(8, n=4)
    rules = msgspec.structs.replace(RULES, drift_by_clock={"C0": 0.0, "C1": 0.0, "C2": 0.0, "C3": 4e-18})
    state, _ = advance(ALGOSState.empty(), rules, table_of(x))
    assert state.drift.tolist() == [0.0, 0.0, 0.0, 4e-18]


def test_without_any_the_weighted_mean_of_drifts_is_nothing() -> None:
    state, steps = advance(ALGOSState.empty(), RULES, table_of(white(9)))
    assert np.abs(state.drift).min() > 0
    assert (steps.weight[-1] * state.drift).sum() == pytest.approx(0, abs=1e-25)


def test_the_rules_follow_from_the_record() -> None:
    day = fit_parameters(table_of(white(10, m=289)))
    assert (day.window_s, day.interval_s, day.min_windows, day.iterations) == (7200.0, 300.0, 5, 4)
    short = fit_parameters(table_of(white(10, m=21)))
    assert (short.window_s, short.min_windows) == (1200.0, 2)
    months = PhaseTable(
        np.arange(60, dtype=np.int64) * 5 * 86_400 * 10**9, ("A", "B"), white(1, 2, 60), np.zeros(60, np.int32), "A"
    )
    assert fit_parameters(months).window_s is None


@pytest.mark.parametrize("iterations", [0, 4])
def test_a_batch_begins_with_weights_and_rates_from_its_own_data(iterations: int) -> None:
    x = white(11)
    run = run_algos(table_of(x), msgspec.structs.replace(RULES, iterations=iterations))
    assert run.steps.state_word(1, 0) in {"ok", "at cap"}
    rates = np.diff(x[[0, WINDOW]], axis=0)[0] / (WINDOW * TAU_S)
    np.testing.assert_allclose(run.steps.y[1] - run.steps.y[1, 0], rates - rates[0], atol=3e-14)
    assert sum(run.weights.values()) == pytest.approx(1.0)


def test_state_and_steps_go_into_the_ledger_without_a_float() -> None:
    state, steps = advance(ALGOSState.empty(), RULES, table_of(white(12)))
    text = json.dumps([state.to_payload(), steps.to_payload()], allow_nan=False)
    assert not any(isinstance(value, float) for value in flat(json.loads(text)))
    again = ALGOSState.from_payload(json.loads(text)[0])
    assert again.to_payload() == state.to_payload()
    compare_payloads(json.loads(text)[1], steps.to_payload())
    assert msgspec.json.decode(msgspec.json.encode(RULES), type=ALGOSParameters) == RULES


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in flat(each)]
    return [leaf for each in value for leaf in flat(each)] if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version"),
        ({"algorithm": "AT1"}, "not an ALGOS state"),
        ({"x": ["0.0"]}, "'x'"),
        ({"rates": [["0.0"]] * 5}, "'rates'"),
        ({"mids": None}, "'mids'"),
        ({"window": ["1"]}, "'window'"),
        ({"judged": ["a"] * 5}, "'judged'"),
        ({"clocks": ["C1", "C0", "C2", "C3", "C4"]}, "order"),
        ({"clocks": 5}, "'clocks'"),
    ],
)
def test_a_payload_that_is_no_state_is_refused_by_field(change: dict[str, Any], words: str) -> None:
    state, _ = advance(ALGOSState.empty(), RULES, table_of(white(13, m=30)))
    with pytest.raises(StateError, match=words):
        ALGOSState.from_payload({**state.to_payload(), **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window_s": 0.0}, "window_s"),
        ({"window_s": 0.5}, "one second"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"coverage": 1.5}, "coverage"),
        ({"min_windows": 13}, "min_windows"),
        ({"least_drift_windows": 1}, "least_drift_windows"),
        ({"step_epochs": 1}, "step_epochs"),
        ({"iterations": -1}, "iterations"),
        ({"drift_by_clock": {"C0": float("inf")}}, "drift_by_clock"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(EnsembleError, match=words):
        msgspec.structs.replace(RULES, **change)


def test_too_little_is_said_to_be_too_little() -> None:
    with pytest.raises(EnsembleError, match="at least 3 epochs, here are 2"):
        run_algos(table_of(white(14, m=2)))
    with pytest.raises(EnsembleError, match="may carry it"):
        run_algos(table_of(white(14)), msgspec.structs.replace(RULES, zero_weight=("C0", "C1", "C2", "C3", "C4")))
