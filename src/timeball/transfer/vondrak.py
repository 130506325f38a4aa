"""Vondrák's smoothing: values that stay near the measured ones and whose third derivative is small.

Minimises ``mean p (y − x)² + (1/ε) · mean of the third derivative squared``, the derivative from a cubic through four
neighbouring points (Vondrák 1969, 1977); ε = (2π/P)⁶ halves the amplitude of the period P. Solved by orthogonal
transformations of the banded equations: normal equations would lose every figure at long periods.

What it does not do: weigh values by itself, or reject any.
"""

from __future__ import annotations

import math

import numpy as np

from timeball.readings import FloatArray

BAND = 4


def smooth_vondrak(
    t_s: FloatArray, x_s: FloatArray, weight: FloatArray, cutoff_s: float
) -> tuple[FloatArray, FloatArray]:
    """Give smoothed values and their standard uncertainties.

    t_s: float64[n], rising; weight: float64[n], 0 where nothing was measured (there the curve is read off), mean 1 of
    the others. The uncertainty takes the scatter of the residuals for white noise: s² times the inverse equations.
    """
    measured = weight > 0
    unit_s = cutoff_s / (2 * math.pi)
    t, level = t_s / unit_s, float(np.average(x_s[measured], weights=weight[measured]))
    rows = _third_differences(t) * math.sqrt(measured.sum() / (t[-2] - t[1]))
    band, right = _triangle(rows, np.sqrt(weight), (x_s - level) * np.sqrt(weight))
    y = _back(band, right)
    spread = _inverse_diagonal(band)
    residual2 = float((weight * (y - (x_s - level)) ** 2).sum())
    freedom = max(float(measured.sum()) - float((weight * spread).sum()), 1.0)
    return y + level, np.sqrt(residual2 / freedom * spread)


def _third_differences(t: FloatArray) -> FloatArray:
    """Give the factors of four neighbouring points in the third derivative, times the root of the middle interval."""
    points = np.stack([t[i : t.size - 3 + i] for i in range(BAND)])
    rows = np.empty((t.size - 3, BAND))
    root = np.sqrt(points[2] - points[1])
    for i in range(BAND):
        product = np.ones(t.size - 3)
        for j in range(BAND):
            if j != i:
                product = product * (points[i] - points[j])
        rows[:, i] = 6.0 * root / product
    return rows


def _triangle(rows: FloatArray, root: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bring the equations [differences; roots of weights] to a triangle of band 4, column by column.

    At column i at most five equations have something in columns i … i+3: three carried from before, the difference
    that begins there, and the point's own.
    """
    n = root.size
    band, out = np.zeros((n, BAND)), np.zeros(n)
    carried = np.zeros((3, BAND + 1))
    for i in range(n):
        block = np.zeros((5, BAND + 1))
        block[:3] = carried
        if i < rows.shape[0]:
            block[3, :BAND] = rows[i]
        block[4, 0], block[4, BAND] = root[i], right[i]
        solved: FloatArray = np.asarray(np.linalg.qr(block, mode="r"))
        band[i], out[i] = solved[0, :BAND], solved[0, BAND]
        carried = np.zeros((3, BAND + 1))
        carried[:, : BAND - 1], carried[:, BAND] = solved[1:4, 1:BAND], solved[1:4, BAND]
    return band, out


def _back(band: FloatArray, right: FloatArray) -> FloatArray:
    n = right.size
    y = np.zeros(n + BAND)
    for i in range(n - 1, -1, -1):
        y[i] = (right[i] - float(band[i, 1:] @ y[i + 1 : i + BAND])) / band[i, 0]
    return y[:n]


def _inverse_diagonal(band: FloatArray) -> FloatArray:
    """Give the diagonal of (RᵀR)⁻¹, from the last column back, within the band (Takahashi, Fagan and Chin 1973)."""
    n = band.shape[0]
    z = np.zeros((n + BAND, BAND))  # z[i, k] is element (i, i + k)
    for i in range(n - 1, -1, -1):
        factors = band[i, 1:] / band[i, 0]
        for k in range(BAND - 1, 0, -1):
            # element (i, i+k) = − Σ_j factor_j · element (i+j, i+k)
            z[i, k] = -sum(factors[j - 1] * z[i + min(j, k), abs(j - k)] for j in range(1, BAND))
        z[i, 0] = 1.0 / band[i, 0] ** 2 - float(factors @ z[i, 1:])
    return z[:n, 0]
