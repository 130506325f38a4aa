"""Readings put on an even grid: steps stay steps, gaps stay gaps."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.instants import DAY_NS, MJD_OF_1970
from timeball.readings import Readings, ReadingsError
from timeball.readings.grid import CIRCULAR_T_PHASE_NS, on_grid


def test_a_step_between_two_readings_stays_a_step_on_the_grid() -> None:
    epochs = np.arange(60, dtype=np.int64) * DAY_NS + DAY_NS // 3
    x = 1e-9 * np.arange(60) + np.where(np.arange(60) >= 27, 1e-6, 0.0)
    readings = Readings.from_columns(("A", "B"), epochs, np.zeros(60), np.ones(60), x)
    grid = on_grid(readings, 5 * 86400.0)
    assert (grid.epoch % (5 * DAY_NS) == 0).all()
    # 1 ns a day, at the grid epochs, a third of a day before the readings
    expected = 1e-9 * (grid.epoch / DAY_NS - 1 / 3) + np.where(grid.epoch >= 27 * DAY_NS, 1e-6, 0.0)
    np.testing.assert_allclose(grid.x, expected, atol=1e-15)


def test_a_gap_stays_empty_and_the_grid_of_circular_t_ends_in_4_and_9() -> None:
    epochs = np.array([0, 1, 2, 40, 41], dtype=np.int64) * DAY_NS
    readings = Readings.from_columns(("A", "B"), epochs, np.zeros(5), np.ones(5), np.zeros(5))
    grid = on_grid(readings, 5 * 86400.0, CIRCULAR_T_PHASE_NS)
    assert [(epoch // DAY_NS + MJD_OF_1970) % 5 for epoch in grid.epoch.tolist()] == [4] * len(grid)
    days = (grid.epoch / DAY_NS).tolist()
    assert days
    assert max(days) <= 43
    assert not [day for day in days if 5 < day < 37]


def test_one_reading_and_none_and_a_grid_that_is_none() -> None:
    one = Readings.from_columns(("A", "B"), [DAY_NS], [0], [1], [1e-9])
    np.testing.assert_array_equal(on_grid(one, 86400.0).x, [1e-9])
    assert len(on_grid(Readings.empty(("A", "B")), 86400.0)) == 0
    with pytest.raises(ReadingsError):
        on_grid(one, 0.0)
