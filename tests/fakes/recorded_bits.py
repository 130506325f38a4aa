"""What goes into a ledger, computed from seeds: it is the same on every machine, or a replay is none.

`python recorded_bits.py PROGRAM… [STATE]` says, as JSON, what the programs gave and which decisions it made again from
what came into the ledger in STATE. `recorded_bits` runs that in a process of its own, without the compiler or for a CPU
that is nothing in particular.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from timeball.ensemble.algos import ALGOSParameters, ALGOSState
from timeball.ensemble.algos import advance as advance_algos
from timeball.ensemble.at1 import AT1Parameters, AT1State
from timeball.ensemble.at1 import advance as advance_at1
from timeball.ensemble.kalman import KalmanParameters, KalmanState
from timeball.ensemble.kalman import advance as advance_kalman
from timeball.ensemble.noise import ClockNoise
from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies import AnomalyRules, DetectorState
from timeball.integrity.anomalies.live import advance_phases
from timeball.ledger import canonical
from timeball.readings import PhaseTable
from timeball.station.fold.replay import INPUTS
from timeball.station.fold.timekeeping import Timekeeping
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.steering.envelope import Envelope
from timeball.steering.offset import fit_offset
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import propose_steer
from timeball.steering.stepper import StepperCommand, commanded_phases

HOW = {"interpreted": {"NUMBA_DISABLE_JIT": "1"}, "generic": {"NUMBA_CPU_NAME": "generic"}}
RECORDED = ("x", "y", "weight", "error", "sigma", "figure", "code")


def recorded_bits(how: str, programs: Iterable[str], state: Path | None = None) -> dict[str, Any]:
    """What some programs say in a process of their own, and the decisions of the ledger in `state`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")} | HOW[how]
    command = [sys.executable, __file__, *programs, *([] if state is None else [str(state)])]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def stepping_clocks(seed: int, m: int, n: int, tau_s: int, noise_s: float, missing: float = 0.05) -> PhaseTable:
    """Clocks of many qualities with a phase step, an outlier, a rate step, readings missing and one long gap."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-12, -10, n), axis=0) + rng.normal(0, noise_s, n)
    at = m // 2
    x[at:, 1] += 3e-8
    x[at + m // 12, 2] += 8e-8
    x[at + m // 6 :, 3] += 2e-8 * np.arange(m - at - m // 6)
    x[rng.random((m, n)) < missing] = np.nan
    x[:, 0] = 0.0
    epochs = np.cumsum(np.where(np.arange(m) == m * 3 // 4, 40, 1)).astype(np.int64) * tau_s * 10**9
    return PhaseTable(epochs, tuple("ABCDEFG"[:n]), np.rint(x * 1e15) / 1e15, np.zeros(m, dtype=np.int32), "A")


def at1() -> dict[str, Any]:
    rules = AT1Parameters(memory_s=2e4, min_epochs=15, tau_min_s=9e3, interval_s=300.0, drift_by_clock={"B": 1e-18})
    return bits_of(*advance_at1(AT1State.empty(), rules, stepping_clocks(41, 120, 7, 300, 1e-5)))


def algos() -> dict[str, Any]:
    rules = ALGOSParameters(window_s=3000.0, interval_s=300.0, min_windows=3, drift_by_clock={})
    return bits_of(*advance_algos(ALGOSState.empty(), rules, stepping_clocks(43, 150, 6, 300, 1e-5)))


def kalman() -> dict[str, Any]:
    """Two and three states a clock, flicker, a reference that leaves, a latecomer and one that may not weigh."""
    table = stepping_clocks(43, 70, 6, 3600, 1e-6)
    x = table.x.copy()
    x[20:, 4] *= 1.0 + 3e-5
    x[:15, 5] = np.nan
    x[55:, 0] = np.nan
    noise = {
        name: ClockNoise(wpm=2e-12, wfm=10.0**-k, ffm=1e-15 * (k % 2), rwfm=1e-18, rrfm=1e-26, drifts=k > 12)
        for k, name in zip((11, 12, 12, 13, 13, 12), table.clocks, strict=True)
    }
    rules = KalmanParameters(noise_by_clock=noise, min_epochs=8, pivot_epochs=4, zero_weight=("E",), forget_s=3e6)
    table = PhaseTable(table.epochs, table.clocks, np.rint(x * 1e15) / 1e15, table.pivot, table.reference)
    return bits_of(*advance_kalman(KalmanState.empty(), rules, table))


def detectors() -> dict[str, Any]:
    """A phase step of a clock, a rate step of a link, and a clock that becomes noisy."""
    rng = np.random.default_rng(21)
    m, names = 400, ("C0", "C1", "C2", "C3", "C4", "C5")
    noise = rng.normal(scale=1e-9, size=(m, len(names)))
    noise[300:, 5] *= 12.0
    x = np.cumsum(noise, axis=0)
    x[120:, 3] += 40e-9
    x[220:, 1:3] += 8e-9 * np.arange(m - 220)[:, None]
    x[rng.random(x.shape) < 0.03] = np.nan
    epochs = 1_700_000_000 * 10**9 + np.arange(m, dtype=np.int64) * 3600 * 10**9
    rules = AnomalyRules(interval_s=3600.0, levels=2)
    state, told = advance_phases(DetectorState.empty(), rules, epochs, names, x, {"C1": "L", "C2": "L"}, "C0")
    kinds = sorted({f"{each.kind} of a {each.origin}" for each in told})
    return {"told": kinds, "bits": digest(b"", [state.to_payload(), [each.to_payload() for each in told]])}


def steering() -> dict[str, Any]:
    rng = np.random.default_rng(20261122)
    law, envelope = PolePlacement(86400.0, 864000.0), Envelope(2e-16, 1e-12, 5e-8)
    rate, record, lines = 0.0, [], []
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
        lines.append([*(float(figure).hex() for figure in (*offset, rate)), proposal.why])
    phases = commanded_phases(record, rng.integers(0, 3 * 10**15, 500)).tobytes()
    return {
        "proposed": len(lines),
        "limited": sum("limited" in line[-1] for line in lines),
        "bits": digest(phases, lines),
    }


def decided_again(state: Path) -> list[str]:
    """Every decision of a ledger, made again from its inputs."""
    keeper, decisions = Timekeeping(), []
    for entry in LedgerReader(state).entries():
        if (entry.envelope.type, entry.envelope.by) in INPUTS:
            payload = canonical.decode(entry.payload or b"null")
            for one in keeper.take(entry.index, entry.envelope.by, entry.envelope.type, payload):
                decisions.append(f"{one.seq} {one.type} {canonical.encode(one.payload).decode()}")
    return decisions


def bits_of(state: Any, steps: Steps) -> dict[str, Any]:
    raw = b"".join(getattr(steps, field).tobytes() for field in RECORDED)
    return {
        "codes": len(set(steps.code.ravel().tolist())),
        "bits": digest(raw, [state.to_payload(), steps.to_payload()]),
    }


def digest(raw: bytes, words: Any) -> str:
    return hashlib.sha256(raw + json.dumps(words, sort_keys=True).encode()).hexdigest()


PROGRAMS: dict[str, Callable[[], dict[str, Any]]] = {
    each.__name__: each for each in (at1, algos, kalman, detectors, steering)
}

if __name__ == "__main__":
    from numba import config

    made: dict[str, Any] = {"compiler": not config.DISABLE_JIT}
    for name in sys.argv[1:]:
        if name in PROGRAMS:
            made[name] = PROGRAMS[name]()
        else:
            made["decisions"] = decided_again(Path(name))
    print(json.dumps(made))
