"""The simulated phase stepper: what it was told is its record file, and the record file is what it does.

One JSON object a line (`id`, `epoch` TAI ns, `rate`, `phase_step_s`), appended and synced before the command counts as
obeyed. A torn last line, left by a crash, was never obeyed: it is not read, and the next line is written over it.
Lines that are damaged elsewhere raise, for a stepper that has forgotten half of what it did has no known phase.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from timeball.station.supervision.files import sync_folder
from timeball.steering.hard_limit import HardLimit, admit, taking_effect
from timeball.steering.stepper import StepperCommand


class StepperRecordError(ValueError):
    """A line of the record is damaged; says which."""


class StepperRecord:
    """A reader of the record file; cheap to ask again, because it reads only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._commands: list[StepperCommand] = []
        self._read_bytes = 0
        self._inode = -1

    def commands(self) -> list[StepperCommand]:
        """Everything recorded up to the last whole line; raises `StepperRecordError`."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._read_bytes:
                    self._commands, self._read_bytes, self._inode = [], 0, status.st_ino
                file.seek(self._read_bytes)
                self._take(file.read())
        except FileNotFoundError:
            self._commands, self._read_bytes, self._inode = [], 0, -1
        return self._commands

    @property
    def whole_bytes(self) -> int:
        """Where the next line belongs: the end of the last whole line."""
        return self._read_bytes

    def _take(self, data: bytes) -> None:
        *lines, _torn = data.split(b"\n")
        for line in lines:
            try:
                self._commands.append(msgspec.json.decode(line, type=StepperCommand))
            except msgspec.DecodeError as error:
                number = len(self._commands) + 1
                raise StepperRecordError(f"{self._path}, line {number}: {error}: {line[:80]!r}") from error
            self._read_bytes += len(line) + 1


class SimulatedStepper:
    """The stepper itself; only the actuator process makes one. `durable=False` leaves syncing to `sync`.

    `hard_limit_s_per_day`: most that the commanded phase may move within any 24 h, s.
    """

    def __init__(self, path: Path, hard_limit_s_per_day: float, *, durable: bool = True) -> None:
        self._path = path
        self._limit = HardLimit(hard_limit_s_per_day)
        self._durable = durable
        self._record = StepperRecord(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def record(self) -> Sequence[StepperCommand]:
        """Everything ever obeyed, in order."""
        return self._record.commands()

    def apply(self, command: StepperCommand, now: int) -> StepperCommand:
        """Obey a command at `now` (TAI ns); see `base.Actuator`."""
        record = self._record.commands()
        effective = taking_effect(command, now)
        admit(record, effective, self._limit, now)
        self._append(msgspec.json.encode(effective) + b"\n")
        return effective

    def sync(self) -> None:
        """Make everything obeyed so far durable."""
        if self._path.exists():
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._path.parent)

    def _append(self, line: bytes) -> None:
        """Write the line where the last whole one ends; when that fails, nothing of it stays."""
        new = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = self._record.whole_bytes
        try:
            os.ftruncate(descriptor, end)
            try:
                written = os.pwrite(descriptor, line, end)
                if written != len(line):
                    raise OSError(f"{self._path}: {written} of {len(line)} bytes written")
                if self._durable:
                    os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
        if new and self._durable:
            sync_folder(self._path.parent)
