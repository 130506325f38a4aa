"""The record of a phase stepper and the phase it was commanded to.

Sign convention: rates and phases are output minus source clock; before the first command both are zero.
This module does not decide whether a command is allowed (`hard_limit` does), and the source clock is not its business.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1_000_000_000.0


class StepperCommand(msgspec.Struct, frozen=True):
    """One command as the actuator recorded it.

    Attributes
    ----------
    id : int
        Number of the command; grows from one command to the next.
    epoch : int
        TAI ns at which it takes effect; never falls from one command to the next.
    rate : float
        Total fractional frequency offset of the output against its source from `epoch` on; replaces the rate before.
    phase_step_s : float
        Phase added to the output at `epoch`, s.
    """

    id: int
    epoch: int
    rate: float
    phase_step_s: float = 0.0


def phases_at_commands(record: Sequence[StepperCommand]) -> list[float]:
    """Commanded phase (s) just after each command, steps included, added up in the order of the record."""
    phases: list[float] = []
    phase = 0.0
    for before, command in zip([None, *record[:-1]], record, strict=True):
        if before is not None:
            phase = phase + before.rate * ((command.epoch - before.epoch) / NS_PER_S)
        phase = phase + command.phase_step_s
        phases.append(phase)
    return phases


def commanded_phase(record: Sequence[StepperCommand], epoch: int) -> float:
    """Phase of output minus source (s) that rates and steps up to and including `epoch` (TAI ns) add up to."""
    return float(commanded_phases(record, np.array([epoch], dtype=np.int64))[0])


def commanded_phases(record: Sequence[StepperCommand], epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Phase of output minus source at many epochs.

    Parameters
    ----------
    record : sequence of StepperCommand
        In the order in which they took effect (epochs never fall).
    epochs : int64[n]
        TAI ns, in any order.

    Returns
    -------
    float64[n]
        Seconds; equal bit for bit to `commanded_phase` at each epoch, whatever else is in `epochs`.
    """
    at = np.asarray(epochs, dtype=np.int64)
    if not record:
        return np.zeros(at.shape)
    starts = np.array([command.epoch for command in record], dtype=np.int64)
    rates = np.array([command.rate for command in record])
    phases = np.array(phases_at_commands(record))
    # Of several commands at one epoch the last holds; -1 means that nothing had been commanded yet.
    last = np.searchsorted(starts, at, side="right") - 1
    elapsed_s = (at - starts[last]) / NS_PER_S
    return np.where(last < 0, 0.0, phases[last] + rates[last] * elapsed_s)
