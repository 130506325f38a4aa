"""Replay of a year: 40 clocks compared every hour, every reading signed, every decision recorded and made again.

The ledger is real: simulated clocks from one seed, the collector's key, the fold, the recorder's store. What is timed
is `timeball.station.fold.replay.replay` on the folder: signatures, digests, tree and decisions are all checked.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import Figure
from bench.measure import peak_kib
from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.note import make_signer
from timeball.readings import Readings
from timeball.simulation.defaults import COMPARATOR, placed_clock
from timeball.simulation.laboratory import Laboratory
from timeball.simulation.world import World
from timeball.station.configuration.settings import Clock, Config, Ensemble
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.orders import commands_of
from timeball.station.fold.replay import replay
from timeball.station.fold.rules import config_payload
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, STREAM, Timekeeping
from timeball.station.recording.store import NewEntry, Store
from timeball.steering.stepper import StepperCommand

ROOM = "ledger"
SEED = 40
CLOCKS = 40
HOURS = 8760
HOUR = 3600 * 10**9
GENESIS = 1_800_000_000 * 10**9 // HOUR * HOUR
KINDS = ("5071A-high-performance", "5071A-high-performance", "active-maser", "5071A")
FLUSH_EVERY = 24
LONGEST_S = 20.0
MOST_GROWTH = 1.2


def figures() -> Iterator[Figure]:
    """The time of a year, the rate of scale entries, and how the memory of a year compares with that of a month."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent.parent / ".venv") as folder:
        month, year = measured(Path(folder) / "month", HOURS // 12), measured(Path(folder) / "year", HOURS)
        name = f"replay of a year of {CLOCKS} clocks hourly, {year.entries} entries"
        yield Figure(name, ROOM, year.taken_s, "s", None, None, f"< {LONGEST_S:g} s", year.taken_s < LONGEST_S)
        yield Figure("scale entries replayed", ROOM, HOURS / year.taken_s, "entries/s")
        ratio = year.peak_mb / month.peak_mb
        target = f"ratio <= {MOST_GROWTH:g}"
        peer = f"of a month {month.peak_mb:.4g} MB"
        yield Figure(
            "peak memory, replay of a year", ROOM, year.peak_mb, "MB", peer, ratio, target, ratio <= MOST_GROWTH
        )


class Replayed(msgspec.Struct):
    """What a process that only replays took: seconds of the call, greatest resident memory in MB."""

    taken_s: float
    peak_mb: float
    entries: int


def measured(state: Path, hours: int) -> Replayed:
    """Build a ledger and replay it in a process of its own; raises ValueError when not every decision agrees."""
    build(state, hours)
    command = [sys.executable, "-m", "bench.replay", str(state)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[1])
    return msgspec.json.decode(run.stdout, type=Replayed)


def replayed(state: Path) -> Replayed:
    """Replay here and now."""
    started = time.perf_counter()
    report = replay(state)
    taken = time.perf_counter() - started
    if report.pending or report.unchecked or report.cannot_check:
        raise ValueError(f"not every decision agrees: {report}")
    return Replayed(taken, peak_kib() / 1024, report.entries)


def build(state: Path, hours: int = HOURS) -> Path:
    """A ledger of so many hours: `readings`, `scale` and `steer` each hour, a `snapshot` each day."""
    Year(state).live(hours)
    return state


class Year:
    """The laboratory, the fold and the store, hour by hour."""

    def __init__(self, state: Path) -> None:
        clocks = tuple(Clock(name=f"C{i:02d}", kind=KINDS[i % len(KINDS)]) for i in range(CLOCKS))
        source = next(clock.name for clock in clocks if clock.kind == "active-maser")
        output = msgspec.structs.replace(Config().output, source=source)
        self.config = Config(clock=clocks, ensemble=Ensemble(interval_s=3600.0), output=output)
        world = World(SEED, GENESIS, 3600.0, [placed_clock(clock.name, clock.kind, SEED) for clock in clocks])
        self.laboratory = Laboratory(world, "C00", COMPARATOR, source=source)
        self.phase_s, self.rates = 0.0, [0.0, 0.0]
        self.store = Store(state, origin="timeball.example/year")
        self.key = make_signer("timeball.example/collector", bytes(range(32)))
        self.keeper = Timekeeping()
        self.numbers: dict[str, int] = {}
        self.waiting: list[NewEntry] = []
        self.index = 0

    def live(self, hours: int) -> None:
        """Record the rules, the key, and then the hours."""
        vkey = {"name": COLLECTOR, "purpose": "readings", "vkey": self.key.verifier.vkey}
        with self.store:
            for by, kind, payload in ((CONFIG, "config", config_payload(self.config)), (COLLECTOR, "key", vkey)):
                self.keeper.take(self._enter(by, kind, payload), by, kind, payload)
            epochs = GENESIS + np.arange(1, hours + 1, dtype=np.int64) * HOUR
            free = self.laboratory.readings(epochs, [StepperCommand(0, GENESIS, 0.0, 0.0)])
            each = len(free) // hours
            for hour in range(1, hours + 1):
                self._hour(free.take(np.arange((hour - 1) * each, hour * each)))
                if hour % FLUSH_EVERY == 0 or hour == hours:
                    self.store.append_many(self.waiting, GENESIS + hour * HOUR)
                    self.store.integrate()
                    self.waiting = []

    def _hour(self, free: Readings) -> None:
        """One hour: the output is its source and what was ordered of it, each order from the next epoch on."""
        self.phase_s += self.rates.pop(0) * HOUR / 1e9
        out = free.a == free.clocks.index(self.laboratory.output)
        batch = comparison_batch(replace(free, x=np.where(out, free.x + self.phase_s, free.x)))
        index = self._enter(COLLECTOR, "readings", sign_batch(batch, self.key))
        for decision in self.keeper.take_readings(index, batch):
            self._enter(STREAM, decision.type, decision.payload, decision.version)
            if decision.type == "steer":
                self.rates += [command.rate for command in commands_of(decision.payload)]
        self.rates = [*self.rates, self.rates[-1]][:2]

    def _enter(self, stream: str, kind: str, payload: dict[str, Any], version: int = 1) -> int:
        self.numbers[stream] = self.numbers.get(stream, 0) + 1
        entry = NewEntry(stream, self.numbers[stream], kind, version, canonical.encode(payload))
        self.waiting.append(entry)
        self.index += 1
        return self.index - 1


if __name__ == "__main__":
    # `python -m bench.replay FOLDER [HOURS]`: build a ledger there, if there is none, and replay it
    FOLDER = Path(sys.argv[1])
    if not FOLDER.exists():
        build(FOLDER, int(sys.argv[2]) if len(sys.argv) > 2 else HOURS)
    print(msgspec.json.encode(replayed(FOLDER)).decode())
