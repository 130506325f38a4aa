"""Notes and steering in Circular T: steps of UTC(k) that its notes name, and the intervals of f(EAL) − f(TAI).

Sign: a step is that of UTC(k): UTC − UTC(k) changes by minus it. What it does not do: understand other notes, which
are kept as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from timeball.formats.bulletin.text import MJD_RANGE, Line, ns_to_s
from timeball.formats.defects import Defect, shown
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND, InstantError, LeapTable, from_utc_parts

_NOTE = re.compile(r"\s*\((\d{1,3})\)\s*([A-Z][A-Z0-9]{0,5})?\s*:?\s*(.*)", re.ASCII)
_STEP = re.compile(
    r"time step of UTC\s*\(\s*([A-Z0-9]{1,6})\s*\) of ([+-]?\d{1,12}(?:\.\d{1,6})?) ?ns on MJD (\d{5}(?:\.\d{1,9})?)",
    re.ASCII | re.IGNORECASE,
)
_STEERING = re.compile(
    r"\s*(\S.*?)\s{2,}(\d{5})\s*-\s*(\d{5})\s+([+-]?\d{1,3}(?:\.\d{1,6})?)\s*x\s*10\*\*\s*(-?\d{1,2})\b.*", re.ASCII
)
_HAS_A_POWER = re.compile(r"x\s*10\*\*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as printed: its number, the laboratory it is about ("" when it names none), its text, its line."""

    number: int
    lab: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A time step of UTC(k) that a note names: step_s of UTC(k) itself, at ``epoch`` (ns of TAI)."""

    lab: str
    epoch: int
    step_s: float


@dataclass(frozen=True, slots=True)
class Steering:
    """f(EAL) − f(TAI) from 0 h UTC of one MJD to that of another; what: the words in front of it."""

    what: str
    start_mjd: int
    end_mjd: int
    eal_minus_tai: float


def read_notes(lines: Sequence[Line]) -> tuple[Note, ...]:
    """Read what stands below ``- Notes``: a note begins with its number in brackets, and may go on in more lines."""
    notes: list[Note] = []
    inside = False
    for number, line in lines:
        if line.strip().lower().startswith("- note"):
            inside = True
        elif inside and (match := _NOTE.fullmatch(line)):
            notes.append(Note(int(match[1]), match[2] or "", match[3].strip(), number))
        elif inside and notes and line.strip():
            last = notes[-1]
            notes[-1] = Note(last.number, last.lab, f"{last.text} {line.strip()}", last.line)
    return tuple(notes)


def steps_of(notes: Sequence[Note], leaps: LeapTable, name: str) -> tuple[tuple[Step, ...], list[Defect]]:
    """Find the time steps that notes name; a date that cannot be is a defect."""
    steps: list[Step] = []
    defects: list[Defect] = []
    for note in notes:
        for lab, step_ns, mjd in _STEP.findall(note.text):
            ns = int(Fraction(mjd) * DAY_NS)
            day, ns_of_day = divmod(ns, DAY_NS)
            try:
                moment = from_utc_parts(day - MJD_OF_1970, ns_of_day // NS_PER_SECOND, 0, leaps)
            except InstantError as error:
                defects.append(Defect(name, note.line, "MJD of a step", mjd, str(error)))
                continue
            steps.append(Step(lab.upper(), moment.ns + ns_of_day % NS_PER_SECOND, ns_to_s(step_ns)))
    return tuple(steps), defects


def read_steering(lines: Sequence[Line], name: str) -> tuple[tuple[Steering, ...], list[Defect]]:
    """Read section 2; a line with a power of ten that is no interval is a defect."""
    found: list[Steering] = []
    defects: list[Defect] = []
    for number, line in lines:
        match = _STEERING.fullmatch(line)
        if match is None:
            if _HAS_A_POWER.search(line):
                defects.append(Defect(name, number, "steering", shown(line.strip()), "not MJD - MJD and f(EAL)-f(TAI)"))
            continue
        start, end = int(match[2]), int(match[3])
        if not MJD_RANGE[0] <= start < end <= MJD_RANGE[1]:
            defects.append(Defect(name, number, "steering", f"{start} - {end}", "not an interval"))
            continue
        found.append(Steering(match[1].strip(), start, end, float(f"{match[4]}e{match[5]}")))
    return tuple(found), defects
