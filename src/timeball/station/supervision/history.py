"""The past of the simulated laboratory, lived through at the first start so that there is something to look at.

The same instruments, fold, orders and ledger as in the live station, only faster than time and in one process, before
any other process runs. Nothing here is a short cut: every reading is signed and recorded, every step follows from
recorded readings, and a replay of the ledger does not know where the history ends.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.note import Signer
from timeball.readings import EpochArray
from timeball.simulation.laboratory import Laboratory
from timeball.station import paths
from timeball.station.actuator import actuation
from timeball.station.actuators.simulated import SimulatedStepper
from timeball.station.configuration.settings import Config
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.orders import commands_of
from timeball.station.fold.rules import config_payload
from timeball.station.fold.timekeeping import COLLECTOR, STREAM, Decision, Timekeeping
from timeball.station.instruments.simulated import open_simulation
from timeball.station.keeping.place import write_place
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.store import NewEntry, Store
from timeball.steering.hard_limit import CommandRefused
from timeball.steering.stepper import StepperCommand

BATCH_S = 3600.0
LEAST_BATCH_S = 60.0
FLUSH_EVERY = 24
Progress = Callable[[float, str], None]


def build_history(state: Path, config: Config, progress: Progress) -> None:
    """Live through `history.days` up to now; does nothing when the ledger has entries or nothing is simulated.

    A build that was interrupted is begun anew: nothing had been served from it. `progress` gets a fraction and words.
    """
    unfinished = state / "history.unfinished"
    if unfinished.exists():
        for part in ("ledger", "payloads", "actuator", "simulation.json", "journal", "ledger.tails"):
            _remove(state / part)
    if not config.simulated or config.history.days <= 0 or (paths.ledger_dir(state) / "checkpoint").exists():
        return
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished.touch()
    progress(0.0, f"{config.history.days:g} days of the simulated laboratory")
    simulation = open_simulation(state, config)
    with Store(state, origin=config.station.origin) as store:
        past = Past(store, config, simulation.laboratory, load_or_create_key(state, COLLECTOR))
        stepper = SimulatedStepper(paths.stepper_record(state), config.actuator.hard_limit_s_per_day, durable=False)
        # one order a block at most: the output must be tracked in the past as often as it will be from now on
        block_s = max(LEAST_BATCH_S, min(BATCH_S, config.steering.tracking_interval_s))
        blocks = list(epoch_blocks(simulation.genesis_ns, simulation.tai_ns(), config.ensemble.interval_s, block_s))
        for done, epochs in enumerate(blocks):
            past.live(epochs, stepper)
            fraction = (done + 1) / len(blocks)
            progress(fraction, f"day {fraction * config.history.days:.3g} of {config.history.days:g}")
        past.flush()
        stepper.sync()
    write_place(state)
    unfinished.unlink()


def epoch_blocks(genesis_ns: int, now_ns: int, interval_s: float, block_s: float = BATCH_S) -> Iterator[EpochArray]:
    """The epochs on the interval's grid after genesis up to now, `block_s` at a time (int64 ns of TAI)."""
    step = int(interval_s * 1e9)
    first, last = genesis_ns // step + 1, now_ns // step
    epochs = np.arange(first, last + 1, dtype=np.int64) * step
    block = (epochs - 1) // int(block_s * 1e9)
    for start in np.unique(block, return_index=True)[1]:
        yield epochs[block == block[start]]


class Past:
    """Feeds the fold and the ledger as the collector, the timekeeper and the actuator will from now on."""

    def __init__(self, store: Store, config: Config, laboratory: Laboratory, key: Signer) -> None:
        self.store, self.laboratory, self.key = store, laboratory, key
        self.keeper = Timekeeping()
        self.waiting: list[NewEntry] = []
        self.next_seq: dict[str, int] = {}
        self.index = store.size
        self.time_ns = 0
        rules = config_payload(config, live=False)
        vkey = {"name": COLLECTOR, "purpose": "readings", "vkey": key.verifier.vkey}
        version = rules["rules"]["version"]
        self.keeper.take(self._enter("config", "config", rules, version), "config", "config", rules)
        self.keeper.take(self._enter(COLLECTOR, "key", vkey), COLLECTOR, "key", vkey)

    def live(self, epochs: EpochArray, stepper: SimulatedStepper) -> None:
        """One block: readings, what follows from them, and the orders the stepper takes."""
        self.time_ns = int(epochs[-1])
        batch = comparison_batch(self.laboratory.readings(epochs, stepper.record()))
        payload = sign_batch(batch, self.key)
        index = self._enter(COLLECTOR, "readings", payload)
        for decision in self.keeper.take_readings(index, batch):
            self._decide(decision, stepper)
        if len(self.waiting) >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Bring what waits under a durable head."""
        self.store.append_many(self.waiting, self.time_ns)
        self.store.integrate()
        self.waiting = []

    def _decide(self, decision: Decision, stepper: SimulatedStepper) -> None:
        self._enter(STREAM, decision.type, decision.payload, decision.version)
        if decision.type == "steer":
            for command in commands_of(decision.payload):
                self._enter("actuator", "actuation", self._obey(command, stepper))

    def _obey(self, command: StepperCommand, stepper: SimulatedStepper) -> dict[str, Any]:
        try:
            return actuation(stepper.apply(command, self.time_ns), self.index - 1, None)
        except CommandRefused as refused:
            return actuation(command, self.index - 1, str(refused))

    def _enter(self, stream: str, kind: str, payload: dict[str, Any], version: int = 1) -> int:
        seq = self.next_seq.get(stream, 1)
        self.next_seq[stream] = seq + 1
        self.waiting.append(NewEntry(stream, seq, kind, version, canonical.encode(payload)))
        self.index += 1
        return self.index - 1


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


__all__: Sequence[str] = ["Past", "build_history", "epoch_blocks"]
