"""What goes in and what is refused: spacings, intervals, gaps of frequency, records that are too short."""

from __future__ import annotations

import numpy as np
import pytest

from timeball import stability
from timeball.stability import kernels, kernels_windows
from timeball.stability.records import frequency_record, phase_record

FOUR = (stability.adev, stability.oadev, stability.mdev, stability.tdev)
ALL = tuple(deviation.function for deviation in stability.DEVIATIONS.values())


def test_spacings() -> None:
    assert stability.averaging_factors(20).tolist() == [1, 2, 4, 8, 16]
    assert stability.averaging_factors(16, "octave").tolist() == [1, 2, 4, 8, 16]
    assert stability.averaging_factors(15, "octave").tolist() == [1, 2, 4, 8]
    assert stability.averaging_factors(250, "decade").tolist() == [1, 2, 4, 10, 20, 40, 100, 200]
    assert stability.averaging_factors(5, "all").tolist() == [1, 2, 3, 4, 5]
    assert stability.averaging_factors(5, [3, 1, 3]).tolist() == [3, 1, 3]
    assert stability.averaging_factors(0).size == 0
    assert stability.averaging_factors(-1, "decade").size == 0


@pytest.mark.parametrize(
    "bad", ["octaves", "", [], [0], [1.5], [float("nan")], [float("inf")], [[1, 2]], ["1"], [2**60]]
)
def test_a_factor_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(stability.FactorError):
        stability.oadev(np.zeros(10), 1.0, bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_an_interval_that_is_none_is_refused(bad: float) -> None:
    for deviation in ALL:
        with pytest.raises(stability.RecordError, match="interval"):
            deviation(np.zeros(10), bad)


def test_an_infinite_value_is_refused_with_its_place() -> None:
    x = np.zeros(10)
    x[7] = -np.inf
    with pytest.raises(stability.RecordError, match=r"x\[7\] is infinite"):
        stability.mdev(x, 1.0)
    with pytest.raises(stability.RecordError, match=r"y\[7\] is infinite"):
        stability.mdev(x, 1.0, kind="frequency")


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), 1.0, ["a", "b", "c"], [1, [2, 3]]])
def test_what_is_not_a_line_of_numbers_is_refused(bad: object) -> None:
    with pytest.raises(stability.RecordError, match="line of numbers"):
        stability.oadev(bad, 1.0)  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(stability.RecordError, match="'time'"):
        stability.oadev(np.zeros(10), 1.0, kind="time")


@pytest.mark.parametrize(
    ("deviation", "points_for_m"), [(stability.adev, 2), (stability.oadev, 2), (stability.mdev, 3)]
)
@pytest.mark.parametrize("m", [1, 2, 7])
def test_the_shortest_record_that_will_do(deviation, points_for_m: int, m: int) -> None:
    needed = 2 * m + 1 if points_for_m == 2 else 3 * m
    x = np.random.default_rng(5).standard_normal(needed)
    assert deviation(x, 1.0, [m]).n.tolist() == [1]
    assert deviation(x[1:] - x[:-1], 1.0, [m], kind="frequency").n.tolist() == [1]
    with pytest.raises(stability.TooShortError, match=f"factor {m} needs {needed}.*has {needed - 1}") as caught:
        deviation(x[1:], 1.0, [1, m])
    assert (caught.value.points, caught.value.needed, caught.value.factor) == (needed - 1, needed, m)


@pytest.mark.parametrize("points", [0, 1, 2])
def test_too_short_for_any_factor(points: int) -> None:
    for deviation in ALL:
        if deviation in (stability.tierms, stability.mtie) and points == 2:
            continue  # two points are one interval, and that has an error
        for spacing in (None, "all", [20]):
            with pytest.raises(stability.TooShortError):
                deviation(np.zeros(points), 1.0, spacing)
    with pytest.raises(stability.TooShortError):
        stability.oadev([], 1.0, kind="frequency")


def test_a_factor_asked_for_is_answered_even_when_gaps_left_nothing() -> None:
    x = np.arange(20.0) ** 2
    x[10] = np.nan
    found = stability.mdev(x, 1.0, [1, 6])
    assert found.n.tolist() == [15, 0]  # 8 windows before the gap, 7 after
    assert np.isnan(found.sigma[1])
    assert stability.mdev(x, 1.0, "all").m.tolist() == [1, 2, 3]
    assert stability.oadev(np.full(20, np.nan), 1.0).tau_s.size == 0


def test_a_missing_phase_spoils_what_touches_it_and_no_more() -> None:
    x = np.arange(9.0) ** 2  # every second difference is 2
    x[4] = np.nan
    found = stability.oadev(x, 1.0, [1, 2, 3, 4])
    assert found.n.tolist() == [4, 2, 2, 0]  # those that start at 0 1 5 6, at 1 3, at 0 2, none
    assert found.sigma[0] == np.sqrt(2.0)


def test_phase_is_not_carried_across_a_missing_frequency() -> None:
    rng = np.random.default_rng(11)
    y = rng.standard_normal(50)
    y[20] = np.nan
    with pytest.raises(stability.FrequencyGapError, match=r"y\[20\]"):
        stability.phase_from_frequency(y, 1.0)
    found = stability.oadev(y, 1.0, [1, 8], kind="frequency")
    # averages over m = 8 that hold value 20 are missing: of 35 terms, those that start at 5 .. 20 are lost
    assert found.n.tolist() == [47, 19]
    # a step of frequency hidden in the gap shows in no term of m = 1
    stepped = np.where(np.arange(50) > 20, y + 100.0, y)
    np.testing.assert_allclose(stability.oadev(stepped, 1.0, [1], kind="frequency").sigma, found.sigma[:1], rtol=1e-12)


def test_stretches_of_a_frequency_record() -> None:
    nan = float("nan")
    record = frequency_record([nan, 1.0, 2.0, nan, nan, 3.0, nan], 10.0)
    assert record.x.size == 8
    assert list(zip(record.starts.tolist(), record.stops.tolist(), strict=True)) == [(1, 4), (5, 7)]
    assert phase_record([1.0, nan, 2.0, 3.0]).finite_stretches().starts.tolist() == [0, 2]


def test_phase_from_frequency_starts_at_zero() -> None:
    assert stability.phase_from_frequency([0.5, 0.25], 60.0).tolist() == [0.0, 30.0, 45.0]


def test_the_record_given_is_left_as_it_was() -> None:
    x = np.random.default_rng(2).standard_normal(100)
    before = x.copy()
    x.setflags(write=False)
    for deviation in ALL:
        deviation(x, 1.0)
        deviation(x[::2], 1.0, kind="frequency")
    assert np.array_equal(x, before)


def test_the_same_bits_whatever_the_memory_layout() -> None:
    x = np.random.default_rng(3).standard_normal(600)
    spread = np.empty(1200)
    spread[::2] = x
    for deviation in ALL:
        assert np.array_equal(deviation(x, 1.0).sigma, deviation(spread[::2], 1.0).sigma)
        assert np.array_equal(deviation(x, 1.0).sigma, deviation(x.tolist(), 1.0).sigma)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 63, 64, 65, kernels_windows.TILE - 1, kernels_windows.TILE])
def test_the_pairwise_sum_takes_each_number_once(size: int) -> None:
    tile = np.full(kernels_windows.TILE, 1e30)  # what lies behind the numbers must not count
    tile[:size] = np.arange(1, size + 1)
    assert kernels.sum_pairwise(tile, size) == size * (size + 1) // 2
