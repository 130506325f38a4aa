"""Several comparators: what is measured twice is adjusted, what was never compared is told apart."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.readings import Readings, adjusted_table, parts_of, phase_table

NAN = float("nan")


def rows(*items: tuple[int, str, str, float], u: float = NAN) -> Readings:
    return Readings.from_rows((*item, u) for item in items)


def test_a_loop_is_closed_by_least_squares() -> None:
    # A−B = 1, B−C = 1, A−C = 5: the misclosure of 3 goes to the three alike
    table, closures = adjusted_table(rows((1, "A", "B", 1.0), (1, "B", "C", 1.0), (1, "A", "C", 5.0)), "C")
    np.testing.assert_allclose(dict(zip(table.clocks, table.x[0], strict=True))["A"], 4.0)
    np.testing.assert_allclose(dict(zip(table.clocks, table.x[0], strict=True))["B"], 2.0)
    assert [(each.a, each.b, each.readings) for each in closures] == [("A", "B", 1), ("A", "C", 1), ("B", "C", 1)]
    np.testing.assert_allclose([each.rms_s for each in closures], 1.0)


def test_a_better_comparator_gives_way_less() -> None:
    good = Readings.from_rows([(1, "A", "B", 0.0, 1.0), (1, "B", "C", 0.0, 1.0), (1, "A", "C", 6.0, 2.0)])
    table, closures = adjusted_table(good, "C", ["A", "B", "C"])
    # variances 1, 1, 4 share the misclosure of 6
    np.testing.assert_allclose(table.x[0], [2.0, 1.0, 0.0])
    np.testing.assert_allclose([each.rms_s for each in closures], [1.0, 4.0, 1.0])


def test_a_pair_on_two_comparators_is_averaged() -> None:
    table, closures = adjusted_table(rows((1, "A", "H", 1.0), (1, "H", "A", -3.0), (1, "B", "H", 7.0)), "H")
    np.testing.assert_allclose(table.x[0, [table.clocks.index("A"), table.clocks.index("B")]], [2.0, 7.0])
    assert [(each.a, each.b, each.readings) for each in closures] == [("A", "H", 2)]


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_falls_as_comparisons_grow(seed: int) -> None:
    # five clocks, every pair compared with 1 ns: a difference is known to √(2/5) ns, the tree has 1 or √2
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1e-6, (400, 5)).cumsum(axis=0)
    names, items = "ABCDE", []
    for epoch in range(400):
        for i in range(5):
            items += [
                (epoch, names[i], names[j], truth[epoch, i] - truth[epoch, j] + rng.normal(0, 1e-9)) for j in range(i)
            ]
    table, closures = adjusted_table(rows(*items), "A", list(names))
    error = (table.x - (truth - truth[:, [0]]))[:, 1:]
    assert np.std(error) == pytest.approx(np.sqrt(2 / 5) * 1e-9, rel=0.05)
    assert len(closures) == 10
    # of ten comparisons four are needed: residuals keep six tenths of the variance
    rms = np.sqrt(np.mean([each.rms_s**2 for each in closures]))
    assert rms == pytest.approx(np.sqrt(0.6) * 1e-9, rel=0.05)


def test_the_reference_changes_no_difference_and_may_be_a_scale() -> None:
    items = [(e, *p) for e in (1, 2) for p in (("A", "B", 1.0), ("B", "C", 2.0), ("A", "C", 4.5), ("C", "S(X)", 9.0))]
    by_a, by_c = (adjusted_table(rows(*items), name, ["A", "B", "C"])[0].x for name in "AC")
    np.testing.assert_allclose(by_a - by_a[:, [2]], by_c)
    table, _ = adjusted_table(rows(*items), "S(X)", ["A", "B", "C"])
    np.testing.assert_allclose(table.x, by_c + 9.0)
    assert table.pivot.tolist() == [-1, -1]


def test_without_a_loop_it_is_the_phase_table_to_the_bit() -> None:
    readings = rows(
        (1, "A", "B", 1 / 3), (1, "B", "C", 0.1), (2, "C", "A", 0.7), (3, "B", "A", 0.2), (3, "D", "E", 1.0)
    )
    table, closures = adjusted_table(readings)
    walked = phase_table(readings)
    assert table.x.tobytes() == walked.x.tobytes()
    assert table.reference == walked.reference
    assert closures == []


def test_a_loop_in_the_part_that_is_not_kept_changes_nothing() -> None:
    items = [(1, a, b, 1.0) for a, b in ("AB", "BC", "CD", "XY", "YZ", "XZ")]
    table, closures = adjusted_table(rows(*items), "A", ["A", "B", "C", "D", "X", "Y", "Z"])
    np.testing.assert_allclose(table.x[0, :4], [0.0, -1.0, -2.0, -3.0])
    assert np.isnan(table.x[0, 4:]).all()
    assert len(closures) == 3


def test_what_was_never_compared_is_told_apart() -> None:
    readings = rows((1, "A", "B", 1.0), (2, "B", "C", 1.0), (2, "X", "Y", 1.0))
    assert parts_of(readings) == [("A", "B", "C"), ("X", "Y")]
    assert parts_of(Readings.empty(["A"])) == [("A",)]
    assert adjusted_table(Readings.empty())[0].x.shape == (0, 0)
