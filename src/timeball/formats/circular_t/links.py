"""Section 5 of Circular T: the time links that TAI was computed with, their technique, uncertainties and calibrations.

A line is ``LAB /PIVOT  TECHNIQUE  uStb uCal ...``, in ns. Of what stands behind the two uncertainties (an alignment,
the equipment, notes: the columns have changed often) the calibration identifiers of the form ``znnn-YYYY`` are found,
and all of it is kept as text. What it does not do: read the explanations around the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from timeball.formats.bulletin.text import Line, ns_to_s
from timeball.formats.defects import Defect, shown

LINKS = "time links used"
_LAB = r"([A-Z][A-Z0-9]{0,5})"
_ROW = re.compile(rf"\s*{_LAB}\s*/\s*{_LAB}\s+([A-Z][A-Za-z0-9 ]{{0,30}}?)\s+([\d.]{{1,8}}|-|NC|NA)\s+(\S.*)", re.ASCII)
_A_LINK = re.compile(rf"\s*{_LAB}\s*/\s*{_LAB}\s{{2,}}\S.*", re.ASCII)
_NS = re.compile(r"\d{1,5}(?:\.\d{1,3})?", re.ASCII)
_CALIBRATION = re.compile(r"(?<!\S)([0-9]\d{3}-\d{4})(?!\S)", re.ASCII)
_NOTE = re.compile(r"\((\d{1,3})\)", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeLink:
    """A link: the laboratory, the one it is compared with, technique (``GPSPPP``, ``TWSTFT``, ...).

    u_stb_s: instability (uA before); u_cal_s: of the calibration (uB before), s, k = 1, NaN when not printed.
    calibrations: identifiers; notes: the numbers of the notes; rest: what stands behind the uncertainties.
    """

    lab: str
    pivot: str
    technique: str
    u_stb_s: float
    u_cal_s: float
    calibrations: tuple[str, ...]
    notes: tuple[int, ...]
    rest: str


def read_links(lines: Sequence[Line], name: str) -> tuple[tuple[TimeLink, ...], list[Defect]]:
    """Read the section's lines; one that begins like a link and is none is a defect."""
    links: list[TimeLink] = []
    defects: list[Defect] = []
    for number, line in lines:
        match = _ROW.fullmatch(line)
        first, _, behind = match[5].partition(" ") if match else ("", "", "")
        if match and _uncertain(match[4]) and _uncertain(first):
            calibrations = tuple(_CALIBRATION.findall(behind))
            notes = tuple(int(note) for note in _NOTE.findall(behind))
            uncertainties = (_ns(match[4]), _ns(first))
            kind = " ".join(match[3].split())
            links.append(TimeLink(match[1], match[2], kind, *uncertainties, calibrations, notes, behind.strip()))
        elif _A_LINK.fullmatch(line):
            defects.append(Defect(name, number, "link", shown(line.strip()), "not a technique and two uncertainties"))
    return tuple(links), defects


def _uncertain(text: str) -> bool:
    return text in ("-", "NC", "NA") or _NS.fullmatch(text) is not None


def _ns(text: str) -> float:
    return ns_to_s(text) if _NS.fullmatch(text) else float("nan")
