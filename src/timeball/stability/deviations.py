"""Allan deviation (ADEV), its overlapping (OADEV) and modified (MDEV) forms, and the time deviation (TDEV).

Sign convention: none is needed, a deviation is the same for x_a − x_b and x_b − x_a. x is phase (time deviation) in
seconds, y fractional frequency; m = τ/τ₀.

Not here: confidence intervals, noise identification, removal of drift or outliers. Records are even; those with time
tags are put on a grid first (`on_grid`), with NaN where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import kernels
from timeball.stability.errors import RecordError, TooShortError
from timeball.stability.records import Record, check_interval, frequency_record, phase_record
from timeball.stability.spacing import averaging_factors

Factors = Sequence[int] | str | None
KINDS = ("phase", "frequency")


@dataclass(frozen=True, slots=True)
class Deviations:
    """A deviation at k averaging times: tau_s float64[k] in s, m int64[k] = τ/τ₀, sigma float64[k], n int64[k] terms.

    sigma is dimensionless for ADEV, OADEV and MDEV, and in seconds for TDEV; NaN where gaps left no term (n = 0).
    """

    tau_s: NDArray[np.float64]
    m: NDArray[np.int64]
    sigma: NDArray[np.float64]
    n: NDArray[np.int64]


def adev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase") -> Deviations:
    """Allan deviation without overlap: terms start at every m-th point (NIST SP 1065, eq. 7 and 8).

    x: float[n], phase in s, or fractional frequency with kind="frequency"; NaN is missing. tau0_s: the interval in s.
    m: averaging factors, or "octave" (default), "decade", "all". A term that touches a missing value is left out.
    Averaging factors given one by one are all answered; a named spacing leaves out those where gaps left no term.
    Raises RecordError, FactorError, TooShortError (all of them StabilityError).
    """
    return _deviations(_ADEV, x, tau0_s, m, kind)


def oadev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase") -> Deviations:
    """Overlapping Allan deviation: terms start at every point (NIST SP 1065, eq. 11). Arguments, errors as `adev`."""
    return _deviations(_OADEV, x, tau0_s, m, kind)


def mdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase") -> Deviations:
    """Modified Allan deviation (NIST SP 1065, eq. 14 and 15). Arguments and errors as `adev`.

    A term is a window of 3m consecutive points, three averages of m; it counts only when all 3m are there. So with a
    share p of single points missing at random, a fraction (1 − p)^3m of the windows remains, and n says how many.
    """
    return _deviations(_MDEV, x, tau0_s, m, kind)


def tdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase") -> Deviations:
    """Time deviation in seconds, τ/√3 · MDEV (NIST SP 1065, eq. 16). Arguments, gaps and errors as `mdev`."""
    modified = _deviations(_TDEV, x, tau0_s, m, kind)
    sigma_s = np.asarray(modified.sigma * modified.tau_s / np.sqrt(3.0), dtype=np.float64)
    return Deviations(modified.tau_s, modified.m, sigma_s, modified.n)


def _adev_terms(record: Record, m: int) -> tuple[float, int]:
    grid = record.decimated(m)
    return kernels.sum_second_differences(grid.x, grid.starts, grid.stops, 1)


def _oadev_terms(record: Record, m: int) -> tuple[float, int]:
    return kernels.sum_second_differences(record.x, record.starts, record.stops, m)


def _mdev_terms(record: Record, m: int) -> tuple[float, int]:
    total, n = kernels.sum_moving_windows(record.x, record.starts, record.stops, m)
    return total / m / m, n


@dataclass(frozen=True, slots=True)
class _Form:
    """One deviation: its name, the sum of its squared terms at m, and the points a single term spans."""

    name: str
    terms: Callable[[Record, int], tuple[float, int]]
    span: Callable[[int], int]
    without_gaps: bool = False


_ADEV = _Form("ADEV", _adev_terms, lambda m: 2 * m + 1)
_OADEV = _Form("OADEV", _oadev_terms, lambda m: 2 * m + 1)
_MDEV = _Form("MDEV", _mdev_terms, lambda m: 3 * m, without_gaps=True)
_TDEV = _Form("TDEV", _mdev_terms, lambda m: 3 * m, without_gaps=True)


def _deviations(form: _Form, x: ArrayLike, tau0_s: float, m: Factors, kind: str) -> Deviations:
    tau0_s = check_interval(tau0_s)
    if kind not in KINDS:
        raise RecordError(f"a record is of phase or of frequency, not {kind!r}")
    record = phase_record(x) if kind == "phase" else frequency_record(x, tau0_s)
    factors = _factors(form, record.x.size, m)
    if form.without_gaps:
        record = record.finite_stretches()
    sigma = np.full(factors.size, np.nan)
    count = np.zeros(factors.size, dtype=np.int64)
    tau_s: NDArray[np.float64] = factors.astype(np.float64) * tau0_s
    for k, factor in enumerate(factors.tolist()):
        total, count[k] = form.terms(record, factor)
        if count[k]:
            sigma[k] = np.sqrt(total / (2 * count[k])) / tau_s[k]
    # a named spacing gives what there is; factors asked for one by one are all answered, even with "no term"
    keep = count > 0 if m is None or isinstance(m, str) else np.ones(factors.size, dtype=bool)
    return Deviations(tau_s[keep], factors[keep], sigma[keep], count[keep])


def _factors(form: _Form, points: int, m: Factors) -> NDArray[np.int64]:
    span = form.span
    longest = max((points - span(0)) // (span(1) - span(0)), 0)
    factors = averaging_factors(longest, m)
    if factors.size == 0 or span(int(factors.max())) > points:
        factor = int(factors.max()) if factors.size else 1
        raise TooShortError(form.name, factor, points, span(factor))
    return factors
