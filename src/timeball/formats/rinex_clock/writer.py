"""RINEX clock 3.04 files, written: a minimal header and one AR or AS record a reading.

A reading is x_clock − x_reference; the records hold it with 13 digits and its epoch to the microsecond, which is
what the format has room for, and what is written parses back to exactly that.
"""

from __future__ import annotations

import re
from math import isnan

import numpy as np

from timeball.formats.defects import WriteError
from timeball.formats.timescales import TIME_SYSTEMS, table_for
from timeball.instants import Instant, InstantError, LeapTable, format_utc
from timeball.readings import Readings

_CLOCK = re.compile(r"[!-'*-~]{1,9}")
_SATELLITE = re.compile(r"[A-Z]\d\d", re.ASCII)
_SCALE = re.compile(r"(\w+)\(([A-Za-z0-9_+-]+)\)")
_LABEL_COLUMN = 65


def write_rinex_clock(readings: Readings, time_system: str = "GPS", leaps: LeapTable | None = None) -> bytes:
    """Write readings that are all against one and the same clock or paper scale.

    A paper scale such as GPST(ESOC) sets time system and analysis centre. leaps: needed for UTC and GLO.
    Raises ``WriteError`` for what the format cannot hold.
    """
    against = {readings.clocks[index] for index in np.unique(readings.b).tolist()}
    if len(against) != 1:
        raise WriteError(f"all readings of a RINEX clock file are against one clock, not {len(against)}")
    reference = against.pop()
    system, centre = _scale_of(reference, time_system)
    if np.any(readings.epoch % 1000) or not np.isfinite(readings.x).all():
        raise WriteError("epochs must be whole microseconds, and phases finite")
    used = {readings.clocks[index] for index in np.unique(readings.a).tolist()}
    unfit = [name for name in sorted(used | ({reference} if not centre else set())) if not _CLOCK.fullmatch(name)]
    if unfit:
        raise WriteError(f"not a name of 1 to 9 characters without brackets: {', '.join(unfit)}")
    table = table_for(system, leaps, "writer")
    try:
        stamps = {epoch: _stamp(epoch, table) for epoch in np.unique(readings.epoch).tolist()}
    except InstantError as error:
        raise WriteError(f"an epoch that {system} has not: {error}") from error
    lines = _header(system, centre, reference)
    columns = (readings.epoch.tolist(), readings.a.tolist(), readings.x.tolist(), readings.u.tolist())
    for epoch, clock, x, u in zip(*columns, strict=True):
        name = readings.clocks[clock]
        kind = "AS" if _SATELLITE.fullmatch(name) else "AR"
        values = f"1   {x:19.12E}" if isnan(u) else f"2   {x:19.12E} {u:19.12E}"
        lines.append(f"{kind} {name:<9} {stamps[epoch]}  {values}")
    return ("\n".join(lines) + "\n").encode()


def _scale_of(reference: str, time_system: str) -> tuple[str, str]:
    match = _SCALE.fullmatch(reference)
    systems = {name: system for system, (name, _) in reversed(TIME_SYSTEMS.items())}
    if match and match[1] in systems:
        return systems[match[1]], match[2]
    if time_system not in TIME_SYSTEMS:
        raise WriteError(f"time system {time_system!r} is none of {', '.join(TIME_SYSTEMS)}")
    return time_system, ""


def _stamp(epoch_ns: int, table: LeapTable) -> str:
    text = format_utc(Instant.from_ns(epoch_ns), table, digits=6)  # YYYY-MM-DDTHH:MM:SS.ffffffZ of the file's scale
    return f"{text[:4]} {text[5:7]} {text[8:10]} {text[11:13]} {text[14:16]} {text[17:26]}"


def _header(system: str, centre: str, reference: str) -> list[str]:
    lines = [("     3.04           CLOCK DATA", "RINEX VERSION / TYPE"), ("timeball", "PGM / RUN BY / DATE")]
    lines += [(f"   {system}", "TIME SYSTEM ID"), ("     2    AR    AS", "# / TYPES OF DATA")]
    if centre:
        lines += [(centre, "ANALYSIS CENTER")]
    else:
        lines += [("     1", "# OF CLK REF"), (reference, "ANALYSIS CLK REF")]
    return [f"{content:<{_LABEL_COLUMN}}{label}" for content, label in [*lines, ("", "END OF HEADER")]]
