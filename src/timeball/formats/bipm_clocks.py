"""Clock data files of the BIPM: what a laboratory reports of its clocks every month, read and written.

A line holds a date, the laboratory's code and pairs of a clock's code and its value at 0 h UTC:

    61009 10023 1350415    -1234.5 1401701       12.3

Sign: a printed value is UTC(k) − clock in ns, so a reading clock − UTC(k) is its negative. A line holds up to five
clocks; what is missing stands in no pair. Lines that begin with # % * or ! are comments.

The BIPM's own text of this format was not at hand, nor a file: have the BIPM check the first one that is sent. What it
does not do: know which clock has which code, which the BIPM gives out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from timeball.formats.bulletin import epochs_of
from timeball.formats.bulletin.text import MJD_RANGE, bulletin_lines, ns_to_s
from timeball.formats.defects import Defect, FormatError, WriteError, shown, whole_file_error
from timeball.instants import MJD_OF_1970, NS_PER_SECOND, Instant, LeapTable, utc_parts
from timeball.readings import Readings

KIND = "bipm-clocks"
PAIRS = 5  # clocks on a line
_COMMENTS = ("#", "%", "*", "!")
_LINE = re.compile(rb"[ \t]*\d{5}[ \t]+\d{5}(?:[ \t]+\d{7}[ \t]+[+-]?\d{1,12}\.\d{1,3})+[ \t]*\r?", re.ASCII)
_VALUE = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,6})?", re.ASCII)
_LAB, _CLOCK = re.compile(r"\d{5}", re.ASCII), re.compile(r"\d{7}", re.ASCII)
_WIDTH, _DECIMALS = 10, 1


@dataclass(frozen=True, slots=True, eq=False)
class BIPMClocks:
    """A month of a laboratory's clocks: its code, and a value (s, UTC(k) − clock) for every MJD and clock's code."""

    lab: str
    values_s: Mapping[tuple[int, str], float]
    defects: tuple[Defect, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The clocks' codes, in rising order."""
        return tuple(sorted({code for _, code in self.values_s}))

    def readings(self, leaps: LeapTable, scale: str | None = None, names: Mapping[str, str] | None = None) -> Readings:
        """Give readings clock − UTC(k) at 0 h UTC.

        scale: the name of UTC(k), UTC(code of the laboratory) unless told. names: of clocks by their codes.
        """
        given = names or {}
        clocks = (*(given.get(code, code) for code in self.codes), scale or f"UTC({self.lab})")
        place = {code: at for at, code in enumerate(self.codes)}
        keys = sorted(self.values_s)
        epochs = epochs_of([mjd for mjd, _ in keys], leaps, "clock data")
        a = [place[code] for _, code in keys]
        return Readings.from_columns(clocks, epochs, a, [len(place)] * len(a), [-self.values_s[key] for key in keys])


def is_bipm_clocks(head: bytes) -> bool:
    """Tell from its head whether a file is one: its first line of figures has a code of a laboratory and of a clock."""
    for line in head.split(b"\n"):
        if line.strip() and not line.lstrip().startswith((b"#", b"%", b"*", b"!")):
            return _LINE.fullmatch(line) is not None
    return False


def read_bipm_clocks(data: bytes, name: str) -> BIPMClocks:
    """Read a file, plain or gzip. A bad pair, or a clock given twice for a date, is a defect.

    Raises ``FormatError`` when there is no pair that can be used, or the files of two laboratories are in one.
    """
    lines, defects = bulletin_lines(data, name)
    values: dict[tuple[int, str], float] = {}
    labs: set[str] = set()
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith(_COMMENTS):
            continue
        fields = line.split()
        reason = _head_reason(fields)
        if reason:
            defects.append(Defect(name, number, "line", shown(line.strip()), reason))
            continue
        labs.add(fields[1])
        for code, text in zip(fields[2::2], fields[3::2], strict=True):
            reason = _take(values, int(fields[0]), code, text)
            if reason:
                defects.append(Defect(name, number, "clock", shown(f"{code} {text}"), reason))
    if not values:
        raise FormatError(defects[0]) if defects else whole_file_error(name, data[:40], "no value of a clock")
    if len(labs) > 1:
        raise whole_file_error(name, " ".join(sorted(labs)), "several laboratories in one file")
    return BIPMClocks(labs.pop(), values, tuple(defects))


def _head_reason(fields: list[str]) -> str:
    if len(fields) < 4 or len(fields) % 2:
        return "not a date, a laboratory and pairs of clock and value"
    if not (fields[0].isascii() and fields[0].isdigit() and len(fields[0]) == 5):
        return "no MJD"
    if not MJD_RANGE[0] <= int(fields[0]) <= MJD_RANGE[1]:
        return "not an MJD from 1972 to 2100"
    return "" if _LAB.fullmatch(fields[1]) else "no code of a laboratory (five digits)"


def _take(values: dict[tuple[int, str], float], mjd: int, code: str, text: str) -> str:
    if not _CLOCK.fullmatch(code):
        return "no code of a clock (seven digits)"
    if not _VALUE.fullmatch(text):
        return "not ns"
    if (mjd, code) in values:
        return "given twice for this date; the first value stands"
    values[mjd, code] = ns_to_s(text)
    return ""


def write_bipm_clocks(clocks: BIPMClocks) -> bytes:
    """Write a file, a line a date and five clocks. Raises ``WriteError`` for codes or values that do not fit."""
    unfit = [code for code in clocks.codes if not _CLOCK.fullmatch(code)]
    if unfit or not _LAB.fullmatch(clocks.lab):
        raise WriteError(f"not codes of the BIPM, five digits and seven: {clocks.lab} {' '.join(unfit)}".rstrip())
    lines = []
    for mjd in sorted({mjd for mjd, _ in clocks.values_s}):
        codes = [code for code in clocks.codes if (mjd, code) in clocks.values_s]
        pairs = [f"{code} {_value(clocks.values_s[mjd, code])}" for code in codes]
        for start in range(0, len(pairs), PAIRS):
            lines.append(" ".join([f"{mjd:5d} {clocks.lab}", *pairs[start : start + PAIRS]]))
    return ("\n".join(lines) + "\n").encode()


def _value(value_s: float) -> str:
    text = f"{value_s * 1e9:{_WIDTH}.{_DECIMALS}f}"
    if len(text) > _WIDTH or not np.isfinite(value_s):
        raise WriteError(f"{text.strip()} ns does not fit the {_WIDTH} characters of a clock's value")
    return text


def clocks_to_report(
    readings: Readings, lab: str, codes: Mapping[str, str], scale: str, leaps: LeapTable
) -> tuple[BIPMClocks, list[str]]:
    """Lay readings against UTC(k) out as a report: those at 0 h UTC of clocks that have a code.

    lab: the laboratory's code; codes: of clocks, by their names in the readings; scale: the name of UTC(k) there.
    Gives the report, and the names of clocks without a code. Raises ``WriteError`` when nothing is left to report.
    """
    values: dict[tuple[int, str], float] = {}
    unnamed: set[str] = set()
    columns = (readings.epoch.tolist(), readings.a.tolist(), readings.b.tolist(), readings.x.tolist())
    for epoch, a, b, x in zip(*columns, strict=True):
        pair = (readings.clocks[a], readings.clocks[b])
        clock = next((each for each in pair if each != scale), None)
        if scale not in pair or clock is None or epoch % NS_PER_SECOND:
            continue
        day, second, _ = utc_parts(Instant.from_ns(epoch), leaps)
        if second:
            continue
        if clock not in codes:
            unnamed.add(clock)
            continue
        values[day + MJD_OF_1970, codes[clock]] = -x if pair[1] == scale else x
    if not values:
        raise WriteError(f"no reading of a clock with a code against {scale} at 0 h UTC")
    return BIPMClocks(lab, values, ()), sorted(unnamed)
