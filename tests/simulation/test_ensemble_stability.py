"""Simulated ensembles whose truth is known: the scale is better than its best clock, and steps do not get into it.

Physics and limits are declared beside each test; seeds are in the test's name.
"""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.ensemble.at1.batch import run_at1
from timeball.ensemble.scale import leave_one_out
from timeball.readings import PhaseTable
from timeball.simulation.models import MODELS
from timeball.simulation.noise import simulate_phase
from timeball.stability import oadev

HOUR_S = 3600.0


def truth_of(kinds: list[str], m: int, tau0_s: float, rng: np.random.Generator) -> np.ndarray:
    """Phases [m, n] (s) of clocks minus ideal time, with rates of some 1e-13."""
    rates = rng.normal(0, 1e-13, len(kinds))
    columns = [simulate_phase(MODELS[kind], m, tau0_s, rng) for kind in kinds]
    return np.column_stack(columns) + np.outer(np.arange(m) * tau0_s, rates)


def table_of(truth: np.ndarray, tau0_s: float) -> PhaseTable:
    names = tuple(f"C{i:02d}" for i in range(truth.shape[1]))
    epochs = (np.arange(len(truth)) * tau0_s * 1e9).astype(np.int64)
    return PhaseTable(epochs, names, truth - truth[:, [0]], np.zeros(len(truth), dtype=np.int32), "C00")


def sigma(x: np.ndarray, tau0_s: float, factors: list[int]) -> np.ndarray:
    return oadev(x, tau0_s, factors).sigma


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nine_equal_caesium_clocks_make_a_scale_three_times_as_stable_as_one(seed: int) -> None:
    truth = truth_of(["5071A-high-performance"] * 9, 1440, HOUR_S, np.random.default_rng(seed))
    run = run_at1(table_of(truth, HOUR_S))
    scale = truth[:, 0] - run.steps.x[:, 0]
    clocks = np.array([sigma(x, HOUR_S, [1, 4, 16]) for x in truth.T])
    ratio = sigma(scale, HOUR_S, [1, 4, 16]) / np.sqrt(np.mean(clocks**2, axis=0))
    # 1/√9, and something for weights that are estimated and for the chance of the long times
    assert ratio[0] == pytest.approx(1 / 3, rel=0.06)
    assert (ratio < 0.45).all()


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_a_mixed_ensemble_is_at_least_as_good_as_its_best_clock(seed: int) -> None:
    # two passive masers among caesium clocks; cap 0.5, or the caesium clocks had to carry two fifths by rule
    kinds = ["5071A"] * 4 + ["passive-maser"] * 2
    truth = truth_of(kinds, 2016, 600.0, np.random.default_rng(seed))
    rules = AT1Parameters(memory_s=14 * 86400.0, cap=0.5, tau_min_s=2e5, interval_s=600.0)
    run = run_at1(table_of(truth, 600.0), rules)
    scale = sigma(truth[:, 0] - run.steps.x[:, 0], 600.0, [1, 6, 24])
    best = np.min([sigma(x, 600.0, [1, 6, 24]) for x in truth.T], axis=0)
    assert (scale < best).all()
    assert run.weights["C04"] + run.weights["C05"] > 0.95


@pytest.mark.parametrize("seed", [7, 8])
def test_the_live_scale_without_a_fitted_start_is_as_good_after_it_has_learned(seed: int) -> None:
    truth = truth_of(["5071A-high-performance"] * 9, 2000, HOUR_S, np.random.default_rng(seed))
    rules = AT1Parameters(memory_s=20 * 86400.0, tau_min_s=1e6, interval_s=HOUR_S)
    _, steps = advance(AT1State.empty(), rules, table_of(truth, HOUR_S))
    later = slice(400, None)
    scale = (truth[:, 0] - steps.x[:, 0])[later]
    clocks = np.array([sigma(x[later], HOUR_S, [1, 4]) for x in truth.T])
    assert (sigma(scale, HOUR_S, [1, 4]) < 0.4 * np.sqrt(np.mean(clocks**2, axis=0))).all()


@pytest.mark.parametrize("seed", [9, 10])
def test_weights_follow_the_true_variances(seed: int) -> None:
    # five clocks of white frequency noise 1, 1, 2, 2, 4: weights as 16 : 16 : 4 : 4 : 1
    rng = np.random.default_rng(seed)
    level = np.array([1.0, 1.0, 2.0, 2.0, 4.0])
    truth = np.cumsum(rng.normal(0, 1e-10 * level, (4000, 5)), axis=0)
    rules = AT1Parameters(memory_s=1500 * HOUR_S, cap=1.0, tau_min_s=1000 * HOUR_S, interval_s=HOUR_S)
    run = run_at1(table_of(truth, HOUR_S), rules)
    expected = level**-2 / (level**-2).sum()
    np.testing.assert_allclose(list(run.weights.values()), expected, rtol=0.2)


@pytest.mark.parametrize("seed", [11, 12])
def test_mean_square_errors_are_those_of_the_clock_and_not_of_clock_minus_scale(seed: int) -> None:
    # two clocks of weight a half each see only half of each other's variance; the correction 1/(1 − w) makes it whole
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0, 1e-10, (4000, 3)), axis=0)
    rules = AT1Parameters(memory_s=3000 * HOUR_S, cap=1.0, tau_min_s=3000 * HOUR_S, interval_s=HOUR_S)
    run = run_at1(table_of(truth, HOUR_S), rules)
    np.testing.assert_allclose(np.sqrt(run.state.eps2), 1e-10, rtol=0.08)


@pytest.mark.parametrize("seed", [13, 14])
def test_steps_of_one_clock_do_not_get_into_the_scale(seed: int) -> None:
    # caesium clocks every hour: 4e-13·1 h ≈ 0.5 ns of noise; steps of 50 ns and 1e-11 (36 ns per epoch)
    rng = np.random.default_rng(seed)
    quiet = truth_of(["5071A-high-performance"] * 6, 1000, HOUR_S, rng)
    stepped = quiet.copy()
    stepped[400:, 1] += 50e-9
    stepped[700:, 2] += 1e-11 * HOUR_S * np.arange(1, 301)
    rules = AT1Parameters(memory_s=20 * 86400.0, tau_min_s=1e6, interval_s=HOUR_S)
    _, before = advance(AT1State.empty(), rules, table_of(quiet, HOUR_S))
    _, after = advance(AT1State.empty(), rules, table_of(stepped, HOUR_S))
    moved = (stepped[:, 0] - after.x[:, 0]) - (quiet[:, 0] - before.x[:, 0])
    # what remains is the noise of scales that weigh a little differently for some days
    assert np.abs(np.diff(moved)).max() < 1e-9
    assert "phase step of" in after.reason(401, 1)
    assert after.figure[401, 1] == pytest.approx(50e-9, abs=2e-9)
    words = [after.state_word(i, 2) for i in range(700, 704)]
    assert words == ["left out", "left out", "rate step", "learning"]
    assert after.figure[702, 2] == pytest.approx(1e-11, rel=0.1)


@pytest.mark.parametrize("seed", [15])
def test_leave_one_out_sees_the_clock_itself_and_is_not_flattered(seed: int) -> None:
    truth = truth_of(["5071A-high-performance"] * 5, 1500, HOUR_S, np.random.default_rng(seed))
    table = table_of(truth, HOUR_S)
    x = leave_one_out(table, "C02", run_at1)
    inside = run_at1(table).steps.x[:, 2]
    true = sigma(truth[:, 2], HOUR_S, [1])[0]
    # against the four others: √(1 + 1/4) too much; against a scale with itself in it: √(1 − 1/5) of the truth
    assert sigma(x, HOUR_S, [1])[0] == pytest.approx(true * np.sqrt(1.25), rel=0.06)
    assert sigma(inside, HOUR_S, [1])[0] == pytest.approx(true * np.sqrt(0.8), rel=0.06)
