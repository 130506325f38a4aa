"""Oracle: ERFA (through astropy) and tzdata, for every leap second from 1972 to 2030."""

import warnings
from collections.abc import Iterator

import erfa
import numpy as np
import pytest
from astropy.time import Time

from timeball.instants import (
    DAY_S,
    GNSS,
    LeapTable,
    day_number,
    format_utc,
    from_utc_parts,
    mjd_utc,
    parse_utc,
    tai_minus_utc_array,
    to_gnss,
)
from timeball.station.hosttime.leaps import load_leap_table


@pytest.fixture(autouse=True)
def _years_ahead_are_meant() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)  # "dubious year": the future, which is asked on purpose
        yield


@pytest.fixture(scope="module")
def leaps() -> LeapTable:
    return load_leap_table()


def test_tai_minus_utc_is_that_of_erfa_on_every_first_of_a_month(leaps: LeapTable) -> None:
    months = [(year, month) for year in range(1972, 2031) for month in range(1, 13)]
    ours = [leaps.entry_of_day(day_number(year, month, 1)).tai_minus_utc_s for year, month in months]
    theirs = [erfa.dat(year, month, 1, 0.0) for year, month in months]
    assert ours == theirs
    assert len(leaps.entries) == 28


def test_every_second_around_every_leap_is_labelled_as_erfa_labels_it(leaps: LeapTable) -> None:
    for entry in leaps.entries[1:]:
        for offset_s in range(-3, 4):
            for fraction in (0, 5 * 10**17):
                instant = from_utc_parts(entry.utc_day, 0, 0, leaps)
                moved = type(instant)(instant.seconds + offset_s, fraction)
                day, second = divmod(moved.seconds, DAY_S)
                # TAI as a two-part Julian Date, split so that the fraction keeps picoseconds.
                tai = (2440587.5 + day, (second + fraction / 1e18) / DAY_S)
                year, month, mday, hmsf = erfa.d2dtf("UTC", 6, *erfa.taiutc(*tai))
                hour, minute, whole, micro = hmsf.tolist() if hmsf.dtype.names is None else hmsf.item()
                expected = f"{year:04d}-{month:02d}-{mday:02d}T{hour:02d}:{minute:02d}:{whole:02d}.{micro:06d}Z"
                assert format_utc(moved, leaps, 6) == expected
                assert parse_utc(expected, leaps) == moved


def test_days_with_a_leap_have_86401_seconds_in_erfa_and_here(leaps: LeapTable) -> None:
    for entry in leaps.entries[1:]:
        last = Time(entry.utc_day - 1 + 40587, format="mjd", scale="utc")
        next_day = Time(entry.utc_day + 40587, format="mjd", scale="utc")
        assert round((next_day - last).sec) == DAY_S + leaps.step_after_day(entry.utc_day - 1)


def test_random_instants_1972_to_2030_agree_with_astropy(leaps: LeapTable) -> None:
    rng = np.random.default_rng(1972)
    first, last = leaps.entries[0].tai_ns // 10**9, day_number(2030, 1, 1) * DAY_S
    seconds = np.sort(rng.integers(first, last, 3000))
    times = Time(2440587.5 + seconds // DAY_S, seconds % DAY_S / DAY_S, format="jd", scale="tai")
    offsets = tai_minus_utc_array(seconds * 10**9, leaps)
    # UTC − TAI as the difference of the calendar readings; none of these falls inside a leap second.
    labels = times.utc.isot
    for second, offset, label in zip(seconds.tolist(), offsets.tolist(), labels, strict=True):
        instant = parse_utc(f"{label}Z", leaps)
        assert abs(instant.seconds - second) <= 1  # astropy prints to the ms; rounding may cross the second
        assert instant.ns // 10**6 == second * 1000
        assert offset == erfa.dat(int(label[:4]), int(label[5:7]), int(label[8:10]), 0.0)
    weeks = [to_gnss(GNSS.GPS, parse_utc(f"{label}Z", leaps)) for label in labels[-5:]]
    gps = times[-5:].gps
    assert np.allclose([week * 604800 + second for week, second, _ in weeks], gps, atol=1e-3)


def test_the_utc_day_number_is_that_of_astropy(leaps: LeapTable) -> None:
    instant = parse_utc("2009-04-01T12:00:00Z", leaps)
    day, attoseconds = mjd_utc(instant, leaps)
    assert day + attoseconds / (DAY_S * 1e18) == Time("2009-04-01T12:00:00", scale="utc").mjd
