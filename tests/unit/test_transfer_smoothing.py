"""Smoothing against dense linear algebra: Vondrák's equations as printed, and the clock's model as one big matrix."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.transfer import TransferError
from timeball.transfer.kalman import ClockNoise, smooth_clock
from timeball.transfer.smoothing import kalman, vondrak
from timeball.transfer.uncertainty import aged, standard_error, together

RNG = np.random.default_rng(20)
T_S = np.cumsum(RNG.choice([960.0, 960.0, 1920.0, 7200.0], 120))
EPOCH = (T_S * 1e9).astype(np.int64)
TRUTH = 1e-8 * np.sin(2 * np.pi * T_S / 86_400)
X_S = TRUTH + RNG.normal(0.0, 1e-9, T_S.size)
U_S = RNG.uniform(0.5e-9, 2e-9, T_S.size)
UNKNOWN = np.full(T_S.size, np.nan)


def vondrak_dense(t_s: np.ndarray, x_s: np.ndarray, p: np.ndarray, cutoff_s: float) -> np.ndarray:
    """Vondrák 1977, equations 2 and 3: Q = F + S/ε with the cubic's third derivative, solved as one matrix."""
    n, rows = t_s.size, np.zeros((t_s.size - 3, t_s.size))
    for i in range(n - 3):
        points = t_s[i : i + 4]
        for k in range(4):
            others = np.delete(points, k)
            rows[i, i + k] = 6 * np.sqrt(points[2] - points[1]) / np.prod(points[k] - others)
    epsilon = (2 * np.pi / cutoff_s) ** 6
    smooth = rows.T @ rows / (t_s[-2] - t_s[1]) / epsilon
    fidelity = np.diag(p) / np.count_nonzero(p)
    answer: np.ndarray = np.linalg.solve(fidelity + smooth, fidelity @ x_s)
    return answer


@pytest.mark.parametrize("cutoff_s", [10_000.0, 40_000.0, 90_000.0])
def test_vondrak_is_the_solution_of_its_equations(cutoff_s: float) -> None:
    p = 1 / U_S**2
    found = vondrak(EPOCH, X_S, U_S, cutoff_s)
    assert found.x_s == pytest.approx(vondrak_dense(T_S, X_S, p / p.mean(), cutoff_s), abs=1e-16)


def test_vondrak_leaves_parabolas_and_halves_its_period() -> None:
    t = np.arange(400) * 960.0
    epoch = (t * 1e9).astype(np.int64)
    parabola = 1e-6 + 3e-12 * t + 1e-17 * t**2
    assert vondrak(epoch, parabola, np.full(400, np.nan), 50 * 86_400.0).x_s == pytest.approx(parabola, rel=1e-9)
    wave = np.sin(2 * np.pi * t / 20_000.0)
    smooth = vondrak(epoch, wave, np.full(400, np.nan), 20_000.0).x_s
    assert np.ptp(smooth[100:300]) / np.ptp(wave) == pytest.approx(0.5, abs=0.01)


def test_vondrak_at_other_epochs_with_an_honest_uncertainty() -> None:
    at = EPOCH[0] + np.arange(-2, 400) * 3_600 * 10**9
    found = vondrak(EPOCH, X_S, UNKNOWN, 20_000.0, at)
    assert np.array_equal(found.epoch, at[(at >= EPOCH[0]) & (at <= EPOCH[-1])])
    error = found.x_s - 1e-8 * np.sin(2 * np.pi * found.epoch / 86_400e9)
    inner = slice(3, -3)
    assert np.sqrt(np.mean((error[inner] / found.u_s[inner]) ** 2)) == pytest.approx(1.0, abs=0.35)
    assert np.mean(found.u_s) < 0.8e-9


def test_epochs_a_blink_apart_are_one() -> None:
    found = vondrak(EPOCH, X_S, UNKNOWN, 20_000.0, EPOCH[5:8] + 400_000_000)
    assert np.array_equal(found.epoch, EPOCH[5:8])


def kalman_dense(t_s: np.ndarray, x_s: np.ndarray, weight: np.ndarray, noise: ClockNoise) -> np.ndarray:
    """The same model as one Gaussian: covariance of the phases, a line that is free, generalised least squares."""
    s = t_s - t_s[0]
    low = np.minimum.outer(s, s)
    high = np.maximum.outer(s, s)
    covariance = noise.q_phase * low + noise.q_frequency * (low**2 * (3 * high - low) / 6)
    v = np.linalg.inv(covariance + np.diag(noise.r_s2 / weight))
    line = np.stack([np.ones(s.size), s / s[-1]], axis=1)
    fit = line @ np.linalg.solve(line.T @ v @ line, line.T @ v @ x_s)
    answer: np.ndarray = fit + covariance @ v @ (x_s - fit)
    return answer


@pytest.mark.parametrize("noise", [ClockNoise(1e-18, 1e-22, 1e-32), ClockNoise(1e-18, 1e-24, 0.0)])
def test_the_kalman_smoother_is_the_best_estimate(noise: ClockNoise) -> None:
    weight = (1e-9 / U_S) ** 2
    found, u = smooth_clock(T_S, X_S, weight, noise)
    assert found == pytest.approx(kalman_dense(T_S, X_S, weight, noise), abs=2e-14)
    assert np.all(u < 1.3e-9 / np.sqrt(weight.min()))


def test_the_kalman_smoother_finds_the_noise_of_a_clock() -> None:
    rng = np.random.default_rng(3)
    clock = np.cumsum(rng.normal(0.0, 1e-11 * np.sqrt(960.0), 600))
    epoch = np.arange(600) * 960 * 10**9
    found = kalman(epoch, clock + rng.normal(0.0, 2e-9, 600), np.full(600, np.nan))
    assert found.noise is not None
    assert np.sqrt(found.noise.r_s2) == pytest.approx(2e-9, rel=0.1)
    assert np.sqrt(found.noise.q_phase) == pytest.approx(1e-11, rel=0.35)
    assert np.sqrt(np.mean(((found.x_s - clock) / found.u_s) ** 2)) == pytest.approx(1.0, abs=0.25)


def test_what_cannot_be_smoothed_is_an_error() -> None:
    with pytest.raises(TransferError, match="3 epochs are too few"):
        vondrak(EPOCH[:3], X_S[:3], U_S[:3], 1e4)
    for period in (0.0, -1.0, float("nan")):
        with pytest.raises(TransferError, match="must be positive"):
            vondrak(EPOCH, X_S, U_S, period)
    with pytest.raises(TransferError, match="must rise"):
        kalman(EPOCH[::-1], X_S, U_S)


def test_standard_error_of_white_and_of_slow_noise() -> None:
    rng = np.random.default_rng(11)
    epoch = np.arange(4000) * 960 * 10**9
    white = rng.normal(0.0, 1e-9, 4000)
    assert standard_error(epoch, white + 1e-12 * np.arange(4000)) == pytest.approx(1e-9 / np.sqrt(4000), rel=0.5)
    slow = np.repeat(rng.normal(0.0, 1e-9, 40), 100)  # 40 values in truth
    assert standard_error(epoch, slow) == pytest.approx(1e-9 / np.sqrt(40), rel=0.5)
    assert np.isnan(standard_error(epoch[:2], white[:2]))


def test_uncertainties_add_in_squares_and_age() -> None:
    assert together(3e-9, 4e-9) == pytest.approx(5e-9)
    assert together(3e-9, float("nan")) == 3e-9
    assert np.isnan(together(float("nan")))
    assert aged(1e-9, 365.25 * 2, 0.5e-9) == pytest.approx(np.sqrt(2) * 1e-9)
    assert aged(1e-9, -10.0, 0.5e-9) == 1e-9


def test_what_lasts_in_the_link_is_not_taken_for_the_clock() -> None:
    """Two receivers at one clock: multipath that lasts for hours, and scatter that says how large it is."""
    rng = np.random.default_rng(4)
    multipath = np.convolve(rng.normal(0.0, 1.0, 209), np.ones(10), "valid") / np.sqrt(10) * 2e-9
    epoch = np.arange(200) * 960 * 10**9
    sure = kalman(epoch, multipath, np.full(200, np.nan))
    told = kalman(epoch, multipath, np.full(200, 2e-9))
    assert told.noise is not None
    assert told.noise.r_s2 >= 0.999 * (2e-9) ** 2
    assert np.std(told.x_s) < 0.7 * np.std(sure.x_s)
    assert np.median(told.u_s) > 0.4e-9 > np.median(sure.u_s)
