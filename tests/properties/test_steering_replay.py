"""Steers replay bit for bit: with the compiler, without it, and for a machine that is nothing in particular."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
from timeball.steering.envelope import Envelope
from timeball.steering.offset import fit_offset
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import propose_steer
from timeball.steering.stepper import StepperCommand, commanded_phases

rng = np.random.default_rng(20261122)
law, envelope = PolePlacement(86400.0, 864000.0), Envelope(2e-16, 1e-12, 5e-8)
rate, record = 0.0, []
for number in range(200):
    n = int(rng.integers(2, 150))
    epochs = np.sort(rng.integers(0, 10**15, n))
    x = rng.standard_normal(n) * 1e-8
    x[rng.random(n) < 0.1] = np.nan
    if np.count_nonzero(~np.isnan(x)) < 2:
        continue
    offset = fit_offset(epochs, x, 10**15)
    proposal = propose_steer(offset.x_s, offset.y, rate, law, envelope)
    rate = proposal.rate
    record.append(StepperCommand(number, number * 10**13, rate))
    print(*(float(figure).hex() for figure in (*offset, rate)), proposal.why)
print(commanded_phases(record, rng.integers(0, 3 * 10**15, 500)).tobytes().hex())
"""


def replay(**settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | settings
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return run.stdout


@pytest.fixture(scope="module")
def as_usual() -> str:
    return replay()


def test_the_run_says_something(as_usual):
    assert as_usual.count("UTC(k) is") > 150
    assert as_usual.count("limited") > 50


def test_same_bits_without_the_compiler(as_usual):
    assert replay(NUMBA_DISABLE_JIT="1") == as_usual


def test_same_bits_on_a_generic_machine(as_usual):
    assert replay(NUMBA_CPU_NAME="generic") == as_usual
