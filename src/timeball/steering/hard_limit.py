"""The hard limit at the actuator, below all keys: whatever is signed, the output moves only so much in any 24 h.

It is computed from the actuator's own record alone, so that nobody upstream can talk it into more. Sign convention as
in `stepper`: phases are output minus source. What the source itself does is not limited here: the observer
watches that.

The commanded phase is a line with kinks and jumps. Between two instants at most 24 h apart it moves most when each of
them is a kink or jump, or 24 h away from one, or the end of the time considered; so it is enough to look there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeball.steering.stepper import NS_PER_S, StepperCommand, commanded_phases

DAY_NS = 86_400_000_000_000
# Figures are added up in float64; half a femtosecond, the resolution of the ledger, tells rounding from movement.
ROUNDING_S = 0.5e-15


class CommandRefused(ValueError):
    """The command does not fit the record (number, order, epoch, or a figure that is none). Nothing was moved."""


class HardLimitExceeded(CommandRefused):
    """The command would move the output by more than the hard limit within 24 h. Nothing was moved."""


class HardLimit(msgspec.Struct, frozen=True):
    """What the actuator enforces whatever it is told.

    Attributes
    ----------
    max_phase_per_day_s : float
        Most that the commanded phase may move between any two instants at most 24 h apart, s.

    Raises
    ------
    ValueError
        If the limit is not a positive number.
    """

    max_phase_per_day_s: float

    def __post_init__(self) -> None:
        if not 0.0 < self.max_phase_per_day_s < math.inf:
            raise ValueError(f"hard limit: max_phase_per_day_s = {self.max_phase_per_day_s!r} is not a positive number")


def taking_effect(command: StepperCommand, now: int) -> StepperCommand:
    """Give the command as it can still be obeyed: dated `now` (TAI ns) if its epoch has passed meanwhile.

    The record has to hold what the hardware did. A command entered into the past would claim that the phase had moved
    slowly when it jumped.
    """
    return command if command.epoch >= now else msgspec.structs.replace(command, epoch=now)


def admit(record: Sequence[StepperCommand], command: StepperCommand, limit: HardLimit, now: int) -> None:
    """Admit a command, or raise; the caller then records it durably, and only then obeys it.

    Looked at is every pair of instants at most 24 h apart, from 24 h before the command to 24 h after it, as if nothing
    else came: beyond that the rate alone counts, and it has been looked at too.

    Parameters
    ----------
    record : sequence of StepperCommand
        Everything the actuator ever obeyed, in order.
    command : StepperCommand
        The next one, as it will be recorded (see `taking_effect`).
    limit : HardLimit
        The limit.
    now : int
        TAI ns of the actuator's clock.

    Raises
    ------
    CommandRefused
        If the id does not grow, the epoch lies before the last command's, before `now` or more than 24 h ahead, or a
        figure is not finite.
    HardLimitExceeded
        If the phase would move by more than the limit. When the record already breaks it (the limit was lowered), a
        command is still admitted that makes no phase step, keeps the limit from its epoch on, and moves no more than
        silence would: otherwise the output could never be brought back to order.
    """
    _check_order(record, command, now)
    forward_s = abs(command.rate) * (DAY_NS / NS_PER_S)
    moves_s = movement([*record, command], command.epoch)
    if moves_s <= limit.max_phase_per_day_s + ROUNDING_S:
        return
    if command.phase_step_s == 0.0 and forward_s <= limit.max_phase_per_day_s + ROUNDING_S:
        silence_s = movement(record, command.epoch)
        if silence_s > limit.max_phase_per_day_s + ROUNDING_S and moves_s <= silence_s:
            return
    raise HardLimitExceeded(
        f"command {command.id} would move the output by {moves_s * 1e9:.3f} ns within 24 h "
        f"(its rate alone {forward_s * 1e9:.3f} ns a day, its phase step {command.phase_step_s * 1e9:+.3f} ns); "
        f"the hard limit is {limit.max_phase_per_day_s * 1e9:.3f} ns"
    )


def movement(record: Sequence[StepperCommand], epoch: int) -> float:
    """Most that the commanded phase moves (s) between two instants at most 24 h apart, the later one after `epoch`.

    Both sides of a phase step count as instants of their own.
    """
    near = _near(record, epoch)
    starts = np.array([command.epoch for command in near], dtype=np.int64)
    kinks = np.concatenate([starts, np.array([epoch], dtype=np.int64)])
    times = np.unique(np.concatenate([kinks - DAY_NS, kinks, kinks + DAY_NS]))
    after = commanded_phases(near, times)
    before = _left_limits(near, times, after)
    lowest, highest = np.minimum(before, after), np.maximum(before, after)
    greatest = 0.0
    for later in range(int(np.searchsorted(times, epoch)), int(np.searchsorted(times, epoch + DAY_NS, side="right"))):
        earliest = int(np.searchsorted(times, times[later] - DAY_NS))
        window = slice(earliest, later + 1)
        up = float(highest[later] - lowest[window].min())
        down = float(highest[window].max() - lowest[later])
        greatest = max(greatest, up, down)
    return greatest


def _near(record: Sequence[StepperCommand], epoch: int) -> list[StepperCommand]:
    """Keep the commands of the last 24 h before `epoch` and the one before them, whose rate was in force then."""
    first = len(record)
    while first > 0 and record[first - 1].epoch >= epoch - DAY_NS:
        first -= 1
    return list(record[max(first - 1, 0) :])


def _left_limits(
    record: Sequence[StepperCommand], times: NDArray[np.int64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    steps = np.zeros(times.size)
    for command in record:
        # Steps recorded at one epoch are one jump: the hardware is never seen between them.
        steps[times == command.epoch] += command.phase_step_s
    return np.asarray(after - steps, dtype=np.float64)


def _check_order(record: Sequence[StepperCommand], command: StepperCommand, now: int) -> None:
    if not (math.isfinite(command.rate) and math.isfinite(command.phase_step_s)):
        raise CommandRefused(
            f"command {command.id}: rate {command.rate!r} or phase step {command.phase_step_s!r} is not a finite number"
        )
    if command.epoch < now:
        raise CommandRefused(
            f"command {command.id} lies {(now - command.epoch) / NS_PER_S:.3f} s in the past, which is not moved"
        )
    if command.epoch > now + DAY_NS:
        raise CommandRefused(
            f"command {command.id} lies {(command.epoch - now) / NS_PER_S:.3f} s ahead; beyond 24 h it locks others out"
        )
    if not record:
        return
    last = record[-1]
    if command.id <= last.id:
        raise CommandRefused(f"command {command.id} does not follow command {last.id}, the last one obeyed")
    if command.epoch < last.epoch:
        raise CommandRefused(
            f"command {command.id} is older than command {last.id}: its epoch lies "
            f"{(last.epoch - command.epoch) / NS_PER_S:.3f} s before"
        )
