"""The BIPM schedule of tracks: when the common tracks of all laboratories begin.

Tracks of 13 minutes (780 s) begin every 16 minutes, on MJD 50722 (1997-10-01) from 00:02 UTC on, and each day 4
minutes earlier, since satellites come back after a sidereal day. The first 2 minutes of the 16 are for lock, the last
minute for the figures.

What it does not do: choose satellites (receivers track all in view).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts_records import IntArray
from timeball.instants import DAY_S

REFERENCE_MJD = 50_722
REFERENCE_START_S = 120
TRACK_S = 780  # the length of a full track
STEP_S = 960  # from one start to the next
_EARLIER_S = 240  # each day


def first_start_s(mjd: npt.ArrayLike) -> IntArray:
    """Give the second of the UTC day at which the first track of a day begins: 0 to 959; of a number or an array."""
    days = np.asarray(mjd, dtype=np.int64) - REFERENCE_MJD
    return np.asarray((REFERENCE_START_S - _EARLIER_S * days) % STEP_S, dtype=np.int64)


def schedule(mjd: int) -> IntArray:
    """Give the seconds of the UTC day at which tracks begin: all whose 13 minutes end before midnight."""
    return np.arange(int(first_start_s(mjd)), DAY_S - TRACK_S, STEP_S, dtype=np.int64)


def is_scheduled(mjd: npt.ArrayLike, start_s: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the tracks that begin with the schedule."""
    starts = np.asarray(start_s, dtype=np.int64)
    return np.asarray((starts - first_start_s(mjd)) % STEP_S == 0, dtype=np.bool_)
