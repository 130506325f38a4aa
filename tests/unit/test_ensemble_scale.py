"""A scale from a whole record: rules fitted to it, a start from it, and each clock left out once."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters
from timeball.ensemble.at1.batch import fit_parameters, run_at1
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import grid_phases, leave_one_out
from timeball.readings import PhaseTable

TAU_S = 300


def table_of(x: np.ndarray) -> PhaseTable:
    pivot = np.argmax(np.isfinite(x), axis=1)
    epochs = np.arange(len(x), dtype=np.int64) * TAU_S * 10**9
    names = tuple(f"C{j}" for j in range(x.shape[1]))
    return PhaseTable(epochs, names, x - x[np.arange(len(x)), pivot][:, None], pivot.astype(np.int32), "C0")


def white(seed: int, n: int = 5, m: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 1e-11, (m, n)), axis=0) + np.outer(np.arange(m), rng.normal(0, 1e-9, n))


def test_the_rules_follow_from_the_record() -> None:
    rules = fit_parameters(table_of(white(1)))
    assert rules.interval_s == TAU_S
    assert rules.memory_s == 299 * TAU_S
    assert rules.min_epochs == 30
    assert set(rules.tau_min_s_by_clock) == {"C0", "C1", "C2", "C3", "C4"}
    assert fit_parameters(table_of(white(1, m=40))).min_epochs == 5


def test_the_memory_is_never_longer_than_twenty_days() -> None:
    assert fit_parameters(table_of(white(1, n=3, m=7000))).memory_s == 20 * 86400


def test_tau_min_is_where_the_clocks_own_allan_deviation_is_least() -> None:
    # C4 has random-walk frequency noise: τ_min = √3 σ₁/σ₂ in steps, here √3·20 ≈ 35 steps; the others only fall
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(0, 1e-11, (4000, 5)), axis=0)
    x[:, 4] += np.cumsum(np.cumsum(rng.normal(0, 1e-11 / 20, 4000)))
    found = fit_parameters(table_of(x)).tau_min_s_by_clock
    assert 8 * TAU_S <= found["C4"] <= 128 * TAU_S
    assert found["C0"] > 4 * found["C4"]


def test_the_batch_starts_with_weights_and_rates_from_its_own_data() -> None:
    x = white(3)
    run = run_at1(table_of(x))
    assert run.steps.state_word(1, 0) in {"ok", "at cap"}
    rates = np.polyfit(np.arange(300) * TAU_S, x - x[:, [0]], 1)[0]
    early = run.steps.y[1] - run.steps.y[1, 0]
    np.testing.assert_allclose(early, rates, atol=3e-14)
    assert sum(run.weights.values()) == pytest.approx(1.0)


def test_given_rules_are_used_as_they_are() -> None:
    rules = AT1Parameters(memory_s=1e5, interval_s=TAU_S, zero_weight=("C1",))
    run = run_at1(table_of(white(4)), rules)
    assert run.parameters is rules
    assert run.weights["C1"] == 0.0


def test_what_a_clock_does_never_reaches_the_scale_it_is_judged_against() -> None:
    x = white(5)
    spoiled = x.copy()
    spoiled[:, 2] += np.random.default_rng(6).normal(0, 1e-6, len(x))
    honest, wild = leave_one_out(table_of(x), "C2", run_at1), leave_one_out(table_of(spoiled), "C2", run_at1)
    np.testing.assert_allclose(wild - honest, spoiled[:, 2] - x[:, 2], atol=1e-17)


def test_the_reference_itself_can_be_left_out() -> None:
    x = white(7)
    phases = leave_one_out(table_of(x), "C0", run_at1)
    order = [1, 2, 3, 4, 0]
    turned = PhaseTable(
        table_of(x).epochs,
        tuple(f"C{j}" for j in order),
        (x - x[:, [1]])[:, order],
        np.zeros(300, dtype=np.int32),
        "C1",
    )
    np.testing.assert_allclose(leave_one_out(turned, "C0", run_at1), phases, atol=1e-17)


def test_gaps_of_the_clock_stay_gaps_and_those_of_others_do_not_matter() -> None:
    x = white(8)
    x[100:110, 2] = np.nan
    x[200:, 1] = np.nan
    phases = leave_one_out(table_of(x), "C2", run_at1)
    assert np.isnan(phases[100:110]).all()
    assert np.isfinite(np.delete(phases, slice(100, 110))).all()
    assert np.abs(np.diff(np.diff(phases[195:206]))).max() < 1e-10


def test_two_clocks_are_judged_against_each_other() -> None:
    x = white(9, n=2)
    phases = leave_one_out(table_of(x), "C1", run_at1)
    np.testing.assert_allclose(phases - phases[0], (x[:, 1] - x[:, 0]) - (x[0, 1] - x[0, 0]), atol=1e-18)


def test_too_little_is_said_to_be_too_little() -> None:
    with pytest.raises(EnsembleError, match="at least 3 epochs, here are 2"):
        run_at1(table_of(white(10, m=2)))
    with pytest.raises(EnsembleError, match="no such clock in the table: X"):
        leave_one_out(table_of(white(10)), "X", run_at1)
    with pytest.raises(EnsembleError, match="may carry it"):
        run_at1(table_of(white(10, n=2)), AT1Parameters(zero_weight=("C0", "C1")))


def test_phases_are_put_on_an_even_grid_with_the_gaps_as_gaps() -> None:
    epochs = np.array([0, 300, 601, 1500], dtype=np.int64) * 10**9
    grid = grid_phases(epochs, np.array([1.0, 2.0, 3.0, 4.0]), 300.0)
    np.testing.assert_array_equal(grid, [1, 2, 3, np.nan, np.nan, 4])
    assert grid_phases(epochs[:0], np.zeros(0), 300.0).size == 0
    vast = np.array([0, 300, 10**9], dtype=np.int64) * 10**9
    assert grid_phases(vast, np.ones(3), 300.0).size == 3
