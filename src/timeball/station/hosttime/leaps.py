"""Where the station's leap second table comes from: a file the operator names, or the tzdata package.

It reads; the parsing and the checks are in ``formats.leap_seconds``. An expired table is used, and said to be expired.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from timeball.formats.defects import whole_file_error
from timeball.formats.leap_seconds import parse_leap_table, parse_tzdata_leapseconds
from timeball.instants import Instant, LeapTable, format_utc

DAY_NS = 86_400 * 10**9


def load_leap_table(path: Path | None = None) -> LeapTable:
    """Load the table at ``path`` (``leap-seconds.list`` or tzdata's ``leapseconds``), or the one of tzdata.

    Raises ``FormatError`` when the file cannot be read or is not a leap second table.
    """
    if path is None:
        packaged = resources.files("tzdata") / "zoneinfo" / "leapseconds"
        return parse_tzdata_leapseconds(packaged.read_bytes(), "tzdata/leapseconds")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise whole_file_error(str(path), "", f"cannot be read: {error.strerror}") from error
    return parse_leap_table(data, str(path))


def describe_expiry(leaps: LeapTable, now: Instant) -> str:
    """Say in words whether the table is still vouched for at ``now``, and until or since when."""
    if leaps.expires is None:
        return f"{leaps.source} states no expiry"
    day = format_utc(leaps.expires, leaps, digits=0)[:10]
    days = abs(leaps.expires.ns - now.ns) // DAY_NS
    if leaps.expired_at(now.ns):
        return f"{leaps.source} expired on {day}, {days} days ago: a leap second announced since is not known"
    return f"{leaps.source} is valid until {day}, {days} days from now"
