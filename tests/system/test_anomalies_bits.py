"""The detectors give the same bits without the compiler: what they tell goes into the ledger."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib, json
from tests.fakes.clock_anomalies import SIGMA_S, quiet_laboratory, with_step
from timeball.integrity.anomalies import AnomalyRules, DetectorState
from timeball.integrity.anomalies.live import advance_phases
record = with_step(quiet_laboratory(21, epochs=150, clocks=5), 120, ("C3",), phase_s=40 * SIGMA_S)
rules = AnomalyRules(interval_s=3600.0, levels=2)
state, told = advance_phases(
    DetectorState.empty(), rules, record.epochs, record.clocks, record.x, {"C1": "L", "C2": "L"}, "C0"
)
print(json.dumps([state.to_payload(), [each.to_payload() for each in told]], sort_keys=True))
"""


def told(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_bits() -> None:
    compiled = told()
    state, anomalies = json.loads(compiled)
    assert {each["clocks"][0] for each in anomalies} == {"C3"}
    assert state["cell"][0] == "149"
    mine, theirs = (hashlib.sha256(text.encode()).hexdigest() for text in (compiled, told(NUMBA_DISABLE_JIT="1")))
    assert mine == theirs
