"""Instants: exact arithmetic, GNSS weeks, Modified Julian Dates, leap seconds of both signs, text."""

import numpy as np
import pytest

from timeball.instants import (
    DAY_NS,
    DAY_S,
    GNSS,
    MJD_OF_1970,
    Instant,
    InstantError,
    Interval,
    LeapSecond,
    LeapTable,
    NoSuchSecondError,
    UTCUndefinedError,
    day_number,
    format_day,
    format_utc,
    from_gnss,
    from_gps,
    from_mjd,
    mjd_from_tai_ns,
    mjd_utc,
    parse_utc,
    tai_minus_utc_array,
    tai_ns_from_gnss_week,
    tai_ns_from_gps_week,
    tai_ns_from_mjd,
    tai_ns_from_utc_ns,
    to_gnss,
    to_mjd,
    utc_ns_from_tai_ns,
)

# A made-up table: +1 at the end of 2016, −1 at the end of June 2029.
MADE_UP = LeapTable.from_offsets(
    [
        (day_number(1972, 1, 1), 36),
        (day_number(2017, 1, 1), 37),
        (day_number(2029, 7, 1), 36),
    ],
    expires=Instant(day_number(2030, 1, 1) * DAY_S),
    source="made up",
)


def test_an_instant_and_an_interval_add_up_to_the_last_attosecond() -> None:
    last = Instant(5, 10**18 - 1)
    assert last + Interval(1) == Instant(6, 0)
    assert Instant(6, 0) - Interval(1) == last
    assert Instant(6, 0).since(last) == Interval(1)
    assert last.since(Instant(6, 0)) == -Interval(1)
    assert Instant(-1, 10**18 - 1) + Interval(1) == Instant(0, 0)


def test_the_int64_epoch_is_the_floor_also_before_1970() -> None:
    assert Instant(0, 999_999_999).ns == 0
    assert Instant(-1, 10**18 - 1).ns == -1
    assert Instant.from_ns(-1) == Instant(-1, 999_999_999 * 10**9)
    assert Interval(-1).ns == -1
    assert Interval.from_ns(3) + Interval.from_seconds(1) - Interval.from_ns(1) == Interval(10**18 + 2 * 10**9)


def test_attoseconds_out_of_range_are_refused() -> None:
    with pytest.raises(InstantError, match="attoseconds"):
        Instant(0, 10**18)
    with pytest.raises(InstantError, match="attoseconds"):
        Instant(0, -1)


@pytest.mark.parametrize(
    ("system", "utc_label", "tai_minus_utc_s"),
    [
        (GNSS.GPS, (1980, 1, 6), 19),
        (GNSS.BEIDOU, (2006, 1, 1), 33),
        (GNSS.GALILEO, (1999, 8, 22), 19),  # 13 s before midnight UTC: midnight of the GPS scale
    ],
)
def test_week_zero_begins_where_the_interface_documents_say(
    system: GNSS, utc_label: tuple[int, int, int], tai_minus_utc_s: int
) -> None:
    assert from_gnss(system, 0, 0) == Instant(day_number(*utc_label) * DAY_S + tai_minus_utc_s)


def test_a_known_gps_week() -> None:
    # 2009-04-01 00:00:00 GPS is Wednesday of week 1525.
    instant = from_gps(1525, 3 * DAY_S)
    assert instant.seconds - 19 == day_number(2009, 4, 1) * DAY_S
    assert to_gnss(GNSS.GPS, instant) == (1525, 3 * DAY_S, 0)
    weeks, tows = np.array([1525, 0]), np.array([3 * DAY_NS, 7])
    assert tai_ns_from_gps_week(weeks, tows).tolist() == [instant.ns, from_gps(0, 0).ns + 7]
    assert tai_ns_from_gnss_week(GNSS.BEIDOU, np.array([0]), np.array([0])).tolist() == [
        (day_number(2006, 1, 1) * DAY_S + 33) * 10**9
    ]


def test_modified_julian_dates() -> None:
    assert to_mjd(Instant(0)) == (MJD_OF_1970, 0)
    assert to_mjd(Instant(-1, 1)) == (MJD_OF_1970 - 1, (DAY_S - 1) * 10**18 + 1)
    assert from_mjd(54922, DAY_S // 2 * 10**18).seconds == day_number(2009, 4, 1) * DAY_S + DAY_S // 2
    day, ns = mjd_from_tai_ns(np.array([-1, 0, DAY_NS + 5]))
    assert (day.tolist(), ns.tolist()) == ([40586, 40587, 40588], [DAY_NS - 1, 0, 5])
    assert tai_ns_from_mjd(day, ns).tolist() == [-1, 0, DAY_NS + 5]


def test_a_positive_leap_second_prints_parses_and_lasts_one_second() -> None:
    text = "2016-12-31T23:59:60.500000000Z"
    inside = parse_utc(text, MADE_UP)
    assert format_utc(inside, MADE_UP) == text
    assert parse_utc("2016-12-31T23:59:59.5Z", MADE_UP) + Interval.from_seconds(1) == inside
    assert parse_utc("2017-01-01T00:00:00.5Z", MADE_UP) - Interval.from_seconds(1) == inside
    assert MADE_UP.tai_minus_utc(inside.ns) == 36
    assert mjd_utc(inside, MADE_UP) == (57753, DAY_S * 10**18 + 5 * 10**17)


def test_a_negative_leap_second_takes_one_second_away() -> None:
    before = parse_utc("2029-06-30T23:59:58.999999999999999999Z", MADE_UP)
    after = parse_utc("2029-07-01T00:00:00Z", MADE_UP)
    assert after.since(before) == Interval(1)
    assert format_utc(before + Interval(1), MADE_UP, 0) == "2029-07-01T00:00:00Z"
    with pytest.raises(NoSuchSecondError, match="86399"):
        parse_utc("2029-06-30T23:59:59Z", MADE_UP)


@pytest.mark.parametrize(
    "text",
    [
        "2015-12-31T23:59:60Z",
        "2016-12-31T22:59:60Z",
        "2016-12-31T23:59:61Z",
        "2016-12-31T24:00:00Z",
        "2016-12-31T23:60:00Z",
    ],
)
def test_seconds_that_never_were_are_refused(text: str) -> None:
    with pytest.raises(NoSuchSecondError):
        parse_utc(text, MADE_UP)


@pytest.mark.parametrize(
    "text",
    ["", "2016-12-31", "2016-12-31T00:00:00", "2016-13-01T00:00:00Z", "2015-02-29T00:00:00Z", "2016-12-31T00:00:0٣Z"],
)
def test_what_is_not_utc_is_a_typed_error(text: str) -> None:
    with pytest.raises(InstantError):
        parse_utc(text, MADE_UP)


def test_utc_before_the_table_is_a_typed_error() -> None:
    for ask in (
        lambda: parse_utc("1971-12-31T23:59:59Z", MADE_UP),
        lambda: format_utc(Instant(0), MADE_UP),
        lambda: MADE_UP.tai_minus_utc(0),
        lambda: tai_minus_utc_array(np.array([0, 10**18]), MADE_UP),
        lambda: tai_ns_from_utc_ns(np.array([0]), MADE_UP),
    ):
        with pytest.raises(UTCUndefinedError, match="made up begins on 1972-01-01"):
            ask()


def test_decimals_are_cut_and_never_rounded_into_the_next_second() -> None:
    last = parse_utc("2020-01-01T00:00:00.999999999999999999Z", MADE_UP)
    assert format_utc(last, MADE_UP, 0) == "2020-01-01T00:00:00Z"
    assert format_utc(last, MADE_UP, 3) == "2020-01-01T00:00:00.999Z"
    assert format_utc(last, MADE_UP, 18) == "2020-01-01T00:00:00.999999999999999999Z"


def test_the_next_leap_and_the_expiry_are_reported_and_nothing_more() -> None:
    negative = MADE_UP.next_leap(parse_utc("2020-01-01T00:00:00Z", MADE_UP).ns)
    assert negative == LeapSecond(day_number(2029, 7, 1), 36, -1)
    assert MADE_UP.next_leap(negative.tai_ns) is None
    assert MADE_UP.next_leap(negative.tai_ns - 1) == negative
    late = Instant(day_number(2040, 1, 1) * DAY_S)
    assert MADE_UP.expired_at(late.ns)
    assert not MADE_UP.expired_at(MADE_UP.expires.ns - 1)
    assert MADE_UP.tai_minus_utc(late.ns) == 36


@pytest.mark.parametrize(
    "offsets", [[], [(0, 10), (0, 11)], [(5, 10), (4, 11)], [(0, 10), (5, 12)], [(0, 10), (5, 10)]]
)
def test_an_inconsistent_table_is_refused(offsets: list[tuple[int, int]]) -> None:
    with pytest.raises(InstantError):
        LeapTable.from_offsets(offsets, None, "bad")


def test_a_table_whose_steps_contradict_its_values_is_refused() -> None:
    with pytest.raises(InstantError, match="cannot follow"):
        LeapTable((LeapSecond(0, 10, 0), LeapSecond(9, 11, -1)), None, "bad")


def test_arrays_agree_with_scalars_around_every_leap() -> None:
    for leap in MADE_UP.entries[1:]:
        epochs = leap.tai_ns + np.arange(-3_000_000_000, 3_000_000_001, 500_000_000)
        offsets = tai_minus_utc_array(epochs, MADE_UP)
        assert offsets.tolist() == [MADE_UP.tai_minus_utc(epoch) for epoch in epochs.tolist()]
        counts = utc_ns_from_tai_ns(epochs, MADE_UP)
        back = tai_ns_from_utc_ns(counts, MADE_UP)
        # A repeated count is read as the later of its two seconds; everything else comes back.
        repeated = (epochs >= leap.tai_ns - 10**9) & (epochs < leap.tai_ns) if leap.step_s == 1 else np.zeros(13, bool)
        assert np.array_equal(back[~repeated], epochs[~repeated])
        assert np.array_equal(back[repeated], epochs[repeated] + 10**9)


def test_days_outside_the_calendar_are_typed_errors() -> None:
    assert format_day(day_number(1, 1, 1)) == "0001-01-01"
    with pytest.raises(InstantError, match="years 1 to 9999"):
        format_day(10**7)
