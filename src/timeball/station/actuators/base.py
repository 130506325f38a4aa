"""What an actuator is to the station: whatever obeys a command to the output signal and remembers that it did.

Sign: rates and phases are output minus source. An actuator enforces its hard limit from its own record before anything
moves, whoever has signed the command. It does not read the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from timeball.steering.stepper import StepperCommand


class Actuator(Protocol):
    """One thing that moves the output."""

    def apply(self, command: StepperCommand, now: int) -> StepperCommand:
        """Obey a command at `now` (TAI ns), durably, and give it as it took effect.

        Raises `CommandRefused` (nothing moved, its words say why) or OSError (nothing moved, ask again).
        """

    def record(self) -> Sequence[StepperCommand]:
        """Everything ever obeyed, in order."""
