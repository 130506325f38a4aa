"""Mean squares of third differences of each clock against the others, with gaps, and what they are expected to be.

At one lag m and one epoch t, H_i = third difference of x_i − x_pivot, and r_i = H_i − Σ ω_k H_k over the clocks that
are there, ω ∝ 1/V(m). The pivot cancels, whichever it is. For independent clocks of Hadamard variances V,

    E[r_i²] = V_i (1 − 2 ω_i) + Σ ω_k² V_k        (= V_i (1 − ω_i) when ω ∝ 1/V; Varnum et al., PTTI 1987)

exactly, for any ω: so the mean over the epochs at which clock i is there is linear in V, whoever is missing when. The
scores of the Gaussian likelihood at one lag span the same r_i², so nothing is lost by not taking every pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.fitting.covariances import SPAN
from timeball.ensemble.fitting.residuals import against_mean

FloatArray = npt.NDArray[np.float64]
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Moments:
    """Arrays by lag and clock.

    mean_square: float64[lags, n], NaN where a clock has none. counts: float64[lags, n], differences behind each.
    expected: float64[lags, n, n], E with E[mean_square[l]] = expected[l] @ V[l]. shares: float64[lags, n, n], the mean
    over those differences of δ_ik − ω_k.
    """

    mean_square: FloatArray
    counts: FloatArray
    expected: FloatArray
    shares: FloatArray


def lags_of(epochs: int) -> list[int]:
    """Octaves up to a quarter of a record of so many epochs."""
    return [1 << k for k in range(max(1, (epochs // 4).bit_length()))]


def moments(x: FloatArray, lags: Sequence[int], variances: FloatArray) -> Moments:
    """Moments of phases x [epochs, n] (s, an even grid, NaN in the gaps) with weights 1/variances [lags, n]."""
    n = x.shape[1]
    sums, counts = np.zeros((len(lags), n)), np.zeros((len(lags), n))
    expected, shares = np.zeros((len(lags), n, n)), np.zeros((len(lags), n, n))
    for row, m in enumerate(lags):
        weights = 1.0 / variances[row]
        for start in range(0, len(x) - SPAN * m, ROWS_AT_ONCE):
            h = _third_differences(x, m, start, min(start + ROWS_AT_ONCE, len(x) - SPAN * m))
            _add(h, weights, sums[row], counts[row], expected[row], shares[row])
    some = np.maximum(counts, 1.0)
    eye = np.eye(n)
    # until here `shares` holds the sums of ω_k and `expected` those of ω_k², over the differences of clock i
    mean_shares = shares / some[:, :, None]
    own = np.einsum("lii->li", mean_shares)
    expected = expected / some[:, :, None] + eye * (1.0 - 2.0 * own)[:, :, None]
    return Moments(np.where(counts > 0, sums / some, np.nan), counts, expected, eye - mean_shares)


def _third_differences(x: FloatArray, m: int, start: int, stop: int) -> FloatArray:
    """H at the epochs from start to stop, over √6 m."""
    h = x[start + 3 * m : stop + 3 * m] - x[start:stop]
    h -= 3.0 * (x[start + 2 * m : stop + 2 * m] - x[start + m : stop + m])
    h *= 1.0 / (np.sqrt(6.0) * m)
    return h


def _add(
    h: FloatArray, weights: FloatArray, sums: FloatArray, counts: FloatArray, squares: FloatArray, shares: FloatArray
) -> None:
    """Add what the differences h [epochs, n] say."""
    r, a, omega = against_mean(h, weights)
    sums += (r * r).sum(axis=0)
    counts += a.sum(axis=0)
    squares += a.T @ (omega * omega)
    shares += a.T @ omega
