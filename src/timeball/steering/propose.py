"""The proposal of a steer: the control law's answer, held inside the envelope, with its reason in words.

Sign convention: x = UTC(k) − UTC, so a positive x is "ahead"; a rate is that of UTC(k) against TA(k).
This module proposes. It commands nothing, and what it proposes never enters TA(k).
"""

from __future__ import annotations

import math

import msgspec

from timeball.steering.envelope import DAY_S, NS_PER_DAY, Envelope
from timeball.steering.offset import OffsetUnknown
from timeball.steering.pole_placement import PolePlacement


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
    why : str
        The reason in words, with figures.
    """

    rate: float
    x_s: float
    y: float
    limited: bool
    why: str


def propose_steer(x_s: float, y: float, rate_now: float, law: PolePlacement, envelope: Envelope) -> SteerProposal:
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
    if not (math.isfinite(x_s) and math.isfinite(y) and math.isfinite(rate_now)):
        raise OffsetUnknown(
            f"no steer from an offset that is not a number: x = {x_s!r} s, y = {y!r}, rate {rate_now!r}"
        )
    wanted = rate_now + law.correction(x_s, y)
    clipped = envelope.clip(wanted, rate_now)
    return SteerProposal(clipped.rate, x_s, y, clipped.limited, _say(x_s, y, rate_now, law, clipped.rate, clipped.why))


def _say(x_s: float, y: float, rate_now: float, law: PolePlacement, rate: float, limit: str) -> str:
    side = "ahead of" if x_s >= 0.0 else "behind"
    trend = "gains" if y >= 0.0 else "loses"
    text = (
        f"UTC(k) is {abs(x_s) * 1e9:.3f} ns {side} UTC and {trend} {abs(y) * NS_PER_DAY:.4f} ns/day; "
        f"to bring it back with a time constant of {law.time_constant_s / DAY_S:.2f} days its rate goes from "
        f"{rate_now * NS_PER_DAY:+.4f} to {rate * NS_PER_DAY:+.4f} ns/day"
    )
    return f"{text}; limited: {limit}" if limit else text
