"""The simulated laboratory as an instrument: one laboratory whoever asks, tied to RAW, never before the ledger."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from timeball.simulation.defaults import DEFAULT_CLOCKS
from timeball.simulation.models import MODELS
from timeball.station.actuators.simulated import SimulatedStepper
from timeball.station.configuration.settings import (
    Actuator,
    Config,
    Ensemble,
    History,
    ReplayInstrument,
    Simulation,
    TimeOfDay,
)
from timeball.station.hosttime import hostclocks
from timeball.station.instruments import simulated
from timeball.station.instruments.outside import RealObserver, SimulatedObserver
from timeball.station.instruments.registry import make_instruments, make_observer_counter
from timeball.station.instruments.replay import Replay
from timeball.station.instruments.simulated import SimulatedComparator, open_simulation
from timeball.station.paths import simulation_file, stepper_record
from timeball.station.supervision.process import CannotStartError
from timeball.steering.stepper import StepperCommand

S = 10**9
CONFIG = Config(history=History(days=0.1))


def test_the_default_clocks_are_the_simulations() -> None:
    assert tuple((clock.name, clock.kind) for clock in Config().clock) == DEFAULT_CLOCKS
    assert all(clock.kind in MODELS for clock in Config().clock)


def test_two_processes_have_one_laboratory(tmp_path: Path) -> None:
    first = open_simulation(tmp_path, CONFIG)
    second = open_simulation(tmp_path, CONFIG)
    assert first.anchor == second.anchor
    epochs = np.arange(1, 4, dtype=np.int64) * 60 * S + first.genesis_ns
    one, two = (lab.laboratory.readings(epochs, []) for lab in (first, second))
    assert one.equals(two)


def test_time_is_raw_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = open_simulation(tmp_path, CONFIG)
    raw = hostclocks.raw_ns()
    before = simulation.tai_ns(raw)
    real = hostclocks.realtime_ns
    monkeypatch.setattr(hostclocks, "realtime_ns", lambda: real() - 10**18)
    again = open_simulation(tmp_path, CONFIG)
    assert again.tai_ns(raw) == before
    assert again.tai_ns(raw + 17) == before + 17


def test_history_lies_before_the_beginning(tmp_path: Path) -> None:
    simulation = open_simulation(tmp_path, CONFIG)
    age_s = (simulation.anchor.tai_ns - simulation.genesis_ns) / S
    assert 0.1 * 86400 <= age_s < 0.1 * 86400 + 60
    assert simulation.genesis_ns % (60 * S) == 0


def test_another_boot_ties_it_anew_and_never_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_simulation(tmp_path, CONFIG)
    monkeypatch.setattr(hostclocks, "boot_name", lambda: "another boot")
    real = hostclocks.realtime_ns
    monkeypatch.setattr(hostclocks, "realtime_ns", lambda: real() - 3600 * S)
    second = open_simulation(tmp_path, CONFIG)
    assert second.anchor.boot_id == "another boot"
    assert second.genesis_ns == first.genesis_ns
    assert second.anchor.tai_ns == first.anchor.tai_ns
    head = first.anchor.tai_ns + 7200 * S
    monkeypatch.setattr(hostclocks, "boot_name", lambda: "a third boot")
    monkeypatch.setattr(simulated, "_head_ns", lambda _state: head)
    assert open_simulation(tmp_path, CONFIG).anchor.tai_ns == head


def test_another_seed_is_another_laboratory_and_refused(tmp_path: Path) -> None:
    open_simulation(tmp_path, CONFIG)
    with pytest.raises(CannotStartError, match="begun with seed 1"):
        open_simulation(tmp_path, msgspec.structs.replace(CONFIG, simulation=Simulation(seed=2)))


def test_a_damaged_anchor_is_told(tmp_path: Path) -> None:
    simulation_file(tmp_path).write_text('{"seed":1}')
    with pytest.raises(CannotStartError, match="damaged"):
        open_simulation(tmp_path, CONFIG)


def quick(**more: object) -> Config:
    return msgspec.structs.replace(CONFIG, ensemble=Ensemble(interval_s=1.0), **more)


def test_every_epoch_of_the_grid_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = open_simulation(tmp_path, CONFIG)
    raw = [simulation.anchor.raw_ns]
    monkeypatch.setattr(hostclocks, "raw_ns", lambda: raw[0])
    monkeypatch.setattr(simulated, "wait_until_raw", lambda until: raw.__setitem__(0, max(raw[0], until)))
    comparator = SimulatedComparator(simulation)
    comparator.open()
    assert comparator.read(raw[0]) == []
    samples = comparator.read(raw[0] + 3600 * S)
    assert len({sample.epoch for sample in samples}) == 1
    raw[0] += 3600 * S
    samples += comparator.read(raw[0])
    epochs = sorted({sample.epoch for sample in samples})
    assert [later - earlier for earlier, later in itertools.pairwise(epochs)] == [60 * S] * 60
    names = {(sample.a, sample.b) for sample in samples}
    assert {a for a, _ in names} == {clock.name for clock in CONFIG.clock} - {"H2"} | {"OUT", "UTC"}
    assert {b for _, b in names} == {"H2"}
    assert sum(sample.a == "UTC" for sample in samples) in (1, 2)
    assert all(sample.u_fs for sample in samples)


def test_a_live_epoch_comes_when_it_has_come_and_not_before(tmp_path: Path) -> None:
    simulation = open_simulation(tmp_path, quick())
    comparator = SimulatedComparator(simulation)
    comparator.open()
    samples = comparator.read(hostclocks.raw_ns() + 3 * S)
    now = simulation.tai_ns()
    assert samples
    assert samples[0].epoch <= now
    assert now - samples[0].epoch < 2 * S


# --- the observer's counter -----------------------------------------------------------------------------------------


def test_the_observer_sees_the_same_clocks_with_another_noise(tmp_path: Path) -> None:
    observer = make_observer_counter(CONFIG, tmp_path)
    assert isinstance(observer, SimulatedObserver)
    simulation = open_simulation(tmp_path, CONFIG)
    epoch, seen = observer.compare()
    assert set(seen) == {clock.name for clock in CONFIG.clock}
    at = np.array([epoch], np.int64)
    truth = {
        name: float(simulation.laboratory.output_phase(at, [])[0] - simulation.laboratory.world.phases(name, at)[0])
        for name in seen
    }
    errors = np.array([seen[name] - truth[name] for name in seen])
    assert np.all(np.abs(errors) < 6 * 5e-12)
    assert np.std(errors) > 0


def test_the_observer_sees_a_step_behind_everybodys_back(tmp_path: Path) -> None:
    observer = make_observer_counter(CONFIG, tmp_path)
    simulation = open_simulation(tmp_path, CONFIG)
    _, before = observer.compare()
    SimulatedStepper(stepper_record(tmp_path), 50e-9).apply(
        StepperCommand(1, simulation.tai_ns(), 0.0, 20e-9), simulation.tai_ns()
    )
    _, after = observer.compare()
    assert all(abs(after[name] - before[name] - 20e-9) < 1e-10 for name in before)
    raw = hostclocks.raw_ns()
    assert abs(observer.tai_ns(raw) - simulation.tai_ns(raw)) < 200


def test_a_station_without_an_observers_counter_sees_nothing(tmp_path: Path) -> None:
    """Then the observer cannot judge, and no lease is renewed: a replay is never served as the time."""
    observer = make_observer_counter(replay_config(), tmp_path)
    assert isinstance(observer, RealObserver)
    _, seen = observer.compare()
    assert seen == {}


def replay_config() -> Config:
    return Config(
        instrument=(ReplayInstrument(files=("a.clk",)),),
        actuator=Actuator(kind="none"),
        time_of_day=TimeOfDay(sources=("realtime", "rtc")),
    )


def test_each_kind_finds_its_class(tmp_path: Path) -> None:
    made = make_instruments(CONFIG, tmp_path)
    assert [type(item) for item in made.comparisons] == [SimulatedComparator]
    assert made.host is not None
    assert made.host.name == "host by simulated capture"
    replayed = make_instruments(replay_config(), tmp_path)
    assert [type(item) for item in replayed.comparisons] == [Replay]
    assert replayed.host is None


def test_without_agreed_time_of_day_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from timeball.station.configuration.config import parse_config
    from timeball.station.hosttime import timeofday

    monkeypatch.setattr(timeofday, "RTC_FILE", tmp_path / "none")
    text = '[actuator]\nkind="none"\n[time_of_day]\nsources=["realtime","rtc"]\n'
    config = parse_config(text + '[[instrument]]\nkind="line"\nport="/dev/none"\na="H1"\nb="H2"\n')
    with pytest.raises(CannotStartError, match="no two sources"):
        make_instruments(config, tmp_path)
