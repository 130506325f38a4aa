"""Conversions of whole arrays of epochs: int64 nanoseconds, exact, as the scalars are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.instants.leaps import LeapTable
from timeball.instants.scalars import (
    DAY_NS,
    GNSS,
    MJD_OF_1970,
    NS_PER_SECOND,
    WEEK_S,
    UTCUndefinedError,
    format_day,
)

IntArray = npt.NDArray[np.int64]


def tai_minus_utc_array(tai_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give TAI − UTC (s, int64) at each TAI epoch; ``UTCUndefinedError`` when any is before the table."""
    return _offset_lookup(tai_ns, [entry.tai_ns for entry in leaps.entries], leaps)


def utc_ns_from_tai_ns(tai_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give UTC as ns since 1970 in days of 86 400 s. Inside 23:59:60 the count shows the next day's first second."""
    epochs = np.asarray(tai_ns, dtype=np.int64)
    return epochs - tai_minus_utc_array(epochs, leaps) * NS_PER_SECOND


def tai_ns_from_utc_ns(utc_ns: IntArray, leaps: LeapTable) -> IntArray:
    """Give TAI epochs of UTC counts (ns since 1970, days of 86 400 s); the repeated second is read as the later one."""
    counts = np.asarray(utc_ns, dtype=np.int64)
    return counts + NS_PER_SECOND * _offset_lookup(counts, [entry.utc_day * DAY_NS for entry in leaps.entries], leaps)


def _offset_lookup(ns: IntArray, begins: list[int], leaps: LeapTable) -> IntArray:
    index = np.searchsorted(np.array(begins, dtype=np.int64), np.asarray(ns, dtype=np.int64), side="right")
    if index.size and index.min() == 0:
        raise UTCUndefinedError(f"{leaps.source} begins on {format_day(leaps.entries[0].utc_day)}: no UTC before it")
    return np.array([entry.tai_minus_utc_s for entry in leaps.entries], dtype=np.int64)[index - 1]


def tai_ns_from_gnss_week(system: GNSS, week: IntArray, ns_of_week: IntArray) -> IntArray:
    """Give TAI epochs (ns) of full week numbers and nanoseconds of week in a satellite system's scale."""
    weeks = np.asarray(week, dtype=np.int64)
    return (system.origin_tai_s + weeks * WEEK_S) * NS_PER_SECOND + np.asarray(ns_of_week, dtype=np.int64)


def tai_ns_from_gps_week(week: IntArray, ns_of_week: IntArray) -> IntArray:
    """Give TAI epochs (ns) of full GPS week numbers and nanoseconds of week."""
    return tai_ns_from_gnss_week(GNSS.GPS, week, ns_of_week)


def mjd_from_tai_ns(tai_ns: IntArray) -> tuple[IntArray, IntArray]:
    """Give the TAI Modified Julian Date as (whole day, ns of day), exact."""
    day, ns_of_day = np.divmod(np.asarray(tai_ns, dtype=np.int64), DAY_NS)
    return day + MJD_OF_1970, ns_of_day


def tai_ns_from_mjd(mjd: IntArray, ns_of_day: IntArray) -> IntArray:
    """Give TAI epochs (ns) of whole TAI Modified Julian Dates and nanoseconds of day."""
    return (np.asarray(mjd, dtype=np.int64) - MJD_OF_1970) * DAY_NS + np.asarray(ns_of_day, dtype=np.int64)
