"""What was left out: columns that read as a sequence, counted without a word; and the level that outliers are off."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.transfer.rejected import Rejected, RejectedRows, Rejections, by_reason
from timeball.transfer.robust import outliers


def rows(reason: str, lines: list[int], values: list[float] | None = None) -> RejectedRows:
    n = len(lines)
    return RejectedRows(
        ("a", "b"), np.arange(n) % 2, np.array(lines), np.array([f"G{line:02d}" for line in lines], dtype="U3"),
        np.array(lines) * 10**9, reason, None if values is None else np.array(values), lambda ns: f"{ns:.1f} ns",
    )  # fmt: skip


def test_rejections_are_a_sequence_of_what_each_rule_left_out() -> None:
    low, none, far = rows("low", [3, 4, 5]), rows("nothing", []), rows("far", [7, 9], [1.25, -8.0])
    rejected = Rejections([low, none]) + Rejections([far])
    assert [each.line for each in rejected] == [3, 4, 5, 7, 9]
    assert (len(rejected), len(rejected.parts)) == (5, 2)
    assert rejected[3] == Rejected("a", 7, "G07", 7 * 10**9, "far", "1.2 ns")
    assert str(rejected[-1]) == "b:9: G09 far (-8.0 ns)"
    assert [each.line for each in rejected[1:4]] == [4, 5, 7]
    assert not Rejections()
    for place in (5, -6):
        with pytest.raises(IndexError):
            rejected[place]
    assert list(by_reason(rejected).items()) == [("low", 3), ("far", 2)]
    assert by_reason(Rejections([far, far, low])) == {"far": 4, "low": 3}


def test_what_is_only_counted_is_not_put_into_words() -> None:
    def never(value: float) -> str:
        raise AssertionError(value)

    part = rows("far", [7, 9], [1.0, 2.0])
    silent = RejectedRows(part.files, part.source, part.line, part.satellite, part.epoch, "far", part.values, never)
    assert by_reason(Rejections([silent, silent])) == {"far": 4}
    with pytest.raises(AssertionError):
        next(iter(Rejections([silent])))


def test_sessions_have_no_satellite() -> None:
    part = RejectedRows(("a",), np.zeros(1, dtype=np.int64), np.array([4]), None, np.array([10**9]), "without TW")
    assert str(Rejections([part])[0]) == "a:4: without TW"


@pytest.mark.parametrize("seed", range(4))
def test_residuals_are_off_the_median_of_the_good_values_near(seed: int) -> None:
    """Against the plain way: every window looked at in every round."""
    rng = np.random.default_rng(seed)
    epoch = np.sort(rng.integers(0, 40, 150)) * 960 * 10**9
    x = np.cumsum(rng.normal(0.0, 1e-9, 150))
    x[rng.integers(0, 150, 12)] += rng.normal(0.0, 200e-9, 12)
    out, residual = outliers(epoch, x, 4.0)
    again = np.zeros(150, dtype=bool)
    for _ in range(10):
        near = np.abs(epoch[:, None] - epoch[None, :]) <= 5400 * 10**9
        level = np.array([np.median(x[row & ~again]) if (row & ~again).any() else np.median(x[~again]) for row in near])
        off = x - level
        scale = 1.4826 * np.median(np.abs(off[~again]))
        found = np.abs(off) > 4.0 * scale
        if np.array_equal(found, again):
            break
        again |= found
    assert out.any()
    assert np.array_equal(out, again)
    assert residual == pytest.approx(off, rel=1e-12, abs=1e-22)
