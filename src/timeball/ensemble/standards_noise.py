"""Covariances of what frequency standards say of a scale: the scale's own noise, and what reports have in common.

All is about d, the fractional deviation of the scale interval over some days, dimensionless; times are MJDs.

The scale's noise: the mean of d over a report's interval less that over the interval asked for is a difference of
phases that neither an offset nor a rate can change. So its covariances follow from the generalised covariances of
phase (power-law noise; Matheron's intrinsic functions): white FM −q|t|/2, flicker FM c t² ln|t|, random walk FM
q|t|³/12, with q = wfm², c = ffm²/(4 ln 2), q = 3 rwfm², which give the Allan variances of `ClockNoise` back exactly.

What it does not do: random run FM, which has no mean frequency to speak of without a drift.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.noise import ClockNoise
from timeball.readings import FloatArray

DAY_S = 86_400.0
_SPECIES = re.compile(r"Rb|Sr|Yb|Hg|Al|Ca|In", re.ASCII | re.IGNORECASE)


class Report(Protocol):
    """What is needed of a report; `formats.PSFSReport` is one."""

    @property
    def standard(self) -> str:
        """Name, LAB-STANDARD."""

    @property
    def start_mjd(self) -> float:
        """First MJD."""

    @property
    def end_mjd(self) -> float:
        """Last MJD."""

    @property
    def d(self) -> float:
        """Deviation of the scale interval."""

    @property
    def u_a(self) -> float:
        """Statistical uncertainty."""

    @property
    def u_b(self) -> float:
        """Systematic uncertainty."""

    @property
    def u_lab(self) -> float:
        """Uncertainty of the link inside the laboratory."""

    @property
    def u_tai(self) -> float:
        """Uncertainty of the link to the scale."""

    @property
    def u(self) -> float:
        """Combined uncertainty without u_srep."""

    @property
    def u_srep(self) -> float:
        """Uncertainty of the recommended frequency."""


def scale_covariance(
    intervals: Sequence[tuple[float, float]], asked: tuple[float, float], noise: ClockNoise
) -> FloatArray:
    """Give the covariance [n, n] of mean d over each interval less mean d over the one asked for, by the scale's noise.

    White PM is left out: it belongs to the links. Raises ``EnsembleError`` for random run FM.
    """
    if noise.rrfm > 0:
        raise EnsembleError("a scale with random run FM has no mean rate over a gap: remove its drift first")
    edges = np.array([edge for interval in (*intervals, asked) for edge in interval], dtype=np.float64)
    edges -= asked[0]  # days; only differences count
    take = np.zeros((len(intervals), edges.size))
    for row, (start, end) in enumerate(intervals):
        take[row, [2 * row, 2 * row + 1]] = -1.0 / (end - start), 1.0 / (end - start)
        take[row, [-2, -1]] = 1.0 / (asked[1] - asked[0]), -1.0 / (asked[1] - asked[0])
    apart = np.abs(edges[:, None] - edges[None, :])
    kernel = -0.5 * noise.wfm**2 / DAY_S * apart + 3.0 * noise.rwfm**2 * DAY_S * apart**3 / 12.0
    logarithm = np.log(apart, out=np.zeros_like(apart), where=apart > 0)
    kernel += noise.ffm**2 / (4.0 * math.log(2.0)) * apart**2 * logarithm
    covariance: FloatArray = take @ kernel @ take.T
    return 0.5 * (covariance + covariance.T)


def report_covariance(reports: Sequence[Report]) -> FloatArray:
    """Give the covariance [n, n] of the reports' errors.

    u_a: independent, but for what one standard reports twice of the same days. u_b: wholly common to one standard.
    Links: phases at the ends, so reports of one laboratory that share an end share that phase (adjacent ones with
    opposite sign). u_srep: common to all standards of one transition.
    """
    return (
        _shared(reports, lambda one: one.u_a, _days_in_common, lambda one: one.standard)
        + _shared(reports, lambda one: one.u_b, _wholly, lambda one: one.standard)
        + _shared(reports, lambda one: one.u_lab, _ends_in_common, lambda one: one.standard)
        + _shared(reports, lambda one: one.u_tai, _ends_in_common, lambda one: laboratory_of(one.standard))
        + _shared(reports, lambda one: one.u_srep, _wholly, lambda one: transition_of(one.standard) or one.standard)
    )


def _shared(
    reports: Sequence[Report],
    part: Callable[[Report], float],
    correlation: Callable[[Report, Report], float],
    owner: Callable[[Report], str],
) -> FloatArray:
    """Give part_i · part_j · correlation for reports of one owner, 0 for those of two."""
    covariance = np.zeros((len(reports), len(reports)))
    for i, one in enumerate(reports):
        for j, other in enumerate(reports[: i + 1]):
            if i == j or owner(one) == owner(other):
                rho = 1.0 if i == j else correlation(one, other)
                covariance[i, j] = covariance[j, i] = rho * part(one) * part(other)
    return covariance


def _wholly(_: Report, __: Report) -> float:
    return 1.0


def _days_in_common(one: Report, other: Report) -> float:
    """White frequency noise averaged over two intervals: common days over the geometric mean of the lengths."""
    common = min(one.end_mjd, other.end_mjd) - max(one.start_mjd, other.start_mjd)
    return max(common, 0.0) / math.sqrt((one.end_mjd - one.start_mjd) * (other.end_mjd - other.start_mjd))


def _ends_in_common(one: Report, other: Report) -> float:
    """A phase error at each end: +1/2 for each end at the same place, −1/2 where one ends as the other begins."""
    same = (one.start_mjd == other.start_mjd) + (one.end_mjd == other.end_mjd)
    opposite = (one.start_mjd == other.end_mjd) + (one.end_mjd == other.start_mjd)
    return (same - opposite) / 2.0


def laboratory_of(standard: str) -> str:
    """Give the laboratory in front of the hyphen of a standard's name: PTB of PTB-CSF2; the name itself without one."""
    return standard.partition("-")[0]


def transition_of(standard: str) -> str:
    """Give the element of a secondary standard from its name (SYRTE-FORb: Rb, NICT-Sr1: Sr), "" for caesium."""
    found = _SPECIES.search(standard.partition("-")[2])
    return found[0].capitalize() if found else ""
