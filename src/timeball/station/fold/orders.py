"""Orders to the output as they stand in a `steer` entry, turned into the stepper's commands. It decides nothing."""

from __future__ import annotations

from typing import Any

from timeball.steering.stepper import StepperCommand

FS_PER_S = 1e15


def commands_of(payload: dict[str, Any]) -> list[StepperCommand]:
    """The commands of a `steer` payload in their order; raises KeyError, TypeError or ValueError for another form."""
    return [
        StepperCommand(
            id=int(command["id"]),
            epoch=int(command["epoch"]),
            rate=float(command["rate"]),
            phase_step_s=int(command["phase_step_fs"]) / FS_PER_S,
        )
        for command in payload["commands"]
    ]
