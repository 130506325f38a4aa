"""The columnar record: what it refuses, how it is joined, sorted and selected from."""

import numpy as np
import pytest

from timeball.readings import Readings, ReadingsError, is_scale

NAN = float("nan")
ROWS = [
    (20, "B", "A", 2e-9, 1e-10),
    (10, "B", "A", 1e-9, NAN),
    (10, "C", "A", 3e-9, NAN),
    (20, "D", "C", 4e-9, NAN),
]


def test_columns_keep_their_types_and_cannot_be_written_to() -> None:
    readings = Readings.from_columns(["A", "B"], [5], [0], [1], [1e-9])
    assert (readings.epoch.dtype, readings.a.dtype, readings.b.dtype) == (np.int64, np.int32, np.int32)
    assert np.isnan(readings.u).all()
    with pytest.raises(ValueError, match="read-only"):
        readings.x[0] = 0.0


@pytest.mark.parametrize(
    "columns",
    [
        (["A", "A"], [5], [0], [1], [0.0]),
        (["A", ""], [5], [0], [1], [0.0]),
        (["A", "B"], [5, 6], [0], [1], [0.0]),
        (["A", "B"], [5], [0], [2], [0.0]),
        (["A", "B"], [5], [-1], [1], [0.0]),
        (["A", "B"], [5], [1], [1], [0.0]),
        (["A", "B"], [[5]], [[0]], [[1]], [[0.0]]),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(columns: tuple[list[object], ...]) -> None:
    with pytest.raises(ReadingsError):
        Readings.from_columns(*columns)


def test_rows_number_the_clocks_as_they_appear() -> None:
    readings = Readings.from_rows(ROWS)
    assert readings.clocks == ("B", "A", "C", "D")
    assert readings.a.tolist() == [0, 0, 2, 3]
    assert len(Readings.from_rows([])) == len(Readings.empty()) == 0


def test_joining_merges_clocks_by_name() -> None:
    parts = [Readings.from_rows(ROWS[:2]), Readings.from_rows(ROWS[2:])]
    assert Readings.concat(parts).equals(Readings.from_rows(ROWS))
    assert Readings.concat([]).equals(Readings.empty())


def test_sorting_is_by_epoch_and_then_by_pair() -> None:
    ordered = Readings.from_rows(ROWS).sorted()
    assert ordered.epoch.tolist() == [10, 10, 20, 20]
    assert ordered.x.tolist() == [1e-9, 3e-9, 2e-9, 4e-9]
    assert ordered.sorted().equals(ordered)


def test_selecting_keeps_what_touches_a_named_clock_and_drops_unused_names() -> None:
    chosen = Readings.from_rows(ROWS).select(["B", "D"])
    assert set(chosen.clocks) == {"A", "B", "C", "D"}
    assert chosen.x.tolist() == [2e-9, 1e-9, 4e-9]
    only_b = Readings.from_rows(ROWS).select(["B"])
    assert only_b.clocks == ("B", "A")
    with pytest.raises(ReadingsError, match="X, Y"):
        Readings.from_rows(ROWS).select(["X", "B", "Y"])


def test_equality_is_to_the_last_bit() -> None:
    one = Readings.from_rows(ROWS)
    assert one.equals(Readings.from_rows(ROWS))
    moved = [(*row[:3], np.nextafter(row[3], 1), row[4]) for row in ROWS]
    assert not one.equals(Readings.from_rows(moved))


@pytest.mark.parametrize(("name", "scale"), [("UTC(TB)", True), ("GPST(ESOC)", True), ("AMC2", False), ("G01", False)])
def test_scales_on_paper_are_told_from_clocks_by_name(name: str, scale: bool) -> None:
    assert is_scale(name) is scale
