"""The line fit: against numpy's own, with gaps, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.steering.offset import OffsetUnknown, fit_offset

SECOND = 10**9
GENESIS = 1_700_000_000 * SECOND


def epochs_of(seconds) -> np.ndarray:
    return GENESIS + np.asarray(seconds, dtype=np.int64) * SECOND


def test_a_straight_line_is_found_exactly():
    seconds = np.arange(0, 86_400, 3600)
    offset = fit_offset(epochs_of(seconds), 3e-9 + 2e-13 * seconds, GENESIS + 86_400 * SECOND)
    assert offset.x_s == pytest.approx(3e-9 + 2e-13 * 86_400, rel=1e-12)
    assert offset.y == pytest.approx(2e-13, rel=1e-12)
    assert offset.u_x_s < 1e-20


@given(st.integers(0, 2**32 - 1), st.integers(4, 60))
def test_it_agrees_with_numpy(seed, n):
    rng = np.random.default_rng(seed)
    seconds = np.unique(rng.integers(0, 10**6, n))
    x = 1e-7 + 1e-13 * seconds + 1e-9 * rng.standard_normal(seconds.size)
    if seconds.size < 4:
        return
    (slope, value), covariance = np.polyfit(seconds - 10**6, x, 1, cov=True)
    offset = fit_offset(epochs_of(seconds), x, GENESIS + 10**6 * SECOND)
    assert offset.y == pytest.approx(slope, rel=1e-6, abs=1e-20)
    assert offset.x_s == pytest.approx(value, rel=1e-6, abs=1e-16)
    assert offset.u_y == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-6)
    assert offset.u_x_s == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-6)


def test_uncertainties_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    seconds = np.arange(0, 100_000, 1000)
    inside = 0
    for _ in range(1000):
        offset = fit_offset(epochs_of(seconds), rng.standard_normal(seconds.size) * 1e-9, GENESIS)
        inside += abs(offset.x_s) < offset.u_x_s
    assert 0.63 < inside / 1000 < 0.73


def test_gaps_are_left_out():
    seconds = np.arange(0, 10_000, 100)
    x = 1e-9 + 1e-13 * seconds
    holed = x.copy()
    holed[::3] = np.nan
    kept = ~np.isnan(holed)
    whole = fit_offset(epochs_of(seconds), holed, GENESIS)
    assert whole == fit_offset(epochs_of(seconds[kept]), x[kept], GENESIS)


def test_two_points_make_a_line_of_unknown_uncertainty():
    offset = fit_offset(epochs_of([0, 1000]), np.array([1e-9, 2e-9]), GENESIS)
    assert (offset.x_s, offset.y) == pytest.approx((1e-9, 1e-12))
    assert np.isnan(offset.u_x_s)
    assert np.isnan(offset.u_y)


@pytest.mark.parametrize(("seconds", "x"), [([], []), ([0], [1e-9]), ([5, 5], [1e-9, 2e-9]), ([0, 1], [np.nan, 1e-9])])
def test_without_a_span_of_time_the_offset_is_unknown(seconds, x):
    with pytest.raises(OffsetUnknown, match="two at different epochs"):
        fit_offset(epochs_of(seconds), np.array(x, dtype=np.float64), GENESIS)
