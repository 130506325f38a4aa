"""The kernel against a second AT1, written in plain numpy from the equations (bench/at1_numpy.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.readings import PhaseTable

INTERVAL_S = 300


def load_oracle() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "bench" / "at1_numpy.py"
    spec = importlib.util.spec_from_file_location("at1_numpy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def troubled_table(seed: int, n: int = 6, m: int = 240) -> PhaseTable:
    """Clocks of different noise with gaps, missing epochs, outliers, phase steps, a rate step and a late comer."""
    rng = np.random.default_rng(seed)
    sigma = 1e-11 * 2.0 ** np.arange(n)
    noise = np.cumsum(rng.normal(size=(m, n)) * sigma, axis=0)
    walk = np.cumsum(np.cumsum(rng.normal(size=(m, n)) * sigma / 40, axis=0), axis=0)
    x = rng.normal(0, 1e-6, n) + noise + walk + np.outer(np.arange(m), rng.normal(0, 3e-11, n))
    x[120:, 1] += 5e-9
    x[150, 2] += 8e-9
    x[170:, 3] += 4e-9 * np.arange(1, m - 169)
    x[:60, 4] = np.nan
    x[rng.random((m, n)) < 0.04] = np.nan
    steps = np.full(m, INTERVAL_S)
    steps[100], steps[200] = 12 * INTERVAL_S, 900 * INTERVAL_S
    keep = np.isfinite(x).sum(axis=1) >= 2
    epochs = np.cumsum(steps).astype(np.int64) * 10**9
    pivot = np.argmax(np.isfinite(x), axis=1)
    phases = x - x[np.arange(m), pivot][:, None]
    names = tuple(f"C{i}" for i in range(n))
    return PhaseTable(epochs[keep], names, phases[keep], pivot[keep].astype(np.int32), "C0")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("cap", [0.3, 1.0])
def test_phases_weights_and_errors_agree_with_the_oracle(seed: int, cap: float) -> None:
    oracle = load_oracle()
    table = troubled_table(seed)
    tau_min = 4000.0 * (1 + np.arange(6))
    parameters = AT1Parameters(
        memory_s=60 * INTERVAL_S,
        cap=cap,
        min_epochs=20,
        interval_s=INTERVAL_S,
        tau_min_s_by_clock=dict(zip(table.clocks, tau_min.tolist(), strict=True)),
        zero_weight=("C5",),
    )
    rules = oracle.Rules(tau_min, np.arange(6) != 5, 60 * INTERVAL_S, cap, INTERVAL_S, 20)
    x, weights, errors = oracle.run(table.epochs / 1e9, table.x, rules)
    _, steps = advance(AT1State.empty(), parameters, table)
    np.testing.assert_allclose(steps.x, x, rtol=0, atol=1e-17)
    np.testing.assert_allclose(steps.weight, weights, rtol=0, atol=1e-7)
    np.testing.assert_allclose(steps.error, errors, rtol=0, atol=1e-17)


def test_the_troubles_of_the_tables_really_happen() -> None:
    words = set()
    for seed in range(8):
        _, steps = advance(
            AT1State.empty(),
            AT1Parameters(min_epochs=20, interval_s=INTERVAL_S, zero_weight=("C5",)),
            troubled_table(seed),
        )
        words |= {steps.state_word(i, j) for i in range(len(steps.epochs)) for j in range(len(steps.clocks))}
    assert words >= {
        "ok", "at cap", "missing", "learning", "reduced", "left out", "phase step",
        "came back", "rate step", "no weight", "starting", "joined",
    }  # fmt: skip
