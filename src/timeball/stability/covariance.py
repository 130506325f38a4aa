"""How the terms of a deviation hang together: their autocovariance under power-law noise, up to a factor.

A term of a deviation of order d at τ = m τ₀ is the d-th difference, over m, of the phase averaged over τ₀ (plain) or
over τ (modified). Its autocovariance at a lag of k samples is the 2d-th difference of that of the phase (Greenhall and
Riley 2003, eq. 7 to 9). Only ratios of these numbers mean anything.

alpha: power of f in S_y(f): 2 white PM, 1 flicker PM, 0 white FM, −1 flicker FM, −2 random walk FM, −3, −4.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# Beyond this factor the average over τ₀ is a point to the plain terms of frequency noises.
POINT = 200
# Farther from a singular point than so many samples, flicker PM follows its expansion to 1e-9.
NEAR = 100.0
# The parabolic deviation is resolved by so many samples at most: its terms are smooth.
PARABOLA = 48


def term_covariance(alpha: int, order: int, m: int, lags: IntArray, *, modified: bool = False) -> FloatArray:
    """Autocovariance of the terms at lags (samples) int64[k]; order 1 (TIE), 2 (Allan) or 3 (Hadamard)."""
    total = np.zeros(lags.size)
    for i in range(-order, order + 1):
        weight = (-1) ** i * comb(2 * order, order + i)
        total += weight * _phase_covariance(alpha, lags.astype(np.float64) - i * m, m, modified)
    return total


def _phase_covariance(alpha: int, k: FloatArray, m: int, modified: bool) -> FloatArray:
    """Generalised autocovariance of phase averaged over one sample (plain) or over m (modified), at k samples."""
    if modified:
        t = k / m
        return 2.0 * _generalised(alpha, t) - _generalised(alpha, t - 1.0) - _generalised(alpha, t + 1.0)
    if alpha == 2:
        return np.where(k == 0.0, 1.0, 0.0)
    if alpha == 1:
        return _flicker_phase(np.abs(k))
    if m > POINT:
        return _generalised(alpha + 2, k / m)
    return 2.0 * _generalised(alpha, k) - _generalised(alpha, k - 1.0) - _generalised(alpha, k + 1.0)


def _generalised(alpha: int, t: FloatArray) -> FloatArray:
    """Greenhall and Riley's s_w(t, alpha): |t| to the power 3 − alpha, with a logarithm where that is even."""
    size = np.abs(t)
    power = 3 - alpha
    if power % 2:
        return size**power if alpha != 2 else -size
    return np.asarray(size**power * np.log(np.where(size > 0.0, size, 1.0)), dtype=np.float64)


def _flicker_phase(k: FloatArray) -> FloatArray:
    """Second difference of t² ln t over one sample; constants that the d-th differences remove are left out."""
    near = np.minimum(k, NEAR)
    exact = 2.0 * _generalised(1, near) - _generalised(1, near - 1.0) - _generalised(1, near + 1.0)
    far = np.maximum(k, NEAR)
    expansion = -2.0 * np.log(far) - 3.0 + 1.0 / (6.0 * far**2)
    return np.where(k <= NEAR, exact, expansion)


def parabola_covariance(alpha: int, m: int) -> tuple[FloatArray, FloatArray]:
    """Autocovariance of the terms of PDEV at lags 0 … 3m, and those lags in samples (float64, evenly spaced).

    A term weighs 2m phases with a ramp (Vernotte, Lenczner, Bourgeois and Rubiola 2016); it is summed as it stands up
    to m = PARABOLA, and above that with PARABOLA samples a τ, which is the same shape.
    """
    size = min(m, PARABOLA)
    ramp = (size - 1) / 2.0 - np.arange(size)
    weights = np.concatenate((ramp, -ramp)) if size > 1 else np.array([1.0, -2.0, 1.0])
    own = np.correlate(weights, weights, mode="full")
    reach = 3 * size
    k = np.arange(-own.size // 2 - reach, own.size // 2 + reach + 1, dtype=np.float64)
    phase = _phase_covariance(alpha, k, 1, modified=False)
    covariance = np.convolve(phase, own, mode="same")[k.size // 2 : k.size // 2 + reach + 1]
    at: FloatArray = np.arange(reach + 1, dtype=np.float64) * (m / size)
    return np.asarray(covariance, dtype=np.float64), at
