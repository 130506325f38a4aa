"""The reference is only a zero line: neither it, nor the order of rows, nor the batch changes a difference."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeball.readings import Readings, phase_table

Rows = list[tuple[int, str, str, float, float]]
CLOCKS = ["A", "B", "C", "D", "E", "S(X)"]
PHASES = st.floats(-1e-3, 1e-3)
PAIRS = st.permutations(CLOCKS).map(lambda names: (names[0], names[1]))
ROWS = st.lists(st.tuples(st.integers(0, 3), PAIRS, PHASES), min_size=1, max_size=30).map(
    lambda items: [(epoch, a, b, x, float("nan")) for epoch, (a, b), x in items]
)
STARS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(CLOCKS[:-1]), PHASES), min_size=1, max_size=30).map(
    lambda items: [(epoch, a, "S(X)", x, float("nan")) for epoch, a, x in items]
)


def differences(readings: Readings, reference: str | None) -> dict[tuple[int, str, str], float]:
    table = phase_table(readings, reference)
    found = {}
    for epoch, row in zip(table.epochs.tolist(), table.x, strict=True):
        for first, a in zip(table.clocks, row.tolist(), strict=True):
            for second, b in zip(table.clocks, row.tolist(), strict=True):
                if np.isfinite(a) and np.isfinite(b):
                    found[epoch, first, second] = a - b
    return found


@given(st.one_of(ROWS, STARS), st.data())
def test_the_choice_of_reference_changes_nothing(rows: Rows, data: st.DataObject) -> None:
    readings = Readings.from_rows(rows)
    one = differences(readings, data.draw(st.sampled_from(readings.clocks)))
    other = differences(readings, data.draw(st.sampled_from(readings.clocks)))
    assert one.keys() == other.keys()
    assert all(abs(one[key] - other[key]) < 1e-15 for key in one)


@given(st.one_of(ROWS, STARS))
def test_each_epoch_alone_gives_the_same_bits_as_in_the_batch(rows: Rows) -> None:
    readings = Readings.from_rows(rows)
    reference = readings.clocks[0]
    whole = phase_table(readings, reference)
    for epoch, row, pivot in zip(whole.epochs.tolist(), whole.x, whole.pivot.tolist(), strict=True):
        alone = phase_table(readings.take(readings.epoch == epoch), reference)
        np.testing.assert_array_equal(alone.x, row[None, :])
        assert alone.pivot.tolist() == [pivot]


@given(ROWS.filter(lambda rows: len({(row[0], frozenset(row[1:3])) for row in rows}) == len(rows)), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: Rows, random) -> None:
    readings = Readings.from_rows(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = readings.take(np.array(order))
    one, other = (phase_table(each, readings.clocks[0]) for each in (readings, shuffled))
    np.testing.assert_array_equal(one.x, other.x)


@given(ROWS)
def test_a_tree_reproduces_every_reading_it_was_made_of(rows: Rows) -> None:
    parent = dict(zip(CLOCKS[1:], CLOCKS[:-1], strict=True))  # a chain: no closed loops
    tree = [(epoch, child, parent[child], x, u) for epoch, child, _, x, u in rows if child in parent]
    unique = {(row[0], row[1]): row for row in reversed(tree)}
    if not unique:
        return
    readings = Readings.from_rows(unique.values())
    table = phase_table(readings, clocks=readings.clocks)
    place = {name: column for column, name in enumerate(table.clocks)}
    for epoch, a, b, x, _ in unique.values():
        row = table.x[np.searchsorted(table.epochs, epoch)]
        if np.isfinite(row[place[a]]):
            assert abs(row[place[a]] - row[place[b]] - x) < 1e-15
