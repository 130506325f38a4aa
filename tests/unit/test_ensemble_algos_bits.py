"""ALGOS gives the same bits with the compiler on, off, and building for a generic CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, json
import numpy as np
from timeball.ensemble.algos import ALGOSParameters, ALGOSState, advance
from timeball.readings import PhaseTable

rng = np.random.default_rng(43)
m, n = 150, 6
x = np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-12, -10, n), axis=0) + rng.normal(0, 1e-5, n)
x[75:, 1] += 3e-8
x[90, 2] += 8e-8
x[95:, 3] += 2e-8 * np.arange(55)
x[rng.random((m, n)) < 0.05] = np.nan
x[:, 0] = 0.0
epochs = np.cumsum(np.where(np.arange(m) == 110, 40, 1)).astype(np.int64) * 300 * 10**9
table = PhaseTable(epochs, tuple("ABCDEF"), np.rint(x * 1e15) / 1e15, np.zeros(m, dtype=np.int32), "A")
rules = ALGOSParameters(window_s=3000.0, interval_s=300.0, min_windows=3, drift_by_clock={})
state, steps = advance(ALGOSState.empty(), rules, table)
raw = b"".join(getattr(steps, f).tobytes() for f in ("x", "y", "weight", "error", "sigma", "figure", "code"))
words = json.dumps([state.to_payload(), steps.to_payload()])
print(len(set(steps.code.ravel().tolist())), hashlib.sha256(raw + words.encode()).hexdigest())
"""


def bits(**settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **settings},
        timeout=300,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def compiled() -> str:
    return bits()


def test_the_example_has_something_to_decide(compiled: str) -> None:
    assert int(compiled.split(maxsplit=1)[0]) >= 8


def test_with_the_compiler_off(compiled: str) -> None:
    assert bits(NUMBA_DISABLE_JIT="1") == compiled


def test_compiled_for_a_generic_cpu(compiled: str, tmp_path: Path) -> None:
    settings = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert bits(**settings) == compiled
