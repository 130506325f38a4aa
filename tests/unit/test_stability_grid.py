"""Samples with time tags on an even grid, and one clock's series out of many readings."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.readings import Readings
from timeball.stability import RecordError, on_grid
from timeball.stability.series import ClockChoiceError, clocks_measured, series_of

S = 10**9
START = 1_767_225_600 * S


def epochs(*seconds: float) -> np.ndarray:
    return START + np.array([round(second * S) for second in seconds], dtype=np.int64)


def test_a_gap_becomes_nan() -> None:
    grid = on_grid(epochs(0, 10, 20, 50), np.array([1.0, 2.0, 3.0, 6.0]))
    assert (grid.start_ns, grid.tau0_s, grid.missing, grid.off_grid, grid.repeated) == (START, 10.0, 2, 0, 0)
    np.testing.assert_array_equal(grid.values, [1.0, 2.0, 3.0, np.nan, np.nan, 6.0])


def test_order_does_not_matter_and_the_first_of_two_counts() -> None:
    grid = on_grid(epochs(20, 0, 10, 10), np.array([3.0, 1.0, 2.0, 99.0]))
    assert grid.values.tolist() == [1.0, 2.0, 3.0]
    assert grid.repeated == 1


def test_a_sample_between_two_places_is_left_out_and_counted() -> None:
    grid = on_grid(epochs(0, 10, 14, 20, 30), np.array([1.0, 2.0, 99.0, 3.0, 4.0]))
    assert grid.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert grid.off_grid == 1


def test_a_longer_interval_takes_every_third() -> None:
    grid = on_grid(epochs(*range(0, 100, 10)), np.arange(10.0), tau0_s=30.0)
    assert grid.values.tolist() == [0.0, 3.0, 6.0, 9.0]
    assert grid.off_grid == 6


def test_rounded_tags_do_not_drift_off_a_long_grid() -> None:
    """One sample a second, tagged to 10 µs of a day: the median step is wrong by a part in 10⁴, the grid is not."""
    tags = np.round(np.arange(200_000) / 86_400, 8)
    epoch = START + np.rint(tags * 86_400 * S).astype(np.int64)
    grid = on_grid(epoch, np.arange(200_000.0))
    assert (grid.missing, grid.off_grid, grid.repeated) == (0, 0, 0)
    assert grid.tau0_s == pytest.approx(1.0, rel=1e-8)
    assert np.array_equal(grid.values, np.arange(200_000.0))


@pytest.mark.parametrize(("share", "shake_s"), [(0.2, 5e-5), (0.4, 1e-2), (0.9, 1e-2)])
def test_the_interval_of_a_sparse_record_whose_tags_shake(share: float, shake_s: float) -> None:
    """Samples at some seconds only, no two steps alike: the median step is no interval, the commonest one is chance."""
    rng = np.random.default_rng(8)
    seconds = np.flatnonzero(rng.random(5000) < share)
    grid = on_grid(epochs(*(seconds + shake_s * rng.uniform(-1.0, 1.0, seconds.size))), seconds.astype(float))
    assert grid.tau0_s == pytest.approx(1.0, abs=2e-5)
    assert (grid.off_grid, grid.repeated) == (0, 0)
    known = np.flatnonzero(np.isfinite(grid.values))
    np.testing.assert_array_equal(grid.values[known], known + seconds[0])


@pytest.mark.parametrize("tau0_s", [0.0, -1.0, float("nan")])
def test_a_bad_interval_is_refused(tau0_s: float) -> None:
    with pytest.raises(RecordError, match="interval"):
        on_grid(epochs(0, 1), np.zeros(2), tau0_s)


def test_records_without_an_interval_are_refused() -> None:
    with pytest.raises(RecordError, match="samples"):
        on_grid(epochs(), np.zeros(0))
    with pytest.raises(RecordError, match="single sample"):
        on_grid(epochs(5), np.zeros(1))
    with pytest.raises(RecordError, match="same time tag"):
        on_grid(epochs(5, 5), np.zeros(2))
    with pytest.raises(RecordError, match="one tag for each"):
        on_grid(epochs(5, 6), np.zeros(3))


def test_one_mistyped_year_does_not_fill_the_memory() -> None:
    with pytest.raises(RecordError, match="too many"):
        on_grid(epochs(0, 1, 2, 3, 31_556_952 * 100), np.zeros(5))


ROWS = [
    (START, "A", "REF", 1e-9, float("nan")),
    (START, "B", "REF", 5e-9, float("nan")),
    (START + S, "A", "REF", 2e-9, float("nan")),
    (START + S, "REF", "B", -6e-9, float("nan")),
]


def test_a_series_is_clock_minus_the_other_end_whichever_way_it_was_measured() -> None:
    readings = Readings.from_rows(ROWS)
    series = series_of(readings, "B")
    assert (series.clock, series.against) == ("B", "REF")
    assert series.x.tolist() == [5e-9, 6e-9]
    assert series.epoch.tolist() == [START, START + S]


def test_the_only_clock_needs_no_name() -> None:
    readings = Readings.from_rows([row for row in ROWS if row[1] == "A"])
    assert series_of(readings).clock == "A"
    assert clocks_measured(readings) == ("A",)


def test_several_clocks_need_a_choice_and_a_wrong_name_is_told() -> None:
    readings = Readings.from_rows(ROWS)
    with pytest.raises(ClockChoiceError, match="3 clocks, choose one of them: A, "):
        series_of(readings)
    with pytest.raises(ClockChoiceError, match="no clock 'C' in the record; there are: A, "):
        series_of(readings, "C")
    many = Readings.from_rows([(START, f"K{n}", "REF", 0.0, 0.0) for n in range(40)])
    with pytest.raises(ClockChoiceError, match=r"and 28 more$"):
        series_of(many)


def test_a_clock_in_a_mesh_is_taken_against_its_usual_partner() -> None:
    mesh = [(START + k * S, a, b, x, 0.0) for k in range(3) for a, b, x in (("A", "B", 1e-9), ("B", "C", 2e-9))] + [
        (START + 3 * S, "C", "B", 7e-9, 0.0)
    ]
    series = series_of(Readings.from_rows(mesh), "B")
    assert (series.against, series.x.tolist()) == ("C", [2e-9, 2e-9, 2e-9, -7e-9])
    series = series_of(Readings.from_rows([*mesh, (START, "A", "C", 3.5e-9, 0.0)]), "A")
    assert (series.against, series.x[:3].tolist()) == ("B", [1e-9, 1e-9, 1e-9])
