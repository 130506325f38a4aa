"""Which published values can be: those near the line of their neighbours, whatever a single one of these says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.formats.utcr import read_lab_series
from timeball.instants import DAY_NS
from timeball.station.hosttime.leaps import load_leap_table
from timeball.steering.plausible import LEVEL_OF, Value, agree, deviation

SIGMAS, WANDER, U_S = 6.0, 1e-14, 1e-9


def line(days: int, rate: float = 2e-13, at_s: float = 5e-9) -> list[Value]:
    return [Value(day * DAY_NS, at_s + rate * day * 86400.0, U_S) for day in range(days)]


def off(value: Value, known: list[Value], wander: float = WANDER) -> bool:
    found = deviation(value, known, SIGMAS, wander)
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


def test_a_scale_that_is_seen_to_wander_is_allowed_to() -> None:
    """Slopes of +w and −w by turns: their median absolute deviation counts beside the wander that is always allowed."""
    known = [Value(day * DAY_NS, 4e-9 * (day % 2), U_S) for day in range(10)]
    restless, calm = (
        deviation(Value(15 * DAY_NS, 0.0, U_S), values, SIGMAS, WANDER) for values in (known, line(10, 0.0))
    )
    assert restless is not None
    assert calm is not None
    assert restless.may_s > 1.3 * calm.may_s


def test_seven_years_of_a_laboratory_are_hardly_doubted_and_errors_found(shared: Callable[[str], Path]) -> None:
    """UTC(AUS), week by week as UTCr told it; its own steers, which are not known here, are left in."""
    data = shared("groundstate-utck-tools/utcraus.txt").read_bytes()
    points, _ = read_lab_series(data, "utcraus", load_leap_table(), "AUS")
    values = [
        Value(epoch, -x_s, U_S) for epoch, x_s in zip(points.epochs.tolist(), points.values_s.tolist(), strict=True)
    ]
    doubted, missed = 0, {100e-9: 0, 1e-6: 0}
    for begin in range(14, len(values) - 7, 7):
        known = values[max(0, begin - 60) : begin]
        for at, value in enumerate(values[begin : begin + 7]):
            doubted += off(value, known, 5e-15)
            # one day a week, by turns early and late
            for error_s in missed if at == begin % 5 else ():
                wrong = value._replace(x_s=value.x_s + (error_s if begin % 2 else -error_s))
                missed[error_s] += not off(wrong, known, 5e-15)
    n = (len(values) - 21) // 7 * 7
    assert n > 2600
    assert doubted < 0.006 * n
    assert missed[100e-9] < 0.05 * n / 7
    assert missed[1e-6] == 0


def test_with_too_few_neighbours_nothing_is_said() -> None:
    assert deviation(Value(0, 1.0, U_S), line(LEVEL_OF - 1), SIGMAS, WANDER) is None


def test_two_values_agree_along_the_line_and_not_across_it() -> None:
    known = line(20)
    one, other = (Value(day * DAY_NS, 1e-6 + 2e-13 * day * 86400.0, U_S) for day in (20, 27))
    assert agree(one, other, known, SIGMAS, WANDER)
    assert agree(other, one, known, SIGMAS, WANDER)
    assert not agree(one, other._replace(x_s=other.x_s + 0.2e-6), known, SIGMAS, WANDER)
    assert agree(one, one, [], SIGMAS, WANDER)
