"""Reports of primary and secondary frequency standards (PSFS): section 3 of Circular T, and plain columns.

Sign: d is the fractional deviation of the scale interval of TAI from that of TT, so y(TAI) = −d; see
:mod:`timeball.formats.psfs.report`.

Section 3 is read by its published layout; docs/formats/psfs.md says what it was tried on and what it was not. What it
does not do: fetch the laboratories' reports that the table sums up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from timeball.formats.bulletin.text import Line, bulletin_lines, section_about, sections
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.psfs.columns import is_heading, read_columns
from timeball.formats.psfs.report import (
    UNIT,
    PSFSReport,
    PSFSTable,
    ReportError,
    TAIEstimate,
    checked,
    read_figure,
    read_interval,
)

KIND = "psfs"
STANDARDS = "duration of the TAI scale interval"
FIGURES = ("d", "u_a", "u_b", "u_lab", "u_tai", "u")
_UNIT = re.compile(r"expressed in\s+(?:units? of\s+)?10\s*\*\*\s*\(?(-\d{1,2})", re.ASCII | re.IGNORECASE)
_REPORT = re.compile(r"\s*([A-Za-z][\w.+/]*(?:-[\w.+/]+)+|[A-Z]{2,}\d[\w-]*)\s+(\d{5})[\s-]+(\d{5})\s+(\S.*)", re.ASCII)
_ESTIMATE = re.compile(
    r"\s*(\d{5})\s*-\s*(\d{5})\s+([+-]?\d+(?:\.\d+)?)\s*x\s*10\*\*\s*(-?\d{1,2})"
    r"\s+(\d+(?:\.\d+)?)\s*x\s*10\*\*\s*(-?\d{1,2})\b.*",
    re.ASCII,
)
_NO_SREP = ("PFS/NA", "NA", "-")  # a primary standard: its transition is the definition
_NOTE = re.compile(r"\((\d{1,3})\)", re.ASCII)


def is_psfs(head: bytes) -> bool:
    """Tell from its head whether a file holds reports of frequency standards in plain columns."""
    return any(is_heading(line.decode("latin-1")) for line in head.splitlines())


def read_psfs(data: bytes | str, name: str = "PSFS") -> PSFSTable:
    """Read reports: a Circular T (its section 3), that section alone, or plain columns under a heading.

    Plain columns: a heading names them (``standard start end d u_a u_b [u_lab u_tai u u_srep steer]``, or ``y`` for
    ``d``); figures are in the unit of a comment ``unit = 1e-15``, which is the default. Raises ``FormatError`` when
    there is no report that can be used.
    """
    lines, defects = bulletin_lines(data, name)
    heading = next((place for place, (_, text) in enumerate(lines) if is_heading(text)), None)
    if heading is None:
        parts = sections(lines)
        table = read_psfs_lines((section_about(parts, STANDARDS) or []) if parts else lines, name)
    else:
        table = read_columns(lines, heading, name)
    found = (*defects, *table.defects)
    if not table.reports:
        raise FormatError(found[0]) if found else whole_file_error(name, "", "no report of a frequency standard")
    return PSFSTable(table.reports, table.estimates, found)


def read_psfs_lines(lines: Sequence[Line], name: str) -> PSFSTable:
    """Read the lines of section 3 of Circular T; a line that begins as a report and is none is a defect."""
    unit = UNIT
    reports: list[PSFSReport] = []
    estimates: list[TAIEstimate] = []
    defects: list[Defect] = []
    for number, line in lines:
        if found := _UNIT.search(line):
            unit = float(f"1e{found[1]}")
        try:
            if match := _ESTIMATE.fullmatch(line):
                d, u = float(f"{match[3]}e{match[4]}"), float(f"{match[5]}e{match[6]}")
                start, end = read_interval(match[1], match[2])
                estimates.append(TAIEstimate(int(start), int(end), d, u))
            elif match := _REPORT.fullmatch(line):
                reports.append(_report(match[1], match[2], match[3], match[4], unit))
        except ReportError as error:
            defects.append(Defect(name, number, error.field, shown(error.text), error.reason))
    return PSFSTable(tuple(reports), tuple(estimates), tuple(defects))


def _report(standard: str, start: str, end: str, rest: str, unit: float) -> PSFSReport:
    """Read a line of section 3: six figures, then uSrep (PFS/NA where there is none), references, Y or N, notes."""
    fields = _NOTE.sub(" ", rest).split()
    if len(fields) < len(FIGURES):
        raise ReportError("figures", rest.strip(), f"{len(fields)} figures, not d, uA, uB, ul/Lab, ul/Tai and u")
    d, u_a, u_b, u_lab, u_tai, u = (
        read_figure(text, field) * unit for field, text in zip(FIGURES, fields, strict=False)
    )
    others = fields[len(FIGURES) :]
    u_srep = 0.0 if not others or others[0] in _NO_SREP else read_figure(others[0], "uSrep") * unit
    steer = next((text == "Y" for text in reversed(others) if text in ("Y", "N")), None)
    first, last = read_interval(start, end)
    notes = tuple(int(note) for note in _NOTE.findall(rest))
    return checked(PSFSReport(standard, first, last, d, u_a, u_b, u_lab, u_tai, u, u_srep, steer, notes))
