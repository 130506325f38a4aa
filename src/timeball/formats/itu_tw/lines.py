"""The lines of a two-way file (Recommendation ITU-R TF.1153-4, Annex 2, section 3.4): one session as text and back.

A line has twenty fields, kept apart by blanks. Each has its width and decimals in `FIELDS`; a field of nines only (with
a point or without) that fills its width says that nothing was measured, and so does a temperature of +99. A station may
report its own signal: LOC and REM are the same then (ranging). What it does not do: know epochs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from timeball.formats.bulletin.text import MJD_RANGE
from timeball.formats.numerals import read_integer


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its name in the heading, its width, decimals (None: a whole number), and how printed units relate.

    exponent: a printed 1 is 10 to this power in SI. low, high: what may stand there, as printed.
    """

    label: str
    width: int
    decimals: int | None
    exponent: int
    low: float
    high: float


# In the order of the lines, after LOC REM LI MJD STTIME; CI and S stand between them and are read apart.
FIELDS: dict[str, Field] = {
    "nominal_s": Field("NTL", 3, None, 0, 1, 998),
    "tw_s": Field("TW", 15, 12, 0, -9.0, 9.0),
    "drms_s": Field("DRMS", 5, 3, -9, 0.0, 99_999.0),
    "samples": Field("SMP", 3, None, 0, 0, 998),
    "actual_s": Field("ATL", 3, None, 0, 0, 998),
    "refdelay_s": Field("REFDELAY", 15, 12, 0, -9.0, 9.0),
    "refdelay_sd_s": Field("RSIG", 5, 3, -9, 0.0, 99_999.0),
    "calr_s": Field("CALR", 9, 3, -9, -99_999_999.0, 999_999_999.0),
    "esdvar_s": Field("ESDVAR", 9, 3, -9, -99_999_999.0, 999_999_999.0),
    "esdvar_sd_s": Field("ESIG", 5, 3, -9, 0.0, 99_999.0),
    "temperature_c": Field("TMP", 3, 0, 0, -98.0, 98.0),
    "humidity": Field("HUM", 3, 0, 0, 0.0, 998.0),
    "pressure_hpa": Field("PRES", 4, 0, 0, 0.0, 9998.0),
}
HEADINGS = (
    "* EARTH-STAT  LI  MJD  STTIME NTL        TW        DRMS SMP ATL"
    "     REFDELAY     RSIG  CI S    CALR     ESDVAR   ESIG TMP HUM PRES",
    "* LOC    REM           hhmmss  s         s          ns       s "
    "        s          ns            ns        ns      ns degC  %  mbar",
)
_COUNT = 20
_CODE = re.compile(r"[A-Za-z0-9_/+-]{1,6}", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,12}\.?\d{0,18}|\.\d{1,18})", re.ASCII)
_NOT_MEASURED = re.compile(r"\+?9+\.?9*")  # +99 is what some write for no temperature
_AT = (5, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19)  # where FIELDS stand in a line


class LineError(Exception):
    """A line that cannot be used: field, text and reason."""

    def __init__(self, field: str, text: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.text, self.reason = field, text, reason


@dataclass(frozen=True, slots=True)
class Session:
    """One line: stations, link, MJD and second of its start in UTC, calibration code, S (-1 when it is 9), figures.

    figures: by the keys of `FIELDS`, in SI; NaN where nothing was measured.
    """

    local: str
    remote: str
    link: str
    mjd: int
    start_s: int
    calibration: str
    switch: int
    figures: dict[str, float]


def read_session(line: str) -> Session:
    """Read a line. Raises ``LineError``."""
    fields = line.split()
    if len(fields) != _COUNT:
        raise LineError("line", line.strip(), f"{len(fields)} fields instead of {_COUNT}")
    for label, text in zip(("LOC", "REM"), fields, strict=False):
        if not _CODE.fullmatch(text):
            raise LineError(label, text, "no code of a station")
    mjd = _whole("MJD", fields[3], *MJD_RANGE)
    _whole("LI", fields[2], 0, 99)
    _whole("CI", fields[12], 0, 999)
    switch = _whole("S", fields[13], 0, 9)
    start_s = _second(fields[4])
    figures = {key: _figure(fields[at], FIELDS[key]) for key, at in zip(FIELDS, _AT, strict=True)}
    for key in ("nominal_s", "tw_s"):
        if math.isnan(figures[key]):
            raise LineError(FIELDS[key].label, " ".join(fields), "not measured: no session")
    where = (fields[0], fields[1], fields[2], mjd, start_s)
    return Session(*where, fields[12], -1 if switch == 9 else switch, figures)


def _whole(label: str, text: str, low: int, high: int) -> int:
    value = read_integer(text, low, high)
    if value is None:
        raise LineError(label, text, f"not a whole number from {low} to {high}")
    return value


def _second(text: str) -> int:
    if len(text) != 6 or read_integer(text, 0, 235_960) is None:
        raise LineError("STTIME", text, "not hhmmss")
    hour, minute, second = int(text[:2]), int(text[2:4]), int(text[4:])
    if minute > 59 or second > (60 if (hour, minute) == (23, 59) else 59):
        raise LineError("STTIME", text, "not hhmmss")
    return 3600 * hour + 60 * minute + second


def _figure(text: str, field: Field) -> float:
    if len(text) >= field.width and _NOT_MEASURED.fullmatch(text):
        return math.nan
    pattern = _WHOLE if field.decimals is None else _DECIMAL
    if not pattern.fullmatch(text) or not field.low <= float(text) <= field.high:
        raise LineError(field.label, text, f"not a figure from {field.low:g} to {field.high:g}")
    return float(text) if field.exponent == 0 else float(f"{text}e{field.exponent}")


def write_session(session: Session) -> str:
    """Write a line, in the widths of `FIELDS`. Raises ``ValueError`` with what does not fit."""
    hours, seconds = divmod(min(session.start_s, 86_399), 3600)
    leap = session.start_s - min(session.start_s, 86_399)
    start = f"{hours:02d}{seconds // 60:02d}{seconds % 60 + leap:02d}"
    text = {key: write_figure(session.figures[key], field) for key, field in FIELDS.items()}
    local, remote = (_CODE.fullmatch(code) and code for code in (session.local, session.remote))
    if not (local and remote):
        raise ValueError(f"no code of a station: {session.local!r}, {session.remote!r}")
    switch = 9 if session.switch < 0 else session.switch
    head = f"{local:>6} {remote:>6} {session.link:>2} {session.mjd:5d} {start}"
    first, last = list(text.values())[:7], list(text.values())[7:]
    return " ".join([head, *first, f"{session.calibration:>3} {switch}", *last])


def write_figure(value: float, field: Field) -> str:
    """Write a figure (SI) in its column; NaN becomes nines. Raises ``ValueError`` when it does not fit."""
    if math.isnan(value):
        return "9" * field.width
    sign = "+" if field.label in ("TW", "REFDELAY") else ""
    text = f"{value * 10.0**-field.exponent:{sign}{field.width}.{field.decimals or 0}f}"
    if len(text) > field.width or (len(text) == field.width and _NOT_MEASURED.fullmatch(text)):
        raise ValueError(f"{field.label} of {text.strip()} does not fit its {field.width} characters")
    return text
