"""Each clock against the weighted mean of the clocks that are there: what the moments and the drifts are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def against_mean(h: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """r_i = h_i − Σ ω_k h_k of differences h [epochs, n], NaN where a clock has none: what all have in common cancels.

    Gives r, who is there (1 or 0), and ω ∝ weights over those that are there, float64[epochs, n] each. An epoch with
    one clock alone says nothing: there nobody is there.
    """
    there = np.isfinite(h)
    there &= (there.sum(axis=1) > 1)[:, None]
    a = there.astype(np.float64)
    omega = a * weights
    total = omega.sum(axis=1, keepdims=True)
    omega /= np.where(total > 0.0, total, 1.0)
    known = np.where(there, h, 0.0)
    return a * (known - (omega * known).sum(axis=1, keepdims=True)), a, omega
