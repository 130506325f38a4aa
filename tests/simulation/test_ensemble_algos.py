"""ALGOS on simulated laboratories whose truth is known: months of caesium clocks and masers, live and in rounds.

Physics and limits are declared beside each test; seeds are in the test's name.
"""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.algos import ALGOSParameters, ALGOSState, advance
from timeball.ensemble.algos.batch import run_algos
from timeball.readings import PhaseTable
from timeball.simulation.models import MODELS
from timeball.simulation.noise import simulate_phase
from timeball.stability import oadev

HOUR_S, DAY_H = 3600.0, 24


def laboratory(kinds: list[str], hours: int, seed: int, missing: float = 0.05) -> tuple[np.ndarray, PhaseTable]:
    """Phases [m, n] (s) of clocks minus ideal time, and what is read of them against the first."""
    rng = np.random.default_rng(seed)
    truth = np.column_stack([simulate_phase(MODELS[kind], hours, HOUR_S, rng) for kind in kinds])
    truth += np.outer(np.arange(hours) * HOUR_S, rng.normal(0, 1e-13, len(kinds)))
    x = truth - truth[:, [0]]
    gone = rng.random(x.shape) < missing
    gone[:, 0] = False
    x[gone] = np.nan
    epochs = (17_000 * 24 + np.arange(hours, dtype=np.int64)) * 3600 * 10**9
    names = tuple(f"C{i:02d}" for i in range(len(kinds)))
    return truth, PhaseTable(epochs, names, x, np.zeros(hours, dtype=np.int32), "C00")


def sigma(x: np.ndarray, factors: list[int]) -> np.ndarray:
    return oadev(x, HOUR_S, factors).sigma


@pytest.mark.parametrize("seed", [21, 22])
def test_a_year_of_masers_and_caesium_clocks_is_better_than_its_best_clock(seed: int) -> None:
    truth, table = laboratory(["5071A-high-performance"] * 5 + ["active-maser"] * 4, 365 * DAY_H, seed)
    run = run_algos(table)
    factors = [DAY_H, 3 * DAY_H, 10 * DAY_H]
    scale = sigma(truth[:, 0] - run.steps.x[:, 0], factors)
    best = np.min([sigma(x, factors) for x in truth.T], axis=0)
    assert (scale < best).all()
    assert sum(run.weights[name] for name in ("C05", "C06", "C07", "C08")) > 0.95


@pytest.mark.parametrize("seed", [23, 24])
def test_live_from_nothing_it_is_half_as_noisy_as_a_clock_once_it_has_its_windows(seed: int) -> None:
    # nine equal caesium clocks: 1/3 of one clock with weights of theory; weights from five to twelve windows scatter
    truth, table = laboratory(["5071A-high-performance"] * 9, 540 * DAY_H, seed)
    _, steps = advance(ALGOSState.empty(), ALGOSParameters(), table)
    later = slice(200 * DAY_H, None)
    factors = [1, DAY_H, 5 * DAY_H]
    clocks = np.sqrt(np.mean([sigma(x[later], factors) ** 2 for x in truth.T], axis=0))
    assert (sigma((truth[:, 0] - steps.x[:, 0])[later], factors) < 0.5 * clocks).all()


@pytest.mark.parametrize("seed", [25])
def test_the_scale_takes_no_drift_from_the_noise_of_drifts(seed: int) -> None:
    # three years of caesium clocks, which have no drift: 3e-16 a month is what their random walk allows the scale
    truth, table = laboratory(["5071A-high-performance"] * 8, 1095 * DAY_H, seed)
    run = run_algos(table)
    scale = (truth[:, 0] - run.steps.x[:, 0])[:: 30 * DAY_H]
    rates = np.diff(scale) / (30 * DAY_H * HOUR_S)
    slope = np.polyfit(np.arange(len(rates)), rates, 1)[0]
    clocks = np.diff(truth[:: 30 * DAY_H], axis=0) / (30 * DAY_H * HOUR_S)
    assert abs(slope) < 1e-15
    assert np.std(np.diff(rates)) < np.median(np.std(np.diff(clocks, axis=0), axis=0))
