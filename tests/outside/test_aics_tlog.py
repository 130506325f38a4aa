"""aics-tlog (a C2SP verifier from PyPI, Python >= 3.12) audits our ledger: genuine passes, one flipped bit does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
AUDIT = Path(__file__).parent / "audit_aics.py"
pytestmark = pytest.mark.system


def audit(python: Path, folder: Path, *keys: str) -> dict:
    done = subprocess.run([python, AUDIT, folder, *keys], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_it_audits_our_ledger(aics_python: Path, outside_log) -> None:
    keys = [outside_log.vkey, *(key.vkey for key in outside_log.witnesses)]
    said = audit(aics_python, outside_log.folder, *keys)
    assert said == {
        "size": 100_000,
        "tiles": 391 + 2 + 1,
        "bundles": 391,
        "times": {f"witness{number + 1}.test": 1_800_000_000 + number for number in range(3)},
    }


def test_it_finds_one_flipped_bit(aics_python: Path, outside_log) -> None:
    keys = [outside_log.vkey, *(key.vkey for key in outside_log.witnesses)]
    places = [("tile/entries/123", 777), ("tile/0/000", 0), ("tile/1/000", 0)]
    for path, position in [*places, *(("checkpoint", place) for place in outside_log.places(83))]:
        with outside_log.flipped(path, position, 0):
            assert "error" in audit(aics_python, outside_log.folder, *keys), f"{path}, byte {position}"


def test_it_audits_tesseras_log(aics_python: Path, shared: Callable[[str], Path]) -> None:
    said = audit(aics_python, shared("ledger/tessera_testlog/testdata/log"), TESSERA)
    assert (said["size"], said["bundles"]) == (15, 1)
