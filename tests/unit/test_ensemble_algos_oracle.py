"""The kernel against ALGOS written down month by month from the equations, as the BIPM computes it.

The oracle knows no epochs of its own: within a window it predicts every clock from the window's start in one piece,
x' = a + B (t − t0) + C (t − t0)²/2, and weighs these predictions. The kernel goes from epoch to epoch.
"""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble import codes
from timeball.ensemble.algos import ALGOSParameters, ALGOSState, advance
from timeball.ensemble.algos.windows import NS_PER_DAY, windows_of
from timeball.readings import PhaseTable

CAP, MIN_WINDOWS, MOST, DRIFT_WINDOWS, LEAST_DRIFT = 4.0, 5, 12, 6, 4
RULES = ALGOSParameters(interval_s=5 * 86400.0, outlier_reject=1e9, abnormal=1e9)


def shares(sigma2: np.ndarray, cap: float) -> np.ndarray:
    """1/σ² shares, none above the cap, the surplus to the others."""
    weights = np.zeros(len(sigma2))
    held = np.zeros(len(sigma2), dtype=bool)
    while True:
        free = 1.0 - cap * held.sum()
        weights[held] = cap
        weights[~held] = free / sigma2[~held] / (1.0 / sigma2[~held]).sum()
        over = (weights > cap * 1.000001) & ~held
        if not over.any():
            return weights
        held |= over


def bipm(
    table: PhaseTable, first: int, start: dict[str, np.ndarray], months: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Phases against the scale [m, n] and the weights of each month, from what was known when month `first` began."""
    t = table.epochs / 1e9
    starts, _ = windows_of(table.epochs, None)
    begins = np.unique(starts)
    x = np.full(table.x.shape, np.nan)
    phase, rates, mids, squares = start["phase"], list(start["rates"]), list(start["mids"]), list(start["squares"])
    used = []
    for month in range(first, first + months):
        t0, t1 = begins[month] / 1e9, begins[month + 1] / 1e9
        rows = np.flatnonzero((t >= t0) & (t <= t1))
        m = min(len(squares), MOST)
        k = np.arange(1, m + 1)
        newest = np.array(squares[::-1][:m])
        sigma2 = (((m + 1 - k) / m)[:, None] * newest).sum(axis=0) / ((m + 1 - k) / m).sum()
        weights = shares(sigma2, CAP / len(phase))
        count = min(len(rates), DRIFT_WINDOWS)
        drift = np.zeros(len(phase))
        if count >= LEAST_DRIFT:
            drift = np.polyfit(np.array(mids[-count:]) - mids[-1], np.array(rates[-count:]), 1)[0]
        drift = drift - (weights * drift).sum()
        rate = rates[-1] + drift * (t0 - mids[-1])
        dt = (t[rows] - t0)[:, None]
        foretold = phase + rate * dt + drift * dt**2 / 2
        x[rows] = table.x[rows] + (weights * (foretold - table.x[rows])).sum(axis=1)[:, None]
        actual = (x[rows[-1]] - x[rows[0]]) / (t1 - t0)
        squares.append((actual - (rate + drift * (t1 - t0) / 2)) ** 2 / (1 - weights))
        rates.append(actual)
        mids.append((t0 + t1) / 2)
        phase = x[rows[-1]]
        used.append(weights)
    return x, used


def clocks(seed: int, days: int = 1100) -> PhaseTable:
    """Eight clocks every five days: white and random-walk noise, rates and drifts; MJD 57069 begins a month."""
    rng = np.random.default_rng(seed)
    m, n = days // 5, 8
    tau_s = 5 * 86400.0
    white = np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-14.5, -13.5, n), axis=0) * tau_s
    walk = np.cumsum(np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-16, -15, n), axis=0), axis=0) * tau_s
    t = np.arange(m)[:, None] * tau_s
    x = white + walk + rng.normal(0, 1e-12, n) * t + rng.normal(0, 1e-21, n) * t * t
    epochs = (57_079 - 40_587 + 5 * np.arange(m, dtype=np.int64)) * NS_PER_DAY
    return PhaseTable(epochs, tuple("ABCDEFGH"), x - x[:, [0]], np.zeros(m, dtype=np.int32), "A")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_years_of_months_agree_with_the_equations(seed: int) -> None:
    table = clocks(seed)
    starts, _ = windows_of(table.epochs, None)
    begins = np.unique(starts)
    first = 9
    row = int(np.flatnonzero(table.epochs == begins[first])[0])
    cut = slice(0, row + 2)
    part = PhaseTable(table.epochs[cut], table.clocks, table.x[cut], table.pivot[cut], table.reference)
    state, steps = advance(ALGOSState.empty(), RULES, part)
    assert int(state.window[0]) == int(begins[first])
    judged = int(state.judged[0])
    assert judged >= MIN_WINDOWS
    known = {
        "phase": steps.x[row],
        "rates": state.rates.T[: int(state.rate_count[0])][::-1],
        "mids": state.mids[0, : int(state.rate_count[0])][::-1] / 1e9,
        "squares": state.squares.T[:judged][::-1],
    }
    months = len(begins) - first - 2
    x, used = bipm(table, first, known, months)
    _, whole = advance(ALGOSState.empty(), RULES, table)
    rows = np.flatnonzero(np.isfinite(x).all(axis=1))
    assert len(rows) > 100
    np.testing.assert_allclose(whole.x[rows], x[rows], rtol=0, atol=1e-15)
    at = [int(np.flatnonzero(table.epochs == begins[first + k])[0]) + 1 for k in range(months)]
    np.testing.assert_allclose(whole.weight[at], np.array(used), rtol=1e-9)
    assert (whole.code[at] == codes.AT_CAP).any()


def test_the_months_are_those_of_circular_t() -> None:
    # Circular T 457 covers MJD 61039 to 61069, the one after it begins there; 2026-01-29 is MJD 61069
    mjd = np.array([61_039, 61_068, 61_069, 61_099], dtype=np.int64)
    starts, ends = windows_of((mjd - 40_587) * NS_PER_DAY + 37 * 10**9, None)
    assert (starts // NS_PER_DAY + 40_587).tolist() == [61_039, 61_039, 61_069, 61_099]
    assert (ends // NS_PER_DAY + 40_587).tolist()[:3] == [61_069, 61_069, 61_099]


def test_every_month_of_two_centuries_is_on_the_grid_and_joins_the_next() -> None:
    days = np.arange(-70 * 365, 130 * 365, dtype=np.int64)
    starts, ends = windows_of(days * NS_PER_DAY, None)
    assert set(((ends - starts) // NS_PER_DAY).tolist()) == {25, 30, 35}
    assert ((starts // NS_PER_DAY + 40_587) % 5 == 4).all()
    begins = np.unique(starts)
    assert (np.unique(ends)[:-1] == begins[1:]).all()
    assert ((starts <= days * NS_PER_DAY) & (days * NS_PER_DAY < ends)).all()


def test_windows_of_one_length_lie_on_the_grid_too() -> None:
    starts, ends = windows_of(np.array([61_040, 61_063, 61_064]) * NS_PER_DAY - 40_587 * NS_PER_DAY, 5 * 86400.0)
    assert (starts // NS_PER_DAY + 40_587).tolist() == [61_039, 61_059, 61_064]
    assert (ends - starts == 5 * NS_PER_DAY).all()
