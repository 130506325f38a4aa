"""The proposal of a steer: the control law's answer, held inside the envelope, with its reason in words.

Sign convention: x = UTC(k) − UTC, so a positive x is "ahead"; a rate is that of UTC(k) against TA(k).
This module proposes. It commands nothing, and what it proposes never enters TA(k).
"""

from __future__ import annotations

import math
from typing import Protocol

import msgspec

from timeball.steering.envelope import NS_PER_DAY, Envelope
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.offset import OffsetUnknown


class Gains(Protocol):
    """A control law on offset and rate: pole placement or LQG."""

    def correction(self, x_s: float, y: float) -> float:
        """Change of rate for an offset (s) and a rate of UTC(k) − UTC."""

    @property
    def words(self) -> str:
        """What it is after."""


class SteerProposal(msgspec.Struct, frozen=True):
    """A proposed steer.

    Attributes
    ----------
    rate : float
        New total rate of UTC(k) against TA(k).
    x_s, y : float
        Offset (s) and rate of UTC(k) − UTC that it answers.
    limited : bool
        Whether the envelope held it back.
    held : bool
        Whether the rate stays as it is because the change would be below the smallest worth ordering.
    why : str
        The reason in words, with figures.
    """

    rate: float
    x_s: float
    y: float
    limited: bool
    why: str
    held: bool = False


def propose_steer(x_s: float, y: float, rate_now: float, law: Gains, envelope: Envelope) -> SteerProposal:
    """Propose the next rate of UTC(k) against TA(k).

    Parameters
    ----------
    x_s, y : float
        Offset (s) and rate of UTC(k) − UTC, as `fit_offset` gives them; y is the rate under `rate_now`.
    rate_now : float
        Total rate of UTC(k) against TA(k) in force.

    Raises
    ------
    OffsetUnknown
        If offset, rate or the rate in force is not a finite number.
    """
    check_finite(x_s, y, rate_now)
    return settle(x_s, y, rate_now, law.correction(x_s, y), law.words, envelope)


def check_finite(x_s: float, y: float, rate_now: float) -> None:
    """Raise ``OffsetUnknown`` unless all three are finite numbers."""
    if not (math.isfinite(x_s) and math.isfinite(y) and math.isfinite(rate_now)):
        raise OffsetUnknown(
            f"no steer from an offset that is not a number: x = {x_s!r} s, y = {y!r}, rate {rate_now!r}"
        )


def settle(
    x_s: float,
    y: float,
    rate_now: float,
    change: float,
    aim: str,
    envelope: Envelope,
    minimum: MinimumStep | None = None,
) -> SteerProposal:
    """Hold a law's change of rate inside the envelope and to the smallest step, and say so in words.

    The envelope comes last, so that rounding to the stepper's resolution never leads out of it.
    Raises ``OffsetUnknown`` for a change that is not a finite number.
    """
    if not math.isfinite(change):
        raise OffsetUnknown(f"no steer: x = {x_s!r} s and y = {y!r} ask for a change of {change!r}, which is no rate")
    wanted, held = rate_now + change, ""
    if minimum is not None:
        wanted, held = minimum.settle(wanted, rate_now)
    clipped = envelope.clip(wanted, rate_now)
    side = "ahead of" if x_s >= 0.0 else "behind"
    trend = "gains" if y >= 0.0 else "loses"
    text = (
        f"UTC(k) is {abs(x_s) * 1e9:.3f} ns {side} UTC and {trend} {abs(y) * NS_PER_DAY:.4f} ns/day; "
        f"{aim} its rate goes from {rate_now * NS_PER_DAY:+.4f} to {clipped.rate * NS_PER_DAY:+.4f} ns/day"
    )
    why = "; ".join([text, *([held] if held else []), *([f"limited: {clipped.why}"] if clipped.why else [])])
    return SteerProposal(clipped.rate, x_s, y, clipped.limited, why, bool(held))
