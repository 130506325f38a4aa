"""From what is published to a proposal: whether a steer is due, what the law says, and how to take one back.

x is UTC(k) − UTC; a rate is that of UTC(k) against its free scale. A proposal is a dry run by itself: nothing moves
until somebody enters its rate into the record of steers. Pure and replayable: + − × ÷ √ in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from timeball.steering.bulletins import PublishedPoint, newest_publication
from timeball.steering.envelope import NS_PER_DAY, Envelope
from timeball.steering.laws import Law
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.propose import SteerProposal, check_finite, settle
from timeball.steering.stepper import StepperCommand, commanded_phase
from timeball.steering.view import view_of


class History(NamedTuple):
    """All that a law may look at: published points (UTC(k) − UTC), and the steers in force at one time or another."""

    points: Sequence[PublishedPoint]
    steers: Sequence[StepperCommand] = ()


class RollBackError(ValueError):
    """There is no such steer to take back."""


def is_due(law: Law, history: History, now: int, last_decided: int | None) -> bool:
    """Whether the law's bulletin has come out since the last decision (TAI ns; None: there was none yet)."""
    newest = newest_publication(history.points, law.source, now)
    return newest is not None and (last_decided is None or newest > last_decided)


def propose(
    law: Law,
    history: History,
    now: int,
    envelope: Envelope,
    *,
    rate_now: float | None = None,
    minimum: MinimumStep | None = None,
) -> SteerProposal:
    """Propose the rate of UTC(k) against its free scale from `now` on.

    Parameters
    ----------
    law : Law
        One of `laws`.
    history : History
        Points published later than `now` are not looked at, and steers later than `now` are not in force.
    now : int
        TAI ns.
    rate_now : float or None
        Rate in force; None takes it from the steers.

    Raises
    ------
    OffsetUnknown
        When too little has been published, or it is no finite number.
    """
    view = view_of(history.points, history.steers, now, rate_now)
    x, y = law.estimate(view)
    x_s, rate, in_force = float(x[0]), float(y[0]), float(view.rate_now[0])
    check_finite(x_s, rate, in_force)
    change = float(law.correct(x, y)[0])
    return settle(x_s, rate, in_force, change, law.words, envelope, minimum)


def roll_back(steers: Sequence[StepperCommand], wrong: int, now: int) -> tuple[StepperCommand, str]:
    """Take back the steer with id `wrong`: the command that restores the rate before it, and what stays, in words.

    The rate alone is restored. The phase that the wrong rate has moved by then is not stepped away: the next steers
    bring it home inside the envelope.

    Raises
    ------
    RollBackError
        If no steer has this id, or steers after it have already replaced its rate for a reason of their own.
    """
    at = next((i for i, command in enumerate(steers) if command.id == wrong), None)
    if at is None:
        raise RollBackError(f"no steer has the id {wrong}")
    if at + 1 < len(steers):
        raise RollBackError(f"steer {wrong} is no longer in force: steer {steers[-1].id} is; take that one back")
    before = steers[at - 1].rate if at else 0.0
    command = StepperCommand(wrong + 1, max(now, steers[at].epoch), before)
    without = list(steers[:at])
    moved_s = commanded_phase(steers, command.epoch) - commanded_phase(without, command.epoch)
    return command, (
        f"steer {wrong} is taken back: the rate goes from {steers[at].rate * NS_PER_DAY:+.4f} to "
        f"{before * NS_PER_DAY:+.4f} ns/day; the {moved_s * 1e9:+.3f} ns it has moved UTC(k) stay"
    )
