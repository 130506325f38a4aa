"""The windows of ALGOS: the BIPM's months on the 5-day grid, or windows of one length. Exact integers, ns of TAI.

A window is [start, end). A month of the BIPM begins with the last date of a calendar month whose MJD ends with 4 or 9,
at 0 h of TAI; readings of 0 h UTC come some tens of seconds later and so are the first of a window. Nothing here
decides: an epoch's interval belongs to the window in which its middle lies.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

Epochs = npt.NDArray[np.int64]
NS_PER_DAY = 86_400 * 10**9
MJD_OF_1970 = 40_587
# MJD 40589, the first date of the grid after 1970-01-01
ORIGIN_NS = 2 * NS_PER_DAY
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def windows_of(moments: Epochs, window_s: float | None) -> tuple[Epochs, Epochs]:
    """Start and end (ns of TAI) of the window around each moment (ns of TAI)."""
    if window_s is not None:
        length = round(window_s * 1e9)
        starts = (moments - ORIGIN_NS) // length * length + ORIGIN_NS
        return starts, starts + length
    starts, ends = np.empty_like(moments), np.empty_like(moments)
    known: tuple[int, int] = (0, 0)
    for place, moment in enumerate(moments.tolist()):
        if not known[0] <= moment < known[1]:
            known = _month_around(moment)
        starts[place], ends[place] = known
    return starts, ends


def _month_around(moment: int) -> tuple[int, int]:
    """The window of the BIPM around a moment (ns of TAI)."""
    day = date.fromordinal(_EPOCH_ORDINAL + moment // NS_PER_DAY)
    months = 12 * day.year + day.month - 1
    last = _last_date(months)
    start = months if moment >= last else months - 1
    return _last_date(start), _last_date(start + 1)


def _last_date(months: int) -> int:
    """Ns of TAI of the last grid date of a month, counted from the year 0."""
    year, month = divmod(months + 1, 12)
    mjd = date(year, month + 1, 1).toordinal() - 1 - _EPOCH_ORDINAL + MJD_OF_1970
    return (mjd - (mjd - 4) % 5 - MJD_OF_1970) * NS_PER_DAY
