"""Instants of TAI, UTC and the GNSS scales, leap seconds and Modified Julian Dates, in exact integers.

A scalar is an :class:`Instant`: seconds and attoseconds of TAI since 1970-01-01 00:00:00 TAI. An array is int64
nanoseconds since the same origin (it reaches from 1677 to 2262). Nothing is ever carried through a float.

Sign: ``tai_minus_utc`` is TAI − UTC (+37 s since 2017); ``GPS_MINUS_TAI_S`` is GPS − TAI (−19 s).

What it does not do: read a clock or a file, guess a time zone, resolve a week number that has rolled over, or
know UTC before 1972-01-01, when its seconds were elastic. The parsers of leap second tables are in ``formats``.
"""

from __future__ import annotations

from timeball.instants.arrays import (
    IntArray,
    mjd_from_tai_ns,
    tai_minus_utc_array,
    tai_ns_from_gnss_week,
    tai_ns_from_gps_week,
    tai_ns_from_mjd,
    tai_ns_from_utc_ns,
    utc_ns_from_tai_ns,
)
from timeball.instants.leaps import (
    LeapSecond,
    LeapTable,
    format_utc,
    from_utc_parts,
    mjd_utc,
    parse_utc,
    utc_parts,
)
from timeball.instants.scalars import (
    ATTOSECONDS_PER_NS,
    ATTOSECONDS_PER_SECOND,
    BEIDOU_MINUS_TAI_S,
    DAY_NS,
    DAY_S,
    GALILEO_MINUS_TAI_S,
    GNSS,
    GPS_MINUS_TAI_S,
    MJD_OF_1970,
    NS_PER_SECOND,
    WEEK_S,
    Instant,
    InstantError,
    Interval,
    NoSuchSecondError,
    UTCUndefinedError,
    day_number,
    format_day,
    from_gnss,
    from_gps,
    from_mjd,
    to_gnss,
    to_mjd,
)

__all__ = [
    "ATTOSECONDS_PER_NS",
    "ATTOSECONDS_PER_SECOND",
    "BEIDOU_MINUS_TAI_S",
    "DAY_NS",
    "DAY_S",
    "GALILEO_MINUS_TAI_S",
    "GNSS",
    "GPS_MINUS_TAI_S",
    "MJD_OF_1970",
    "NS_PER_SECOND",
    "WEEK_S",
    "Instant",
    "InstantError",
    "IntArray",
    "Interval",
    "LeapSecond",
    "LeapTable",
    "NoSuchSecondError",
    "UTCUndefinedError",
    "day_number",
    "format_day",
    "format_utc",
    "from_gnss",
    "from_gps",
    "from_mjd",
    "from_utc_parts",
    "mjd_from_tai_ns",
    "mjd_utc",
    "parse_utc",
    "tai_minus_utc_array",
    "tai_ns_from_gnss_week",
    "tai_ns_from_gps_week",
    "tai_ns_from_mjd",
    "tai_ns_from_utc_ns",
    "to_gnss",
    "to_mjd",
    "utc_ns_from_tai_ns",
    "utc_parts",
]
