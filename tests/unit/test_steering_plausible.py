"""Which published values can be: those near the line of their neighbours, whatever a single one of these says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.instants import DAY_NS
from timeball.steering.plausible import LEVEL_OF, Value, agree, deviation

SIGMAS, WANDER, U_S = 6.0, 1e-14, 1e-9


def line(days: int, rate: float = 2e-13, at_s: float = 5e-9) -> list[Value]:
    return [Value(day * DAY_NS, at_s + rate * day * 86400.0, U_S) for day in range(days)]


def off(value: Value, known: list[Value]) -> bool:
    found = deviation(value, known, SIGMAS, WANDER)
    assert found is not None
    return not found.fits


@given(st.integers(-3, 45), st.floats(-1e-12, 1e-12), st.permutations(range(20)))
def test_a_line_goes_on_whatever_its_slope_and_order(day: int, rate: float, order: list[int]) -> None:
    known, truth = line(20, rate), Value(day * DAY_NS, 5e-9 + rate * day * 86400.0, U_S)
    shuffled = [known[at] for at in order]
    found = deviation(truth, known, SIGMAS, WANDER)
    assert found == deviation(truth, shuffled, SIGMAS, WANDER)
    assert found is not None
    assert abs(found.off_s) < 1e-18 + 1e-12 * abs(truth.x_s) * 40


@pytest.mark.parametrize("day", [3, 20, 26])
@pytest.mark.parametrize("error_s", [1e-6, -1e-6, 200e-9])
def test_an_error_of_typing_is_found_and_noise_is_none(day: int, error_s: float) -> None:
    known = line(20)
    right = Value(day * DAY_NS, 5e-9 + 2e-13 * day * 86400.0 + 3e-9, U_S)
    assert not off(right, known)
    assert off(right._replace(x_s=right.x_s + error_s), known)


def test_one_bad_neighbour_speaks_for_nobody() -> None:
    known = line(20)
    known[-1] = known[-1]._replace(x_s=1e-6)
    assert not off(Value(20 * DAY_NS, 5e-9 + 2e-13 * 20 * 86400.0, U_S), known)


def test_the_farther_the_more_is_allowed_by_the_formula() -> None:
    found = [deviation(Value(day * DAY_NS, 0.0, U_S), line(20), SIGMAS, WANDER) for day in (19, 20, 29)]
    gaps = [0.0, 86400.0, 10 * 86400.0]
    assert [one.may_s for one in found if one] == pytest.approx(
        [SIGMAS * (2 * U_S**2 + (WANDER * gap) ** 2) ** 0.5 for gap in gaps]
    )


def test_with_too_few_neighbours_nothing_is_said() -> None:
    assert deviation(Value(0, 1.0, U_S), line(LEVEL_OF - 1), SIGMAS, WANDER) is None


def test_two_values_agree_along_the_line_and_not_across_it() -> None:
    known = line(20)
    one, other = (Value(day * DAY_NS, 1e-6 + 2e-13 * day * 86400.0, U_S) for day in (20, 27))
    assert agree(one, other, known, SIGMAS, WANDER)
    assert agree(other, one, known, SIGMAS, WANDER)
    assert not agree(one, other._replace(x_s=other.x_s + 0.2e-6), known, SIGMAS, WANDER)
    assert agree(one, one, [], SIGMAS, WANDER)
