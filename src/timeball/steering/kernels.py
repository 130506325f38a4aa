"""Compiled loops of the steering room: sums in a fixed order, so that a fit replays bit for bit, JIT or not."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def fit_line(t_s: NDArray[np.float64], x: NDArray[np.float64]) -> tuple[float, float, float, float, int]:
    """Straight-line least squares through the points that are not NaN.

    Parameters
    ----------
    t_s : float64[n]
        Time from the epoch of interest, s.
    x : float64[n]
        Phase, s; NaN is left out.

    Returns
    -------
    (x0, y, u_x0, u_y, n)
        Value at t = 0 (s), slope, their standard uncertainties from the scatter about the line (NaN when n < 3), and
        the number of points used. Value and slope are NaN when the points do not span any time.
    """
    n = 0
    t_sum = 0.0
    x_sum = 0.0
    for i in range(x.size):
        if not math.isnan(x[i]):
            n += 1
            t_sum += t_s[i]
            x_sum += x[i]
    if n == 0:
        return math.nan, math.nan, math.nan, math.nan, 0
    t_mean = t_sum / n
    x_mean = x_sum / n

    s_tt = 0.0
    s_tx = 0.0
    for i in range(x.size):
        if not math.isnan(x[i]):
            dt = t_s[i] - t_mean
            s_tt += dt * dt
            s_tx += dt * (x[i] - x_mean)
    if s_tt == 0.0:
        return math.nan, math.nan, math.nan, math.nan, n
    slope = s_tx / s_tt
    value = x_mean - slope * t_mean
    if n < 3:
        return value, slope, math.nan, math.nan, n

    s_rr = 0.0
    for i in range(x.size):
        if not math.isnan(x[i]):
            r = (x[i] - x_mean) - slope * (t_s[i] - t_mean)
            s_rr += r * r
    variance = s_rr / (n - 2)
    u_value = math.sqrt(variance * (1.0 / n + t_mean * t_mean / s_tt))
    return value, slope, u_value, math.sqrt(variance / s_tt), n


@njit(cache=True, nogil=True)
def factor_all(matrices: NDArray[np.float64]) -> None:
    """Cholesky factors of float64[k, n, n], in place: lower triangles, zeros above.

    A pivot that rounding leaves below 1e-14 of its diagonal counts as nothing, and its column becomes zero: what is
    known already has no spread of its own. Small matrices by the hundred: no LAPACK, whose threads cost more than they
    bring.
    """
    count, n = matrices.shape[0], matrices.shape[1]
    for k in range(count):
        a = matrices[k]
        for i in range(n):
            whole = a[i, i]
            for j in range(i + 1):
                total = a[i, j]
                for p in range(j):
                    total -= a[i, p] * a[j, p]
                if i == j:
                    a[i, i] = math.sqrt(total) if total > 1e-14 * whole else 0.0
                else:
                    a[i, j] = total / a[j, j] if a[j, j] > 0.0 else 0.0
            for j in range(i + 1, n):
                a[i, j] = 0.0


@njit(cache=True, nogil=True)
def solve_all(lower: NDArray[np.float64], rows: int, right: NDArray[np.float64]) -> NDArray[np.float64]:
    """L⁻¹ B for the leading `rows` of each factor of float64[k, n, n] and one B[rows, r]: float64[k, rows, r]."""
    count, columns = lower.shape[0], right.shape[1]
    out = np.empty((count, rows, columns))
    for k in range(count):
        for i in range(rows):
            for c in range(columns):
                out[k, i, c] = right[i, c]
            for j in range(i):
                factor = lower[k, i, j]
                for c in range(columns):
                    out[k, i, c] -= factor * out[k, j, c]
            for c in range(columns):
                out[k, i, c] /= lower[k, i, i]
    return out
