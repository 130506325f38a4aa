"""The Kalman scale has the same bits with the compiler on and off; `bench/kalman.py` says the same of a generic CPU."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib, json
import numpy as np
from timeball.ensemble.kalman import KalmanParameters, KalmanState, advance
from timeball.ensemble.noise import ClockNoise
from timeball.readings import PhaseTable

rng = np.random.default_rng(43)
m, n = 70, 6
x = np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-12, -10, n), axis=0) + rng.normal(0, 1e-6, n)
x[30:, 1] += 3e-9
x[35, 2] += 8e-9
x[40:, 3] += 2e-9 * np.arange(30)
x[20:, 4] *= 1.0 + 3e-5
x[:15, 5] = np.nan
x[55:, 0] = np.nan
x[rng.random((m, n)) < 0.05] = np.nan
epochs = np.cumsum(np.where(np.arange(m) == 50, 40, 1)).astype(np.int64) * 3600 * 10**9
table = PhaseTable(epochs, tuple("ABCDEF"), np.rint(x * 1e15) / 1e15, np.zeros(m, dtype=np.int32), "A")
noise = {
    name: ClockNoise(wpm=2e-12, wfm=10.0**-k, ffm=1e-15 * (k % 2), rwfm=1e-18, rrfm=1e-26, drifts=k > 12)
    for k, name in zip((11, 12, 12, 13, 13, 12), "ABCDEF")
}
rules = KalmanParameters(noise_by_clock=noise, min_epochs=8, pivot_epochs=4, zero_weight=("E",), forget_s=3e6)
state, steps = advance(KalmanState.empty(), rules, table)
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


def test_compiled_and_interpreted() -> None:
    interpreted = bits(NUMBA_DISABLE_JIT="1")
    assert int(interpreted.split(maxsplit=1)[0]) >= 8  # there is something to decide
    assert bits() == interpreted
