"""The fit of noise coefficients: what each part promises, against formulas and numbers from elsewhere."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.fitting import NoiseFit, fit_noise
from timeball.ensemble.fitting.covariances import PairDensity, differences, hadamard
from timeball.ensemble.fitting.curves import curves
from timeball.ensemble.fitting.deviates import deviates, skewed
from timeball.ensemble.fitting.expecting import expected
from timeball.ensemble.fitting.mending import mend
from timeball.ensemble.fitting.moments import lags_of, moments
from timeball.ensemble.fitting.solving import Problem, non_negative, solve
from timeball.ensemble.noise import COEFFICIENTS
from timeball.readings import PhaseTable
from timeball.simulation.drawn import draw_laboratory
from timeball.simulation.events import ClockEvent

SEED = 4711


@pytest.fixture(scope="module")
def fitted() -> NoiseFit:
    return fit_noise(draw_laboratory(SEED, 8, days=40).table())


def test_hadamard_variances_are_those_of_the_literature() -> None:
    # Hutsell (PTTI 1995): q1/τ + q2 τ/6 + 11 q3 τ³/120; white PM 10/9 of AVAR; flicker ½ ln(256/27) h, AVAR 2 ln 2 h
    found = hadamard(COEFFICIENTS, [1, 4, 32])
    m = np.array([1.0, 4.0, 32.0])
    flicker = math.log(256.0 / 27.0) / (4.0 * math.log(2.0))
    expected = [10.0 / 9.0 / m**2, 1.0 / m, flicker * np.ones(3), 0.5 * m, 11.0 / 6.0 * m**3]
    assert np.allclose(found, expected, rtol=1e-9)


def test_covariances_die_out_at_a_distance() -> None:
    # those of integer powers vanish exactly once the differences no longer overlap, flicker's nearly
    far = np.array([100, 200, 400], dtype=np.int64)
    for kind in ("wpm", "wfm", "rwfm"):
        assert np.abs(differences(kind, 8, 16, far)).max() < 1e-9
    flicker = np.abs(differences("ffm", 8, 16, far))
    assert np.all(flicker > 0.0)
    assert np.all(flicker < [1e-4, 1e-5, 1e-6])


def test_means_with_gaps_are_what_they_are_expected_to_be() -> None:
    rng = np.random.default_rng(SEED)
    sigma = np.array([1.0, 2.0, 5.0, 1.5])
    x = sigma * rng.standard_normal((60_000, 4))
    x[rng.random(x.shape) < 0.2] = np.nan
    found = moments(x, [1, 4], np.outer([1.0, 0.2], [3.0, 1.0, 20.0, 2.0]))
    true = hadamard(["wpm"], [1, 4])[0][:, None] * 3.0 * sigma**2
    expected = np.einsum("lik,lk->li", found.expected, true)
    assert np.allclose(found.mean_square / expected, 1.0, atol=0.04)


def test_pairs_of_differences_are_counted_over_gaps_as_one_by_one() -> None:
    rng = np.random.default_rng(SEED)
    present = rng.random((90, 1)) > 0.15
    s, rho = PairDensity(present)(1, 4)
    there = [present[t : t + 4, 0].all() for t in range(87)], [present[t : t + 13 : 4, 0].all() for t in range(78)]
    for lag, density in zip(s.tolist(), rho.tolist(), strict=True):
        pairs = sum(there[0][t] and there[1][t + lag] for t in range(87) if 0 <= t + lag < 78)
        assert density == pytest.approx(pairs / (sum(there[0]) * sum(there[1])), abs=1e-12)


def test_the_spread_of_fits_is_the_one_that_is_stated() -> None:
    rng = np.random.default_rng(SEED)
    print("seed", SEED)
    levels = np.array([1.0, 0.7, 2.0, 1.0])
    free, stated = [], []
    for _ in range(25):
        x = np.cumsum(rng.standard_normal((300, 4)) * levels, axis=0) + 0.5 * rng.standard_normal((300, 4))
        found = solve(Problem(x, lags_of(len(x)), ("wpm", "wfm"), 1.0))
        free.append(found.free.ravel())
        stated.append(np.sqrt(np.diag(found.covariance)))
    true = np.column_stack([np.full(4, 0.75), levels**2]).ravel()
    scores = (np.array(free) - true) / np.array(stated)
    assert abs(float(scores.mean())) < 0.25
    assert 0.8 < float(scores.std()) < 1.2


def test_neither_reference_nor_order_of_clocks_matters(fitted: NoiseFit) -> None:
    table = draw_laboratory(SEED, 8, days=40).table()
    order = [5, 2, 7, 0, 1, 6, 4, 3]
    shift = np.where(np.isfinite(table.x[:, 3]), table.x[:, 3], 1e-6 * np.sin(np.arange(len(table.epochs))))
    turned = PhaseTable(
        table.epochs, tuple(table.clocks[j] for j in order), (table.x - shift[:, None])[:, order], table.pivot, "C04"
    )
    again = fit_noise(turned)
    for clock in fitted.clocks:
        for kind in fitted.kinds:
            u = fitted.u(clock, kind)
            assert abs(getattr(again.noise[clock], kind) - getattr(fitted.noise[clock], kind)) < 0.02 * u


def test_intervals_hold_the_estimate_and_nest(fitted: NoiseFit) -> None:
    for clock in fitted.clocks:
        for kind in fitted.kinds:
            low, high = fitted.interval(clock, kind, 0.95)
            inner_low, inner_high = fitted.interval(clock, kind, 0.6)
            value = getattr(fitted.noise[clock], kind)
            assert 0.0 <= low <= inner_low <= value <= inner_high <= high < math.inf
    assert math.isnan(fitted.interval("C01", "rrfm")[0])


@pytest.mark.parametrize(
    ("clock", "coefficient", "confidence", "words"),
    [
        ("C01", "pink", 0.9, "no such coefficient"),
        ("X", "wfm", 0.9, "no such clock"),
        ("C01", "wfm", 1.0, "confidence"),
    ],
)
def test_questions_without_sense_are_refused(
    fitted: NoiseFit, clock: str, coefficient: str, confidence: float, words: str
) -> None:
    with pytest.raises(EnsembleError, match=words):
        fitted.interval(clock, coefficient, confidence)


def test_curves_go_through_what_was_measured(fitted: NoiseFit) -> None:
    for curve in curves(fitted).values():
        score = (curve.measured - curve.fitted) / np.hypot(curve.u_measured, curve.u_fitted)
        assert np.nanmax(np.abs(score[:5])) < 4.0
        assert np.all(np.diff(curve.tau_s) > 0)


def test_expected_values_are_means_of_truncated_normal_numbers() -> None:
    # of one alone at zero √(2/π) of its standard deviation; far from zero itself; correlated ones by drawing
    alone = expected(np.array([[0.0, 20.0]]), np.array([np.diag([4.0, 1.0])]))[0]
    assert alone == pytest.approx([2.0 * math.sqrt(2.0 / math.pi), 20.0], rel=1e-4)
    free, covariance = np.array([-0.5, 1.0, 0.2]), np.array([[1.0, -0.7, 0.3], [-0.7, 1.5, -0.2], [0.3, -0.2, 0.5]])
    drawn = np.random.default_rng(SEED).multivariate_normal(free, covariance, size=200_000)
    mean = drawn[(drawn > 0.0).all(axis=1)].mean(axis=0)
    assert expected(free[None], covariance[None])[0] == pytest.approx(mean, rel=0.04)


def test_no_noise_of_three_clocks_or_more_is_taken_for_absent(fitted: NoiseFit) -> None:
    # the most likely value of some is zero, and a filter told so would give them all weight at long times
    assert (fitted.solution.theta == 0.0).any()
    assert all(getattr(fitted.noise[clock], kind) > 0.0 for clock in fitted.clocks for kind in fitted.kinds)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_non_negative_least_squares_meets_its_conditions(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((size + 3, size))
    gram, project = a.T @ a, a.T @ rng.standard_normal(size + 3)
    theta = non_negative(gram, project)
    slope = gram @ theta - project
    assert (theta >= 0.0).all()
    assert (slope > -1e-8).all()
    assert abs(float(slope @ theta)) < 1e-8


@pytest.mark.parametrize("distance", [0.01, 0.3, 1.0, 1.6, 2.5])
@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_deviates_hold_their_confidence_at_every_distance_from_zero(distance: float, confidence: float) -> None:
    low, high = deviates(distance, confidence)
    assert NormalDist().cdf(high) - NormalDist().cdf(low) == pytest.approx(confidence, abs=2e-4)


def test_deviates_at_zero_are_one_sided() -> None:
    # Feldman and Cousins, table X: at a true value of 0, x ≤ 1.28 at 90 %
    low, high = deviates(0.0, 0.90)
    assert low == -math.inf
    assert high == pytest.approx(1.2816, abs=1e-3)


def test_skewed_deviates_are_those_of_chi_square() -> None:
    # χ² with 10 degrees of freedom: 2.5 % and 97.5 % at 3.247 and 20.483
    skew = math.sqrt(8.0 / 10.0)
    for z, quantile in ((-1.95996, 3.24697), (1.95996, 20.48318)):
        assert 10.0 + math.sqrt(20.0) * skewed(skew, z) == pytest.approx(quantile, rel=0.008)


def test_a_step_and_a_bad_reading_are_taken_out_and_nothing_else() -> None:
    clean = draw_laboratory(SEED, 8, days=20)
    assert mend(clean.table().x)[1].sum() == 0
    epoch = clean.epochs
    events = {
        "C02": [ClockEvent(int(epoch[200]), phase_step_s=1e-6)],
        "C05": [ClockEvent(int(epoch[300]), phase_step_s=-1e-6), ClockEvent(int(epoch[301]), phase_step_s=1e-6)],
    }
    mended, counts = mend(draw_laboratory(SEED, 8, days=20, events=events).table().x)
    assert {clean.clocks[i] for i in np.flatnonzero(counts)} == {"C02", "C05"}
    apart = mended - clean.table().x
    apart -= np.nanmedian(apart, axis=1, keepdims=True)
    noise_s = np.abs(np.diff(clean.read[:, 1] - clean.read[:, 0])).max()
    assert np.nanmax(np.abs(apart)) < 4.0 * noise_s < 2e-7


def test_a_step_does_not_pass_for_random_walk(fitted: NoiseFit) -> None:
    lab = draw_laboratory(SEED, 8, days=40)
    events = {"C03": [ClockEvent(int(lab.epochs[500]), phase_step_s=3e-6)]}
    again = fit_noise(draw_laboratory(SEED, 8, days=40, events=events).table())
    assert again.mended["C03"] >= 1
    for kind in fitted.kinds:
        assert getattr(again.noise["C03"], kind) <= 1.2 * fitted.interval("C03", kind)[1]


def test_drift_of_a_clock_is_found_against_the_mean_of_all() -> None:
    lab = draw_laboratory(SEED, 8, days=40, kinds={"active-maser": 1.0})
    table = lab.table()
    t_s = (table.epochs - table.epochs[0]) / 1e9
    table.x[:, 2] += 0.5 * 5e-20 * t_s**2
    fit = fit_noise(table)
    others = [clock for clock in lab.clocks if clock != "C03"]
    assert fit.noise["C03"].drifts
    apart = fit.drift["C03"] - np.mean([fit.drift[clock] for clock in others])
    assert apart == pytest.approx(5e-20 + lab.drift["C03"] - np.mean([lab.drift[c] for c in others]), rel=0.2)


def test_two_clocks_share_what_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(SEED)
    x = np.zeros((400, 2))
    x[:, 1] = np.cumsum(rng.standard_normal(400)) * 1e-12
    fit = fit_noise(_table(x))
    first, second = (fit.noise[clock].wfm for clock in fit.clocks)
    assert first == pytest.approx(second, rel=1e-3)
    assert math.hypot(first, second) == pytest.approx(1e-12, rel=0.15)
    # either may have all of what both had together, and none may have more than that
    for clock in fit.clocks:
        low, high = fit.interval(clock, "wfm")
        assert low == 0.0
        assert 1e-12 < high < 2e-12


def test_a_clock_with_a_handful_of_readings_is_named_and_left_out() -> None:
    table = draw_laboratory(SEED, 8, days=10).table()
    table.x[5:, 6] = np.nan
    fit = fit_noise(table)
    assert "C07" not in fit.noise
    assert "too few" in fit.unfitted["C07"]


@pytest.mark.parametrize(("epochs", "kinds"), [(12, ("wfm",)), (20, ("wpm", "wfm")), (40, ("wpm", "wfm", "rwfm"))])
def test_a_short_record_is_fitted_with_fewer_noises(epochs: int, kinds: tuple[str, ...]) -> None:
    rng = np.random.default_rng(SEED)
    fit = fit_noise(_table(np.cumsum(rng.standard_normal((epochs, 4)), axis=0) * 1e-12))
    assert fit.kinds == kinds


@pytest.mark.parametrize(("epochs", "clocks", "words"), [(5, 4, "at least 8 epochs"), (50, 1, "at least two clocks")])
def test_too_little_is_refused_in_words(epochs: int, clocks: int, words: str) -> None:
    with pytest.raises(EnsembleError, match=words):
        fit_noise(_table(np.random.default_rng(SEED).standard_normal((epochs, clocks))))


def test_columns_without_any_noise_have_none() -> None:
    fit = fit_noise(_table(np.zeros((60, 3))))
    for clock in fit.clocks:
        assert all(getattr(fit.noise[clock], kind) < 1e-20 for kind in fit.kinds)
        assert fit.interval(clock, "wfm")[1] < 1e-20


def _table(x: np.ndarray) -> PhaseTable:
    epochs = np.arange(len(x), dtype=np.int64) * 10**9
    names = tuple(f"C{j + 1:02d}" for j in range(x.shape[1]))
    return PhaseTable(epochs, names, x, np.zeros(len(x), dtype=np.int32), names[0])
