"""A table of calibrations applied to the tracks of a file, each track by its own day and code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.formats.cggtts.records import Cggtts
from timeball.transfer.calibration import Calibration, calibration_at
from timeball.transfer.errors import CalibrationError
from timeball.transfer.rejected import Rejections
from timeball.transfer.tracks import StationTracks


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Tracks with the delays of a table, and what was left out for want of a delay.

    u_s: the largest of the calibrations with their age (s); NaN when a track has none. used: their words by laboratory
    and date, as of the last day.
    """

    tracks: StationTracks
    rejected: Rejections
    u_s: float
    used: dict[str, str]


def calibrated(tracks: StationTracks, cggtts: Cggtts, table: Sequence[Calibration]) -> Calibrated:
    """Put the delays of a table in place of those of the header; ``tracks`` are those of ``cggtts``, in its order.

    A laboratory without an entry, and a day before its first, keep the header's delays, with an unknown uncertainty.
    Tracks of a code that table or header has no delay of are left out. Raises ``CalibrationError`` when that is all of
    them.
    """
    lab, mjd = cggtts.header.lab, cggtts.tracks.mjd
    change = np.zeros(len(tracks))
    out = np.zeros(len(tracks), dtype=bool)
    u_s = 0.0 if len(tracks) else math.nan
    used: dict[str, str] = {}
    reasons: list[str] = []
    for day in sorted(set(mjd.tolist())):
        calibration = calibration_at(table, lab, day)
        if calibration is None:
            u_s = math.nan
            if any(each.lab == lab for each in table):
                used[f"{lab} before"] = f"{lab}: up to MJD {day} delays of the header, uncertainty not known"
            continue
        u_s = u_s if math.isnan(u_s) else max(calibration.u_at(day), u_s)
        used[f"{lab} {calibration.from_mjd}"] = _words(calibration, day)
        today = mjd == day
        for system, frc in sorted(set(zip(tracks.system[today].tolist(), tracks.frc[today].tolist(), strict=True))):
            rows = today & (tracks.system == system) & (tracks.frc == frc)
            try:
                change[rows] = calibration.change_s(cggtts.header.delays, system, frc)
            except CalibrationError as error:
                out |= rows
                reasons.append(str(error))
    if reasons and out.all():
        raise CalibrationError(f"{tracks.files[0]}: {reasons[0]}")
    rejected = Rejections([tracks.rejected(out, "without a calibration of its code", tracks.frc)])
    moved = tracks.replaced(refsys_s=tracks.refsys_s + change, refsv_s=tracks.refsv_s + change)
    return Calibrated(moved.take(~out), rejected, u_s, used)


def _words(calibration: Calibration, day: int) -> str:
    named = f" {calibration.id}" if calibration.id else ""
    return (
        f"{calibration.lab}: calibration{named} of MJD {calibration.from_mjd}, {day - calibration.from_mjd} days old, "
        f"u {calibration.u_at(day) * 1e9:.2f} ns"
    )
