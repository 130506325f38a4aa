"""The time scales that files name, as their headers abbreviate them, and what each is against TAI.

Sign: scale − TAI in seconds. UTC and GLONASS time (which these files give without its three hours) leap; theirs is
None, and a leap second table stands in for it.
"""

from __future__ import annotations

from timeball.formats.defects import whole_file_error
from timeball.instants import BEIDOU_MINUS_TAI_S, GALILEO_MINUS_TAI_S, GPS_MINUS_TAI_S, LeapTable, day_number

# Abbreviation: (name of the scale, scale − TAI in s).
TIME_SYSTEMS: dict[str, tuple[str, int | None]] = {
    "GPS": ("GPST", GPS_MINUS_TAI_S),
    "GAL": ("GST", GALILEO_MINUS_TAI_S),
    "QZS": ("QZSST", GPS_MINUS_TAI_S),
    "IRN": ("IRNWT", GPS_MINUS_TAI_S),
    "BDS": ("BDT", BEIDOU_MINUS_TAI_S),
    "BDT": ("BDT", BEIDOU_MINUS_TAI_S),
    "TAI": ("TAI", 0),
    "UTC": ("UTC", None),
    "GLO": ("GLONASST", None),
}
_LONG_AGO = day_number(1, 1, 1)


def table_for(system: str, leaps: LeapTable | None, file: str) -> LeapTable:
    """Give the table that turns labels of a scale into TAI: ``leaps`` for UTC, one that never changes for the others.

    Raises ``FormatError`` for a scale nobody knows, and for UTC without a table.
    """
    if system not in TIME_SYSTEMS:
        raise whole_file_error(file, system, f"a time scale that is none of {', '.join(TIME_SYSTEMS)}")
    name, minus_tai_s = TIME_SYSTEMS[system]
    if minus_tai_s is not None:
        return LeapTable.from_offsets([(_LONG_AGO, -minus_tai_s)], None, name)
    if leaps is None:
        raise whole_file_error(file, system, "epochs in UTC need a leap second table")
    return leaps
