"""Noise identification on records whose noise is known: simulated power laws, short ones, with gaps, rate and drift."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.stability.noise import identify_noise

SEED = 20090401


def power_law(rng: np.random.Generator, n: int, alpha: int) -> np.ndarray:
    """Frequencies with S_y(f) as f^alpha, by Kasdin's filter."""
    k = np.arange(1, 2 * n)
    weights = np.concatenate(([1.0], np.cumprod((k - 1 - alpha / 2) / k)))
    white = rng.standard_normal(2 * n)
    return np.fft.irfft(np.fft.rfft(weights, 4 * n) * np.fft.rfft(white, 4 * n))[n : 2 * n]


def phases(y: np.ndarray) -> np.ndarray:
    return np.concatenate(([0.0], np.cumsum(y)))


@pytest.mark.parametrize("alpha", [2, 1, 0, -1, -2])
def test_each_noise_is_told_at_every_averaging_time(alpha: int) -> None:
    print(f"seed {SEED}")
    y = power_law(np.random.default_rng(SEED + alpha), 16_384, alpha)
    of_frequency = identify_noise(y, 1.0, [1, 2, 8, 32], kind="frequency")
    of_phase = identify_noise(phases(y), 1.0, [1, 2, 8, 32])
    assert set(of_phase.method) == {"lag-1"}
    assert of_phase.alpha.tolist() == [alpha] * 4
    # averaged frequency shows both noises of phase alike where m is above 1
    assert of_frequency.alpha[0] == alpha
    assert alpha > 0 or of_frequency.alpha.tolist() == [alpha] * 4


def test_steeper_noises_are_told_when_a_hadamard_deviation_asks() -> None:
    rng = np.random.default_rng(SEED)
    y = np.cumsum(power_law(rng, 8192, -1))
    assert identify_noise(phases(y), 1.0, [1, 4], lowest=-4).alpha[0] == -3
    assert identify_noise(phases(y), 1.0, [1, 4]).alpha.tolist() == [-2, -2]


def test_a_rate_and_a_drift_change_nothing() -> None:
    x = phases(power_law(np.random.default_rng(SEED), 4096, 0))
    t = np.arange(x.size)
    assert identify_noise(x + 5.0 * t + 0.01 * t**2, 1.0, [1, 8, 64]).alpha.tolist() == [0, 0, 0]


def test_gaps_of_both_kinds_leave_the_noise() -> None:
    rng = np.random.default_rng(SEED)
    y = power_law(rng, 4096, 0)
    x = phases(y)
    x[rng.random(x.size) < 0.2] = np.nan
    assert identify_noise(x, 1.0, [1, 4, 16]).alpha.tolist() == [0, 0, 0]
    y[rng.random(y.size) < 0.02] = np.nan
    assert identify_noise(y, 1.0, [1, 4], kind="frequency").alpha.tolist() == [0, 0]


@pytest.mark.parametrize(("alpha", "told"), [(0, {0, 1}), (-2, {-2, -1}), (2, {2, 1})])
def test_short_records_are_judged_by_b1(alpha: int, told: set[int]) -> None:
    right = 0
    for k in range(20):
        y = power_law(np.random.default_rng(SEED + k), 400, alpha)
        noise = identify_noise(phases(y), 1.0, [20])
        assert noise.method[0].startswith("B1")
        assert np.isnan(noise.slope[0])
        right += int(noise.alpha[0]) in told
    assert right >= 16


def test_r_of_n_tells_the_noises_of_phase_apart() -> None:
    found = {1: 0, 2: 0}
    for alpha in found:
        for k in range(16):
            x = phases(power_law(np.random.default_rng(SEED + k), 512, alpha))
            noise = identify_noise(x, 1.0, [20])
            found[alpha] += noise.alpha[0] == alpha and noise.method[0] == "B1 and R(n)"
    assert min(found.values()) >= 9


def test_with_too_few_values_the_shorter_time_answers() -> None:
    noise = identify_noise(np.random.default_rng(1).standard_normal(64), 1.0, [1, 20])
    assert noise.alpha.tolist() == [2, 2]
    assert noise.method == ("lag-1", "shorter τ")
    assert identify_noise([0.0, 1.0, 0.0, 2.0], 1.0, [1]).method == ("assumed",)
    assert identify_noise(np.zeros(100), 1.0, [1]).alpha.tolist() == [0]
    assert identify_noise(np.full(100, np.nan), 1.0, [1, 2]).method == ("assumed", "shorter τ")
