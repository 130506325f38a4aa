"""LQG: its gains against an independent solution, and that no other gains cost less."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.steering.lqg import LQG
from timeball.steering.pole_placement import PolePlacement

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


def iterated(law: LQG) -> tuple[float, float]:
    """Gains by the plain recursion of the Riccati equation, in matrices."""
    tau = law.interval_s
    wx, wy, wu = 1 / law.offset_s**2, 0.0 if law.rate is None else 1 / law.rate**2, 1 / law.change**2
    phi, b = np.array([[1.0, tau], [0.0, 1.0]]), np.array([[tau], [1.0]])
    # mean over the interval of (x + t v)², v = y + u, as a form in (x, v); then v into y and u
    form = wx * np.array([[1.0, tau / 2], [tau / 2, tau**2 / 3]]) + np.diag([0.0, wy])
    to = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    cost = to.T @ form @ to
    q, n, r = cost[:2, :2], cost[:2, 2:], cost[2:, 2:] + wu
    k, gain = q.copy(), np.zeros((1, 2))
    for _ in range(20_000):
        last, gain = gain, np.linalg.solve(r + b.T @ k @ b, b.T @ k @ phi + n.T)
        k = q + phi.T @ k @ phi - (phi.T @ k @ b + n) @ gain
        if np.allclose(gain, last, rtol=1e-14, atol=0):
            break
    return float(gain[0, 0]), float(gain[0, 1])


@pytest.mark.parametrize(
    "law",
    [
        LQG(WEEK_S, 1e-9, 1e-15),
        LQG(DAY_S, 1e-9, 1e-16),
        LQG(WEEK_S, 1e-9, 1e-12),
        LQG(30 * DAY_S, 5e-9, 2e-15, rate=1e-15),
        LQG(WEEK_S, 1e-6, 1e-14, rate=1e-14),
    ],
)
def test_the_gains_are_those_of_the_recursion(law: LQG) -> None:
    assert law.gains == pytest.approx(iterated(law), rel=1e-9)


@given(st.floats(3600.0, 1e7), st.floats(1e-11, 1e-5), st.floats(1e-18, 1e-11))
def test_the_loop_is_stable(interval_s: float, offset_s: float, change: float) -> None:
    law = LQG(interval_s, offset_s, change)
    closed = np.array([[1 - interval_s * law.gain_x, interval_s * (1 - law.gain_y)], [-law.gain_x, 1 - law.gain_y]])
    assert np.max(np.abs(np.linalg.eigvals(closed))) < 1.0 + 1e-9


def test_a_dearer_steer_makes_a_calmer_law() -> None:
    gains = [LQG(WEEK_S, 1e-9, change).gain_x for change in (1e-17, 1e-16, 1e-15, 1e-14)]
    assert gains == sorted(gains)
    assert LQG(WEEK_S, 1e-9, 1e-15, rate=1e-16).gain_x < LQG(WEEK_S, 1e-9, 1e-15).gain_x


def test_the_correction_is_the_gains_and_cures() -> None:
    law = LQG(WEEK_S, 1e-9, 1e-15)
    assert law.correction(3e-9, 2e-15) == -(law.gain_x * 3e-9 + law.gain_y * 2e-15)
    assert law.correction(1e-9, 0.0) < 0.0 < law.correction(-1e-9, 0.0)
    assert "1 ns weigh as much as a step of 1.0e-15" in law.words
    assert "a rate of 2.0e-15" in LQG(WEEK_S, 1e-9, 1e-15, 2e-15).words


@pytest.mark.parametrize("figures", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, math.nan), (1.0, 1.0, 1.0, 0.0)])
def test_a_law_without_sizes_is_refused(figures: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="LQG"):
        LQG(*figures)


def test_it_can_be_as_calm_as_pole_placement() -> None:
    placement = PolePlacement(WEEK_S, 40 * DAY_S)
    assert LQG(WEEK_S, 1e-9, 1e-18).gain_x < placement.gain_x < LQG(WEEK_S, 1e-9, 1e-13).gain_x
