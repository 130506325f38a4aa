"""Periods of reports: every day belongs to one of each kind, and they follow without a gap. Steers: any bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeball.formats import FormatError
from timeball.formats.steers import RecordedSteer, read_steers
from timeball.station.bulletin.period import KINDS, MJD_OF_1970, date_of, day_of, newest_period, period_of
from timeball.station.hosttime.leaps import load_leap_table

LEAPS = load_leap_table()
DAY_NS = 86_400 * 10**9
DAYS = st.integers(1000, 30_000)  # 1972 to 2052


@given(DAYS, st.sampled_from(KINDS))
@example(17_166, "monthly")  # 2016-12-31, the day of a leap second
def test_a_day_lies_in_its_period_and_the_next_follows(day: int, kind: str) -> None:
    period = period_of(kind, day, LEAPS)
    assert period.first <= day <= period.last
    assert day_of(period.begins, LEAPS) == period.first
    assert day_of(period.ends - 1, LEAPS) == period.last
    after = period_of(kind, period.last + 1, LEAPS)
    assert after.begins == period.ends
    assert period_of(kind, period.first, LEAPS) == period == period_of(kind, period.last, LEAPS)
    assert all(period.begins <= mark <= period.ends for mark in period.marks)
    assert list(period.marks) == sorted(set(period.marks))


@given(DAYS)
def test_kinds(day: int) -> None:
    assert date_of(period_of("weekly", day, LEAPS).first).weekday() == 0
    assert date_of(period_of("monthly", day, LEAPS).first).day == 1
    assert date_of(period_of("monthly", day, LEAPS).last + 1).day == 1
    marks = period_of("monthly", day, LEAPS).marks
    assert {(day_of(mark, LEAPS) + MJD_OF_1970) % 10 for mark in marks} <= {4, 9}
    assert len(marks) >= 5


@given(DAYS, st.integers(1, 100), st.sampled_from(KINDS))
def test_the_newest_period_has_something_of_the_record(day: int, days: int, kind: str) -> None:
    first, last = period_of("daily", day, LEAPS).begins, period_of("daily", day + days, LEAPS).begins
    period = newest_period(kind, first, last, LEAPS)
    assert period.begins <= last
    assert period.ends > first
    assert last - period.ends < 32 * DAY_NS


CHANGES = st.builds(lambda digits, power: digits * 10.0**power, st.integers(-9999, 9999), st.integers(-19, -11))
STEERS = st.lists(st.tuples(st.integers(50_000, 80_000), st.integers(0, 9), CHANGES), min_size=1, max_size=9)


@given(STEERS)
@settings(max_examples=40)
def test_steers_are_read_as_they_were_written(steers: list[tuple[int, int, float]]) -> None:
    text = "".join(f"{mjd}.{tenth}  {change!r}  because of {mjd}\n" for mjd, tenth, change in steers)
    found, defects = read_steers(text.encode(), "steers", LEAPS)
    assert defects == []
    begins = {mjd: period_of("daily", mjd - MJD_OF_1970, LEAPS).begins for mjd, _, _ in steers}
    written = [
        RecordedSteer(begins[mjd] + tenth * 8640 * 10**9, change, f"because of {mjd}") for mjd, tenth, change in steers
    ]
    assert found == sorted(written, key=lambda each: each.epoch)


def test_a_line_of_each_kind() -> None:
    text = (
        b"# a comment\n\n61341.5  -2.5e-15  after Circular T 466\n61340, 1e-15\n61342 fast\n00001 1e-15\n61343 1e-3\n"
    )
    found, defects = read_steers(text, "steers", LEAPS)
    noon = period_of("daily", 61341 - MJD_OF_1970, LEAPS).begins + DAY_NS // 2
    assert found == [
        RecordedSteer(noon - 3 * DAY_NS // 2, 1e-15, ""),
        RecordedSteer(noon, -2.5e-15, "after Circular T 466"),
    ]
    assert [(defect.line, defect.reason.split()[0]) for defect in defects] == [(5, "not"), (6, "MJD"), (7, "a")]


@given(st.binary(max_size=300))
@example(b"\x1f\x8b\x08")
@example("61341.5 ٣e-15".encode())
def test_nothing_but_a_format_error_escapes(data: bytes) -> None:
    try:
        found, _ = read_steers(data, "any", LEAPS)
    except FormatError:
        return
    assert found
    assert all(np.isfinite(each.change) for each in found)
