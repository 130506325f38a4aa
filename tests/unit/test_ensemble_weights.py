"""The small laws inside AT1: the rate filter, the growth of a prediction's variance, weights under a cap."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, kernels
from timeball.ensemble.errors import EnsembleError


def steady_gain(tau_s: float, tau_min_s: float) -> float:
    """Rate gain × τ of the steady-state Kalman filter of a clock with white and random-walk frequency noise.

    The filter is iterated, not solved: state (x, y), phase measured without noise, Q as in Zucca and Tavella (2005).
    """
    s1 = 1.0
    s2 = 3.0 * s1 / tau_min_s**2  # variances per second: τ_min² = 3 σ₁²/σ₂²
    phi = np.array([[1.0, tau_s], [0.0, 1.0]])
    q = np.array([[s1 * tau_s + s2 * tau_s**3 / 3, s2 * tau_s**2 / 2], [s2 * tau_s**2 / 2, s2 * tau_s]])
    h = np.array([[1.0, 0.0]])
    p = np.eye(2)
    gain = np.zeros((2, 1))
    for _ in range(4000):
        p = phi @ p @ phi.T + q
        gain = p @ h.T / (h @ p @ h.T)
        p = (np.eye(2) - gain @ h) @ p
    return float(gain[1, 0]) * tau_s


@pytest.mark.parametrize("ratio", [1.5, 2, 3, 5, 8, 12, 20, 30])
def test_the_rate_filter_is_the_steady_state_kalman_gain(ratio: float) -> None:
    tau_s = 300.0
    m = kernels.rate_memory(tau_s, ratio * tau_s)
    assert 1 / (m + 1) == pytest.approx(steady_gain(tau_s, ratio * tau_s), rel=2e-5)


def test_the_often_printed_four_thirds_would_not_be_the_kalman_gain() -> None:
    wrong = 0.5 * (-1 + np.sqrt(4 / 3 + 4 * 9 / 3))
    assert abs(1 / (wrong + 1) - steady_gain(300, 900)) > 0.01


def test_the_rate_filter_never_has_negative_memory() -> None:
    assert kernels.rate_memory(3e5, 300.0) == 0.0
    assert kernels.rate_memory(300.0, 300.0) > 0.0


def test_growth_is_one_for_the_interval_itself_and_grows_from_tau_to_its_cube() -> None:
    assert kernels.variance_growth(300.0, 300.0, 7777.0) == 1.0
    assert kernels.variance_growth(600.0, 300.0, 1e9) == pytest.approx(2.0, rel=1e-5)
    assert kernels.variance_growth(2e9, 1e9, 1.0) == pytest.approx(8.0, rel=1e-5)


def test_growth_is_the_prediction_variance_of_the_kalman_filter() -> None:
    # with the rate known as in steady state, P_xx after τ over P_xx after the interval
    tau0, tau_min, s1 = 1.0, 100.0, 1.0
    s2 = 3.0 / tau_min**2
    p_yy = np.sqrt(s1 * s2)  # steady rate variance of densely measured phase

    def variance(tau: float) -> float:
        return s1 * tau + s2 * tau**3 / 3 + p_yy * tau**2

    for tau in (2.0, 30.0, 1000.0):
        assert kernels.variance_growth(tau, tau0, tau_min) == pytest.approx(variance(tau) / variance(tau0), rel=1e-9)


def weights_of(variance: list[float], cap: float, members: list[bool] | None = None) -> tuple[np.ndarray, np.ndarray]:
    n = len(variance)
    weights, capped = np.zeros(n), np.zeros(n, dtype=bool)
    kernels.share_weights(np.array(members or [True] * n), np.array(variance), cap, weights, capped)
    return weights, capped


def test_without_a_cap_weights_are_inverse_variances() -> None:
    weights, capped = weights_of([1.0, 2.0, 4.0], 1.0)
    np.testing.assert_allclose(weights, [4 / 7, 2 / 7, 1 / 7], rtol=1e-15)
    assert not capped.any()


def test_the_surplus_of_a_capped_clock_goes_to_the_others_in_proportion_and_may_cap_them_too() -> None:
    # 1/v = 100, 30, 2, 1, 1: the first is cut, then with its surplus the second stands above the cap as well
    weights, capped = weights_of([0.01, 1 / 30, 0.5, 1.0, 1.0], 0.4)
    np.testing.assert_allclose(weights, [0.4, 0.4, 0.1, 0.05, 0.05], rtol=1e-12)
    assert capped.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_cap_that_few_clocks_cannot_keep_becomes_equal_weights(n: int) -> None:
    weights, _ = weights_of([10.0**i for i in range(n)], 0.3)
    np.testing.assert_allclose(weights, np.full(n, 1 / n), rtol=1e-6)


def test_only_members_get_weight() -> None:
    weights, _ = weights_of([1.0, 1e-9, 1.0], 1.0, [True, False, True])
    np.testing.assert_allclose(weights, [0.5, 0.0, 0.5])
    nobody, _ = weights_of([1.0, 1.0], 1.0, [False, False])
    assert nobody.tolist() == [0.0, 0.0]


def test_of_two_clocks_equally_far_off_the_one_of_less_weight_is_left_out() -> None:
    # two clocks alone show one and the same difference; which is to blame must not hang on rounding
    members, testable = np.array([True, True]), np.array([True, True])
    for weights in ([0.6, 0.4], [0.4, 0.6]):
        w = np.array(weights)
        variance = 1e-22 / w
        row, predicted = np.array([0.0, 1e-9]), np.array([0.0, 0.0])
        offset = kernels.scale_offset(w, predicted, row)
        worst = kernels.find_worst(members, testable, row, offset, predicted, variance, w, 4.0)
        assert worst == int(np.argmin(w))


def test_the_automatic_cap_follows_the_number_of_clocks() -> None:
    rule = AT1Parameters(cap=None)
    assert rule.greatest_weight(2) == 1.0
    assert rule.greatest_weight(10) == 0.25
    assert rule.greatest_weight(1000) == 0.1
    assert AT1Parameters(cap=0.3).greatest_weight(1000) == 0.3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_s", 0.0),
        ("tau_min_s", float("nan")),
        ("interval_s", -1.0),
        ("cap", 0.0),
        ("cap", 1.01),
        ("outlier_reduce", 4.0),
        ("min_epochs", 0),
        ("step_epochs", 1),
        ("tau_min_s_by_clock", {"A": 0.0}),
        ("drift_by_clock", {"A": float("inf")}),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(EnsembleError, match=field):
        AT1Parameters(**{field: value})
