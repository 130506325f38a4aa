"""Hadamard deviations of each clock by itself: what the record says lag by lag, and what the fitted noises give.

The Hadamard deviation is that of the third differences the fit is made of: it takes out drift, and equals the Allan
deviation for white FM (Hadamard variance of flicker FM: 0.81 of the Allan variance; of random walk FM: one half).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.fitting.covariances import hadamard
from timeball.ensemble.fitting.fit import NoiseFit

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Of one clock at each τ (s): measured and fitted Hadamard deviation, NaN where the record does not say.

    u_measured, u_fitted: their standard uncertainties.
    """

    tau_s: FloatArray
    measured: FloatArray
    u_measured: FloatArray
    fitted: FloatArray
    u_fitted: FloatArray


def curves(fit: NoiseFit) -> dict[str, Curve]:
    """Curves of every fitted clock, by name."""
    problem, solution = fit.problem, fit.solution
    found = solution.moments
    lags = np.array(problem.lags, dtype=np.float64)
    spread = np.full(found.mean_square.shape, np.nan)
    spread[solution.used] = np.sqrt(np.diag(solution.model))
    squares, u_squares = np.full(spread.shape, np.nan), np.full(spread.shape, np.nan)
    for row in range(len(lags)):
        known = np.flatnonzero(np.isfinite(found.mean_square[row]))
        if known.size:
            turn = np.linalg.pinv(found.expected[row][np.ix_(known, known)])
            squares[row, known] = turn @ found.mean_square[row, known]
            u_squares[row, known] = np.sqrt((turn**2) @ spread[row, known] ** 2)
    phi = hadamard(fit.kinds, problem.lags)
    out = {}
    for i, name in enumerate(fit.clocks):
        own = slice(i * len(fit.kinds), (i + 1) * len(fit.kinds))
        fitted = np.sqrt(solution.theta[i] @ phi)
        u_fitted = np.sqrt(np.maximum(np.einsum("pl,pq,ql->l", phi, solution.covariance[own, own], phi), 0.0))
        measured = np.sqrt(np.where(squares[:, i] > 0.0, squares[:, i], np.nan))
        out[name] = Curve(
            lags * fit.interval_s,
            measured,
            u_squares[:, i] / (2.0 * measured),
            fitted,
            u_fitted / (2.0 * np.maximum(fitted, 1e-300)),
        )
    return out
