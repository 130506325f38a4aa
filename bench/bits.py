"""The same bits on a CPU that is nothing in particular: every algorithm, the detectors, the steering, and a ledger.

It runs `tests/properties/test_replay_bits.py` with everything compiled for a generic CPU, which takes a clone
minutes the first time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import Figure

ROOM = "ensemble"
ROOT = Path(__file__).resolve().parents[1]
TESTS = "tests/properties/test_replay_bits.py"


def figures() -> Iterator[Figure]:
    """Give the number of comparisons that passed, when none failed or was left out."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", TESTS],
        cwd=ROOT,
        env={**os.environ, "TIMEBALL_EVERY_BIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    passed = re.search(r"^(\d+) passed", run.stdout, re.MULTILINE)
    ok = run.returncode == 0 and passed is not None and "skipped" not in run.stdout
    value = float(passed[1]) if ok and passed is not None else 0.0
    yield Figure("bits equal without the compiler and on a generic CPU", ROOM, value, "tests", target="all", ok=ok)
