"""Records as people look at them: phase, frequency of blocks, thinned; gaps stay gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.stability.errors import FactorError, FrequencyGapError
from timeball.stability.views import View, alone, frequency_view, phase_view, thinned

NAN = float("nan")


def test_frequency_of_phase_is_its_slope_over_blocks() -> None:
    x = np.array([0.0, 1.0, 4.0, 5.0, 8.0, 9.0, 20.0])
    one = frequency_view(x, 2.0)
    assert one.t_s.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    assert one.values.tolist() == [0.5, 1.5, 0.5, 1.5, 0.5, 5.5]
    three = frequency_view(x, 2.0, 3)
    assert (three.t_s.tolist(), three.values.tolist()) == ([3.0, 9.0], [5 / 6, 2.5])


def test_a_gap_costs_the_values_that_need_it_and_no_other() -> None:
    x = np.array([0.0, 1.0, NAN, 3.0, 4.0])
    np.testing.assert_array_equal(frequency_view(x, 1.0).values, [1.0, NAN, NAN, 1.0])
    # inside a block of phase nothing is lost: the clock ran on
    np.testing.assert_array_equal(frequency_view(x, 1.0, 4).values, [1.0])
    # of frequency the way through the gap is not known
    np.testing.assert_array_equal(frequency_view([1.0, NAN, 3.0, 5.0], 1.0, 2, kind="frequency").values, [NAN, 4.0])


def test_phase_of_frequency_and_back() -> None:
    y = np.array([1e-12, 3e-12, -2e-12])
    view = phase_view(y, 10.0, kind="frequency")
    np.testing.assert_allclose(view.values, [0.0, 1e-11, 4e-11, 2e-11])
    assert view.t_s.tolist() == [0.0, 10.0, 20.0, 30.0]
    np.testing.assert_allclose(frequency_view(view.values, 10.0).values, y)
    assert phase_view([1.0, NAN], 5.0).t_s.tolist() == [0.0, 5.0]


def test_what_cannot_be_viewed() -> None:
    with pytest.raises(FrequencyGapError):
        phase_view([1.0, NAN, 2.0], 1.0, kind="frequency")
    with pytest.raises(FactorError, match="over 3 intervals of a record of 2"):
        frequency_view([1.0, 2.0, 3.0], 1.0, 3)
    with pytest.raises(FactorError, match="record of 0"):
        frequency_view([1.0], 1.0)


@given(st.lists(st.one_of(st.floats(-1.0, 1.0), st.just(NAN)), min_size=1, max_size=400), st.integers(2, 60))
def test_thinning_loses_no_extreme_invents_nothing_and_stays_in_order(values: list[float], most: int) -> None:
    whole = View(np.arange(len(values), dtype=float), np.array(values))
    few = thinned(whole, most)
    assert few.values.size <= max(most + 2, len(values) if len(values) <= most else 0)
    assert np.all(np.diff(few.t_s) > 0)
    np.testing.assert_array_equal(few.values, whole.values[few.t_s.astype(int)])
    if np.isfinite(whole.values).any():
        assert np.nanmax(few.values) == np.nanmax(whole.values)
        assert np.nanmin(few.values) == np.nanmin(whole.values)


def test_a_gap_of_a_thinned_record_stays() -> None:
    x = np.ones(10_000)
    x[4000:5000] = NAN
    few = thinned(View(np.arange(10_000.0), x), 100)
    inside = (few.t_s > 4000) & (few.t_s < 4800)
    assert inside.any()
    assert np.isnan(few.values[inside]).all()


def test_values_alone_between_gaps() -> None:
    found = alone(np.array([1.0, NAN, 2.0, 3.0, NAN, 4.0]))
    assert found.tolist() == [True, False, False, False, False, True]
