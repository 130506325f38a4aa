"""The simulated stepper's record is its memory: durable, torn tails ignored, the hard limit kept from it alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from timeball.station.actuators import simulated
from timeball.station.actuators.simulated import SimulatedStepper, StepperRecord, StepperRecordError
from timeball.station.fold.orders import commands_of
from timeball.steering.hard_limit import CommandRefused, HardLimitExceeded
from timeball.steering.stepper import StepperCommand

S = 10**9
NOW = 1_800_000_000 * S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "actuator" / "stepper.record"


def command(number: int, at_s: int = 60, rate: float = 1e-14, step_s: float = 0.0) -> StepperCommand:
    return StepperCommand(number, NOW + at_s * S, rate, step_s)


def test_what_was_obeyed_is_remembered_by_the_next_stepper(path: Path) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    assert stepper.apply(command(1), NOW) == command(1)
    stepper.apply(command(2, 120, 2e-14), NOW)
    assert list(SimulatedStepper(path, 50e-9).record()) == [command(1), command(2, 120, 2e-14)]


def test_a_late_command_takes_effect_now_and_the_record_says_so(path: Path) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    effective = stepper.apply(command(1, -4000), NOW)
    assert effective.epoch == NOW
    assert stepper.record()[0].epoch == NOW


def test_the_hard_limit_is_kept_from_the_record_alone(path: Path) -> None:
    SimulatedStepper(path, 50e-9).apply(command(1, 60, 0.0, 45e-9), NOW)
    other = SimulatedStepper(path, 50e-9)
    with pytest.raises(HardLimitExceeded, match=r"hard limit is 50\.000 ns"):
        other.apply(command(2, 120, 0.0, 10e-9), NOW)
    assert len(other.record()) == 1
    other.apply(command(2, 120, 0.0, 4e-9), NOW)


def test_a_number_is_obeyed_once(path: Path) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    stepper.apply(command(1), NOW)
    with pytest.raises(CommandRefused, match="does not follow"):
        stepper.apply(command(1), NOW)


def test_a_torn_tail_was_never_obeyed_and_is_written_over(path: Path) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    stepper.apply(command(1), NOW)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id":2,"epoch":18000')
    after = SimulatedStepper(path, 50e-9)
    assert list(after.record()) == [command(1)]
    after.apply(command(2), NOW)
    assert path.read_bytes().startswith(whole + b'{"id":2,')
    assert [one.id for one in StepperRecord(path).commands()] == [1, 2]


def test_every_cut_of_the_file_gives_a_prefix_of_the_record(path: Path) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    for number in range(1, 4):
        stepper.apply(command(number, 60 * number), NOW)
    data = path.read_bytes()
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        ids = [one.id for one in StepperRecord(path).commands()]
        assert ids == list(range(1, data[:length].count(b"\n") + 1))


def test_a_damaged_line_is_named(path: Path) -> None:
    SimulatedStepper(path, 50e-9).apply(command(1), NOW)
    path.write_bytes(path.read_bytes() + b"rubbish\n")
    with pytest.raises(StepperRecordError, match="line 2"):
        StepperRecord(path).commands()


def test_a_reader_sees_what_another_process_appends(path: Path) -> None:
    reader = StepperRecord(path)
    assert reader.commands() == []
    stepper = SimulatedStepper(path, 50e-9)
    stepper.apply(command(1), NOW)
    assert [one.id for one in reader.commands()] == [1]
    stepper.apply(command(2), NOW)
    assert [one.id for one in reader.commands()] == [1, 2]
    path.unlink()
    assert reader.commands() == []


def test_a_full_disk_moves_nothing_and_leaves_the_record_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    stepper.apply(command(1), NOW)
    before = path.read_bytes()
    real = os.pwrite

    def short(descriptor: int, data: bytes, offset: int) -> int:
        return real(descriptor, data[:7], offset)

    monkeypatch.setattr(simulated.os, "pwrite", short)
    with pytest.raises(OSError, match="7 of"):
        stepper.apply(command(2), NOW)
    monkeypatch.undo()
    assert path.read_bytes() == before
    stepper.apply(command(2), NOW)
    assert [one.id for one in stepper.record()] == [1, 2]


def test_a_failed_sync_moves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = SimulatedStepper(path, 50e-9)
    stepper.apply(command(1), NOW)
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError("the disk said no")

    monkeypatch.setattr(simulated.os, "fsync", fail)
    with pytest.raises(OSError, match="said no"):
        stepper.apply(command(2), NOW)
    assert path.read_bytes() == before


def test_every_command_is_synced_before_it_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes | str] = []

    def note(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append("folder" if folder else os.pread(descriptor, 1000, 0))

    monkeypatch.setattr(simulated.os, "fsync", note)
    SimulatedStepper(path, 50e-9).apply(command(1), NOW)
    assert synced == [path.read_bytes(), "folder"]


def test_orders_become_commands() -> None:
    payload = {"commands": [{"id": 3, "epoch": "5", "rate": "-1.5e-15", "phase_step_fs": "2000000"}]}
    assert commands_of(payload) == [StepperCommand(3, 5, -1.5e-15, 2e-9)]
    with pytest.raises(ValueError, match="invalid literal"):
        commands_of({"commands": [{"id": 3, "epoch": "5", "rate": "0", "phase_step_fs": "2.5"}]})
