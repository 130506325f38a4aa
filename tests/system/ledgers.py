"""A laboratory folded by hand and small ledgers on disk, for tests: every figure follows from a seed.

`Fold` lives through hours of the default laboratory as the collector, the timekeeper and the actuator would, in memory;
`entries_of` and `write_ledger` take a real ledger apart and put another together with a key of its own, as somebody
who owns the host could.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.note import make_signer
from timeball.readings import Readings
from timeball.simulation.defaults import default_laboratory
from timeball.station import paths
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.settings import Config, Ensemble, Steering
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.orders import commands_of
from timeball.station.fold.rules import config_payload
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, STREAM, Decision, Timekeeping
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.simulated import Anchor
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.history import build_history
from timeball.steering.hard_limit import CommandRefused, HardLimit, admit, taking_effect
from timeball.steering.stepper import StepperCommand

GENESIS = 1_800_000_000 * 10**9 // (3600 * 10**9) * 3600 * 10**9
HOUR = 3600 * 10**9
MINUTE = 60 * 10**9
KEY = make_signer("timeball.test/collector", bytes(range(32)))
STRANGER = make_signer("timeball.test/stranger", bytes(32))
Change = Callable[[Readings], Readings]

# A steer each six hours with a time constant of a day, so that six days show the loop close.
BRISK = Steering(
    interval_s=21600.0,
    window_s=172800.0,
    time_constant_s=86400.0,
    max_rate_change=1e-13,
    max_rate=1e-12,
    max_phase_per_day_s=4e-8,
)


@dataclass
class Fold:
    """The default laboratory at 60 s, its output `begins_s` off ideal, and the fold of its readings, hour by hour."""

    config: Config = field(default_factory=lambda: Config(steering=BRISK))
    seed: int = 457
    begins_s: float = 0.0
    hard_limit_s: float = 1e-7

    def __post_init__(self) -> None:
        self.laboratory = default_laboratory(self.seed, GENESIS)
        self.record = [StepperCommand(0, GENESIS, 0.0, self.begins_s)]
        self.keeper = Timekeeping()
        self.inputs: list[tuple[int, str, str, dict[str, Any]]] = []
        self.decisions: list[Decision] = []
        self.refused: list[str] = []
        self.entries: list[Item] = []
        self.index = 0
        self.hour = 0
        rules = config_payload(self.config)
        self.give(CONFIG, "config", rules, rules["rules"]["version"])
        self.give(COLLECTOR, "key", {"name": COLLECTOR, "purpose": "readings", "vkey": KEY.verifier.vkey})

    def give(self, by: str, kind: str, payload: dict[str, Any], version: int = 1) -> list[Decision]:
        """One entry for the fold, and the orders that follow obeyed."""
        payload = canonical.decode(canonical.encode(payload))
        now = GENESIS + self.hour * HOUR
        self.entries.append(Item(by, kind, payload, version, now))
        self.inputs.append((self.index, by, kind, payload))
        decisions = self.keeper.take(self.index, by, kind, payload, now)
        self.entries += [Item(STREAM, one.type, one.payload, one.version, now) for one in decisions]
        self.index += 1 + len(decisions)
        for decision in decisions:
            canonical.encode(decision.payload)
            if decision.type == "steer":
                for command in commands_of(decision.payload):
                    self.obey(command)
        self.decisions += decisions
        return decisions

    def reconfigure(self, ensemble: Ensemble) -> None:
        """Another configuration of the scale is recorded, under the rules that the ledger has."""
        self.config = msgspec.structs.replace(self.config, ensemble=ensemble)
        payload = config_payload(self.config)
        self.give(CONFIG, "config", payload, payload["rules"]["version"])

    def obey(self, command: StepperCommand) -> None:
        """What the actuator does with an order, at the newest epoch of the scale."""
        now = self.keeper.epoch or GENESIS
        effective = taking_effect(command, now)
        try:
            admit(self.record, effective, HardLimit(self.hard_limit_s), now)
        except CommandRefused as refused:
            self.refused.append(str(refused))
        else:
            self.record.append(effective)

    def readings(self, hours: int = 1) -> Readings:
        """What the laboratory shows in the next hours, each minute; the hours have then gone by."""
        epochs = GENESIS + self.hour * HOUR + np.arange(1, 60 * hours + 1, dtype=np.int64) * MINUTE
        self.hour += hours
        return self.laboratory.readings(epochs, self.record)

    def live(self, hours: int, change: Change = lambda readings: readings) -> list[Decision]:
        """Hours one by one, signed by the collector, the readings changed on the way."""
        decided: list[Decision] = []
        for _ in range(hours):
            batch = comparison_batch(change(self.readings()))
            decided += self.give(COLLECTOR, "readings", sign_batch(batch, KEY))
        return decided

    def output_s(self) -> float:
        """Output minus ideal now (s), which nobody in the station can see."""
        epoch = np.array([GENESIS + self.hour * HOUR], np.int64)
        return float(self.laboratory.output_phase(epoch, self.record)[0])


def without_clocks(*names: str) -> Change:
    """A change that leaves out every reading of some clocks."""

    def change(readings: Readings) -> Readings:
        places = [readings.clocks.index(name) for name in names]
        return readings.take(~(np.isin(readings.a, places) | np.isin(readings.b, places)))

    return change


def of_type(decisions: Iterable[Decision], kind: str) -> list[dict[str, Any]]:
    """Payloads of one type, in order."""
    return [decision.payload for decision in decisions if decision.type == kind]


@dataclass(frozen=True)
class Item:
    """An entry of a ledger to be: what `write_ledger` numbers and signs anew."""

    stream: str
    type: str
    payload: Any
    version: int = 1
    time_ns: int = GENESIS

    def changed(self, change: Callable[[Any], None]) -> Item:
        """A copy whose payload `change` has altered in place."""
        payload = canonical.decode(canonical.encode(self.payload))
        change(payload)
        return replace(self, payload=payload)


def entries_of(state: Path) -> list[Item]:
    """Every entry of a ledger, in order."""
    return [
        Item(envelope.by, envelope.type, canonical.decode(payload or b"null"), envelope.version, envelope.time_ns)
        for envelope, payload in ((entry.envelope, entry.payload) for entry in LedgerReader(state).entries())
    ]


def write_ledger(state: Path, items: Iterable[Item], origin: str = "timeball.example/tb") -> Path:
    """A ledger of these entries under a key of its own, numbered without gaps: outwardly beyond reproach."""
    numbers: dict[str, int] = {}
    with Store(state, origin=origin) as store:
        for time_ns, group in itertools.groupby(items, lambda item: item.time_ns):
            entries = []
            for item in group:
                numbers[item.stream] = numbers.get(item.stream, 0) + 1
                payload = canonical.encode(item.payload)
                entries.append(NewEntry(item.stream, numbers[item.stream], item.type, item.version, payload))
            store.append_many(entries, time_ns)
        store.integrate()
    return state


# Five hours: steers on paper, orders, snapshots, and quick without a compiler.
SMALL = """
[ensemble]
snapshot_every = 2
anomalies = false
[simulation]
utc_every_s = 60.0
[history]
days = 0.2
[steering]
interval_s = 3600.0
window_s = 14400.0
time_constant_s = 14400.0
"""


def build_small(state: Path, hours: int = 5, genesis_ns: int = GENESIS, more: str = "") -> Path:
    """A real ledger of a simulated station's first hours: 60 epochs each, the same whenever it is built.

    more: further lines of `[ensemble]`.
    """
    raw_ns = hostclocks.raw_ns()
    anchor = Anchor(1, genesis_ns, hostclocks.boot_name(), raw_ns, genesis_ns + hours * HOUR + MINUTE // 2)
    state.mkdir(exist_ok=True)
    paths.simulation_file(state).write_bytes(msgspec.json.encode(anchor))
    build_history(
        state, parse_config(SMALL.replace("[simulation]", f"{more}\n[simulation]")), lambda _fraction, _words: None
    )
    return state
