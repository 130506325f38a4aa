"""The control law, the envelope and the proposal: gains, limits, and sentences with figures in them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.steering.envelope import DAY_S, Envelope
from timeball.steering.offset import OffsetUnknown
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import propose_steer

TIMES = st.floats(60.0, 1e7)
RATES = st.floats(-1e-11, 1e-11)
LAW = PolePlacement(DAY_S, 10 * DAY_S)
WIDE = Envelope(1e-9, 1e-9, 1e-3)


@given(TIMES, TIMES)
def test_both_poles_of_the_closed_loop_lie_at_p(interval_s, time_constant_s):
    """Eigenvalues of [[1 − τ g_x, τ (1 − g_y)], [−g_x, 1 − g_y]]: trace 2p and determinant p²."""
    law = PolePlacement(interval_s, time_constant_s)
    closed = np.array([[1 - interval_s * law.gain_x, interval_s * (1 - law.gain_y)], [-law.gain_x, 1 - law.gain_y]])
    assert 0.0 < law.pole < 1.0
    assert np.trace(closed) == pytest.approx(2 * law.pole, rel=1e-9, abs=1e-9)
    determinant = closed[0, 0] * closed[1, 1] - closed[0, 1] * closed[1, 0]
    assert determinant == pytest.approx(law.pole**2, rel=1e-9, abs=1e-9)


@given(TIMES, TIMES, st.floats(-1e-6, 1e-6), st.floats(-1e-12, 1e-12))
def test_an_unlimited_loop_decays_as_n_times_p_to_the_n(interval_s, time_constant_s, x, y):
    """With a double pole, x_n = (x_0 + n c) pⁿ with c from the first step."""
    law = PolePlacement(interval_s, time_constant_s)
    p, x_0, scale = law.pole, x, abs(x) + interval_s * abs(y) + 1e-30
    slope = None
    for n in range(1, 30):
        y = y + law.correction(x, y)
        x = x + interval_s * y
        slope = x / p - x_0 if slope is None else slope
        assert abs(x - (x_0 + n * slope) * p**n) < 1e-9 * scale * (1 + 1 / p)


def test_the_rational_pole_is_close_to_the_exponential_for_short_intervals():
    assert PolePlacement(3600.0, 100 * 3600.0).pole == pytest.approx(math.exp(-0.01), rel=1e-4)


@pytest.mark.parametrize("times", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_a_law_without_times_is_refused(times):
    with pytest.raises(ValueError, match="pole placement"):
        PolePlacement(*times)


@given(RATES, RATES, st.floats(1e-16, 1e-12), st.floats(1e-15, 1e-11), st.floats(1e-11, 1e-6))
def test_the_envelope_keeps_its_limits(rate, rate_now, max_change, max_rate, max_phase_s):
    envelope = Envelope(max_change, max_rate, max_phase_s)
    clipped = envelope.clip(rate, rate_now)
    slack = 1e-26
    limit = min(max_rate, max_phase_s / DAY_S)
    assert abs(clipped.rate - rate_now) <= max_change + slack
    assert abs(clipped.rate) <= max(limit, abs(rate_now) - max_change) + slack
    assert clipped.limited == bool(clipped.why)
    if not clipped.limited:
        assert clipped.rate == rate


@given(RATES, st.floats(1e-16, 1e-12))
def test_a_rate_within_all_limits_passes_bit_for_bit(rate, change):
    envelope = Envelope(1e-10, 1e-10, 1e-3)
    assert envelope.clip(rate, rate + change) == (rate, False, "")


def test_the_envelope_says_which_limit_held():
    envelope = Envelope(max_rate_change=1e-13, max_rate=5e-13, max_phase_per_day_s=20e-9)
    assert "largest rate, 43.2000 ns/day" in envelope.clip(6e-13, 5e-13).why
    assert "largest phase a day, 20.0000 ns/day" in envelope.clip(4e-13, 3e-13).why
    assert "largest change of rate, 8.6400 ns/day" in envelope.clip(-2e-13, 0.0).why
    assert envelope.clip(-2e-13, 0.0).rate == -1e-13


def test_a_lowered_limit_brings_the_rate_back_in_small_steps():
    rate, rates = 1e-12, []
    envelope = Envelope(1e-13, 5e-13, 1e-6)
    for _ in range(8):
        rate = envelope.clip(rate, rate).rate
        rates.append(rate)
    assert np.max(np.abs(np.diff([1e-12, *rates]))) <= 1.0001e-13
    assert rates[-1] == 5e-13


@pytest.mark.parametrize("limits", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, math.nan), (math.inf, 1.0, 1.0)])
def test_an_envelope_without_limits_is_refused(limits):
    with pytest.raises(ValueError, match="envelope"):
        Envelope(*limits)


@pytest.mark.parametrize("rates", [(math.nan, 0.0), (0.0, math.nan), (math.inf, 0.0)])
def test_the_envelope_refuses_what_is_no_rate(rates):
    with pytest.raises(ValueError, match="no rate"):
        WIDE.clip(*rates)


def test_a_clock_ahead_is_slowed_and_one_behind_hastened():
    assert propose_steer(10e-9, 0.0, 0.0, LAW, WIDE).rate < 0.0
    assert propose_steer(-10e-9, 0.0, 0.0, LAW, WIDE).rate > 0.0
    assert propose_steer(0.0, 1e-14, 0.0, LAW, WIDE).rate < 0.0
    assert propose_steer(0.0, 0.0, 3e-14, LAW, WIDE).rate == 3e-14


def test_a_proposal_gives_its_reason_in_words():
    proposal = propose_steer(-12.3456e-9, 2e-15, 1e-14, LAW, Envelope(1e-16, 1e-12, 1e-6))
    assert proposal.limited
    assert proposal.rate == pytest.approx(1.01e-14)
    assert proposal.why == (
        "UTC(k) is 12.346 ns behind UTC and gains 0.1728 ns/day; to bring it back with a time constant of 10.00 days "
        "its rate goes from +0.8640 to +0.8726 ns/day; limited: +0.0720 ns/day is beyond the largest change of rate, "
        "0.0086 ns/day"
    )
    assert "limited" not in propose_steer(1e-9, 0.0, 0.0, LAW, WIDE).why


@pytest.mark.parametrize("values", [(math.nan, 0.0, 0.0), (0.0, math.inf, 0.0), (0.0, 0.0, math.nan)])
def test_no_steer_from_an_unknown_offset(values):
    with pytest.raises(OffsetUnknown, match="not a number"):
        propose_steer(*values, LAW, WIDE)
