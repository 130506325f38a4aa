"""The actuator: follows the ledger's orders to the output and has them obeyed. `python -m timeball.station.actuator`.

An order is obeyed once, which its number decides, and only within the hard limit of the actuator's own record. What
was obeyed or refused is recorded with its reason; after a crash between the two, the record tells what to say.
Only entries of the timekeeper's stream are orders.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from timeball.ledger import canonical
from timeball.station import paths
from timeball.station.actuators.base import Actuator
from timeball.station.actuators.simulated import SimulatedStepper, StepperRecordError
from timeball.station.fold.orders import commands_of
from timeball.station.fold.timekeeping import STREAM as TIMEKEEPING
from timeball.station.instruments.simulated import Simulation, open_simulation
from timeball.station.recording.errors import SequenceRefusedError
from timeball.station.recording.ledger_reader import Entry, LedgerReader
from timeball.station.recording.recorder_client import LedgerFull, RecorderClient, RecorderUnavailable
from timeball.station.supervision.process import CannotStartError, Process, run_process
from timeball.steering.hard_limit import CommandRefused
from timeball.steering.stepper import StepperCommand

STREAM = "actuator"
VERSION = 1
POLL_S = 0.1
LOOK_BACK = 2000
"""Entries before the last actuation among which its own order stands, when it does not say where."""
RECORDER_PATIENCE_S = 2.0

Payload = dict[str, Any]


class Follower:
    """Obeys orders in the order of their numbers; `now` gives TAI (ns)."""

    def __init__(self, process: Process, reader: LedgerReader, actuator: Actuator, simulation: Simulation) -> None:
        self._process = process
        self._reader = reader
        self._actuator = actuator
        self._simulation = simulation
        self._client = RecorderClient(process.state, STREAM, timeout_s=RECORDER_PATIENCE_S)
        self._waiting: deque[Payload] = deque()
        self._seq: int | None = None
        self._next, self._last_id = self._begin()

    def turn(self) -> None:
        """Obey what is new, and have it recorded."""
        size = self._reader.size()
        if size > self._next:
            for entry in self._reader.entries(self._next, size):
                if not self._take(entry):
                    break
                self._next = entry.index + 1
        self._send()

    def _begin(self) -> tuple[int, int]:
        """Where to read on, and the last number dealt with; says what was obeyed but not recorded."""
        said = self._reader.find_stream_tail(STREAM)
        payload = canonical.decode(said.payload) if said is not None and said.payload is not None else None
        said_id = int(payload["id"]) if payload is not None else 0
        start = 0
        if said is not None and payload is not None:
            start = int(payload.get("steer", max(0, said.index - LOOK_BACK)))
        record = self._actuator.record()
        for command in record:
            if command.id > said_id:
                self._waiting.append(actuation(command, None, None))
        return start, max([said_id, *(command.id for command in record)])

    def _take(self, entry: Entry) -> bool:
        """Deal with one entry; false when it cannot be dealt with now."""
        if entry.envelope.type != "steer" or entry.envelope.by != TIMEKEEPING or entry.payload is None:
            return True
        try:
            commands = commands_of(canonical.decode(entry.payload))
        except (KeyError, TypeError, ValueError) as error:
            self._process.log.warning("entry %d is no order: %s", entry.index, error)
            return True
        return all(command.id <= self._last_id or self._obey(command, entry.index) for command in commands)

    def _obey(self, command: StepperCommand, index: int) -> bool:
        try:
            effective = self._actuator.apply(command, self._simulation.tai_ns())
        except CommandRefused as refused:
            self._process.log.warning("refused: %s", refused)
            self._waiting.append(actuation(command, index, str(refused)))
        except OSError as error:
            self._process.log.warning("command %d waits: %s", command.id, error)
            return False
        else:
            self._waiting.append(actuation(effective, index, None))
        self._last_id = command.id
        return True

    def _send(self) -> None:
        try:
            if self._waiting and self._seq is None:
                self._seq = self._client.next_seq()
            while self._waiting and self._seq is not None:
                self._client.append("actuation", VERSION, self._waiting[0], self._seq)
                self._waiting.popleft()
                self._seq += 1
        except SequenceRefusedError as error:
            self._seq = error.expected
        except (RecorderUnavailable, LedgerFull) as error:
            self._process.log.warning("%d actuations wait: %s", len(self._waiting), error)


def actuation(command: StepperCommand, steer: int | None, refused: str | None) -> Payload:
    """The payload of an `actuation` entry: which command, when it took effect, and why not if it did not."""
    payload: Payload = {"id": command.id, "epoch": str(command.epoch), "refused": refused}
    return payload if steer is None else {**payload, "steer": steer}


def work(process: Process) -> None:
    """Follow the ledger until told to stop; without an actuator there is nothing to do but wait."""
    if process.config.actuator.kind == "none":
        process.stop.wait()
        return
    simulation = open_simulation(process.state, process.config)
    limit = process.config.actuator.hard_limit_s_per_day
    try:
        stepper = SimulatedStepper(paths.stepper_record(process.state), limit)
        follower = Follower(process, LedgerReader(process.state), stepper, simulation)
    except StepperRecordError as error:
        raise CannotStartError(str(error)) from error
    while not process.stop.is_set():
        follower.turn()
        process.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(run_process(STREAM, work))
