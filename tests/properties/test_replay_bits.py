"""The same decisions and phases with the compiler, without it, and for a machine that is nothing in particular.

A real ledger of 300 epochs is replayed in processes of their own, and every decision is made again from its readings:
the payloads are the recorded ones to the last byte, three times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import build_small

from timeball.station.fold.timekeeping import STREAM
from timeball.station.recording.ledger_reader import LedgerReader

SCRIPT = """
import sys
from pathlib import Path
from numba import config
from timeball.ledger import canonical
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.fold.replay import INPUTS, replay
from timeball.station.fold.timekeeping import Timekeeping

state = Path(sys.argv[1])
print(replay(state))
keeper = Timekeeping()
for entry in LedgerReader(state).entries():
    if (entry.envelope.type, entry.envelope.by) in INPUTS:
        payload = canonical.decode(entry.payload)
        for decision in keeper.take(entry.index, entry.envelope.by, entry.envelope.type, payload):
            print(decision.seq, decision.type, canonical.encode(decision.payload).decode())
print("compiler", "off" if config.DISABLE_JIT else "on", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module")
def recorded(ledger: Path) -> list[str]:
    return [
        f"{entry.envelope.seq} {entry.envelope.type} {(entry.payload or b'').decode()}"
        for entry in LedgerReader(ledger).entries()
        if entry.envelope.by == STREAM
    ]


@pytest.mark.parametrize("how", ["compiled", "interpreted", "generic"])
def test_every_decision_is_made_again_to_the_last_byte(
    how: str, ledger: Path, recorded: list[str], tmp_path: Path
) -> None:
    settings = {
        "compiled": {},
        "interpreted": {"NUMBA_DISABLE_JIT": "1"},
        "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)},
    }[how]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | settings
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ledger)], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    report, *decisions = run.stdout.splitlines()
    assert decisions == recorded
    assert "pending=0, unchecked=0, cannot_check=[]" in report
    assert f"compiler {'off' if how == 'interpreted' else 'on'}" in run.stderr
    assert sum('"algorithm":"AT1"' in line for line in decisions) == 5 + 2
