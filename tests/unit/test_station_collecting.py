"""Common epochs from free-running counters, and the batch that is signed: exact figures, nothing invented."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.station.fold.tables import readings_of
from timeball.station.instruments.base import Sample
from timeball.station.instruments.collecting import Gridder, batch_of

S = 10**9
STEP = 60 * S


LATE = 10**18


def test_a_reading_on_the_grid_is_taken_as_it_is() -> None:
    gridder = Gridder(STEP)
    assert gridder.add([Sample(STEP, "A", "B", 7, 3)], LATE) == []
    assert gridder.take() == [Sample(STEP, "A", "B", 7, 3)]
    assert gridder.take() == []


def test_between_two_readings_the_straight_line_counts() -> None:
    gridder = Gridder(STEP)
    gridder.add([Sample(STEP - 10 * S, "A", "B", 100, 3)], LATE)
    assert gridder.take() == []
    gridder.add([Sample(STEP + 30 * S, "A", "B", 500, 4)], LATE)
    assert gridder.take() == [Sample(STEP, "A", "B", 200, 4)]


def test_nothing_is_said_about_an_epoch_without_readings_around_it() -> None:
    gridder = Gridder(STEP)
    gridder.add([Sample(STEP - 10 * S, "A", "B", 100), Sample(4 * STEP + S, "A", "B", 100)], LATE)
    assert gridder.take() == []
    gridder.add([Sample(4 * STEP + 31 * S, "A", "B", 100), Sample(5 * STEP + 30 * S, "A", "B", 100)], LATE)
    assert [sample.epoch for sample in gridder.take()] == [5 * STEP]


def test_an_epoch_waits_for_every_pair_but_not_for_one_that_fell_silent() -> None:
    gridder = Gridder(STEP)
    gridder.add([Sample(STEP, "A", "B", 1), Sample(STEP - S, "C", "B", 2)], LATE)
    assert gridder.take() == []
    gridder.add([Sample(STEP + S, "C", "B", 4)], LATE)
    assert [(sample.a, sample.x_fs) for sample in gridder.take()] == [("A", 1), ("C", 3)]
    gridder.add([Sample(2 * STEP, "A", "B", 1)], LATE)
    assert gridder.take() == []
    gridder.add([Sample(3 * STEP, "A", "B", 1)], LATE)
    assert [sample.epoch for sample in gridder.take()] == [2 * STEP, 3 * STEP]
    gridder.add([Sample(4 * STEP, "A", "B", 1)], LATE)
    assert [sample.epoch for sample in gridder.take()] == [4 * STEP]


def test_a_counter_whose_time_goes_back_does_not_turn_the_grid_back() -> None:
    gridder = Gridder(STEP)
    back = [Sample(STEP - 5 * S, "A", "B", 99), Sample(STEP, "A", "B", 98)]
    assert gridder.add([Sample(STEP, "A", "B", 1), *back], LATE) == back
    assert gridder.take() == [Sample(STEP, "A", "B", 1)]
    late = Sample(STEP - S, "C", "B", 5)
    assert gridder.add([late], LATE) == [late]


def test_a_counter_with_a_wrong_calendar_does_not_make_the_others_late() -> None:
    gridder = Gridder(STEP)
    wrong = Sample(10**17, "C", "B", 1)
    assert gridder.add([Sample(STEP, "A", "B", 1), wrong], STEP) == [wrong]
    assert gridder.take() == [Sample(STEP, "A", "B", 1)]


def test_a_gap_of_years_is_passed_in_one_step() -> None:
    gridder = Gridder(S)
    gridder.add([Sample(S, "A", "B", 1), Sample(10**17, "A", "B", 1)], LATE)
    assert [sample.epoch for sample in gridder.take()] == [S, 10**17]


@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.integers(-(10**12), 10**12), st.integers(-5000, 5000))
def test_a_straight_line_stays_one_whatever_the_times_of_its_readings(gaps: list[int], x: int, y_fs_per_s: int) -> None:
    """A clock of constant rate, read at odd times: every epoch given lies on its line to 2 fs."""
    gridder = Gridder(10 * S)
    epoch, given_out, read = 0, [], []
    for gap in gaps:
        epoch += gap * S + 1
        gridder.add([Sample(epoch, "A", "B", x + y_fs_per_s * epoch // S)], LATE)
        read.append(epoch)
        given_out += gridder.take()
    for sample in given_out:
        assert sample.epoch % (10 * S) == 0
        assert abs(sample.x_fs - (x + y_fs_per_s * sample.epoch / S)) <= 2
    grid = range(10 * S, epoch + 1, 10 * S)
    around = [
        at
        for at in grid
        if any(at - 10 * S <= one <= at for one in read) and any(at <= one <= at + 10 * S for one in read)
    ]
    assert [sample.epoch for sample in given_out] == around


def test_a_batch_has_a_row_an_epoch_and_a_column_a_pair() -> None:
    batch = batch_of(
        [
            Sample(2 * S, "Cs1", "H2", 5, 10),
            Sample(S, "H1", "H2", -7, 11),
            Sample(S, "Cs1", "H2", 4, 9),
            Sample(S, "Cs1", "H2", 999, 9),
        ],
        "comparison",
    )
    assert batch == {
        "kind": "comparison",
        "epochs": ["1000000000", "2000000000"],
        "pairs": [["Cs1", "H2"], ["H1", "H2"]],
        "x_fs": [["4", "-7"], ["5", None]],
        "u_fs": ["10", "11"],
    }


def test_an_unknown_uncertainty_stays_unknown() -> None:
    batch = batch_of(
        [Sample(S, "A", "B", 1, 5), Sample(2 * S, "A", "B", 1, None), Sample(3 * S, "A", "B", 1, 9)], "comparison"
    )
    assert batch["u_fs"] == [None]


samples_lists = st.lists(
    st.builds(
        Sample,
        st.integers(0, 2**62),
        st.sampled_from(["Cs1", "Cs2", "H1"]),
        st.sampled_from(["H2", "H3"]),
        st.integers(-(9 * 10**15), 9 * 10**15),
        st.none() | st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=30,
)


@given(samples_lists)
def test_what_is_batched_is_read_back_to_the_femtosecond(samples: list[Sample]) -> None:
    batch = canonical.decode(canonical.encode(batch_of(samples, "comparison")))
    readings = readings_of(batch)
    got = {
        (int(epoch), readings.clocks[a], readings.clocks[b]): int(np.rint(x * 1e15))
        for epoch, a, b, x in zip(readings.epoch, readings.a, readings.b, readings.x, strict=True)
    }
    expected: dict[tuple[int, str, str], int] = {}
    for sample in samples:
        expected.setdefault((sample.epoch, sample.a, sample.b), sample.x_fs)
    # float64 seconds carry femtoseconds exactly only up to a few seconds; 9 s is within one
    assert got.keys() == expected.keys()
    assert all(abs(got[key] - expected[key]) <= 1 for key in expected)
