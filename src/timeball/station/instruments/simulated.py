"""The simulated laboratory as an instrument: every clock, the output signal and, when it is due, UTC, at each epoch.

STATE/simulation.json ties it to this machine: ideal TAI = `tai_ns` + (RAW − `raw_ns`) for as long as the boot lasts.
After a reboot it is tied anew by the time of day, never before the ledger's head. With the seed and the genesis in that
file, and the stepper's record, any process has the same laboratory. Sign: x_a − x_b.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from timeball.instants import LeapTable
from timeball.readings import EpochArray, Readings
from timeball.simulation.comparator import Comparator
from timeball.simulation.defaults import placed_clock
from timeball.simulation.laboratory import Laboratory
from timeball.simulation.world import World
from timeball.station import paths
from timeball.station.actuators.simulated import StepperRecord
from timeball.station.configuration.settings import Config
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import realtime_tai_ns, station_leaps
from timeball.station.hosttime.waiting import wait_until_raw
from timeball.station.instruments.base import FEMTOSECONDS_PER_S, Faults, Sample
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.supervision.files import write_atomically
from timeball.station.supervision.process import CannotStartError

NS_PER_DAY = 86_400 * 10**9
SETTLE_NS = 20_000_000
"""A reading of an epoch is ready so long after it: the stepper's record must have it."""


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What STATE/simulation.json holds: the world's seed and genesis, and ideal TAI at one reading of RAW."""

    seed: int
    genesis_ns: int
    boot_id: str
    raw_ns: int
    tai_ns: int


@dataclass(frozen=True)
class Simulation:
    """The laboratory of this state folder, tied to this boot."""

    anchor: Anchor
    config: Config
    state: Path

    @property
    def genesis_ns(self) -> int:
        """TAI (ns) at which the laboratory began."""
        return self.anchor.genesis_ns

    @property
    def anchor_ns(self) -> int:
        """RAW + this is ideal TAI (ns), for this boot."""
        return self.anchor.tai_ns - self.anchor.raw_ns

    def tai_ns(self, raw_ns: int | None = None) -> int:
        """Ideal TAI (ns) at a reading of RAW, or now."""
        return self.anchor_ns + (hostclocks.raw_ns() if raw_ns is None else raw_ns)

    @cached_property
    def laboratory(self) -> Laboratory:
        """The clocks, the comparator, the stepper's output and the link to UTC."""
        return build_laboratory(self.config, self.anchor.genesis_ns)

    @cached_property
    def record(self) -> StepperRecord:
        """The stepper's record, as far as it has got."""
        return StepperRecord(paths.stepper_record(self.state))

    def output_phase_s(self, tai_ns: int) -> float:
        """Output minus ideal TAI (s)."""
        return float(self.laboratory.output_phase(np.array([tai_ns], np.int64), self.record.commands())[0])


def build_laboratory(config: Config, genesis_ns: int) -> Laboratory:
    """The laboratory that a configuration describes; everything is compared with the first maser not in the output."""
    simulation = config.simulation
    clocks = [placed_clock(clock.name, clock.kind, simulation.seed) for clock in config.clock]
    others = [clock for clock in config.clock if clock.name != config.output.source] or list(config.clock)
    reference = next((clock.name for clock in others if "maser" in clock.kind), others[0].name)
    return Laboratory(
        World(simulation.seed, genesis_ns, simulation.step_s, clocks),
        reference,
        Comparator(noise_s=simulation.comparator_noise_s),
        output=config.output.clock,
        source=config.output.source,
        utc=config.steering.utc,
        utc_noise_s=simulation.utc_noise_s,
        utc_every_s=simulation.utc_every_s,
        host_noise_s=simulation.host_noise_s,
    )


def open_simulation(state: Path, config: Config) -> Simulation:
    """Open the laboratory of a state folder; make it, or tie it to this boot, when that is needed.

    The supervisor does so before any other process. Raises `CannotStartError` when the folder belongs to another seed.
    """
    known = read_anchor(state)
    if known is not None and known.seed != config.simulation.seed:
        raise CannotStartError(
            f"simulation.seed is {config.simulation.seed}, but the laboratory in {state} was begun with seed "
            f"{known.seed}; use another --state folder"
        )
    if known is not None and known.boot_id == hostclocks.boot_name():
        return Simulation(known, config, state)
    anchor = _tie(state, config, known, station_leaps(config))
    paths.simulation_file(state).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(paths.simulation_file(state), msgspec.json.encode(anchor) + b"\n", durable=True)
    return Simulation(anchor, config, state)


def read_anchor(state: Path) -> Anchor | None:
    """The anchor of a state folder, None when there is none yet; raises `CannotStartError` when it is damaged."""
    path = paths.simulation_file(state)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise CannotStartError(f"{path} is damaged: {error}") from error


def _tie(state: Path, config: Config, known: Anchor | None, leaps: LeapTable) -> Anchor:
    """Ideal TAI is the host's time of day at this moment, and from then on RAW alone."""
    raw_ns, tai_ns = realtime_tai_ns(leaps)
    if known is None:
        step_ns = int(config.ensemble.interval_s * 1e9)
        genesis_ns = (tai_ns - int(config.history.days * NS_PER_DAY)) // step_ns * step_ns
        return Anchor(config.simulation.seed, genesis_ns, hostclocks.boot_name(), raw_ns, tai_ns)
    tai_ns = max(tai_ns, known.tai_ns, _head_ns(state))
    return Anchor(known.seed, known.genesis_ns, hostclocks.boot_name(), raw_ns, tai_ns)


def _head_ns(state: Path) -> int:
    reader = LedgerReader(state)
    size = reader.size()
    return max((envelope.time_ns for _, envelope in reader.envelopes(size - 1, size)), default=0) if size else 0


class SimulatedComparator:
    """Reads everything at each epoch of the ensemble's grid, as soon as it has come."""

    name = "simulated laboratory"
    whole_epochs = True

    def __init__(self, simulation: Simulation) -> None:
        self.faults = Faults()
        self._simulation = simulation
        self._step_ns = int(simulation.config.ensemble.interval_s * 1e9)
        self._next = 0

    def open(self) -> None:
        """Begin with the next epoch: what went by while nobody read is gone, as with any counter."""
        self._next = (self._simulation.tai_ns() // self._step_ns + 1) * self._step_ns

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Wait for the next epoch, but not beyond `until_raw_ns`; gives all epochs that have come."""
        due_raw_ns = self._next + SETTLE_NS - self._simulation.anchor_ns
        wait_until_raw(min(due_raw_ns, until_raw_ns))
        now = self._simulation.tai_ns() - SETTLE_NS
        if now < self._next:
            return []
        epochs = np.arange(self._next, now + 1, self._step_ns, dtype=np.int64)
        self._next = int(epochs[-1]) + self._step_ns
        return samples_of(self._readings(epochs))

    def close(self) -> None:
        """Nothing is held."""

    def _readings(self, epochs: EpochArray) -> Readings:
        return self._simulation.laboratory.readings(epochs, self._simulation.record.commands())


def samples_of(readings: Readings) -> list[Sample]:
    """The rows of a `Readings` as samples; x and u rounded to whole femtoseconds."""
    x_fs = np.rint(readings.x * FEMTOSECONDS_PER_S).astype(np.int64).tolist()
    return [
        Sample(epoch, readings.clocks[a], readings.clocks[b], x, None if np.isnan(u) else round(u * FEMTOSECONDS_PER_S))
        for epoch, a, b, x, u in zip(
            readings.epoch.tolist(), readings.a.tolist(), readings.b.tolist(), x_fs, readings.u.tolist(), strict=True
        )
    ]
