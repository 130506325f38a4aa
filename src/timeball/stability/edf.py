"""Equivalent degrees of freedom (EDF) of a deviation under a power-law noise.

Of the deviations whose terms are differences of phase (ADEV, OADEV, MDEV, TDEV, HDEV, OHDEV, TIE rms, PDEV) the EDF is
summed from the autocovariance of the terms, after Greenhall and Riley (2003): with n terms z of autocovariance R(k),
edf = n² R(0)² / Σ R(i − j)², over the pairs of terms that the record has. So gaps count exactly, and nothing is
interpolated from tables. Of the total and Theo deviations there are only fits: `edf_tables`.

Not here: the noise (`noise`), the interval (`confidence`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.stability import edf_tables
from timeball.stability.covariance import parabola_covariance, term_covariance
from timeball.stability.present import BoolArray, has_gaps, pairs_at, present_terms, windows
from timeball.stability.records import Record

# Up to so many lags the sum is taken one by one; above, the lags thicken where the autocovariance is sharp.
EVERY_LAG = 256
THINNING = 1.06


@dataclass(frozen=True, slots=True)
class Differences:
    """A deviation of differences of phase: their order, averaged over τ or not, at every point or every m-th."""

    order: int
    modified: bool = False
    overlapping: bool = True


DIFFERENCES = {
    "tierms": Differences(1),
    "adev": Differences(2, overlapping=False),
    "oadev": Differences(2),
    "mdev": Differences(2, modified=True),
    "tdev": Differences(2, modified=True),
    "hdev": Differences(3, overlapping=False),
    "ohdev": Differences(3),
}
TABLES = ("totdev", "mtotdev", "ttotdev", "htotdev", "theo1", "theobr")
# Below these factors the fits of the total deviations do not hold (that of TOTDEV gives more freedoms than terms);
# there they reflect little, and the plain EDF does: by algebra that of TOTDEV is above it by 3 % at most.
FEWEST_TOTAL = {"totdev": 8, "mtotdev": 16, "ttotdev": 16, "htotdev": 16}
PLAIN_OF = {"totdev": "oadev", "mtotdev": "mdev", "ttotdev": "mdev", "htotdev": "ohdev"}


def degrees_of_freedom(key: str, record: Record, m: int, alpha: int) -> float:
    """EDF of the deviation `key` at averaging factor m under noise of this alpha; NaN where there is none.

    NaN: MTIE (no chi-square law), a noise for which the deviation does not converge, a record without a term.
    """
    if key in TABLES and (found := _from_table(key, record, m, alpha)) is not None:
        return found
    total, key = key == "totdev", PLAIN_OF.get(key, key)
    if key == "pdev" and m > 1:
        return _parabolic(record, m, alpha)
    form = DIFFERENCES.get("oadev" if key == "pdev" else key)
    if form is None or alpha + 2 * form.order <= 1:
        return float("nan")
    found = _exact(form, record, m, alpha)
    if total and alpha > 0:
        return edf_tables.total_of_phase_noise(found, _points(record), m, alpha)
    return found


def _points(record: Record) -> int:
    return int(np.isfinite(record.x).sum()) if has_gaps(record) else record.x.size


def _from_table(key: str, record: Record, m: int, alpha: int) -> float | None:
    points = _points(record)
    if key in ("theo1", "theobr"):
        law = edf_tables.theo1 if key == "theo1" else edf_tables.theo_without_bias
        return law(points, m, alpha)
    if m < FEWEST_TOTAL[key]:
        return None
    return edf_tables.total(key, (points - 1) / m, alpha)


def _exact(form: Differences, record: Record, m: int, alpha: int) -> float:
    span = (form.order + 1) * m if form.modified else form.order * m + 1
    if record.x.size < span:
        return float("nan")
    there = _terms(form, record, m, span)
    step = 1 if form.overlapping else m
    reach = min((form.order + 1) * m // step, _length(there) - 1)
    lags = _lags(reach, m) if form.overlapping else np.arange(reach + 1)
    covariance = term_covariance(alpha, form.order, m, lags * step, modified=form.modified)
    if alpha == 2 and not form.modified:
        # white PM ties a term to those that share a phase with it and to no other
        shared = lags * step % m == 0
        lags = np.arange(0, reach + 1, m // step) if form.overlapping else lags[shared]
        covariance = term_covariance(alpha, form.order, m, lags * step)
        return _ratio(covariance, pairs_at(there, lags), np.ones(lags.size))
    return _ratio(covariance, pairs_at(there, lags), _weights(lags))


def _terms(form: Differences, record: Record, m: int, span: int) -> BoolArray | int:
    step = 1 if form.overlapping else m
    if not has_gaps(record):
        return (record.x.size - span) // step + 1
    points = np.arange(form.order + 1) * m
    there = windows(record, span) if form.modified else present_terms(record, points)
    return there[::step]


def _parabolic(record: Record, m: int, alpha: int) -> float:
    if alpha < -2 or record.x.size < 2 * m + 1:
        return float("nan")
    there: BoolArray | int = record.x.size - 2 * m
    if has_gaps(record):
        there = windows(record, 2 * m)[:-1]
    covariance, at = parabola_covariance(alpha, m)
    kept = at <= _length(there) - 1
    covariance, lags = covariance[kept], np.rint(at[kept]).astype(np.int64)
    return _ratio(covariance, pairs_at(there, lags), np.full(lags.size, at[1] - at[0]))


def _length(there: BoolArray | int) -> int:
    return there if isinstance(there, int) else there.size


def _ratio(covariance: NDArray[np.float64], pairs: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    n = float(pairs[0])
    if n < 1.0:
        return float("nan")
    squares = (covariance / covariance[0]) ** 2
    return n * n / (n + 2.0 * float(np.sum((weights * pairs * squares)[1:])))


def _lags(reach: int, m: int) -> NDArray[np.int64]:
    """Lags 0 … reach: all, or thick about the multiples of m, where terms share phases, and thin between them."""
    if reach <= EVERY_LAG:
        return np.arange(reach + 1)
    steps = [*range(16)]
    while steps[-1] < m:
        steps.append(max(int(steps[-1] * THINNING), steps[-1] + 1))
    near = np.array([step for step in steps if step <= m // 2 + 1])
    around = np.concatenate([sign * near + i * m for i in range(reach // m + 2) for sign in (-1, 1)])
    return np.unique(np.append(around[(around >= 0) & (around <= reach)], reach)).astype(np.int64)


def _weights(lags: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each lag stands for in a sum over all of them: the trapezoidal rule, 1 where none is left out."""
    gaps = np.diff(lags).astype(np.float64)
    weights = np.ones(lags.size)
    if gaps.size:
        weights[1:-1] = 0.5 * (gaps[:-1] + gaps[1:])
        weights[-1] = 0.5 * (gaps[-1] + 1.0)
        # the first lag stands for itself alone: what its half interval holds goes to its neighbour
        weights[1] += 0.5 * (gaps[0] - 1.0) if lags.size > 2 else 0.0
    return weights
