"""The units of a plot's axes: dates where there are any, phase in s to fs, frequency in powers of ten."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.cli.axis_units import frequency_axis, is_dated, phase_axis, superscript, time_axis
from timeball.station.hosttime.leaps import load_leap_table

NOON_NS = 1_763_726_400 * 10**9  # 2025-11-21 12:00:00 of TAI, MJD 61000.5


@pytest.mark.parametrize(
    ("values", "size", "words"),
    [
        ([1.5, np.nan], 1.0, " (s)"),
        ([-2.5e-9, 1e-9], 1e-9, " (ns)"),
        ([1e-9], 1e-9, " (ns)"),
        ([999e-12], 1e-12, " (ps)"),
        ([3e-18], 1e-15, " (fs)"),
        ([0.0], 1e-9, " (ns)"),
        ([np.nan], 1e-9, " (ns)"),
        ([], 1e-9, " (ns)"),
    ],
)
def test_the_unit_of_a_phase(values: list[float], size: float, words: str) -> None:
    axis = phase_axis([np.array(values)])
    assert (axis.base, axis.size, axis.words) == (0.0, size, words)


def test_what_all_phases_have_in_common_is_taken_off_and_told() -> None:
    axis = phase_axis([np.array([0.512346e0, 0.512346e0 + 40e-9]), np.array([0.512346 + 90e-9])])
    assert axis.words == " − 512346 µs (ns)"
    np.testing.assert_allclose(axis.at(np.array([0.512346 + 40e-9])), [40.0], atol=1e-6)
    assert phase_axis([np.array([-2.0, -2.0 - 1e-6])]).words == " + 2000 ms (µs)"


@pytest.mark.parametrize(
    ("values", "size", "words"),
    [
        ([3.2e-13, -1e-14], 1e-13, " (10⁻¹³)"),
        ([892.0, 671.0], 100.0, " (10²)"),
        ([2.0], 1.0, ""),
        ([0.0], 1.0, ""),
    ],
)
def test_the_power_of_ten_of_a_frequency(values: list[float], size: float, words: str) -> None:
    axis = frequency_axis([np.array(values)])
    assert axis.base == 0.0
    assert axis.size == pytest.approx(size)
    assert axis.words == words


def test_a_frequency_far_from_zero_is_drawn_about_a_round_one() -> None:
    y = np.array([1.00002345e-6, 1.00002346e-6 + 3e-14])
    axis = frequency_axis([y])
    assert axis.words == " − 1.0000235·10⁻⁶ (10⁻¹⁴)"
    np.testing.assert_allclose(axis.at(y) * axis.size + axis.base, y, rtol=1e-12)
    assert np.abs(axis.at(y)).max() < 100.0
    assert frequency_axis([-y]).words.startswith(" + 1.0")


def test_exponents_are_raised() -> None:
    assert [superscript(each) for each in (-13, 2, -0.5, 0)] == ["⁻¹³", "²", "⁻⁰·⁵", "⁰"]


@pytest.mark.parametrize(
    ("span_s", "unit_s", "label"),
    [
        (90.0, 1.0, "seconds since 2025-11-21 12:00:00 TAI"),
        (600.0, 60.0, "minutes since 2025-11-21 12:00:00 TAI"),
        (86400.0, 3600.0, "hours since 2025-11-21 12:00:00 TAI"),
        (30 * 86400.0, 86400.0, "MJD (TAI)"),
    ],
)
def test_the_axis_of_a_record_with_dates(span_s: float, unit_s: float, label: str) -> None:
    axis = time_axis(NOON_NS, span_s)
    assert (axis.unit_s, axis.label) == (unit_s, label)


def test_places_on_the_axis() -> None:
    days = time_axis(NOON_NS, 30 * 86400.0)
    np.testing.assert_allclose(days.at(np.array([0.0, 43200.0]), 86400.0), [61001.5, 61002.0])
    hours = time_axis(NOON_NS, 86400.0)
    np.testing.assert_allclose(hours.at(np.array([0.0, 3600.0]), 1800.0), [0.5, 1.5])


def test_utc_stands_where_it_is_asked_for() -> None:
    leaps = load_leap_table()
    assert time_axis(NOON_NS + 37 * 10**9, 7200.0, leaps).label == "hours since 2025-11-21 12:00:00 UTC"
    assert time_axis(NOON_NS, 30 * 86400.0, leaps).label == "MJD (UTC)"
    assert time_axis(NOON_NS, 30 * 86400.0, leaps).add == pytest.approx(61000.5 - 37 / 86400, abs=1e-9)


def test_without_a_date_time_is_counted_from_the_first_value() -> None:
    assert not is_dated(10**15)
    assert is_dated(NOON_NS)
    assert time_axis(None, 90.0).label == "seconds since the first value"
    assert time_axis(10**15, 9 * 86400.0).label == "days since the first value"
