"""What all deviations share: the answer's columns, and the way from a record to one value for each averaging factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.errors import FactorError, RecordError, TooShortError
from timeball.stability.records import Record, check_interval, frequency_record, phase_record
from timeball.stability.spacing import averaging_factors

Factors = Sequence[int] | str | None
KINDS = ("phase", "frequency")


@dataclass(frozen=True, slots=True)
class Deviations:
    """A deviation at k averaging times: tau_s float64[k] in s, m int64[k], sigma float64[k], n int64[k] terms.

    m = τ/τ₀, but for Theo1 and TheoBR, where τ = 0.75 m τ₀. sigma is in seconds for TDEV, TTOTDEV, TIE rms and MTIE,
    else dimensionless; NaN where gaps left no term (n = 0).
    """

    tau_s: NDArray[np.float64]
    m: NDArray[np.int64]
    sigma: NDArray[np.float64]
    n: NDArray[np.int64]


# For a prepared record and factors: the sum of the squared terms at each, and how many there are.
Sums = tuple[NDArray[np.float64], NDArray[np.int64]]
Terms = Callable[[Record, NDArray[np.int64]], Sums]


@dataclass(frozen=True, slots=True)
class Form:
    """One deviation: its name, its terms, and how σ² is made of them.

    span: the phase points that a single term needs; scale: σ² = scale(m) · sum / n / τ₀² at m, or without the τ₀² when
    `timed`; without_gaps: terms are windows in which no point may be missing; even_from: factors are even and at least
    this; τ = tau_ratio · m · τ₀; with_rate: a frequency record keeps its mean, because the deviation shows it; least:
    fewest points of a record, whatever m; together: the factors share a pass, so that threads take them by groups.
    """

    name: str
    terms: Terms
    span: Callable[[int], int]
    scale: Callable[[int], float]
    timed: bool = False
    without_gaps: bool = False
    even_from: int = 0
    tau_ratio: float = 1.0
    with_rate: bool = False
    least: int = 0
    together: bool = False


def one_by_one(work: Callable[[Record, int], tuple[float, int]]) -> Terms:
    """Make terms for many factors of those for one."""

    def terms(record: Record, factors: NDArray[np.int64]) -> Sums:
        found = [work(record, factor) for factor in factors.tolist()]
        return np.array([total for total, _ in found]), np.array([n for _, n in found], dtype=np.int64)

    return terms


def deviations(form: Form, x: ArrayLike, tau0_s: float, m: Factors, kind: str, threads: int = 1) -> Deviations:
    """Compute a form at each averaging factor, up to `threads` of them at once; the threads change no bit."""
    tau0_s = check_interval(tau0_s)
    record = prepare(x, tau0_s, kind, with_rate=form.with_rate)
    factors = choose_factors(form, record.x.size, m)
    return compute(form, record, tau0_s, factors, keep_empty=not (m is None or isinstance(m, str)), threads=threads)


def prepare(x: ArrayLike, tau0_s: float, kind: str, *, with_rate: bool = False) -> Record:
    """Make a record of phase or of frequency; RecordError for another kind or for what is no line of numbers."""
    if kind not in KINDS:
        raise RecordError(f"a record is of phase or of frequency, not {kind!r}")
    return phase_record(x) if kind == "phase" else frequency_record(x, tau0_s, with_rate=with_rate)


def compute(
    form: Form, record: Record, tau0_s: float, factors: NDArray[np.int64], *, keep_empty: bool, threads: int = 1
) -> Deviations:
    """Compute a form of a prepared record; without keep_empty, factors without a term are left out."""
    if form.without_gaps:
        record = record.finite_stretches()
    total, count = _sums(form, record, factors, threads)
    sigma = np.full(factors.size, np.nan)
    for k in np.flatnonzero(count).tolist():
        sigma[k] = np.sqrt(form.scale(int(factors[k])) * (total[k] / count[k]))
    if not form.timed:
        sigma /= tau0_s
    tau_s: NDArray[np.float64] = form.tau_ratio * factors.astype(np.float64) * tau0_s
    # a named spacing gives what there is; factors asked for one by one are all answered, even with "no term"
    keep = np.ones(factors.size, dtype=bool) if keep_empty else count > 0
    return Deviations(tau_s[keep], factors[keep], sigma[keep], count[keep])


def _sums(form: Form, record: Record, factors: NDArray[np.int64], threads: int) -> Sums:
    """Sum the terms at every factor; no factor's sum is ever shared by two threads."""
    if threads <= 1 or factors.size <= 1:
        return form.terms(record, factors)
    total, count = np.empty(factors.size), np.empty(factors.size, dtype=np.int64)
    # the costliest factors come last in a spacing, so they are begun first
    groups = [np.arange(k, factors.size, threads if form.together else factors.size) for k in range(factors.size)][::-1]
    if form.together:
        groups = groups[-threads:]
    with ThreadPoolExecutor(threads) as pool:
        for group, found in zip(
            groups, pool.map(lambda group: form.terms(record, factors[group]), groups), strict=True
        ):
            total[group], count[group] = found
    return total, count


def choose_factors(form: Form, points: int, m: Factors) -> NDArray[np.int64]:
    """Choose averaging factors for a record of so many phase points; TooShortError when not even one fits."""
    span = form.span
    longest = max((points - span(0)) // (span(1) - span(0)), 0)
    factors = averaging_factors(longest, m)
    if form.even_from:
        factors = _even(form, factors, named=m is None or isinstance(m, str))
    needed = max(span(int(factors.max())) if factors.size else span(max(form.even_from, 1)), form.least)
    if factors.size == 0 or needed > points:
        factor = int(factors.max()) if factors.size else max(form.even_from, 1)
        raise TooShortError(form.name, factor, points, needed)
    return factors


def _even(form: Form, factors: NDArray[np.int64], *, named: bool) -> NDArray[np.int64]:
    fits = (factors % 2 == 0) & (factors >= form.even_from)
    if not named and not fits.all():
        raise FactorError(
            f"{form.name} takes even averaging factors of at least {form.even_from}, not {factors[~fits].tolist()}"
        )
    chosen: NDArray[np.int64] = factors[fits]
    return chosen
