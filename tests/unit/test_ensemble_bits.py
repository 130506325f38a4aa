"""The same bits with the compiler on, off, and building for a generic CPU: what makes a replay possible anywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, json
import numpy as np
from timeball.ensemble.at1 import AT1Parameters, AT1State, advance
from timeball.readings import PhaseTable

rng = np.random.default_rng(41)
m, n = 120, 7
x = np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-12, -10, n), axis=0) + rng.normal(0, 1e-5, n)
x[50:, 1] += 3e-9
x[60, 2] += 8e-9
x[70:, 3] += 2e-9 * np.arange(50)
x[rng.random((m, n)) < 0.05] = np.nan
x[:, 0] = 0.0
epochs = np.cumsum(np.where(np.arange(m) == 90, 40, 1)).astype(np.int64) * 300 * 10**9
table = PhaseTable(epochs, tuple("ABCDEFG"), np.rint(x * 1e15) / 1e15, np.zeros(m, dtype=np.int32), "A")
rules = AT1Parameters(memory_s=2e4, min_epochs=15, tau_min_s=9e3, interval_s=300.0, drift_by_clock={"B": 1e-18})
state, steps = advance(AT1State.empty(), rules, table)
raw = b"".join(getattr(steps, f).tobytes() for f in ("x", "y", "weight", "error", "sigma", "figure", "code"))
words = json.dumps([state.to_payload(), steps.to_payload()])
print(len(set(steps.code.ravel().tolist())), hashlib.sha256(raw + words.encode()).hexdigest())
"""


def bits(tmp_path: object, **settings: str) -> str:
    environment = {**os.environ, **settings, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment, timeout=300
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bits(tmp_path_factory.mktemp("off"), NUMBA_DISABLE_JIT="1")


def test_the_example_has_something_to_decide(interpreted: str) -> None:
    assert int(interpreted.split(maxsplit=1)[0]) >= 8


def test_compiled_for_this_cpu(interpreted: str, tmp_path: object) -> None:
    assert bits(tmp_path) == interpreted


def test_compiled_for_a_generic_cpu(interpreted: str, tmp_path: object) -> None:
    assert bits(tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == interpreted
