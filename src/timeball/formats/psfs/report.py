"""A report of a primary or secondary frequency standard (PSFS): its figures, and whether they can belong together.

Sign: d is the fractional deviation of the scale interval of TAI from that of TT, as published; d > 0 means that TAI's
second is too long and its frequency too low, so y(TAI) = −d.

Uncertainties are relative, k = 1: u_a statistical, u_b systematic, u_lab and u_tai of the links inside the laboratory
and to TAI, u all four together, u_srep that of the recommended frequency of the transition (0 for caesium, which
defines the second).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from timeball.formats.bulletin.text import MJD_RANGE
from timeball.formats.defects import Defect
from timeball.formats.numerals import read_number

UNIT = 1e-15


@dataclass(frozen=True, slots=True)
class PSFSReport:
    """One report: d over the days from start_mjd to end_mjd (0 h UTC each), relative uncertainties, k = 1.

    steer: whether the BIPM uses it to steer TAI (None when not stated). u_srep is 0 where none applies.
    """

    standard: str
    start_mjd: float
    end_mjd: float
    d: float
    u_a: float
    u_b: float
    u_lab: float
    u_tai: float
    u: float
    u_srep: float = 0.0
    steer: bool | None = None
    notes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TAIEstimate:
    """The BIPM's own estimate of d over an interval, from all reports of a year."""

    start_mjd: int
    end_mjd: int
    d: float
    u: float


@dataclass(frozen=True, slots=True)
class PSFSTable:
    """Reports in file order, the BIPM's estimates, and what could not be read."""

    reports: tuple[PSFSReport, ...]
    estimates: tuple[TAIEstimate, ...]
    defects: tuple[Defect, ...]


class ReportError(Exception):
    """A report that cannot be used: field, text and reason."""

    def __init__(self, field: str, text: str, reason: str) -> None:
        self.field, self.text, self.reason = field, text, reason


def checked(report: PSFSReport) -> PSFSReport:
    """Give the report back when its figures can belong together; raises ``ReportError``."""
    parts = (report.u_a, report.u_b, report.u_lab, report.u_tai)
    if min(*parts, report.u, report.u_srep) < 0:
        raise ReportError("uncertainty", report.standard, "negative")
    if report.u <= 0:
        raise ReportError("u", report.standard, "no uncertainty at all: the report would outweigh all others")
    together = math.sqrt(sum(u * u for u in parts))
    if together > 0 and abs(report.u - together) > 0.05 * together + 0.06 * UNIT:
        raise ReportError("u", f"{report.u:.3g}", f"not what uA, uB and the links give together, {together:.3g}")
    return report


def read_interval(start: str, end: str) -> tuple[float, float]:
    """Read the MJDs between which a report holds; raises ``ReportError``."""
    first, last = read_figure(start, "start"), read_figure(end, "end")
    if not MJD_RANGE[0] <= first < last <= MJD_RANGE[1]:
        raise ReportError("interval", f"{start} {end}", "not two MJDs in order")
    return first, last


def read_figure(text: str, field: str) -> float:
    """Read a number; raises ``ReportError`` naming the field."""
    value = read_number(text)
    if value is None or abs(value) > 1e9:
        raise ReportError(field, text, "not a number")
    return value
