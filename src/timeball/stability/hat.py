"""The noise of each of three clocks out of their differences: Groslambert covariance and three-cornered hat.

Sign: x_ab = x_a − x_b, x_bc = x_b − x_c, x_ca = x_c − x_a, as three comparators give them. With z the terms of the
deviation, Groslambert's covariance is σ_a² = −E[z_ab z_ca] (Groslambert, Fest, Olivier and Gagnepain 1981); noise of
the three comparators that is not common averages out of it. The three-cornered hat (Gray and Allan 1974) is
σ_a² = (σ_ab² + σ_ca² − σ_bc²)/2 and keeps that noise. Both assume clocks that are independent of each other.

An estimate may be negative: that is its uncertainty, not a fault, and no deviation is given for it. `closure` is the
deviation of x_ab + x_bc + x_ca, which is the comparators' own noise and zero when one counter measured all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.edf import DIFFERENCES, Differences, degrees_of_freedom
from timeball.stability.errors import RecordError, StabilityError, TooShortError
from timeball.stability.noise import identify_noise
from timeball.stability.present import present_terms, windows
from timeball.stability.records import Record, check_interval, frequency_record, phase_record
from timeball.stability.spacing import averaging_factors

FloatArray = NDArray[np.float64]
METHODS = ("groslambert", "hat")
KEYS = ("oadev", "mdev", "tdev", "ohdev")


class HatError(StabilityError):
    """Three records that do not belong together, or a method or deviation that the hat does not have."""


@dataclass(frozen=True, slots=True)
class Hat:
    """Three clocks a, b, c at k averaging times.

    variance float64[3, k] may be negative; u_variance its standard uncertainty; sigma its root, NaN where negative;
    closure float64[k]; edf float64[k] of the differences; n int64[k] terms that all three records have.
    """

    tau_s: FloatArray
    m: NDArray[np.int64]
    variance: FloatArray
    u_variance: FloatArray
    sigma: FloatArray
    closure: FloatArray
    edf: FloatArray
    n: NDArray[np.int64]


def three_clocks(
    x_ab: ArrayLike,
    x_bc: ArrayLike,
    x_ca: ArrayLike,
    tau0_s: float,
    m: Sequence[int] | str | None = None,
    *,
    key: str = "oadev",
    method: str = "groslambert",
    kind: str = "phase",
) -> Hat:
    """Give the deviation of each clock from three records of the same epochs (NaN: missing), one every tau0_s.

    key: "oadev", "mdev", "tdev" or "ohdev"; method: "groslambert" or "hat"; m, kind: as `oadev`. Only terms that all
    three records have are used. Raises HatError, RecordError, FactorError, TooShortError.
    """
    form = _form(key, method)
    tau0_s = check_interval(tau0_s)
    if kind not in ("phase", "frequency"):
        raise RecordError(f"a record is of phase or of frequency, not {kind!r}")
    given = (x_ab, x_bc, x_ca)
    records = [phase_record(x) if kind == "phase" else frequency_record(x, tau0_s) for x in given]
    if len({record.x.size for record in records}) != 1:
        raise HatError("the three records must be of the same epochs: they differ in length")
    factors = _factors(form, records[0].x.size, m, key)
    alphas = [identify_noise(x, tau0_s, factors, kind=kind, lowest=-4 if form.order == 3 else -2).alpha for x in given]
    rows = [
        _at(form, records, factor, method, [int(alpha[k]) for alpha in alphas])
        for k, factor in enumerate(factors.tolist())
    ]
    tau_s = factors.astype(np.float64) * tau0_s
    # the sums are of phases: by what they become squares of the deviation
    scale = (tau_s**2 / 3.0 if key == "tdev" else np.ones(tau_s.size)) / tau_s**2
    variance = np.array([row[0] for row in rows]).T * scale
    u_variance = np.array([row[1] for row in rows]).T * scale
    closure = np.sqrt(np.array([row[2] for row in rows]) * scale)
    edf = np.array([row[3] for row in rows])
    sigma = np.sqrt(np.where(variance > 0.0, variance, np.nan))
    return Hat(tau_s, factors, variance, u_variance, sigma, closure, edf, np.array([row[4] for row in rows]))


def _form(key: str, method: str) -> Differences:
    if key not in KEYS:
        raise HatError(f"three clocks are told apart by {', '.join(KEYS)}, not by {key!r}")
    if method not in METHODS:
        raise HatError(f"a method is {' or '.join(METHODS)}, not {method!r}")
    return DIFFERENCES[key]


def _factors(form: Differences, points: int, m: Sequence[int] | str | None, key: str) -> NDArray[np.int64]:
    span, more = (0, form.order + 1) if form.modified else (1, form.order)
    factors = averaging_factors(max((points - span) // more, 0), m)
    if factors.size == 0 or span + more * int(factors.max()) > points:
        factor = int(factors.max()) if factors.size else 1
        raise TooShortError(key.upper(), factor, points, span + more * factor)
    return factors


def _at(
    form: Differences, records: list[Record], m: int, method: str, alphas: list[int]
) -> tuple[FloatArray, FloatArray, float, float, int]:
    """Variances of the three clocks, their uncertainties, the closure, the degrees of freedom and the terms at m."""
    terms = [_terms(form, record, m) for record in records]
    there = np.isfinite(terms[0]) & np.isfinite(terms[1]) & np.isfinite(terms[2])
    n = int(there.sum())
    nothing = np.full(3, np.nan)
    if n == 0:
        return nothing, nothing, np.nan, np.nan, 0
    ab, bc, ca = (z[there] for z in terms)
    # by the binomial of its order the mean square of white FM is 1
    scale = {2: 2.0, 3: 6.0}[form.order] * n
    v_ab, v_bc, v_ca = (float(np.sum(z * z)) / scale for z in (ab, bc, ca))
    if method == "groslambert":
        variance = -np.array([np.sum(ab * ca), np.sum(ab * bc), np.sum(bc * ca)]) / scale
    else:
        variance = 0.5 * np.array([v_ab + v_ca - v_bc, v_ab + v_bc - v_ca, v_bc + v_ca - v_ab])
    closure = float(np.sum((ab + bc + ca) ** 2)) / scale
    key = next(name for name, each in DIFFERENCES.items() if each == form)
    edf = float(np.nanmin([degrees_of_freedom(key, record, m, a) for record, a in zip(records, alphas, strict=True)]))
    pairs = np.array([v_ab * v_ca, v_ab * v_bc, v_bc * v_ca])
    return variance, np.sqrt((pairs + variance**2) / max(edf, 1.0)), closure, edf, n


def _terms(form: Differences, record: Record, m: int) -> FloatArray:
    """Terms at every point, NaN where one is not there."""
    x = record.x
    size = x.size - form.order * m
    z = np.diff(np.stack([x[i * m : i * m + size] for i in range(form.order + 1)]), n=form.order, axis=0)[0]
    if not form.modified:
        return np.where(present_terms(record, np.arange(form.order + 1) * m), z, np.nan)
    known = np.where(np.isfinite(z), z, 0.0)
    sums = np.concatenate(([0.0], np.cumsum(known)))
    moving = (sums[m:] - sums[:-m]) / m
    return np.where(windows(record, (form.order + 1) * m), moving, np.nan)
