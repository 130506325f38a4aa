"""Frequency steers that a laboratory keeps by hand: a line for every change of the rate of UTC(k).

    # MJD (UTC)   change of rate   remark
    61341.5       -2.5e-15         after Circular T 466

Sign: a positive change makes UTC(k) gain from then on. Lines that begin with # are comments. What it does not do: judge
a steer, or know what rate there was before the first.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, shown, whole_file_error
from timeball.instants import LeapTable
from timeball.instants.leaps import from_utc_parts

MJD_OF_1970 = 40587
MJD_RANGE = (41_317.0, 88_069.0)  # 1972-01-01, the first of UTC as it is, to 2100
LARGEST = 1e-6
_LINE = re.compile(r"(\d{5}(?:\.\d{0,9})?)[\s,;]+([+-]?\d{1,4}(?:\.\d{0,17})?(?:[eE][+-]?\d{1,3})?)(?:[\s,;]+(\S.*))?")


@dataclass(frozen=True, slots=True)
class RecordedSteer:
    """A change of rate (1) of UTC(k) at an epoch (ns of TAI), with the remark that stands beside it."""

    epoch: int
    change: float
    remark: str


def read_steers(data: bytes, name: str, leaps: LeapTable) -> tuple[list[RecordedSteer], list[Defect]]:
    """Read a list of steers, plain or gzip; gives them in the order of time, and what was wrong with other lines.

    Raises ``FormatError`` when no line can be used.
    """
    plain, defects = plain_bytes(data, name)
    found: list[RecordedSteer] = []
    for number, raw in enumerate(plain.decode("utf-8", "replace").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        steer = _steer(line, leaps)
        if isinstance(steer, str):
            defects.append(Defect(name, number, "steer", shown(line), steer))
        else:
            found.append(steer)
    if not found:
        raise whole_file_error(name, plain[:40], "no line says MJD and change of rate")
    return sorted(found, key=lambda steer: steer.epoch), defects


def _steer(line: str, leaps: LeapTable) -> RecordedSteer | str:
    match = _LINE.fullmatch(line)
    if match is None:
        return "not MJD, change of rate and a remark"
    mjd, change = float(match[1]), float(match[2])
    if not MJD_RANGE[0] <= mjd < MJD_RANGE[1]:
        return "MJD outside of UTC as it is"
    if not (math.isfinite(change) and abs(change) <= LARGEST):
        return f"a change of rate is at most {LARGEST:g}"
    day, part = divmod(mjd, 1.0)
    epoch = from_utc_parts(int(day) - MJD_OF_1970, min(round(part * 86400), 86399), 0, leaps).ns
    return RecordedSteer(epoch, change, (match[3] or "").strip())
