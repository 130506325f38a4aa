"""What the configured law makes of UTC(k) − UTC: a proposal when one is due, and the rate that commissions UTC(k).

Two laws answer the link to UTC, at their own interval: pole placement and LQG. Two answer bulletins, when one has come
and no more often than that interval: UTCr and Circular T. x is UTC(k) − UTC (s); rates are those of UTC(k) against
TA(k). The first steer takes over UTC's rate once; later ones count from there and stay in the envelope. Pure: it
changes nothing, and decides no order.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from timeball.station.configuration.settings import Steering
from timeball.station.fold.memory import LEAST_POINTS, Memory
from timeball.station.fold.published import rates_of
from timeball.steering.bulletins import PublishedPoint
from timeball.steering.decide import History, is_due, propose
from timeball.steering.envelope import Envelope
from timeball.steering.laws import Law, MonthlyOnCircularT, WeeklyOnUTCr
from timeball.steering.lqg import LQG
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import SteerProposal, check_finite, settle
from timeball.steering.stepper import StepperCommand
from timeball.steering.view import view_of

NS_PER_DAY = 86400e9
POLE_PLACEMENT, LQG_LAW, ON_UTCR, ON_CIRCULAR_T = "pole-placement", "lqg", "utcr", "circular-t"


class Answer(NamedTuple):
    """A proposal, and the rate that commissions UTC(k) when it is the first."""

    proposal: SteerProposal
    commissioned: float | None = None


def answer(law: Steering, memory: Memory, now: int) -> Answer | None:
    """What the law proposes at `now` (TAI ns); None when nothing is due. Raises `OffsetUnknown` where it cannot say."""
    if not due(memory.steered, now, law.interval_s):
        # bulletins too: whoever writes one a minute would else change the rate each time, as far as one steer may
        return None
    if law.law in (ON_UTCR, ON_CIRCULAR_T):
        return _on_bulletins(law, memory, now)
    if len(memory.points) < LEAST_POINTS:
        return None
    return _on_link(law, memory, now)


def due(last: int | None, now: int, interval_s: float) -> bool:
    """Whether `interval_s` has gone by since `last` (TAI ns)."""
    return last is None or now - last >= int(interval_s * 1e9)


def _on_link(law: Steering, memory: Memory, now: int) -> Answer:
    """Offset and rate from the line through what was read of UTC."""
    assert memory.paper is not None
    x_s, y, _ = memory.utck_minus_utc(now)
    rate_now = memory.paper.rate_at(now)
    if memory.commissioned is None:
        return _commission(law, x_s, y, rate_now)
    gains = (
        PolePlacement(law.interval_s, law.time_constant_s)
        if law.law == POLE_PLACEMENT
        else LQG(law.interval_s, law.lqg_offset_s, law.lqg_change)
    )
    from_base = rate_now - memory.commissioned
    check_finite(x_s, y, from_base)
    change = gains.correction(x_s, y)
    proposal = settle(x_s, y, from_base, change, gains.words, _envelope(law), _minimum(law))
    return Answer(msgspec.structs.replace(proposal, rate=proposal.rate + memory.commissioned))


def _on_bulletins(law: Steering, memory: Memory, now: int) -> Answer | None:
    """Offset and rate from the values that were published, steers taken out and put back."""
    assert memory.paper is not None
    practice: Law = WeeklyOnUTCr() if law.law == ON_UTCR else MonthlyOnCircularT(time_constant_s=law.time_constant_s)
    base = memory.commissioned or 0.0
    rates = rates_of(memory)
    points = [
        PublishedPoint(point.epoch, point.x_s, point.u_s, point.published, point.source)
        for point in memory.published or ()
        # before UTC(k) began, the laboratory's was another
        if rates and point.epoch >= rates[0].epoch
    ]
    history = History(points, [StepperCommand(at, rate.epoch, rate.rate - base) for at, rate in enumerate(rates, 1)])
    if not is_due(practice, history, now, memory.steered):
        return None
    rate_now = memory.paper.rate_at(now)
    if memory.commissioned is None:
        x, y = practice.estimate(view_of(points, history.steers, now, rate_now))
        check_finite(float(x[0]), float(y[0]), rate_now)
        return _commission(law, float(x[0]), float(y[0]), rate_now)
    proposal = propose(practice, history, now, _envelope(law), rate_now=rate_now - base, minimum=_minimum(law))
    return Answer(msgspec.structs.replace(proposal, rate=proposal.rate + base))


def _commission(law: Steering, x_s: float, y: float, rate_now: float) -> Answer:
    """The first steer takes the rate off that TA(k) happened to start with."""
    rate = max(-law.max_rate, min(law.max_rate, rate_now - y))
    words = (
        f"commissioned: UTC(k) − UTC is {x_s * 1e9:+.3f} ns and changes by {y * NS_PER_DAY:+.4f} ns/day; "
        f"its rate against TA(k) is set to {rate * NS_PER_DAY:+.4f} ns/day, from which steers count"
    )
    return Answer(SteerProposal(rate, x_s, y, rate != rate_now - y, words), rate)


def _envelope(law: Steering) -> Envelope:
    return Envelope(law.max_rate_change, law.max_rate, law.max_phase_per_day_s)


def _minimum(law: Steering) -> MinimumStep | None:
    if law.resolution == 0.0 and law.least_change == 0.0:
        return None
    return MinimumStep(resolution=law.resolution, least_change=law.least_change)
