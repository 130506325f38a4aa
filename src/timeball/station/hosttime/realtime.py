"""The host's CLOCK_REALTIME as TAI: a counter that claims to show UTC, read between two of RAW. It may be wrong."""

from __future__ import annotations

from pathlib import Path

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.station.configuration.settings import Config
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table


def station_leaps(config: Config) -> LeapTable:
    """The leap second table of a station; raises `FormatError`."""
    return load_leap_table(Path(config.leap_seconds.file) if config.leap_seconds.file else None)


def tai_of_utc(utc_ns: int, leaps: LeapTable) -> int:
    """TAI (ns) of a UTC that counts no leap seconds, as POSIX clocks do; at a leap the later of two seconds."""
    tai_ns = utc_ns + leaps.tai_minus_utc(utc_ns) * NS_PER_SECOND
    # The table is asked by TAI; one repetition settles the seconds next to a leap.
    return utc_ns + leaps.tai_minus_utc(tai_ns) * NS_PER_SECOND


def realtime_tai_ns(leaps: LeapTable) -> tuple[int, int]:
    """RAW (ns) and what CLOCK_REALTIME says TAI (ns) was at that moment."""
    pair = hostclocks.bracket()
    return pair.raw_ns, tai_of_utc(pair.realtime_ns, leaps)
