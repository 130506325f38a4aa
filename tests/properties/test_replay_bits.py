"""The same bits with the compiler, without it, and for a machine that is nothing in particular.

Every algorithm, the detectors and the steering from their seeds; and a ledger whose TA(k) is carried by AT1, then by
Kalman, then by ALGOS, made again from its readings: every payload is the recorded one to the last byte.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import Fold, write_ledger
from numba import config
from recorded_bits import PROGRAMS, recorded_bits

from timeball.readings import Readings
from timeball.station.configuration.settings import Config, Ensemble, Steering
from timeball.station.fold.timekeeping import STREAM
from timeball.station.recording.ledger_reader import LedgerReader

STEP_S = 600.0
WHEN = "TIMEBALL_EVERY_BIT"
EVERYTHING = bool(os.environ.get(WHEN))
# Compiling for another CPU costs a clone more than the rest of these tests together; `bench/bits.py` tries them all.
GENERIC = (*PROGRAMS, "decisions") if EVERYTHING else ("at1", "steering")
HOURS = (("at1", 8), ("kalman", 2), ("algos", 2))


def thinned(readings: Readings) -> Readings:
    return readings.take(readings.epoch % int(STEP_S * 1e9) == 0)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ensemble = Ensemble(interval_s=STEP_S, snapshot_every=2, algos_window_s=3600.0, beside=("at1", "algos", "kalman"))
    steering = Steering(interval_s=3600.0, window_s=14400.0, time_constant_s=14400.0)
    fold = Fold(Config(steering=steering, ensemble=ensemble))
    print(f"seed {fold.seed}")
    for carrier, hours in HOURS:
        fold.reconfigure(msgspec.structs.replace(ensemble, algorithm=carrier))
        fold.live(hours, thinned)
    return write_ledger(tmp_path_factory.mktemp("ledger"), fold.entries)


@pytest.fixture(scope="module")
def recorded(ledger: Path) -> list[str]:
    return [
        f"{entry.envelope.seq} {entry.envelope.type} {(entry.payload or b'').decode()}"
        for entry in LedgerReader(ledger).entries()
        if entry.envelope.by == STREAM
    ]


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """What the programs give in this process, compiled for this machine, as the ledger was."""
    assert not config.DISABLE_JIT
    return {name: program() for name, program in PROGRAMS.items()}


@pytest.fixture(scope="module")
def interpreted(ledger: Path) -> dict[str, Any]:
    return recorded_bits("interpreted", PROGRAMS, ledger)


@pytest.fixture(scope="module")
def generic(ledger: Path) -> dict[str, Any]:
    return recorded_bits("generic", (name for name in GENERIC if name in PROGRAMS), ledger if EVERYTHING else None)


def test_every_decision_is_made_again_to_the_last_byte(interpreted: dict[str, Any], recorded: list[str]) -> None:
    assert interpreted["compiler"] is False
    assert interpreted["decisions"] == recorded


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_the_compiler(program: str, interpreted: dict[str, Any], here: dict[str, Any]) -> None:
    assert interpreted[program] == here[program]


@pytest.mark.parametrize("made", GENERIC)
def test_for_a_machine_that_is_nothing_in_particular(
    made: str, generic: dict[str, Any], here: dict[str, Any], recorded: list[str]
) -> None:
    assert generic["compiler"] is True
    assert generic[made] == (recorded if made == "decisions" else here[made])


def test_there_is_something_to_decide(here: dict[str, Any], recorded: list[str]) -> None:
    assert min(here[name]["codes"] for name in ("at1", "algos", "kalman")) >= 8
    assert {"phase step of a clock", "rate step of a link", "variance of a clock"} <= set(here["detectors"]["told"])
    assert here["steering"]["proposed"] > 150
    assert here["steering"]["limited"] > 50
    scales = [line for line in recorded if line.split(" ")[1] == "scale"]
    carried = [sum(f'"algorithm":"{name}"' in line for line in scales) for name in ("AT1", "Kalman", "ALGOS")]
    assert min(carried) >= 1
