"""The BIPM schedule of tracks: when the common tracks of all laboratories begin.

On MJD 50722 (1997-10-01) tracks of 13 minutes begin at 00:02 UTC and every 16 minutes from there, 89 of them; each day
every one of them begins 4 minutes earlier, since satellites come back after a sidereal day (taken as 1436 minutes). So
89 starts fill 1436 minutes, with one step of 28 minutes among those of 16, and a day of 1440 minutes has 89 or 90.

What it does not do: choose satellites (receivers track all in view), or leave out the track that runs past midnight
(some receivers do).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts.records import IntArray
from timeball.instants import DAY_S

REFERENCE_MJD = 50_722
REFERENCE_START_S = 120
STEP_S = 960  # from one start to the next
TRACKS = 89  # in a sidereal day
SIDEREAL_S = 1_436 * 60
_EARLIER_S = DAY_S - SIDEREAL_S  # each day


def schedule(mjd: int) -> IntArray:
    """Give the seconds of the UTC day at which tracks begin, rising."""
    phases = REFERENCE_START_S + STEP_S * np.arange(TRACKS, dtype=np.int64) - _EARLIER_S * (mjd - REFERENCE_MJD)
    starts = np.sort(phases % SIDEREAL_S)
    again = starts + SIDEREAL_S  # the first of the day comes back before midnight when it is early enough
    return np.concatenate([starts, again[again < DAY_S]])


def is_scheduled(mjd: npt.ArrayLike, start_s: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the tracks that begin with the schedule; mjd, start_s: UTC day and second of it, numbers or arrays."""
    days = np.asarray(mjd, dtype=np.int64) - REFERENCE_MJD
    phase = (np.asarray(start_s, dtype=np.int64) + _EARLIER_S * days - REFERENCE_START_S) % SIDEREAL_S
    return np.asarray((phase % STEP_S == 0) & (phase < TRACKS * STEP_S), dtype=np.bool_)
