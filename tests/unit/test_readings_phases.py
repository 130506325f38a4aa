"""The phase table: the graph is walked, gaps stay gaps, and the reference is only a zero line."""

import numpy as np
import pytest

from timeball.readings import Readings, ReadingsError, phase_table

NAN = float("nan")


def rows(*items: tuple[int, str, str, float]) -> Readings:
    return Readings.from_rows((*item, NAN) for item in items)


def test_a_star_gives_each_clock_against_the_reference() -> None:
    table = phase_table(rows((1, "A", "H", 3.0), (1, "B", "H", 1.0), (2, "B", "H", 5.0)), "H")
    assert table.clocks == ("A", "H", "B")
    assert table.epochs.tolist() == [1, 2]
    np.testing.assert_array_equal(table.x, [[3.0, 0.0, 1.0], [NAN, 0.0, 5.0]])
    assert phase_table(rows((1, "A", "H", 3.0), (1, "B", "H", 1.0)), "B").x.tolist() == [[2.0, -1.0, 0.0]]


def test_a_chain_is_walked_in_both_directions() -> None:
    table = phase_table(rows((1, "A", "B", 1.0), (1, "C", "B", 10.0), (1, "C", "D", 100.0)), "A")
    # B = A − 1, C = B + 10, D = C − 100
    assert dict(zip(table.clocks, table.x[0].tolist(), strict=True)) == {"A": 0.0, "B": -1.0, "C": 9.0, "D": -91.0}


def test_a_paper_scale_carries_comparisons_but_gets_no_column() -> None:
    table = phase_table(rows((1, "A", "GPST(X)", 3.0), (1, "B", "GPST(X)", 1.0)), "A")
    assert table.clocks == ("A", "B")
    assert table.x.tolist() == [[0.0, -2.0]]
    against_scale = phase_table(rows((1, "A", "GPST(X)", 3.0)), "GPST(X)")
    assert (against_scale.x.tolist(), against_scale.pivot.tolist()) == ([[3.0]], [-1])


def test_where_the_reference_is_missing_a_stand_in_keeps_the_differences() -> None:
    readings = rows((1, "A", "H", 3.0), (1, "B", "H", 1.0), (1, "C", "H", 2.0), (2, "B", "H", 5.0), (2, "C", "H", 9.0))
    table = phase_table(readings, "A", clocks=["A", "B", "C"])
    np.testing.assert_array_equal(table.x, [[0.0, -2.0, -1.0], [NAN, 0.0, 4.0]])
    assert table.pivot.tolist() == [0, 1]
    assert table.against_reference().epochs.tolist() == [1]


def test_of_two_islands_the_one_with_more_wanted_clocks_is_kept_whatever_the_reference() -> None:
    readings = rows((1, "A", "B", 1.0), (1, "C", "D", 2.0), (1, "E", "D", 4.0))
    for reference in ("A", "C"):
        table = phase_table(readings, reference)
        held = dict(zip(table.clocks, np.isfinite(table.x[0]).tolist(), strict=True))
        assert held == {"A": False, "B": False, "C": True, "D": True, "E": True}
    table = phase_table(readings, "A", clocks=["A", "B", "C"])
    assert np.isfinite(table.x[0]).tolist() == [True, True, False]


def test_of_a_pair_measured_twice_the_first_counts_and_nan_does_not() -> None:
    star = rows((1, "A", "H", NAN), (1, "A", "H", 3.0), (1, "A", "H", 4.0))
    graph = rows((1, "A", "H", NAN), (1, "A", "H", 3.0), (1, "H", "A", 4.0))
    for readings in (star, graph):
        assert phase_table(readings, "H", clocks=["A"]).x.tolist() == [[3.0]]


def test_the_default_reference_is_the_clock_with_most_readings() -> None:
    table = phase_table(rows((1, "A", "S(X)", 1.0), (1, "B", "S(X)", 1.0), (2, "B", "S(X)", 1.0)))
    assert table.reference == "B"


def test_epochs_without_any_wanted_clock_are_no_rows() -> None:
    table = phase_table(rows((1, "A", "H", 1.0), (2, "B", "H", 1.0)), clocks=["B"])
    assert table.epochs.tolist() == [2]
    empty = phase_table(Readings.empty(["A"]))
    assert (empty.x.shape, empty.clocks) == ((0, 1), ("A",))
    assert phase_table(Readings.empty()).x.shape == (0, 0)


def test_unknown_names_are_named() -> None:
    with pytest.raises(ReadingsError, match="X, Y"):
        phase_table(rows((1, "A", "H", 1.0)), "Y", clocks=["X"])
