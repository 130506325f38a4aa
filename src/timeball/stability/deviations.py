"""Deviations of differences: ADEV, OADEV, MDEV, TDEV of second differences of phase, HDEV and OHDEV of third.

Sign convention: none is needed, a deviation is the same for x_a − x_b and x_b − x_a. x is phase (time deviation) in
seconds, y fractional frequency; m = τ/τ₀.

Not here: confidence intervals, noise identification, removal of drift or outliers. Records are even; those with time
tags are put on a grid first (`on_grid`), with NaN where nothing was measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import kernels, kernels_windows
from timeball.stability.forms import Deviations, Factors, Form, Sums, Terms, deviations, one_by_one
from timeball.stability.records import Record


def adev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Allan deviation without overlap: terms start at every m-th point (NIST SP 1065, eq. 7 and 8).

    x: float[n], phase in s, or fractional frequency with kind="frequency"; NaN is missing. tau0_s: the interval in s.
    m: averaging factors, or "octave" (default), "decade", "all". A term that touches a missing value is left out.
    Averaging factors given one by one are all answered; a named spacing leaves out those where gaps left no term.
    threads: how many factors may be computed at once; the answer is the same to the last bit.
    Raises RecordError, FactorError, TooShortError (all of them StabilityError).
    """
    return deviations(ADEV, x, tau0_s, m, kind, threads)


def oadev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Overlapping Allan deviation: terms start at every point (NIST SP 1065, eq. 11). Arguments, errors as `adev`."""
    return deviations(OADEV, x, tau0_s, m, kind, threads)


def mdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Modified Allan deviation (NIST SP 1065, eq. 14 and 15). Arguments and errors as `adev`.

    A term is a window of 3m consecutive points, three averages of m; it counts only when all 3m are there. So with a
    share p of single points missing at random, a fraction (1 − p)^3m of the windows remains, and n says how many.
    """
    return deviations(MDEV, x, tau0_s, m, kind, threads)


def tdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Time deviation in seconds, τ/√3 · MDEV (NIST SP 1065, eq. 16). Arguments, gaps and errors as `mdev`."""
    return as_time(deviations(TDEV, x, tau0_s, m, kind, threads))


def hdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Hadamard deviation without overlap (NIST SP 1065, eq. 17 and 18). Arguments, gaps and errors as `adev`.

    Third differences: a constant frequency drift does not show.
    """
    return deviations(HDEV, x, tau0_s, m, kind, threads)


def ohdev(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Overlapping Hadamard deviation (NIST SP 1065, eq. 19 and 20). Arguments, gaps and errors as `adev`."""
    return deviations(OHDEV, x, tau0_s, m, kind, threads)


def as_time(modified: Deviations) -> Deviations:
    """Turn a modified deviation into the time deviation in seconds: σ_x = τ/√3 · σ_y."""
    sigma_s = np.asarray(modified.sigma * modified.tau_s / np.sqrt(3.0), dtype=np.float64)
    return Deviations(modified.tau_s, modified.m, sigma_s, modified.n)


def sum_differences(record: Record, factors: NDArray[np.int64], order: int) -> Sums:
    """Sum the squares of the differences of an order over a lag of each factor."""
    total, count = np.zeros(factors.size), np.zeros(factors.size, dtype=np.int64)
    kernels.sum_differences(record.x, record.starts, record.stops, factors, order, total, count)
    return total, count


def differences(order: int) -> Terms:
    """Make the terms of an overlapping deviation: differences that start at every point."""
    return lambda record, factors: sum_differences(record, factors, order)


def _decimated(order: int) -> Terms:
    """Make the terms of a plain deviation: it sees every m-th point, and there its lag is one."""
    one = np.ones(1, dtype=np.int64)

    def terms(record: Record, factors: NDArray[np.int64]) -> Sums:
        total, count = np.zeros(factors.size), np.zeros(factors.size, dtype=np.int64)
        x, step = record.x, 1
        for k, factor in enumerate(factors.tolist()):
            # thinned out of the one before where that can be: it is shorter to read
            x = x[:: factor // step] if factor % step == 0 else record.x[::factor]
            x, step = np.ascontiguousarray(x), factor
            starts, stops = -(-record.starts // factor), -(-record.stops // factor)
            kernels.sum_differences(x, starts, stops, one, order, total[k:], count[k:])
        return total, count

    return terms


def _windows(record: Record, m: int) -> tuple[float, int]:
    return kernels_windows.sum_moving_windows(record.x, record.starts, record.stops, m)


def half(m: int) -> float:
    """Give the scale of second differences, 1/(2 m²)."""
    return 0.5 / float(m) ** 2


def sixth(m: int) -> float:
    """Give the scale of third differences, 1/(6 m²)."""
    return 1 / (6 * float(m) ** 2)


def _moved(m: int) -> float:
    return 0.5 / float(m) ** 4


ADEV = Form("ADEV", _decimated(2), lambda m: 2 * m + 1, half, together=True)
OADEV = Form("OADEV", differences(2), lambda m: 2 * m + 1, half, together=True)
MDEV = Form("MDEV", one_by_one(_windows), lambda m: 3 * m, _moved, without_gaps=True)
TDEV = Form("TDEV", one_by_one(_windows), lambda m: 3 * m, _moved, without_gaps=True)
HDEV = Form("HDEV", _decimated(3), lambda m: 3 * m + 1, sixth, together=True)
OHDEV = Form("OHDEV", differences(3), lambda m: 3 * m + 1, sixth, together=True)
