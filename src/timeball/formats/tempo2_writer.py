"""Clock correction files of tempo2, written: a heading of two time scales, then MJD (UTC) and seconds.

Sign: a line's figure is x_to − x_from, the negative of a reading x_from − x_to; what is written parses back to the same
readings, to the last bit (tags to the ns). What it does not do: add the fillers that some files begin and end with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from timeball.formats.columns.writer import only_pair, write_blocks
from timeball.formats.defects import WriteError
from timeball.formats.tempo2 import FIRST_MJD, LAST_MJD, NAME
from timeball.instants import DAY_NS, DAY_S, MJD_OF_1970, Instant, InstantError, LeapTable, utc_parts
from timeball.readings import Readings

_DIGITS = 15  # of a day: 0.1 ns, so that the nearest nanosecond is the one that was meant


def write_tempo2_clock(readings: Readings, leaps: LeapTable, badness: str | None = None) -> Iterator[bytes]:
    """Write readings of one pair in pieces; the names become upper-case words as tempo2's headings have them.

    Raises ``WriteError`` for more than one pair, names that are no time scales, epochs before 1972 or inside a leap
    second (a fraction of a day has no word for it), and uncertainties nowhere: the format has no room for them.
    """
    source, target = only_pair(readings, "a clock file of tempo2")
    if not (NAME.fullmatch(source) and NAME.fullmatch(target)):
        raise WriteError(f"tempo2 names two time scales, such as UTC(AO) and UTC(GPS), not {source!r} and {target!r}")
    tags = [_tag(epoch, leaps) for epoch in readings.epoch.tolist()]
    if not np.isfinite(readings.x).all():
        raise WriteError("every figure of a clock file of tempo2 is finite")
    heading = f"# {source} {target}" + (f" {badness}" if badness else "")
    lines = (f"{tag} {-x + 0.0!r}" for tag, x in zip(tags, readings.x.tolist(), strict=True))
    return write_blocks([heading], lines)


def _tag(epoch_ns: int, leaps: LeapTable) -> str:
    try:
        day, second, _ = utc_parts(Instant.from_ns(epoch_ns), leaps)
    except InstantError as error:
        raise WriteError(str(error)) from error
    mjd = day + MJD_OF_1970
    if second >= DAY_S:
        raise WriteError(f"MJD {mjd}: a leap second has no fraction of a day")
    if not FIRST_MJD <= mjd <= LAST_MJD:
        raise WriteError(f"MJD {mjd} would be read as a filler")
    unit = 10**_DIGITS
    part = ((second * 10**9 + epoch_ns % 10**9) * unit + DAY_NS // 2) // DAY_NS
    return f"{mjd}.{part:0{_DIGITS}d}" if part < unit else f"{mjd + 1}.{0:0{_DIGITS}d}"
