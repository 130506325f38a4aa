"""Expected values of coefficients that cannot be negative, from estimates that can.

The unconstrained estimates of a clock are as good as normal, and correlated. Given them, and that no coefficient is
negative, its expected value is that of a truncated normal distribution in several dimensions, here by expectation
propagation (Minka 2001; Cunningham, Hennig and Lacoste-Julien 2011). A filter is told these: the most likely value is
often zero, and a clock without a noise would carry the whole scale at the times where that noise is all that counts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ROUNDS = 60
DAMPING = 0.5
FARTHEST = 30.0
LEAST_PRECISION = 1e-9
ERFC = np.vectorize(math.erfc, otypes=[np.float64])


def expected(free: FloatArray, covariance: FloatArray) -> FloatArray:
    """Means float64[n, k] of normal vectors with these means [n, k] and covariances [n, k, k], none being negative."""
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", covariance), np.finfo(float).tiny))
    k = free.shape[1]
    prior = np.linalg.inv(covariance / scale[:, :, None] / scale[:, None, :] + 1e-9 * np.eye(k))
    mean = free / scale
    pull = np.einsum("nij,nj->ni", prior, mean)
    tau, nu = np.zeros(mean.shape), np.zeros(mean.shape)
    for _ in range(ROUNDS):
        posterior = np.linalg.inv(prior + tau[:, :, None] * np.eye(k))
        variance = np.einsum("nii->ni", posterior)
        mean = np.einsum("nij,nj->ni", posterior, pull + nu)
        outer_tau = np.maximum(1.0 / variance - tau, LEAST_PRECISION)
        outer_nu = mean / variance - nu
        new_mean, new_variance = _truncated(outer_nu / outer_tau, 1.0 / outer_tau)
        tau += DAMPING * (np.maximum(1.0 / new_variance - outer_tau, 0.0) - tau)
        nu += DAMPING * (new_mean / new_variance - outer_nu - nu)
    return np.asarray(np.maximum(new_mean, 0.0) * scale, dtype=np.float64)


def _truncated(mean: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of normal numbers given that they are not negative."""
    s = np.sqrt(variance)
    t = np.maximum(mean / s, -FARTHEST)  # far above zero nothing is cut off, and the ratio vanishes by itself
    ratio = np.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) / (0.5 * ERFC(-t / math.sqrt(2.0)))
    return s * (t + ratio), variance * np.maximum(1.0 - ratio * (ratio + t), 1e-6)
