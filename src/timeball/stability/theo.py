"""Thêo1 and what is made of it: a two-sample variance that reaches averaging times of three quarters of the record.

THEO1 is raw; its bias against the Allan deviation depends on the noise. THEOBR removes the bias by comparison with the
Allan deviation of the same record, whatever the noise; THEOH is the Allan deviation up to a tenth of the record and
THEOBR beyond. x is phase in seconds; m is even and τ = 0.75 m τ₀; no sign convention is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import kernels_theo
from timeball.stability.deviations import OADEV
from timeball.stability.errors import TooShortError
from timeball.stability.forms import Deviations, Factors, Form, choose_factors, compute, deviations, one_by_one, prepare
from timeball.stability.records import Record, check_interval

STRIDE = 0.75  # τ = STRIDE · m · τ₀
SMALLEST = 10  # a smaller m is not Thêo1 (NIST SP 1065, 5.2.15)
LEAST_POINTS = 19  # for the first ratio to the Allan variance
# All ratios are taken while they need no more than so many terms (some 4 000 points); beyond, an even choice of them,
# so that the work grows with N² and not with N³.
MOST_TERMS = 1e9
FEWEST_RATIOS = 16


def theo1(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Thêo1 deviation, raw (NIST SP 1065, eq. 30, with the factor 1/0.75 that its print omits and its values have).

    m: even, 10 to N − 1, and τ = 0.75 m τ₀; a named spacing leaves out what is odd or smaller. A window of m + 1 points
    counts only when all are there; n counts its m/2 inner terms, as Stable32 does. Other arguments, errors as `adev`.
    """
    return deviations(THEO1, x, tau0_s, m, kind, threads)


def theobr(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Thêo1 deviation with its bias removed (NIST SP 1065, eq. 31; Taylor and Howe 2005). Arguments as `theo1`.

    The variance is multiplied by the mean ratio of the overlapping Allan variance at 9 + 3i to Thêo1 at 12 + 4i, for
    i = 0 .. ⌊N/6 − 3⌋ as far as the record goes; beyond some 4 000 points over a choice of these. sigma is NaN and n 0
    where gaps left no ratio.
    """
    tau0_s = check_interval(tau0_s)
    record = prepare(x, tau0_s, kind)
    factors = choose_factors(THEOBR, record.x.size, m)
    return _bias_removed(record, tau0_s, factors, keep_empty=_one_by_one(m), threads=threads)


def theoh(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Allan deviation up to τ = T/10, bias-removed Thêo1 beyond (NIST SP 1065, 5.2.16). Arguments, errors as `adev`.

    m up to T/(10 τ₀) is an averaging factor of the overlapping Allan deviation, τ = m τ₀; a greater m is one of
    `theobr`: even, τ = 0.75 m τ₀. A named spacing takes of the second those whose τ goes on from the first.
    """
    tau0_s = check_interval(tau0_s)
    record = prepare(x, tau0_s, kind)
    points = record.x.size
    if points < LEAST_POINTS:
        raise TooShortError("THEOH", SMALLEST, points, LEAST_POINTS)
    tenth = (points - 1) // 10
    keep_empty = _one_by_one(m)
    if keep_empty:
        factors = choose_factors(ANY, points, m)
        short, long = factors[factors <= tenth], factors[factors > tenth]
        if long.size:
            choose_factors(THEOBR, points, long.tolist())
    else:
        short, long = choose_factors(OADEV, points, m), choose_factors(THEOBR, points, m)
        short, long = short[short <= tenth], long[STRIDE * long > tenth]
    parts = []
    if short.size:
        parts.append(compute(OADEV, record, tau0_s, short, keep_empty=keep_empty, threads=threads))
    if long.size:
        parts.append(_bias_removed(record, tau0_s, long, keep_empty=keep_empty, threads=threads))
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("tau_s", "m", "sigma", "n")]
    if keep_empty:  # in the order they were asked for
        place = np.argsort(np.argsort(factors > tenth, kind="stable"))
        columns = [column[place] for column in columns]
    return Deviations(*columns)


def _one_by_one(m: Factors) -> bool:
    return not (m is None or isinstance(m, str))


def _bias_removed(
    record: Record, tau0_s: float, factors: NDArray[np.int64], *, keep_empty: bool, threads: int
) -> Deviations:
    raw = compute(THEO1, record, tau0_s, factors, keep_empty=keep_empty, threads=threads)
    ratio = _mean_ratio(record, threads)
    sigma = raw.sigma * np.sqrt(ratio)
    keep = ~np.isnan(sigma) | keep_empty
    return Deviations(raw.tau_s[keep], raw.m[keep], sigma[keep], np.where(np.isnan(sigma), 0, raw.n)[keep])


def _mean_ratio(record: Record, threads: int) -> float:
    """Mean over τ of the Allan variance to Thêo1 of the same record; NaN where gaps left none."""
    steps = _ratio_steps(record.x.size)
    allan = compute(OADEV, record, 1.0, 9 + 3 * steps, keep_empty=True, threads=threads).sigma
    theo = compute(THEO1, record, 1.0, 12 + 4 * steps, keep_empty=True, threads=threads).sigma
    known = ~np.isnan(theo) & ~np.isnan(allan)
    if not known.any():
        return float("nan")
    known &= theo > 0
    if not known.any():  # a record that is one straight line: nothing stays nothing
        return 1.0
    return float(np.mean((allan[known] / theo[known]) ** 2))


def _ratio_steps(points: int) -> NDArray[np.int64]:
    """Choose the i of the ratios: all of 0 .. ⌊N/6 − 3⌋, or an even choice of them from the first to the last."""
    last = points // 6 - 3
    # the sum over all i of the terms of Thêo1 at 12 + 4i is close to 0.0154 N³
    most = max(FEWEST_RATIOS, int(MOST_TERMS * (last + 1) / (0.0154 * float(points) ** 3)))
    if last + 1 <= most:
        return np.arange(last + 1, dtype=np.int64)
    return np.unique(np.arange(most, dtype=np.int64) * last // (most - 1))


def _pairs(record: Record, m: int) -> tuple[float, int]:
    total, windows = kernels_theo.sum_theo(record.x, record.starts, record.stops, m)
    return total, windows * (m // 2)


def _theo_scale(m: int) -> float:
    return (m // 2) / (STRIDE * float(m) ** 2)


THEO1 = Form(
    "THEO1", one_by_one(_pairs), lambda m: m + 1, _theo_scale, without_gaps=True, even_from=SMALLEST, tau_ratio=STRIDE
)
THEOBR = Form(
    "THEOBR",
    one_by_one(_pairs),
    lambda m: m + 1,
    _theo_scale,
    without_gaps=True,
    even_from=SMALLEST,
    tau_ratio=STRIDE,
    least=LEAST_POINTS,
)
ANY = Form("THEOH", one_by_one(_pairs), lambda m: m + 1, _theo_scale)
