"""Closed loops with declared physics: the band holds at its rate, LQG is no worse, the study decides as a laboratory.

Physics: an ensemble of masers (ADEV at 1 s: white 1e-13, flicker 5e-16, walk 3e-19), UTCr with 0.2 ns of white noise
and a wander of 0.5 ns over ten days, Circular T with 0.2 ns, each out when its calendar says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from timeball.ensemble.noise import ClockNoise
from timeball.simulation.equal_effort import at_equal_effort, ratio_with_error
from timeball.simulation.forecast import forecast, without_law
from timeball.simulation.models import ClockModel
from timeball.simulation.steered import BulletinNoise, Practice, free_scales, loop_of
from timeball.steering.bulletins import (
    CIRCULAR_T,
    GRID_DAYS,
    UTCR,
    PublicationCalendar,
    PublishedPoint,
    day_start,
    mjd_at,
)
from timeball.steering.decide import History, propose
from timeball.steering.envelope import Envelope
from timeball.steering.laws import Law, MonthlyOnCircularT, OnEstimate, WeeklyOnUTCr
from timeball.steering.lqg import LQG
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.stepper import StepperCommand

SEED = 20_264
DAY_S = 86_400.0
MASERS = ClockModel("masers", wfm=1e-13, ffm=5e-16, rwfm=3e-19)
NOISE = ClockNoise(wfm=1e-13, ffm=5e-16, rwfm=3e-19)
FIRST = 60676
CALENDAR = PublicationCalendar()


@pytest.mark.parametrize("law", [WeeklyOnUTCr(), MonthlyOnCircularT()], ids=["weekly", "monthly"])
def test_the_band_holds_the_next_circular_t_at_its_rate(law: Law) -> None:
    runs, rng = 200, np.random.default_rng(SEED)
    now = mjd_at(CALENDAR.next_circular_t(day_start(FIRST + 300))[0]) + 1 - FIRST
    last = CALENDAR.next_circular_t(day_start(FIRST + now))[1][-1] - FIRST
    free = free_scales(MASERS, last + 2, runs, rng, x_s=5e-9, y=5e-15)
    loop = loop_of(Practice(law, Envelope(2e-14, 1e-12, 1e-7)), FIRST, free, rng)
    loop.run(0, now)
    ahead = forecast(loop, now, rng, paths=99)
    loop.run(now, last + 1)
    rows = [mjd - FIRST for mjd in ahead.mjds]
    published = (loop.circular_t + loop.steered)[rows]
    for confidence, slack in ((0.9, 0.07), (0.68, 0.11)):
        _, low, high = ahead.band(confidence)
        held = np.mean((published >= low) & (published <= high), axis=1)
        assert held[-1] == pytest.approx(confidence, abs=slack), f"seed {SEED}: {held}"
    # a band that forgets two fifths of its width is found out
    middle, low, high = ahead.band(0.9)
    narrow = np.abs(published - middle) <= 0.6 * (high - low) / 2
    assert np.mean(narrow[-1]) < 0.9 - 0.07


def test_steers_to_come_narrow_the_band() -> None:
    rng = np.random.default_rng(SEED + 1)
    free = free_scales(MASERS, 340, 20, rng, x_s=5e-9, y=5e-15)
    loop = loop_of(Practice(WeeklyOnUTCr()), FIRST, free, rng)
    now = mjd_at(CALENDAR.next_circular_t(day_start(FIRST + 250))[0]) + 1 - FIRST
    loop.run(0, now)
    with_law, alone = (forecast(each, now, np.random.default_rng(1)).band() for each in (loop, without_law(loop)))
    width = [float(np.median(high[-1] - low[-1])) for _, low, high in (with_law, alone)]
    assert width[0] < 0.8 * width[1]


def test_a_scale_that_drifts_has_a_band_that_knows_it() -> None:
    """A maser's drift of 2e-16 a day: taken for noise it makes the band wide, and off to one side of what comes."""
    rng = np.random.default_rng(SEED + 5)
    free = free_scales(replace(MASERS, drift=2e-16 / DAY_S), 320, 30, rng, x_s=5e-9, y=5e-15)
    loop = loop_of(Practice(MonthlyOnCircularT(), Envelope(2e-14, 1e-12, 1e-7)), FIRST, free, rng)
    now = mjd_at(CALENDAR.next_circular_t(day_start(FIRST + 250))[0]) + 1 - FIRST
    loop.run(0, now)
    knowing, not_knowing = (forecast(loop, now, np.random.default_rng(1), drifts=drifts) for drifts in (True, False))
    last = knowing.mjds[-1] - FIRST
    loop.run(now, last)
    published = (loop.circular_t + loop.steered)[last]
    middle, low, high = (each[-1] for each in knowing.band())
    assert np.mean((published >= low) & (published <= high)) >= 0.85, f"seed {SEED + 5}"
    wrong, left, right = (each[-1] for each in not_knowing.band())
    assert np.median(high - low) < 0.75 * np.median(right - left)
    assert abs(np.mean(published - middle)) < 0.5 * abs(np.mean(published - wrong))


@pytest.mark.parametrize("days", [20])
def test_lqg_is_no_worse_than_pole_placement_at_equal_effort(days: int) -> None:
    free = free_scales(MASERS, 400, 50, np.random.default_rng(SEED + 2), x_s=5e-9, y=2e-15)
    theirs, ours = at_equal_effort(PolePlacement(7 * DAY_S, days * DAY_S), NOISE, free, FIRST, SEED)
    assert ours.effort <= theirs.effort
    assert ours.effort > 0.99 * theirs.effort
    ratio, error = ratio_with_error(theirs, ours)
    assert ratio + 3 * error <= 1.0, f"{ratio} ± {error}"


LAWS: list[Law] = [
    WeeklyOnUTCr(),
    WeeklyOnUTCr(carried=False),
    MonthlyOnCircularT(),
    OnEstimate(gains=LQG(7 * DAY_S, 1e-9, 1e-15), noise=NOISE),
]


@pytest.mark.parametrize("law", LAWS, ids=["weekly", "weekly as printed", "monthly", "LQG"])
def test_the_study_decides_as_a_laboratory_would(law: Law) -> None:
    """Each steer of one of several runs is, to 1e-22, what `propose` says of the points known on that day."""
    rng, noise = np.random.default_rng(SEED + 3), BulletinNoise()
    free = free_scales(MASERS, 130, 3, rng, x_s=5e-9, y=5e-15)
    envelope, minimum = Envelope(3e-15, 1e-12, 5e-8), MinimumStep(resolution=1e-17, least_change=1e-16)
    loop = loop_of(Practice(law, envelope, minimum, noise=noise), FIRST, free, rng)
    steers: list[StepperCommand] = []
    asked = 0
    for day in range(129):
        before, rate = len(loop.changes), float(loop.rate[1])
        loop.run(day, day + 1)
        if len(loop.changes) > before:
            said = propose(law, History(_points(loop, day), steers), day_start(FIRST + day), envelope, minimum=minimum)
            assert float(loop.rate[1]) == pytest.approx(said.rate, abs=1e-22), f"day {day}"
            asked += 1
        if float(loop.rate[1]) != rate:
            steers.append(StepperCommand(len(steers) + 1, day_start(FIRST + day), float(loop.rate[1])))
    assert asked >= 3


def _points(loop, day: int) -> list[PublishedPoint]:
    noise = loop.practice.noise
    points = []
    for row in range(day):
        mjd = FIRST + row
        for source, free, u_s in (
            (UTCR, loop.utcr, (noise.utcr_s**2 + noise.wander_s**2) ** 0.5),
            (CIRCULAR_T, loop.circular_t, noise.circular_t_s),
        ):
            if source == UTCR or mjd % GRID_DAYS == GRID_DAYS - 1:
                x = float(free[row, 1] + loop.steered[row, 1])
                points.append(PublishedPoint(day_start(mjd), x, u_s, CALENDAR.published(source, mjd), source))
    return points


def test_the_laboratory_knows_nothing_early() -> None:
    rng = np.random.default_rng(SEED + 4)
    loop = loop_of(Practice(None), FIRST, free_scales(MASERS, 120, 1, rng), rng)
    for day in range(30, 120):
        rows, circular = loop.known(day)
        now = day_start(FIRST + day)
        for row, monthly in zip(rows.tolist(), circular.tolist(), strict=True):
            assert CALENDAR.published(CIRCULAR_T if monthly else UTCR, FIRST + row) <= now
        assert 3 <= day - rows[-1] <= 10


def test_the_weekly_law_of_a_laboratory_on_its_own_record(shared: Callable[[str], Path]) -> None:
    """UTC(AUS) wandered over 1900 ns in seven years; steered weekly on UTCr the same scale stays within tens of ns."""
    from timeball.cli.steer_options import read_points
    from timeball.cli.steer_study import daily

    mjds, x, filled = daily(read_points([shared("groundstate-utck-tools/utcraus.txt")], "AUS"))
    assert filled == 0
    assert np.ptp(x) > 1.8e-6
    loop = loop_of(
        Practice(WeeklyOnUTCr(), Envelope(5e-14, 1e-11, 1e-6), noise=BulletinNoise(0.0, 0.0, DAY_S, 0.0)),
        int(mjds[0]),
        x[:, None],
        np.random.default_rng(0),
    )
    loop.run(0, x.size - 1)
    steered = (x[:, None] + loop.steered)[120:, 0]
    assert np.sqrt(np.mean(steered**2)) < 30e-9
    assert np.max(np.abs(steered)) < 150e-9
