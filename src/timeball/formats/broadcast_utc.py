"""What satellites broadcast of UTC: the parameters that turn a satellite system's time into its prediction of UTC.

Sign: A0 + A1 · (t − reference) is system time − broadcast UTC, less whole seconds (IS-GPS-200, 20.3.3.5.2.4).

Two forms are read: a table, one day a line, ``MJD A0 A1 tot week`` (s, s/s, s of week, full week number of GPS), and
the header of a RINEX 3 navigation file, whose lines GPUT, GAUT and BDUT end in ``TIME SYSTEM CORR`` and whose day is
that of its first record.

What it does not do: read ephemerides, or GLONASS' correction, whose sign and form are others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from timeball.formats.bulletin.text import Line, bulletin_lines
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.numerals import read_integer, read_number
from timeball.instants import GNSS, MJD_OF_1970, WEEK_S, InstantError, day_number

KIND = "broadcast-utc"
SYSTEMS = {"GPUT": "G", "GAUT": "E", "BDUT": "C"}
# RINEX counts Galileo's weeks as GPS does, BeiDou's as BeiDou does.
ORIGINS = {"G": GNSS.GPS, "E": GNSS.GPS, "C": GNSS.BEIDOU}
LARGEST_S, LARGEST_RATE = 1e-3, 1e-6
_LABEL = "TIME SYSTEM CORR"
_FIELDS = re.compile(r"(GPUT|GAUT|BDUT) (.{17})(.{16})\s*(\d+)\s+(\d+)", re.ASCII)
_RECORD = re.compile(r"[A-Z]\d\d (\d{4}) (\d\d| \d) (\d\d| \d) ", re.ASCII)


@dataclass(frozen=True, slots=True)
class BroadcastUTC:
    """One set of parameters: system (letter), the UTC day (MJD) on which it was broadcast, A0 (s), A1 (s/s), and the
    epoch they refer to, in s of TAI since 1970.
    """

    system: str
    mjd: int
    a0_s: float
    a1: float
    reference_tai_s: int

    def system_minus_utc_s(self, tai_ns: int) -> float:
        """Give system time − broadcast UTC (s) at an epoch (ns of TAI), less whole seconds."""
        return self.a0_s + self.a1 * (tai_ns / 1e9 - self.reference_tai_s)


def read_broadcast_utc(data: bytes, name: str, system: str = "G") -> tuple[list[BroadcastUTC], list[Defect]]:
    """Read a table or a RINEX navigation file, plain or gzip; system: of a table, which does not say.

    Raises ``FormatError`` when there is no set of parameters in it.
    """
    lines, defects = bulletin_lines(data, name)
    if any(line[60:].strip() == "RINEX VERSION / TYPE" for _, line in lines[:3]):
        found, faults = _of_navigation(lines, name)
    else:
        found, faults = _of_table(lines, name, system)
    if not found:
        worst = [*defects, *faults]
        raise FormatError(worst[0]) if worst else whole_file_error(name, data[:40], "no parameters of broadcast UTC")
    return found, defects + faults


def _of_table(lines: list[Line], name: str, system: str) -> tuple[list[BroadcastUTC], list[Defect]]:
    found: list[BroadcastUTC] = []
    defects: list[Defect] = []
    for number, line in lines:
        words = line.split("#")[0].split()
        if not words:
            continue
        mjd = read_integer(words[0], 40_000, 100_000)
        made = None if mjd is None or len(words) != 5 else _made(system, mjd, words[1], words[2], words[3], words[4])
        if made is None:
            defects.append(Defect(name, number, "line", shown(line.strip()), "not MJD A0 A1 tot week"))
        else:
            found.append(made)
    return found, defects


def _of_navigation(lines: list[Line], name: str) -> tuple[list[BroadcastUTC], list[Defect]]:
    end = next((place for place, (_, line) in enumerate(lines) if line[60:].strip() == "END OF HEADER"), len(lines))
    mjd = next((day for _, line in lines[end + 1 :] if (day := _day_of(line)) is not None), None)
    found: list[BroadcastUTC] = []
    defects: list[Defect] = []
    for number, line in lines[:end]:
        if line[60:].strip() != _LABEL or line[:4] not in SYSTEMS:
            continue
        match = _FIELDS.match(line)
        made = None
        if match and mjd is not None:
            made = _made(SYSTEMS[match[1]], mjd, match[2].strip(), match[3].strip(), match[4], match[5])
        if made is None:
            reason = "no record says of which day it is" if match and mjd is None else "not A0, A1, time and week"
            defects.append(Defect(name, number, line[:4], shown(line.rstrip()), reason))
        else:
            found.append(made)
    return found, defects


def _day_of(line: str) -> int | None:
    match = _RECORD.match(line)
    if match is None:
        return None
    try:
        return day_number(int(match[1]), int(match[2]), int(match[3])) + MJD_OF_1970
    except InstantError:
        return None


def _made(system: str, mjd: int, a0: str, a1: str, tot: str, week: str) -> BroadcastUTC | None:
    a0_s, rate = read_number(a0), read_number(a1)
    second, weeks = read_integer(tot, 0, WEEK_S), read_integer(week, 0, 99_999)
    if a0_s is None or rate is None or second is None or weeks is None:
        return None
    if abs(a0_s) > LARGEST_S or abs(rate) > LARGEST_RATE:
        return None
    return BroadcastUTC(system, mjd, a0_s, rate, ORIGINS[system].origin_tai_s + weeks * WEEK_S + second)
