"""Reports of frequency standards in plain columns under a heading that names them.

Sign: as :mod:`timeball.formats.psfs.report`; a column ``y`` gives the scale's frequency, y = −d.

What it does not do: guess the unit (a comment ``unit = 1e-15`` says it, which is also the default).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from timeball.formats.bulletin.text import Line
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.numerals import read_number
from timeball.formats.psfs.report import UNIT, PSFSReport, PSFSTable, ReportError, checked, read_figure, read_interval

_SPLIT = re.compile(r"[\s,;]+", re.ASCII)
_COLUMNS = {
    "standard": "standard", "start": "start", "from": "start", "end": "end", "to": "end", "d": "d", "y": "y",
    "ua": "u_a", "ub": "u_b", "ullab": "u_lab", "ulab": "u_lab", "ultai": "u_tai", "utai": "u_tai", "u": "u",
    "usrep": "u_srep", "steer": "steer",
}  # fmt: skip
_UNIT_HINT = re.compile(r"\s*#.*\bunit\s*[:=]\s*([0-9.eE+-]+)", re.ASCII)


def _columns(line: str) -> list[str]:
    """Give what the columns of a heading are called here; "" for one that is not known."""
    words = [word for word in _SPLIT.split(line.lstrip("# \t").strip()) if word]
    return [_COLUMNS.get(re.sub(r"[_/-]|\(mjd\)|mjd", "", word.lower()), "") for word in words]


def is_heading(line: str) -> bool:
    """Tell whether a line names the columns of reports."""
    names = _columns(line)
    return {"standard", "start", "end"} <= set(names) and bool({"d", "y"} & set(names))


def read_columns(lines: Sequence[Line], heading: int, name: str) -> PSFSTable:
    """Read plain columns below the heading at place ``heading``; ``FormatError`` for a heading not understood."""
    number, text = lines[heading]
    names = _columns(text)
    known = [column for column in names if column]
    if len(known) < len(names) or len(set(known)) < len(known) or {"d", "y"} <= set(known):
        raise FormatError(Defect(name, number, "heading", shown(text.strip()), "a column not known, or named twice"))
    if "u" not in known and not {"u_a", "u_b"} <= set(known):
        raise FormatError(Defect(name, number, "heading", shown(text.strip()), "neither u nor u_a and u_b"))
    hints = [found for _, line in lines[:heading] if (found := _UNIT_HINT.match(line))]
    unit = read_number(hints[-1][1]) if hints else UNIT
    if unit is None or not 0 < unit <= 1:
        raise whole_file_error(name, hints[-1][1], "not a unit of relative frequency")
    reports: list[PSFSReport] = []
    defects: list[Defect] = []
    for place, line in lines[heading + 1 :]:
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        try:
            reports.append(_of_columns(dict(zip(names, _fields(plain, len(names)), strict=True)), unit))
        except ReportError as error:
            defects.append(Defect(name, place, error.field, shown(error.text), error.reason))
    return PSFSTable(tuple(reports), (), tuple(defects))


def _fields(line: str, count: int) -> list[str]:
    fields = [field for field in _SPLIT.split(line) if field]
    if len(fields) != count:
        raise ReportError("line", line, f"{len(fields)} fields under {count} columns")
    return fields


def _of_columns(row: dict[str, str], unit: float) -> PSFSReport:
    start, end = read_interval(row["start"], row["end"])

    def relative(column: str) -> float:
        return read_figure(row.get(column, "0"), column) * unit

    u_a, u_b, u_lab, u_tai = (relative(column) for column in ("u_a", "u_b", "u_lab", "u_tai"))
    u = relative("u") if "u" in row else math.sqrt(u_a * u_a + u_b * u_b + u_lab * u_lab + u_tai * u_tai)
    if "u_a" not in row and "u_b" not in row:
        u_a = u  # nothing said of its parts: taken as statistical, so that no two reports share it
    steer = {"Y": True, "N": False}.get(row.get("steer", "-").upper())
    d = -relative("y") if "y" in row else relative("d")
    return checked(PSFSReport(row["standard"], start, end, d, u_a, u_b, u_lab, u_tai, u, relative("u_srep"), steer))
