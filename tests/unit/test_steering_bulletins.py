"""When bulletins come out, what is known at a moment, and the sign of a point."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.instants import DAY_NS
from timeball.steering.bulletins import (
    CIRCULAR_T,
    UTCR,
    PublicationCalendar,
    PublishedPoint,
    date_of,
    day_start,
    from_bulletin,
    known_points,
    mjd_at,
    mjd_of,
    month_grid,
    newest_publication,
)

CALENDAR = PublicationCalendar()
DAYS = st.integers(48_000, 70_000)


@given(DAYS)
def test_utcr_comes_on_the_wednesday_after_the_week_that_ends_on_sunday(mjd: int) -> None:
    out = date_of(mjd_at(CALENDAR.utcr_published(mjd)))
    assert out.weekday() == 2
    late = (out - date_of(mjd)).days
    assert late == 3 + (6 - date_of(mjd).weekday())


@given(DAYS)
def test_circular_t_comes_in_the_next_month(mjd: int) -> None:
    out, day = date_of(mjd_at(CALENDAR.circular_t_published(mjd))), date_of(mjd)
    assert out.day == 11
    assert (out.year * 12 + out.month) - (day.year * 12 + day.month) == 1


@given(DAYS)
def test_the_next_circular_t_is_the_first_to_come_out_after_now(mjd: int) -> None:
    now = day_start(mjd) + 17
    published, days = CALENDAR.next_circular_t(now)
    assert now < published <= now + 32 * DAY_NS
    assert all(day % 5 == 4 for day in days)
    assert len({date_of(day).month for day in days[1:]}) == 1
    assert CALENDAR.circular_t_published(days[-1]) == published
    assert CALENDAR.circular_t_published(days[0]) < published


def test_the_grid_is_that_of_a_real_circular_t() -> None:
    # Circular T 457, January 2026
    assert month_grid(2026, 1) == [61039, 61044, 61049, 61054, 61059, 61064, 61069]
    assert month_grid(2025, 12)[-1] == 61039
    assert date_of(61039) == date(2025, 12, 30)
    assert mjd_of(date(2025, 12, 30)) == 61039


def test_a_bulletin_is_turned_round() -> None:
    point = from_bulletin(UTCR, 61039, 3e-9, 1e-10)
    assert point == PublishedPoint(day_start(61039), -3e-9, 1e-10, CALENDAR.utcr_published(61039), UTCR)
    with pytest.raises(ValueError, match="no publication calendar for 'GPS'"):
        from_bulletin("GPS", 61039, 0.0, 0.0)


def test_circular_t_settles_utcr_and_a_correction_holds() -> None:
    early = [from_bulletin(UTCR, mjd, mjd * 1e-12, 1e-9) for mjd in range(61030, 61051)]
    monthly = [from_bulletin(CIRCULAR_T, mjd, 0.0, 2e-10) for mjd in (61029, 61034, 61039)]
    now = CALENDAR.circular_t_published(61039)
    before = known_points([*early, *monthly[:2]], now - 1)
    assert {point.source for point in before} == {UTCR}
    known = known_points([*early, *monthly], now)
    assert [mjd_at(p.epoch) for p in known] == [61029, 61034, 61039, *range(61040, 61045)]
    corrected = PublishedPoint(monthly[1].epoch, 5e-9, 2e-10, now + 1, CIRCULAR_T)
    assert known_points([corrected, *early, *monthly], now)[1].x_s == 0.0
    assert known_points([corrected, *early, *monthly], now + 1)[1].x_s == 5e-9
    assert newest_publication(early, UTCR, now) == CALENDAR.utcr_published(61044)
    assert newest_publication(early, CIRCULAR_T, now) is None
