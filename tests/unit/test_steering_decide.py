"""Proposals of the laws on published points: due or not, latency, smallest step, rollback, words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from timeball.ensemble.noise import ClockNoise
from timeball.steering.bulletins import CIRCULAR_T, UTCR, PublicationCalendar, PublishedPoint, day_start, from_bulletin
from timeball.steering.decide import History, RollBackError, is_due, propose, roll_back
from timeball.steering.envelope import Envelope
from timeball.steering.laws import Law, MonthlyOnCircularT, OnEstimate, WeeklyOnUTCr
from timeball.steering.lqg import LQG
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.offset import OffsetUnknown
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import settle
from timeball.steering.stepper import StepperCommand, commanded_phase
from timeball.steering.view import filtered
from timeball.steering.view import line as line_through

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
WIDE = Envelope(1e-9, 1e-9, 1e-3)
CALENDAR = PublicationCalendar()
FIRST = 61000
NOISE = ClockNoise(wfm=1e-13, rwfm=3e-19)
LAWS: list[Law] = [
    WeeklyOnUTCr(),
    MonthlyOnCircularT(),
    OnEstimate(gains=PolePlacement(WEEK_S, 20 * DAY_S), noise=NOISE),
    OnEstimate(gains=LQG(WEEK_S, 1e-9, 1e-15), noise=NOISE),
]
IDS = ["weekly", "monthly", "pole placement", "LQG"]


def line(x_s: float, y: float, days: int, steers: tuple[StepperCommand, ...] = ()) -> list[PublishedPoint]:
    """Points of a scale that runs straight and is steered, in both bulletins; x is UTC(k) − UTC."""
    points = []
    for mjd in range(FIRST, FIRST + days):
        x = x_s + y * (mjd - FIRST) * DAY_S + commanded_phase(steers, day_start(mjd))
        points.append(from_bulletin(UTCR, mjd, -x, 2e-10))
        if mjd % 5 == 4:
            points.append(from_bulletin(CIRCULAR_T, mjd, -x, 2e-10))
    return points


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_a_straight_line_is_seen_through_latency_and_own_steers(law: Law) -> None:
    steers = (StepperCommand(1, day_start(FIRST + 40), -2e-15), StepperCommand(2, day_start(FIRST + 61), 1e-15))
    points = line(5e-9, 3e-15, 100, steers)
    now = day_start(FIRST + 75)
    truth = 5e-9 + 3e-15 * 75 * DAY_S + commanded_phase(steers, now)
    said = propose(law, History(points, steers), now, WIDE)
    assert said.x_s == pytest.approx(truth, abs=2e-13)
    assert said.y == pytest.approx(4e-15, abs=1e-19)
    change = float(law.correct(np.array([truth]), np.array([4e-15]))[0])
    assert said.rate == pytest.approx(1e-15 + change, abs=1e-18)
    assert law.words in said.why


def test_the_two_practices_by_hand() -> None:
    weekly, monthly = WeeklyOnUTCr(gain_rate=0.6, gain_offset=0.75), MonthlyOnCircularT(time_constant_s=30 * DAY_S)
    x, y = np.array([7e-9]), np.array([2e-15])
    assert weekly.correct(x, y)[0] == pytest.approx(-(0.6 * 2e-15 + 0.75 * 7e-9 / WEEK_S), rel=1e-12)
    assert monthly.correct(x, y)[0] == pytest.approx(-(2e-15 + 7e-9 / (30 * DAY_S)), rel=1e-12)


def test_as_printed_takes_slope_and_last_value_as_they_stand() -> None:
    points, steers = line(5e-9, 3e-15, 40), [StepperCommand(1, day_start(FIRST), 1e-15)]
    now = day_start(FIRST + 40)
    last = max(point.epoch for point in points if point.published <= now)
    said = propose(WeeklyOnUTCr(carried=False), History(points, steers), now, WIDE)
    assert said.y == pytest.approx(3e-15, rel=1e-6)
    assert said.x_s == pytest.approx(5e-9 + 3e-15 * (last - day_start(FIRST)) / 1e9, rel=1e-9)


def test_nothing_is_known_before_it_is_published() -> None:
    points = line(5e-9, 3e-15, 60)
    now = CALENDAR.utcr_published(FIRST + 20)
    wild = [p if p.published <= now else PublishedPoint(p.epoch, 1.0, p.u_s, p.published, p.source) for p in points]
    law = WeeklyOnUTCr()
    assert propose(law, History(points), now, WIDE) == propose(law, History(wild), now, WIDE)
    with pytest.raises(OffsetUnknown, match="two epochs"):
        propose(law, History(points), CALENDAR.utcr_published(FIRST) - 1, WIDE)
    with pytest.raises(OffsetUnknown, match="two epochs"):
        propose(MonthlyOnCircularT(), History([p for p in points if p.source == UTCR]), now, WIDE)


def test_a_law_steers_once_for_each_bulletin() -> None:
    history = History(line(0.0, 0.0, 60))
    out = CALENDAR.utcr_published(FIRST)
    weekly = WeeklyOnUTCr()
    assert not is_due(weekly, history, out - 1, None)
    assert is_due(weekly, history, out, None)
    assert not is_due(weekly, history, out + 10, out)
    assert is_due(weekly, history, CALENDAR.utcr_published(FIRST + 7), out)
    assert not is_due(MonthlyOnCircularT(), history, out, None)


def test_no_steer_from_what_is_no_number() -> None:
    points = [*line(0.0, 0.0, 30), PublishedPoint(day_start(FIRST + 31), math.nan, 1e-9, day_start(FIRST + 32), UTCR)]
    with pytest.raises(OffsetUnknown, match="not a number"):
        propose(WeeklyOnUTCr(), History(points), day_start(FIRST + 35), WIDE)


def test_the_smallest_step() -> None:
    history, now = History(line(1e-9, 0.0, 40)), day_start(FIRST + 40)
    free = propose(WeeklyOnUTCr(), history, now, WIDE)
    assert not free.held
    stepped = propose(WeeklyOnUTCr(), history, now, WIDE, minimum=MinimumStep(resolution=1e-16))
    assert stepped.rate == round(free.rate / 1e-16) * 1e-16 != free.rate
    assert abs(stepped.rate - free.rate) <= 0.5e-16
    still = propose(WeeklyOnUTCr(), history, now, WIDE, rate_now=3e-15, minimum=MinimumStep(least_change=1e-13))
    assert (still.held, still.rate) == (True, 3e-15)
    assert "left as it is: a change of" in still.why
    capped = propose(WeeklyOnUTCr(), history, now, Envelope(1e-17, 1e-12, 1e-6))
    assert capped.limited
    assert capped.rate == -1e-17
    with pytest.raises(ValueError, match="least_change"):
        MinimumStep(least_change=-1.0)


def test_a_steer_is_taken_back_and_its_phase_stays() -> None:
    day = day_start(FIRST)
    steers = [StepperCommand(1, day, 2e-15), StepperCommand(2, day + 86_400 * 10**9, 9e-15)]
    now = day + 3 * 86_400 * 10**9
    command, why = roll_back(steers, 2, now)
    assert command == StepperCommand(3, now, 2e-15)
    assert "goes from +0.7776 to +0.1728 ns/day; the +1.210 ns it has moved UTC(k) stay" in why
    assert commanded_phase([*steers, command], now) == commanded_phase(steers, now)
    assert roll_back(steers[:1], 1, now)[0].rate == 0.0
    with pytest.raises(RollBackError, match="steer 2 is"):
        roll_back(steers, 1, now)
    with pytest.raises(RollBackError, match="no steer has the id 7"):
        roll_back(steers, 7, now)


def test_one_laboratory_and_many_give_the_same_bits() -> None:
    rng = np.random.default_rng(11)
    epochs = np.array([day_start(FIRST + day) for day in range(40)], dtype=np.int64)
    x, u_s = np.cumsum(rng.normal(0.0, 1e-9, (40, 5)), axis=0), rng.uniform(1e-10, 1e-9, 40)
    now = day_start(FIRST + 44)
    for estimate in (lambda z: line_through(epochs, z, now), lambda z: filtered(epochs, z, u_s, NOISE, now)):
        many = np.array(estimate(x))
        for run in range(5):
            assert np.array_equal(np.array(estimate(x[:, run : run + 1]))[:, 0], many[:, run])


def test_figures_that_no_stepper_has_are_refused_or_left_alone() -> None:
    envelope = Envelope(max_rate_change=1e-14, max_rate=1e-12, max_phase_per_day_s=1e-7)
    for change in (math.nan, math.inf):
        with pytest.raises(OffsetUnknown, match="no rate"):
            settle(1e-9, 0.0, 0.0, change, "", envelope)
    assert settle(1e-9, 0.0, 0.0, 3e-15, "", envelope, MinimumStep(resolution=1e-320)).rate == 3e-15
