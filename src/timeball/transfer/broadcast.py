"""UTC(k) and UTC against the UTC that satellites broadcast, as section 4 of Circular T gives it: each day at 0h UTC.

Sign: UTC − broadcast UTC = [UTC − UTC(k)] + [UTC(k) − system time] + [system time − broadcast UTC], modulo 1 s. The
second is the mean of REFSYS over 24 h around 0h, the third what the navigation messages of the two days say, in the
mean.

Before the mean the worst 5 % of the tracks are set aside, to say where the others lie and how they scatter; then what
lies more than 6 of those standard deviations away is left out.

What it does not do: carry UTC − UTC(k) beyond the last value published, or cross a leap second within the 24 h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.broadcast_utc import BroadcastUTC
from timeball.formats.bulletin import LabPoints
from timeball.readings import EpochArray, FloatArray
from timeball.transfer.common_view import ns_text
from timeball.transfer.rejected import RejectedRows, Rejections
from timeball.transfer.tracks import MaskArray, StationTracks
from timeball.transfer.uncertainty import standard_error, together

DAY_NS = 86_400 * 10**9
CENTRAL = 0.95
SIGMAS = 6.0
LEAST_SHARE = 0.25  # of a day's tracks that must lie on either side of 0h, else the mean is not that of 0h
A0_STEP_S = 2.0**-30  # resolution of A0 in the messages (IS-GPS-200, table 20-IX)


@dataclass(frozen=True, slots=True)
class DayOfUTC:
    """One day at 0h UTC (epoch: ns of TAI). All differences in s; NaN and a reason in ``why`` for what is not known.

    lab_minus_system_s: UTC(k) − system time, of n tracks, u_a_s its scatter. system_minus_broadcast_s: of the messages,
    u_message_s: half of what they disagree, and their resolution. u_s: of the last difference that is known,
    of all parts whose uncertainty is known.
    """

    mjd: int
    epoch: int
    lab_minus_system_s: float
    u_a_s: float
    n: int
    system_minus_broadcast_s: float
    u_message_s: float
    utc_minus_lab_s: float
    lab_minus_broadcast_s: float
    utc_minus_broadcast_s: float
    u_s: float
    why: str


def against_broadcast(
    tracks: StationTracks,
    messages: Sequence[BroadcastUTC],
    midnights: Sequence[tuple[int, int]],
    utc: LabPoints | None = None,
    u_calibration_s: float = math.nan,
) -> tuple[list[DayOfUTC], Rejections]:
    """Compare a laboratory's UTC(k) with the UTC of one satellite system.

    tracks: within limits, of one system, in order of time. midnights: (MJD, epoch in ns of TAI of its 0h UTC). utc:
    published UTC − UTC(k), interpolated in a straight line. u_calibration_s: of the receiver's delays, NaN if unknown.
    """
    by_day = {(each.system, each.mjd): each for each in messages}
    days: list[DayOfUTC] = []
    rejected: list[RejectedRows] = []
    middle = tracks.middle
    for mjd, epoch in midnights:
        rows = np.flatnonzero((middle >= epoch - DAY_NS // 2) & (middle < epoch + DAY_NS // 2))
        if not rows.size:
            continue
        value = tracks.refsys_s[rows]
        out = _beyond(value)
        own = tracks.take(rows)
        far = value - float(np.median(value))
        rejected.append(own.rejected(out, f"more than {SIGMAS:g} σ from the day's others", far, ns_text))
        at, kept = middle[rows[~out]], value[~out]
        system = str(tracks.system[rows[0]])
        told = [by_day[key] for key in ((system, mjd - 1), (system, mjd)) if key in by_day]
        days.append(_day(mjd, epoch, at, kept, told, utc, u_calibration_s))
    return days, Rejections(rejected)


def _beyond(value: FloatArray) -> MaskArray:
    """Tell what lies far from where the central tracks lie."""
    distance = np.abs(value - np.median(value))
    central = value[distance <= np.quantile(distance, CENTRAL)]
    scale = max(float(np.std(central)), 0.1e-9)
    far: MaskArray = np.abs(value - central.mean()) > SIGMAS * scale
    return far


def _day(
    mjd: int,
    epoch: int,
    at: EpochArray,
    value: FloatArray,
    told: list[BroadcastUTC],
    utc: LabPoints | None,
    u_calibration_s: float,
) -> DayOfUTC:
    share = float(np.mean(at < epoch))
    why = ""
    mean = u_a = said = u_message = math.nan
    if not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE:
        why = "the tracks lie on one side of 0h"
    else:
        epochs, row = np.unique(at, return_inverse=True)
        means = np.bincount(row, value) / np.bincount(row)
        mean, u_a = float(value.mean()), standard_error(epochs, means)
    if told:
        values = [each.system_minus_utc_s(epoch) for each in told]
        said = sum(values) / len(values)
        u_message = math.hypot((max(values) - min(values)) / 2, A0_STEP_S / math.sqrt(12.0))
    else:
        why = why or "no navigation message of this day or the day before"
    published, u_published = _interpolated(utc, epoch)
    if math.isnan(published):
        why = why or "UTC − UTC(k) is not published for this day"
    lab = mean + said
    u = together(u_a, u_message, u_published, u_calibration_s) if math.isfinite(lab) else math.nan
    return DayOfUTC(mjd, epoch, mean, u_a, int(value.size), said, u_message, published, lab, published + lab, u, why)


def _interpolated(utc: LabPoints | None, epoch: int) -> tuple[float, float]:
    """Give UTC − UTC(k) and its uncertainty on a day between two that were published."""
    if utc is None or not utc.epochs.size or not utc.epochs[0] <= epoch <= utc.epochs[-1]:
        return math.nan, math.nan
    day = (utc.epochs - utc.epochs[0]) / DAY_NS
    at = (epoch - int(utc.epochs[0])) / DAY_NS
    u = together(*(float(each) for each in utc.u_s[[int(np.argmin(np.abs(day - at)))]]))
    return float(np.interp(at, day, utc.values_s)), u
