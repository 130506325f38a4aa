"""The band: against closed forms, its own draws, and what must not change it."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ensemble.noise import ClockNoise
from timeball.steering.prediction import Posterior, PredictionError, predict_band
from timeball.steering.prediction.band import quantile, student_cdf
from timeball.steering.prediction.covariance import flicker_fm, levels, noise_of, run_fm, walk_fm, white_fm
from timeball.steering.stepper import StepperCommand, commanded_phases

DAY_NS = 86_400 * 10**9
DAY_S = 86_400.0
EPOCHS = np.arange(0, 200, 5, dtype=np.int64) * DAY_NS
AT = EPOCHS[-1] + np.array([5, 30], dtype=np.int64) * DAY_NS


def walked(seed: int, wfm: float = 3e-13, rwfm: float = 1e-18) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rate = np.cumsum(rwfm * math.sqrt(3 * 5 * DAY_S) * rng.standard_normal(EPOCHS.size))
    return np.cumsum(wfm * math.sqrt(5 * DAY_S) * rng.standard_normal(EPOCHS.size) + rate * 5 * DAY_S)


@pytest.mark.parametrize(("kernel", "power"), [(white_fm, -1), (flicker_fm, 0), (walk_fm, 1)])
@pytest.mark.parametrize("tau", [0.5, 1.0, 7.0])
def test_second_differences_have_the_variance_of_the_allan_deviation(kernel, power: int, tau: float) -> None:
    variance = 2.0 * kernel(np.array(2 * tau)) - 8.0 * kernel(np.array(tau)) + 6.0 * kernel(np.array(0.0))
    assert variance == pytest.approx(2.0 * tau**2 * tau**power, rel=1e-12)


def test_third_differences_of_random_run() -> None:
    # phase is the triple integral of white noise of density q3 = 20 rrfm²; its third difference at τ has 11 q3 τ⁵/20
    pairs = [(a * b, abs(i - j)) for i, a in enumerate((1, -3, 3, -1)) for j, b in enumerate((1, -3, 3, -1))]
    variance = sum(product * float(run_fm(np.array(float(lag)))) for product, lag in pairs)
    assert variance == pytest.approx(11.0, rel=1e-12)


def test_coefficients_there_and_back() -> None:
    noise = ClockNoise(wfm=3e-13, ffm=2e-15, rwfm=4e-18)
    white, flicker, walk, _ = levels(noise)
    back = noise_of(white, flicker, walk)
    assert (back.wfm, back.ffm, back.rwfm) == pytest.approx((noise.wfm, noise.ffm, noise.rwfm), rel=1e-12)


def test_a_random_walk_of_phase_by_its_closed_form() -> None:
    """With white FM alone and no measurement noise the rate is (xₙ − x₁)/T, and the variance wfm² (h + h²/T)."""
    x, wfm = walked(1, rwfm=0.0), 3e-13
    band = predict_band(EPOCHS, x, AT, u_s=np.zeros(EPOCHS.size), noise=ClockNoise(wfm=wfm), confidence=0.9)
    span_s, h_s = 195 * DAY_S, np.array([5, 30]) * DAY_S
    slope = (x[-1] - x[0]) / span_s
    sigma = wfm * np.sqrt(h_s + h_s**2 / span_s)
    assert band.x_s == pytest.approx(x[-1] + slope * h_s, abs=2e-12)
    assert band.high_s - band.x_s == pytest.approx(NormalDist().inv_cdf(0.95) * sigma, rel=1e-3)
    assert band.u_s == pytest.approx(sigma, rel=1e-3)
    assert band.noise.wfm == wfm


def test_unknown_coefficients_widen_the_band_of_a_short_past() -> None:
    wider = []
    for seed in range(4):
        x, known = walked(seed)[:10], ClockNoise(wfm=3e-13, rwfm=1e-18)
        at = EPOCHS[9:10] + 30 * DAY_NS
        told = predict_band(EPOCHS[:10], x, at, u_s=np.full(10, 1e-10), noise=known)
        guessed = predict_band(EPOCHS[:10], x, at, u_s=np.full(10, 1e-10))
        tails = (guessed.high_s - guessed.low_s) / guessed.u_s, (told.high_s - told.low_s) / told.u_s
        wider.append(float(tails[0][0] / tails[1][0]))
    assert min(wider) > 1.02
    assert np.median(wider) > 1.1


SHORT = Posterior(EPOCHS[-12:], AT, u_s=np.full(12, 1e-10))


@settings(max_examples=10)
@given(st.floats(-1e-6, 1e-6), st.floats(-1e-12, 1e-12))
def test_a_line_passes_through(x_s: float, y: float) -> None:
    x = walked(3)
    both = SHORT.of(np.column_stack([x[-12:], (x + x_s + y * EPOCHS / 1e9)[-12:]]))
    for p in (0.025, 0.5, 0.975):
        plain, moved = quantile(both, p).T
        assert moved - x_s - y * AT / 1e9 == pytest.approx(plain, abs=2e-12)


def test_steers_are_known_exactly() -> None:
    x, u_s = walked(4), np.full(EPOCHS.size, 1e-10)
    steers = [StepperCommand(1, int(EPOCHS[10]), 4e-15), StepperCommand(2, int(EPOCHS[-1]) + DAY_NS, -3e-15)]
    free = predict_band(EPOCHS, x, AT, u_s=u_s)
    steered = predict_band(EPOCHS, x + commanded_phases(steers, EPOCHS), AT, u_s=u_s, steers=steers)
    assert steered.low_s - commanded_phases(steers, AT) == pytest.approx(free.low_s, abs=1e-13)
    assert steered.noise.wfm == pytest.approx(free.noise.wfm, rel=1e-6)


def test_draws_are_those_of_the_quantiles() -> None:
    posterior = Posterior(EPOCHS, AT, u_s=np.full(EPOCHS.size, 1e-10))
    prediction = posterior.of(np.column_stack([walked(5), walked(6)]))
    drawn = prediction.draw(np.random.default_rng(7), 20_000)
    assert drawn.shape == (2, 2, 20_000)
    for p in (0.025, 0.16, 0.5, 0.84, 0.975):
        share = (drawn <= quantile(prediction, p)[:, :, None]).mean(axis=2)
        assert share == pytest.approx(np.full((2, 2), p), abs=4 * math.sqrt(p * (1 - p) / 20_000))


def test_the_coefficients_are_found() -> None:
    found = [predict_band(EPOCHS, walked(seed), AT, u_s=np.full(EPOCHS.size, 1e-10)).noise.wfm for seed in range(5)]
    assert float(np.median(found)) == pytest.approx(3e-13, rel=0.3)


@pytest.mark.parametrize(
    ("t", "freedom", "share"), [(2.2281, 10, 0.975), (-1.8125, 10, 0.05), (3.1824, 3, 0.975), (1.9600, math.inf, 0.975)]
)
def test_student(t: float, freedom: float, share: float) -> None:
    assert float(student_cdf(np.array(t), freedom)) == pytest.approx(share, abs=2e-5)


def test_missing_values_are_left_out() -> None:
    x = walked(8)
    gappy = x.copy()
    gappy[[3, 17]] = np.nan
    kept = np.isfinite(gappy)
    one = predict_band(EPOCHS, gappy, AT, u_s=np.full(EPOCHS.size, 1e-10))
    two = predict_band(EPOCHS[kept], x[kept], AT, u_s=np.full(38, 1e-10))
    assert np.array_equal(one.low_s, two.low_s)


def test_what_cannot_be_predicted_is_refused() -> None:
    with pytest.raises(PredictionError, match=r"5 point\(s\): 6 are needed"):
        predict_band(EPOCHS[:5], np.zeros(5), AT)
    with pytest.raises(PredictionError, match="later than the one before"):
        predict_band(EPOCHS[[0, 1, 2, 2, 3, 4, 5]], np.zeros(7), AT)
    with pytest.raises(PredictionError, match="7 uncertainties"):
        Posterior(EPOCHS[:7], AT, u_s=np.ones(6))
    with pytest.raises(ValueError, match="between 0 and 1"):
        predict_band(EPOCHS, walked(1), AT, confidence=1.0)
