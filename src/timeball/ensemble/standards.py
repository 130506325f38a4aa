"""The rate of a scale from reports of frequency standards, as the BIPM finds TAI's d: one best estimate over an
interval from all reports of a year, those before, after and across it.

Sign: d is the fractional deviation of the scale interval, y = −d the scale's frequency.

The estimate is the best linear unbiased one (Azoubib, Granveaud and Guinot, Metrologia 13, 1977): weights that sum to
1 and make its variance least, given the reports' uncertainties with what they share, and the noise of the scale
between a report's interval and the one asked for. Beside it stands the plain weighted mean, 1/(u² + uSrep²).

What it does not do: judge a standard, or steer. TAI is steered; its free scale EAL has the noise. So known steering is
taken off before and put back after. Least squares in numpy: nothing here is recorded or replayed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.noise import ClockNoise
from timeball.ensemble.standards_noise import Report, report_covariance, scale_covariance
from timeball.readings import FloatArray

# EAL, of the size usually given for it (not checked against a text of the BIPM): 1.4e-15 at 1 d, a floor of 3e-16,
# and 2e-17 √(τ/d). Whoever knows better gives another.
EAL_NOISE = ClockNoise(wfm=1.4e-15 * 86_400**0.5, ffm=3.0e-16, rwfm=2.0e-17 / 86_400**0.5)


@dataclass(frozen=True, slots=True)
class Correction:
    """A known rate y(free scale) − y(scale) between two MJDs; of TAI it is f(EAL) − f(TAI)."""

    start_mjd: float
    end_mjd: float
    y: float


@dataclass(frozen=True, slots=True, eq=False)
class RateEstimate:
    """d of a scale over start_mjd to end_mjd, and how n reports led to it.

    d, u: the estimate and its standard uncertainty. weights: float64[n], sum 1 (one may be negative where reports
    share an error). mean_d, mean_u: the plain mean with weights 1/(u² + uSrep²) of the reports whose middle lies in
    the interval, NaN when none does. chi2, degrees: of the reports about the estimate. off, u_off: float64[n], each
    report less what all others make expect for its days, and the standard uncertainty of that; NaN for a single one.
    """

    start_mjd: float
    end_mjd: float
    d: float
    u: float
    weights: FloatArray
    mean_d: float
    mean_u: float
    chi2: float
    degrees: int
    off: FloatArray
    u_off: FloatArray

    @property
    def y(self) -> float:
        """The scale's mean fractional frequency against the standards, −d."""
        return -self.d


def estimate_rate(
    reports: Sequence[Report],
    start_mjd: float,
    end_mjd: float,
    noise: ClockNoise = EAL_NOISE,
    corrections: Sequence[Correction] = (),
) -> RateEstimate:
    """Estimate d over an interval from reports of any intervals.

    noise: of the free scale. corrections: known steering; when any is given it must cover all intervals. Raises
    ``EnsembleError`` without a report, for an empty interval, or when uncertainties leave nothing to weigh.
    """
    if not reports or not end_mjd > start_mjd:
        raise EnsembleError("a rate needs a report of a standard and an interval that is not empty")
    intervals = [(report.start_mjd, report.end_mjd) for report in reports]
    asked = (start_mjd, end_mjd)
    # d = −y, so the free scale's d is the scale's less the correction
    steered = np.array([mean_correction(corrections, *interval) for interval in (*intervals, asked)])
    d = np.array([report.d for report in reports]) - steered[:-1]
    precision = _inverse(scale_covariance(intervals, asked, noise) + report_covariance(reports))
    column = precision @ np.ones(len(reports))
    variance = 1.0 / float(column.sum())
    weights = column * variance
    estimate = float(weights @ d)
    rest = d - estimate
    off, u_off = _against_the_others(precision, column, variance, d)
    mean_d, mean_u = weighted_mean(reports, start_mjd, end_mjd)
    return RateEstimate(
        start_mjd,
        end_mjd,
        estimate + float(steered[-1]),
        variance**0.5,
        weights,
        mean_d,
        mean_u,
        float(rest @ precision @ rest),
        len(reports) - 1,
        off,
        u_off,
    )


def weighted_mean(reports: Sequence[Report], start_mjd: float, end_mjd: float) -> tuple[float, float]:
    """Give the mean d with weights 1/(u² + uSrep²) of the reports whose middle lies in the interval, and its u.

    Reports count as independent; (NaN, NaN) when there is none.
    """
    inside = [each for each in reports if start_mjd <= (each.start_mjd + each.end_mjd) / 2 < end_mjd]
    if not inside:
        return float("nan"), float("nan")
    weights = np.array([1.0 / (report.u**2 + report.u_srep**2) for report in inside])
    total = float(weights.sum())
    return float(weights @ np.array([report.d for report in inside])) / total, total**-0.5


def mean_correction(corrections: Sequence[Correction], start_mjd: float, end_mjd: float) -> float:
    """Give the mean of the known steering over an interval, 0 when none is given at all.

    Raises ``EnsembleError`` where corrections overlap with other values or leave part of the interval open.
    """
    if not corrections:
        return 0.0
    whole = sorted({(each.start_mjd, each.end_mjd, each.y) for each in corrections})
    total, reached = 0.0, start_mjd
    for (start, end, y), (following, *_) in itertools.pairwise([*whole, (whole[-1][1], 0.0, 0.0)]):
        if end > following:
            raise EnsembleError(f"two steering corrections hold at MJD {following:g}")
        if start <= reached < end:
            until = min(end, end_mjd)
            total += y * max(until - reached, 0.0)
            reached = max(reached, until)
    if reached < end_mjd:
        raise EnsembleError(f"no steering correction is known at MJD {reached:g}, but others are")
    return total / (end_mjd - start_mjd)


def _inverse(covariance: FloatArray) -> FloatArray:
    scale = np.sqrt(np.diag(covariance))
    try:
        np.linalg.cholesky(covariance / np.outer(scale, scale))
        inverse: FloatArray = np.linalg.inv(covariance / np.outer(scale, scale)) / np.outer(scale, scale)
    except np.linalg.LinAlgError as error:
        raise EnsembleError(
            "reports share all of their uncertainty: they cannot be weighed against each other"
        ) from error
    return inverse


def _against_the_others(
    precision: FloatArray, column: FloatArray, variance: float, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give each report less its best prediction from all others, and the uncertainty of that (deletion residuals)."""
    if len(d) < 2:
        return np.full(len(d), np.nan), np.full(len(d), np.nan)
    free = precision - variance * np.outer(column, column)
    kept = np.diag(free)
    return (free @ d) / kept, kept**-0.5


def chi2_tail(chi2: float, degrees: int) -> float:
    """Give the probability of a chi² at least this large with so many degrees of freedom; NaN without any.

    The finite sums for whole and half degrees (Abramowitz and Stegun 26.4.4 and 26.4.5).
    """
    if degrees < 1 or not chi2 >= 0:
        return math.nan
    half = chi2 / 2.0
    if degrees % 2:
        tail, term, first = math.erfc(math.sqrt(half)), math.sqrt(half / math.pi) * 2.0 * math.exp(-half), 3
    else:
        tail, term, first = math.exp(-half), half * math.exp(-half), 4
    for k in range(first, degrees + 1, 2):
        tail += term
        term *= chi2 / k
    return min(tail, 1.0)
