"""Total deviations: the record, or each stretch of 3m points of it, is carried on past its ends by reflection.

TOTDEV, MTOTDEV, TTOTDEV and HTOTDEV answer at long averaging times with more degrees of freedom than the deviations
they stand for. x is phase in seconds, y fractional frequency; m = τ/τ₀; no sign convention is needed.

Not here: the corrections of their bias, which depend on the noise. What these functions give is raw, as allantools
gives it: the variance of MTOTDEV is to be divided by 0.94, 0.83, 0.73, 0.70, 0.69 (white PM ... random walk FM) and
that of HTOTDEV by 0.995, 0.851, 0.771, 0.717, 0.679 (white FM ... random run FM). NIST SP 1065, table 11, prints other
numbers for MTOTDEV, which its own table 31 does not follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import kernels_total
from timeball.stability.deviations import as_time, half, sixth, sum_differences
from timeball.stability.forms import Deviations, Factors, Form, Sums, deviations, one_by_one
from timeball.stability.records import Record


def totdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Total deviation, m up to the whole record (NIST SP 1065, eq. 25). Arguments, gaps and errors as `adev`.

    The phase goes on past its first and last point by inverted reflection, so that each inner point is the middle of
    a term. In a record with gaps it is reflected at the first and the last value there is; frequencies between two
    gaps are a record of their own.
    """
    return deviations(TOTDEV, x, tau0_s, m, kind, threads)


def mtotdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Modified total deviation, raw (NIST SP 1065, eq. 27; Howe and Vernotte 1999). Arguments and errors as `adev`.

    A term is a stretch of 3m consecutive points, its slope removed, extended by reflection at both ends; it counts
    only when all its points are there.
    """
    return deviations(MTOTDEV, x, tau0_s, m, kind, threads)


def ttotdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Time total deviation in seconds, τ/√3 · MTOTDEV, raw (NIST SP 1065, eq. 28). Arguments as `mtotdev`."""
    return as_time(deviations(TTOTDEV, x, tau0_s, m, kind, threads))


def htotdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Hadamard total deviation, raw (NIST SP 1065, eq. 29; Howe et al. 2005). Arguments and errors as `adev`.

    A term is a stretch of 3m consecutive frequencies (3m + 1 phases), its drift removed, extended as in `mtotdev`.
    At m = 1 it is the Hadamard deviation.
    """
    return deviations(HTOTDEV, x, tau0_s, m, kind, threads)


def _total(record: Record, factors: NDArray[np.int64]) -> Sums:
    total, count = sum_differences(record, factors, 2)
    for k, m in enumerate(factors.tolist()):
        edges, n = kernels_total.sum_reflected(record.x, record.starts, record.stops, m, record.gaps)
        total[k] += edges
        count[k] += n
    return total, count


def _mirrored(record: Record, m: int) -> tuple[float, int]:
    plan = kernels_total.plan_mirrors(m)
    return kernels_total.sum_mirrored(record.x, record.starts, record.stops, m, True, plan)


def _hadamard(record: Record, m: int) -> tuple[float, int]:
    if m == 1:
        total, count = sum_differences(record, np.ones(1, dtype=np.int64), 3)
        return float(total[0]), int(count[0])
    plan = kernels_total.plan_mirrors(m)
    mirrored, n = kernels_total.sum_mirrored(record.x, record.starts, record.stops, m, False, plan)
    return mirrored / (6 * float(m)), n


def _scale(m: int) -> float:
    return 1 / (12 * float(m) ** 5)


TOTDEV = Form("TOTDEV", _total, lambda m: m + 1, half, least=3, together=True)
MTOTDEV = Form("MTOTDEV", one_by_one(_mirrored), lambda m: 3 * m, _scale, without_gaps=True)
TTOTDEV = Form("TTOTDEV", one_by_one(_mirrored), lambda m: 3 * m, _scale, without_gaps=True)
HTOTDEV = Form("HTOTDEV", one_by_one(_hadamard), lambda m: 3 * m + 1, sixth, without_gaps=True)
