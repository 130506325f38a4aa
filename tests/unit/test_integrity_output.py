"""The output's residual and the bound: the sums written out, what widens them, and what makes them unknown."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from timeball.integrity.bound import COVERAGE, HOST_WANDER, Bound, served_bound
from timeball.integrity.output import OutputUnknown, ScalePoint, judge_residual, output_residual

small = st.floats(-1e-6, 1e-6)
SCALE = {"A": ScalePoint(2e-9, 1e-13, 0.75), "B": ScalePoint(-4e-9, 0.0, 0.25), "C": ScalePoint(0.0, 0.0, 0.0)}


def test_the_residual_is_the_weighted_mean_of_what_each_clock_says() -> None:
    # x_OUT = (x_OUT − x_i) + x_i + y_i·t, here 12 ns by A and 8 ns by B
    compared = {"A": 10e-9 - 1e-13 * 1000, "B": 12e-9}
    assert output_residual(compared, SCALE, 1000.0, 3e-9) == pytest.approx(0.75 * 12e-9 + 0.25 * 8e-9 - 3e-9)


def test_a_clock_without_weight_says_nothing_beside_others_and_all_there_is_alone() -> None:
    assert output_residual({"A": 1e-9, "C": 5.0}, SCALE, 0.0, 0.0) == pytest.approx(3e-9)
    assert output_residual({"C": 5e-9}, SCALE, 0.0, 1e-9) == pytest.approx(4e-9)


@given(small, small, small, st.floats(0.0, 600.0))
def test_every_clock_that_agrees_gives_the_same_residual(x: float, steers: float, moved: float, age_s: float) -> None:
    """Where the output truly is, and by which clocks it is seen, are two things."""
    truth = {name: x - (point.x_s + point.y * age_s) for name, point in SCALE.items()}
    residuals = [
        output_residual({name: truth[name] + moved for name in chosen}, SCALE, age_s, steers)
        for chosen in itertools.chain.from_iterable(itertools.combinations(SCALE, n) for n in (1, 2, 3))
    ]
    assert residuals == pytest.approx([x + moved - steers] * 7, abs=1e-20)


@pytest.mark.parametrize("compared", [{}, {"unheard": 1e-9}])
def test_nothing_to_compare_with_is_unknown_not_zero(compared: dict[str, float]) -> None:
    with pytest.raises(OutputUnknown):
        output_residual(compared, SCALE, 0.0, 0.0)


def test_the_finding_names_both_figures_and_a_number_that_is_none_is_a_finding() -> None:
    assert judge_residual(-5e-9, 5e-9) == ""
    assert judge_residual(-20e-9, 5e-9) == "the output is -20.00 ns from TA(k) + steers, more than the limit of 5.00 ns"
    assert judge_residual(math.nan, 5e-9)


PARTS = ("utck_minus_utc_s", "u_utc_s", "residual_s", "u_host_s", "u_host_rate", "wander")
sizes = st.fixed_dictionaries({name: st.floats(0.0, 1e-3) for name in PARTS})


def test_the_bound_is_the_sum_of_its_parts() -> None:
    bound = served_bound(
        utck_minus_utc_s=-2e-9, u_utc_s=1e-9, residual_s=-3e-9, u_host_s=5e-9, u_host_rate=1e-9, wander=1e-12
    )
    assert bound.at_reference_s == pytest.approx(2e-9 + 3e-9 + 3e-9 + 15e-9)
    assert bound.growth == pytest.approx(3e-9 + HOST_WANDER + 1e-12)


@given(sizes, st.sampled_from(PARTS), st.floats(0.0, 1e-3))
def test_more_doubt_never_makes_a_smaller_bound(parts: dict[str, float], name: str, more: float) -> None:
    before, after = served_bound(**parts), served_bound(**{**parts, name: parts[name] + more})
    assert after.at_reference_s >= before.at_reference_s
    assert after.growth >= before.growth
    assert before.at_reference_s >= 0.0
    assert before.growth >= HOST_WANDER


@given(sizes, st.sampled_from(["utck_minus_utc_s", "residual_s"]))
def test_it_is_the_size_of_an_offset_that_counts_not_its_side(parts: dict[str, float], name: str) -> None:
    assert served_bound(**parts) == served_bound(**{**parts, name: -parts[name]})


@given(sizes)
def test_it_covers_what_it_is_made_of(parts: dict[str, float]) -> None:
    """Whatever each part really is within its k = 3 limits, the error stays inside the bound."""
    assume(all(parts.values()))
    worst = parts["utck_minus_utc_s"] + COVERAGE * parts["u_utc_s"] + parts["residual_s"] + COVERAGE * parts["u_host_s"]
    assert served_bound(**parts).at_reference_s >= worst * (1 - 1e-15)


@pytest.mark.parametrize("unknown", PARTS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_unknown_makes_it_infinite(unknown: str, value: float) -> None:
    bound = served_bound(**{**dict.fromkeys(PARTS, 1e-9), unknown: value})
    if math.isnan(value):
        assert bound == Bound(math.inf, math.inf)
    assert math.inf in (bound.at_reference_s, bound.growth)
