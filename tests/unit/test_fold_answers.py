"""The laws of the fold on a memory made by hand: how often they answer, whatever comes in."""

from __future__ import annotations

import msgspec

from timeball.station.configuration.settings import Steering
from timeball.station.fold.laws import answer
from timeball.station.fold.memory import Memory, Published
from timeball.station.fold.published import remember_rate
from timeball.steering.bulletins import UTCR
from timeball.steering.paper import PaperOffset

HOUR = 3600 * 10**9
DAY = 24 * HOUR
START = 20000 * DAY
LAW = Steering(law="utcr", interval_s=86400.0)


def weekly(x_s: float, known: int) -> list[Published]:
    return [Published(START + day * DAY, x_s, 1e-9, known, UTCR) for day in range(7)]


def test_a_bulletin_an_hour_is_no_steer_an_hour() -> None:
    """Who writes bulletins changes the rate by as much as one steer may, and no more often than steers come."""
    paper = PaperOffset(START, 0.0, 0.0)
    memory = Memory(paper=paper, commissioned=0.0, published=[])
    answered = []
    for hour in range(96):
        now = START + 8 * DAY + hour * HOUR
        memory.published = [*(memory.published or []), *weekly(1e-6 * (hour + 1), now)]
        found = answer(LAW, memory, now)
        if found is not None:
            answered.append(hour)
            memory.steered = now
            remember_rate(memory, now, found.proposal.rate)
            memory.paper = paper = paper.steered(now, found.proposal.rate)
    assert answered == [0, 24, 48, 72]
    assert abs(paper.next_rate) <= len(answered) * LAW.max_rate_change


def test_a_bulletin_that_had_to_wait_is_answered_later() -> None:
    memory = Memory(paper=PaperOffset(START, 0.0, 0.0), commissioned=0.0, steered=START + 8 * DAY)
    memory.published = weekly(5e-9, START + 8 * DAY + HOUR)
    assert answer(LAW, memory, START + 8 * DAY + 2 * HOUR) is None
    assert answer(LAW, memory, START + 9 * DAY) is not None
    rare = msgspec.structs.replace(LAW, interval_s=2 * 86400.0)
    assert answer(rare, memory, START + 9 * DAY) is None
