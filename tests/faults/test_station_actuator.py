"""The actuator follows the ledger: each order once, within the hard limit, whatever was killed in between."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from timeball.ledger import canonical
from timeball.station import actuator
from timeball.station.actuator import Follower
from timeball.station.actuators.simulated import SimulatedStepper
from timeball.station.configuration.settings import Config, History
from timeball.station.instruments.simulated import Simulation, open_simulation
from timeball.station.paths import stepper_record
from timeball.station.recording.errors import LedgerFull, RecorderUnavailable, SequenceRefusedError
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.process import Process
from timeball.steering.stepper import StepperCommand

S = 10**9
LIMIT = 50e-9


class FakeRecorder:
    """Takes what the actuator says; `trouble` is raised instead of the next answers."""

    said: list[dict[str, Any]]
    trouble: list[Exception]

    def __init__(self) -> None:
        self.said, self.trouble = [], []

    def next_seq(self) -> int:
        return len(self.said) + 1

    def append(self, kind: str, version: int, payload: dict[str, Any], seq: int) -> int:
        if self.trouble:
            raise self.trouble.pop(0)
        if seq != len(self.said) + 1:
            raise SequenceRefusedError("actuator", seq, len(self.said) + 1, "leaves a gap")
        assert (kind, version) == ("actuation", 1)
        canonical.encode(payload)
        self.said.append(payload)
        return seq


class Desk:
    """A ledger with orders in it, and an actuator that reads them."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = state
        self.config = Config(history=History(days=0))
        self.simulation: Simulation = open_simulation(state, self.config)
        self.recorder = FakeRecorder()
        monkeypatch.setattr(actuator, "RecorderClient", lambda *_a, **_k: self.recorder)
        self.store = Store(state, origin="timeball.example/test")
        self.orders = 0

    def order(self, *commands: StepperCommand, by: str = "timekeeping", kind: str = "steer") -> None:
        payload = {
            "commands": [
                {
                    "id": command.id,
                    "epoch": str(command.epoch),
                    "rate": repr(command.rate),
                    "phase_step_fs": str(round(command.phase_step_s * 1e15)),
                }
                for command in commands
            ]
        }
        self.record(by, kind, payload)

    def record(self, by: str, kind: str, payload: dict[str, Any]) -> None:
        entry = NewEntry(by, self.store.next_seq(by), kind, 1, canonical.encode(payload))
        self.store.append_many([entry], self.simulation.tai_ns())
        self.store.integrate()

    def command(self, number: int, in_s: float = 60, rate: float = 1e-14, step_s: float = 0.0) -> StepperCommand:
        return StepperCommand(number, self.simulation.tai_ns() + round(in_s * S), rate, step_s)

    def follower(self) -> Follower:
        """A new actuator process, as after a kill."""
        process = Process("actuator", self.state, self.config, threading.Event())
        stepper = SimulatedStepper(stepper_record(self.state), LIMIT)
        return Follower(process, LedgerReader(self.state), stepper, self.simulation)

    def obeyed(self) -> list[int]:
        return [command.id for command in SimulatedStepper(stepper_record(self.state), LIMIT).record()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path / "state", monkeypatch)


def test_an_order_is_obeyed_and_said(desk: Desk) -> None:
    follower = desk.follower()
    order = desk.command(1)
    desk.order(order)
    follower.turn()
    assert desk.obeyed() == [1]
    assert desk.recorder.said == [{"id": 1, "epoch": str(order.epoch), "refused": None, "steer": 0}]
    follower.turn()
    assert len(desk.recorder.said) == 1


def test_nobody_but_the_timekeeper_gives_orders(desk: Desk) -> None:
    desk.order(desk.command(1, step_s=10e-9), by="observer")
    desk.order(desk.command(2, step_s=10e-9), kind="readings")
    desk.order(desk.command(3))
    desk.follower().turn()
    assert desk.obeyed() == [3]


def test_beyond_the_hard_limit_is_refused_in_words_and_the_next_is_obeyed(desk: Desk) -> None:
    desk.order(desk.command(1, step_s=60e-9))
    desk.order(desk.command(2))
    desk.follower().turn()
    assert desk.obeyed() == [2]
    first, second = desk.recorder.said
    assert "hard limit is 50.000 ns" in first["refused"]
    assert second["refused"] is None


def test_an_order_is_obeyed_once_whatever_was_killed(desk: Desk) -> None:
    """Killed between obeying and saying: the record tells the next process what to say."""
    desk.order(desk.command(1), desk.command(2, 120))
    desk.recorder.trouble = [RecorderUnavailable("down")] * 3
    desk.follower().turn()
    assert desk.obeyed() == [1, 2]
    assert desk.recorder.said == []
    desk.recorder.trouble = []
    desk.follower().turn()
    assert desk.obeyed() == [1, 2]
    assert [said["id"] for said in desk.recorder.said] == [1, 2]


def test_after_a_restart_old_orders_are_not_obeyed_again(desk: Desk) -> None:
    for number in range(1, 4):
        desk.order(desk.command(number, 60 * number))
    desk.follower().turn()
    for said in desk.recorder.said:
        desk.record("actuator", "actuation", said)
    desk.order(desk.command(4, 300))
    again = desk.follower()
    again.turn()
    assert desk.obeyed() == [1, 2, 3, 4]
    assert [said["id"] for said in desk.recorder.said] == [1, 2, 3, 4]


def test_a_refused_order_is_not_tried_again_after_a_restart(desk: Desk) -> None:
    desk.order(desk.command(1, step_s=60e-9))
    desk.follower().turn()
    desk.record("actuator", "actuation", desk.recorder.said[0])
    desk.follower().turn()
    assert len(desk.recorder.said) == 1
    assert desk.obeyed() == []


def test_a_late_order_takes_effect_now(desk: Desk) -> None:
    desk.order(desk.command(1, -2 * 3600))
    desk.follower().turn()
    said = desk.recorder.said[0]
    assert abs(int(said["epoch"]) - desk.simulation.tai_ns()) < 60 * S


def test_a_full_disk_makes_the_order_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = desk.follower()
    desk.order(desk.command(1))
    desk.order(desk.command(2, 120))

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedStepper, "_append", full)
        follower.turn()
        assert desk.recorder.said == []
    follower.turn()
    assert desk.obeyed() == [1, 2]
    assert [said["id"] for said in desk.recorder.said] == [1, 2]


def test_a_full_ledger_makes_the_saying_wait(desk: Desk) -> None:
    desk.order(desk.command(1))
    desk.recorder.trouble = [LedgerFull("no space")]
    follower = desk.follower()
    follower.turn()
    assert desk.recorder.said == []
    follower.turn()
    assert [said["id"] for said in desk.recorder.said] == [1]


def test_rubbish_in_an_order_is_passed_over(desk: Desk) -> None:
    for payload in ({}, {"commands": 3}, {"commands": [{}]}, {"commands": [{"id": "x"}]}):
        desk.record("timekeeping", "steer", payload)
    desk.order(desk.command(1))
    desk.follower().turn()
    assert desk.obeyed() == [1]


def test_a_station_without_actuator_obeys_nothing_and_ends_when_told(tmp_path: Path) -> None:
    config = msgspec.structs.replace(Config(), actuator=msgspec.structs.replace(Config().actuator, kind="none"))
    process = Process("actuator", tmp_path, config, threading.Event())
    thread = threading.Thread(target=actuator.work, args=(process,))
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    process.stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert not stepper_record(tmp_path).exists()
