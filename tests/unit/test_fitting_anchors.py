"""Which clocks anchor the drift of a scale: the noisy ones without a drift, never a quiet one by chance."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.fitting.anchors import driftless
from timeball.ensemble.noise import ClockNoise

YEAR_S = 365 * 86400.0
CAESIUM = ClockNoise(wfm=8e-12, ffm=8e-15, rwfm=2e-18)
MASER = ClockNoise(wfm=4e-14, ffm=6e-16, rwfm=4e-19)
RUBIDIUM = ClockNoise(wfm=1e-11, ffm=2e-13, rwfm=4e-16)


def laboratory(masers: int, caesiums: int, rng: np.random.Generator) -> tuple[dict, dict, dict]:
    """Clocks with drifts as found in a year: those of masers precise and real, those of caesiums none but scattered."""
    noise, drift, u = {}, {}, {}
    for number in range(masers):
        name = f"H{number}"
        noise[name], drift[name], u[name] = MASER, 4e-21 * rng.uniform(-1, 1), 1e-22
    for number in range(caesiums):
        name = f"C{number}"
        noise[name], u[name] = CAESIUM, 1.5e-21
        drift[name] = u[name] * float(rng.normal())
    noise["R"], drift["R"], u["R"] = RUBIDIUM, -2e-17, 1e-19
    return noise, drift, u


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("masers", "caesiums"), [(1, 7), (3, 6), (6, 6)])
def test_caesiums_anchor_and_masers_do_not(masers: int, caesiums: int, seed: int) -> None:
    print("seed", seed)
    noise, drift, u = laboratory(masers, caesiums, np.random.default_rng(seed))
    found = driftless(noise, drift, u, YEAR_S)
    assert found
    assert all(name.startswith("C") for name in found)


def test_the_best_beam_anchors_beside_noisy_ones_unless_its_drift_shows() -> None:
    noise, drift, u = laboratory(2, 0, np.random.default_rng(4))
    for number in range(7):
        name = f"N{number}"
        noise[name], drift[name], u[name] = ClockNoise(wfm=2.7e-11, ffm=5e-14, rwfm=1e-17), 0.0, 5e-21
    noise["C"], drift["C"], u["C"] = CAESIUM, 1.5e-21, 1e-21
    assert driftless(noise, drift, u, YEAR_S) == {"C", *(f"N{number}" for number in range(7))}
    drift["C"] = 1e-19
    assert "C" not in driftless(noise, drift, u, YEAR_S)


def test_a_maser_whose_drift_happens_to_be_none_is_no_anchor() -> None:
    noise, drift, u = laboratory(2, 7, np.random.default_rng(1))
    drift["H0"] = float(np.median(list(drift.values())))
    assert "H0" not in driftless(noise, drift, u, YEAR_S)


def test_a_passive_maser_is_not_needed() -> None:
    """Half as noisy as the caesium clocks, it would pull more than all of them by a drift that nobody can exclude."""
    noise, drift, u = laboratory(0, 7, np.random.default_rng(3))
    noise["P"], drift["P"], u["P"] = ClockNoise(wfm=6e-13, ffm=2.8e-15, rwfm=1e-18), 5e-22, 5e-22
    assert "P" not in driftless(noise, drift, u, YEAR_S)


def test_what_all_share_changes_nothing() -> None:
    noise, drift, u = laboratory(3, 6, np.random.default_rng(2))
    moved = {name: value + 5e-20 for name, value in drift.items()}
    assert driftless(noise, drift, u, YEAR_S) == driftless(noise, moved, u, YEAR_S)


def test_there_is_always_one() -> None:
    """Masers alone, and a lone clock: somebody has to be taken for driftless, whoever comes nearest."""
    noise = dict.fromkeys(("A", "B", "C"), MASER)
    drift, u = {"A": -3e-21, "B": 1e-22, "C": 4e-21}, dict.fromkeys(noise, 1e-22)
    assert driftless(noise, drift, u, YEAR_S) == {"B"}
    assert driftless({"A": MASER}, {"A": 1e-21}, {"A": 1e-22}, YEAR_S) == {"A"}
    silent = {"A": ClockNoise(), "B": ClockNoise()}
    assert driftless(silent, {"A": 0.0, "B": 1e-20}, {"A": 0.0, "B": 0.0}, YEAR_S)
