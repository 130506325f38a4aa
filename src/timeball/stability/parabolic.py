"""Parabolic deviation (PDEV): of frequencies that are least-squares lines through the phase over τ.

x is phase in seconds; m = τ/τ₀; no sign convention is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from timeball.stability import kernels_windows
from timeball.stability.deviations import sum_differences
from timeball.stability.forms import Deviations, Factors, Form, deviations, one_by_one
from timeball.stability.records import Record


def pdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Parabolic deviation (Vernotte, Lenczner, Bourgeois and Rubiola 2016). Arguments and errors as `adev`.

    A term is a window of 2m + 1 consecutive points, of which the last has no weight unless m = 1; it counts only when
    all are there. At m = 1 it is the Allan deviation.
    """
    return deviations(PDEV, x, tau0_s, m, kind, threads)


def _terms(record: Record, m: int) -> tuple[float, int]:
    if m == 1:
        total, count = sum_differences(record, np.ones(1, dtype=np.int64), 2)
        return float(total[0]), int(count[0])
    return kernels_windows.sum_parabolic(record.x, record.starts, record.stops, m)


def _scale(m: int) -> float:
    return 0.5 if m == 1 else 72 / float(m) ** 6


PDEV = Form("PDEV", one_by_one(_terms), lambda m: 2 * m + 1, _scale, without_gaps=True)
