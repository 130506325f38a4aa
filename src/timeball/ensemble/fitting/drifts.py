"""Drifts of clocks against the ensemble, with their uncertainty, once the noises are known.

A drift is the mean second difference of a clock's phase against the others, at the lag (of the octaves) at which the
noises disturb that mean least. Only differences are observable, so the drifts are against a mean of the clocks: Σ c_i
d_i = 0 with c ∝ 1/u_i². Sign: positive when the clock's rate rises against the mean. In 1/s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from timeball.ensemble.fitting.covariances import generalised
from timeball.ensemble.fitting.residuals import against_mean

FloatArray = npt.NDArray[np.float64]
SECOND = (1.0, -2.0, 1.0)


def drifts(x: FloatArray, theta: FloatArray, kinds: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Drifts and their standard uncertainties, float64[n] each, per step², of phases x [epochs, n] in steps.

    theta: float64[n, kinds], AVAR at one step. Random run FM is no noise here: with it, the drift is that of the mean
    over the record. A clock without a second difference has NaN.
    """
    epochs, n = x.shape
    lags = [1 << k for k in range(max(1, (epochs // 2).bit_length() - 1))]
    kept = [p for p, kind in enumerate(kinds) if kind != "rrfm"]
    spread = np.array([[_mean_variance(kinds[p], m, epochs) for p in kept] for m in lags])
    own = theta[:, kept] @ spread.T  # [n, lags]: variance of the mean of D/m² of a clock alone
    best = np.argmin(np.where(own > 0.0, own, np.inf), axis=1)
    equations, values = np.zeros((n + 1, n)), np.zeros(n + 1)
    u2 = np.full(n, np.nan)
    for row in sorted(set(best.tolist())):
        chosen = np.flatnonzero(best == row)
        weights = 1.0 / np.maximum(own[:, row], 1e-300)
        means, shares = _mean_second_differences(x, lags[row], weights)
        equations[chosen] = shares[chosen]
        values[chosen] = np.where(np.isfinite(means[chosen]), means[chosen], 0.0)
        u2[chosen] = np.where(np.isfinite(means[chosen]), (shares[chosen] ** 2) @ own[:, row], np.nan)
    weights = np.where(np.isfinite(u2), 1.0 / np.where(np.isfinite(u2), u2, 1.0), 0.0)
    equations[n] = weights / weights.max(initial=1e-300)
    found = np.linalg.lstsq(equations, values, rcond=None)[0]
    return np.where(np.isfinite(u2), found, np.nan), np.sqrt(u2)


def _mean_variance(kind: str, m: int, epochs: int) -> float:
    """Variance of the mean of D(t; m)/m² over a whole record, for AVAR = 1 at one step.

    The mean of second differences is a difference of running sums: with S the sum of x, it takes S at both ends alone,
    so the double sum over pairs of differences runs over their lags once.
    """
    count = epochs - 2 * m
    step = max(1, m // 32)
    s = np.arange(-((count - 1) // step), (count - 1) // step + 1, dtype=np.int64) * step
    total = np.zeros(s.shape)
    for a, first in enumerate(SECOND):
        for b, second in enumerate(SECOND):
            total += first * second * generalised(kind, (s + (b - a) * m).astype(np.float64))
    grid = 1 if kind == "wpm" else step
    return max(0.0, float((total * (count - np.abs(s))).sum()) * grid / count**2 / float(m) ** 4)


def _mean_second_differences(x: FloatArray, m: int, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over time of D_i/m² − Σ ω_k D_k/m², float64[n], and its δ_ik − ω_k, float64[n, n]."""
    d = (x[2 * m :] - 2.0 * x[m:-m] + x[: -2 * m]) / float(m) ** 2
    r, a, omega = against_mean(d, weights)
    counts = a.sum(axis=0)
    some = np.maximum(counts, 1.0)
    return np.where(counts > 0, r.sum(axis=0) / some, np.nan), np.eye(len(weights)) - (a.T @ omega) / some[:, None]
