"""Coefficients from moments: generalised least squares with the moments' own covariances, iterated, and non-negative.

Unknowns are θ[clock, kind], the Allan variance that each noise gives at one step. Every round weighs the moments by
the covariances that the last θ predicts; at rest this solves the score equations of a Gaussian quasi-likelihood, so the
weights bring no bias of their own. The unconstrained solution may be negative where a noise is absent: it is kept, as
it is unbiased and its distribution is what intervals and expected values come from; the constrained one is what the
moments are weighed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.fitting.covariances import PairDensity, hadamard, mean_square_covariances
from timeball.ensemble.fitting.moments import Moments, moments

FloatArray = npt.NDArray[np.float64]
ROUNDS = 10
WEIGHED = 3
SETTLED = 1e-3
# A clock carries at most so much more than another's weight: a variance of nothing is no clock's.
FLOOR = 1e-9
SMALLEST = 1e-60
# A mean square holds the clock's own variance, and at worst half of it again is the others'.
LEAST = 0.02
RIDGE = 1e-10
# A relative mean square is never better known than this, not even where there is no noise at all.
LEAST_RELATIVE = 1e-14


@dataclass(frozen=True, eq=False)
class Solution:
    """What was found.

    theta: float64[n, kinds] ≥ 0; free: the same without the bound. covariance: float64[n·kinds, n·kinds] of `free`.
    gain: float64[n·kinds, moments], free = gain @ mean squares. used: indices (lag, clock) of the moments.
    model: covariance of the moments; residuals: of them, whitened. moments: the last ones.
    """

    theta: FloatArray
    free: FloatArray
    covariance: FloatArray
    gain: FloatArray
    used: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    model: FloatArray
    residuals: FloatArray
    moments: Moments


class Problem:
    """Phases on an even grid, [epochs, n] in s with NaN in the gaps, and what does not change from round to round."""

    def __init__(self, x: FloatArray, lags: Sequence[int], kinds: Sequence[str], step_s: float) -> None:
        self.x, self.lags, self.kinds = x / step_s, list(lags), list(kinds)
        self.phi = hadamard(kinds, lags)
        density = PairDensity(np.isfinite(x))
        count = len(self.lags)
        self.gamma = np.zeros((count, count, len(kinds), len(kinds)))
        for first, m in enumerate(self.lags):
            for second in range(first, count):
                sums = mean_square_covariances(kinds, m, self.lags[second], density(m, self.lags[second]))
                self.gamma[first, second] = sums
                self.gamma[second, first] = sums.T

    def variances(self, theta: FloatArray, found: Moments | None = None) -> FloatArray:
        """Hadamard variances float64[lags, n] of coefficients; never far below what was found of the clock itself."""
        v = (theta @ self.phi).T
        v = np.maximum(v, FLOOR * np.median(v, axis=1, keepdims=True) + SMALLEST)
        return v if found is None else np.maximum(v, LEAST * np.nan_to_num(found.mean_square))

    def spread(self, found: Moments) -> FloatArray:
        """How much wider than that of a typical clock the mean squares of a shorter record are, float64[lags, n]."""
        counts = np.maximum(found.counts, 1.0)
        return np.asarray(np.sqrt(np.median(counts, axis=1, keepdims=True) / counts), dtype=np.float64)

    def covariance(self, theta: FloatArray, found: Moments) -> FloatArray:
        """Covariance of the mean squares, float64[lags, n, lags, n]."""
        count, n = len(self.lags), theta.shape[0]
        c = np.empty((count, n, count, n))
        spread = self.spread(found)
        for a in range(count):
            for b in range(a, count):
                h = np.einsum("ik,kp,jk->pij", found.shares[a], theta, found.shares[b], optimize=True)
                block = 2.0 * np.einsum("pij,pq,qij->ij", h, self.gamma[a, b], h, optimize=True)
                block *= spread[a][:, None] * spread[b]
                c[a, :, b, :] = block
                c[b, :, a, :] = block.T
        return c


def solve(problem: Problem) -> Solution:
    """Find the coefficients of every clock; the phases must hold at least one difference of each."""
    theta, variances = _first(problem)
    for done in range(ROUNDS):
        if done < WEIGHED:  # any weights are right for the expectations, and soon there are none better
            found = moments(problem.x, problem.lags, variances)
        solution = _step(problem, theta, found)
        change = np.abs(solution.theta - theta) @ problem.phi / variances.T
        theta, variances = solution.theta, problem.variances(solution.theta, found)
        if float(change.max()) < SETTLED:
            break
    return solution


def _first(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Coefficients and variances to begin with: variances by lag, equal weights first, and each clock by itself."""
    n = problem.x.shape[1]
    variances = np.ones((len(problem.lags), n))
    for _ in range(2):
        found = moments(problem.x, problem.lags, variances)
        variances = _separate(found)
    weights = np.sqrt(np.maximum(found.counts, 1.0) / np.array(problem.lags)[:, None])
    theta = np.zeros((n, len(problem.kinds)))
    for i in range(n):
        rows = (problem.phi / variances[:, i]).T * weights[:, i][:, None]
        scale = np.sqrt((rows * rows).sum(axis=0))
        gram = (rows / scale).T @ (rows / scale)
        theta[i] = non_negative(gram, (rows / scale).T @ weights[:, i]) / scale
    return theta, problem.variances(theta, found)


def _separate(found: Moments) -> FloatArray:
    """Variances [lags, n] that the mean squares of each lag say by themselves; a tenth of one where it says nothing."""
    out = np.empty(found.mean_square.shape)
    for row, squares in enumerate(found.mean_square):
        known = np.where(np.isfinite(squares), squares, np.nanmedian(squares) if np.isfinite(squares).any() else 1.0)
        free = np.linalg.lstsq(found.expected[row] + RIDGE * np.eye(len(known)), known, rcond=None)[0]
        out[row] = np.maximum(free, 0.1 * known) + SMALLEST
    return out


def _step(problem: Problem, theta: FloatArray, found: Moments) -> Solution:
    """One round of generalised least squares about θ, everything relative to the variances θ predicts."""
    n, kinds = theta.shape
    v = problem.variances(theta, found)
    rows, columns = np.nonzero(found.counts > 0)
    used = (rows, columns)
    whole = problem.covariance(theta, found)
    size = v[used]
    covariance = whole[used[0], used[1]][:, used[0], used[1]] / size[:, None] / size
    # moment (l, i) = Σ_k expected[l, i, k] Σ_p φ[p, l] θ[k, p]
    design = np.einsum("lik,pl->likp", found.expected, problem.phi)[used].reshape(len(size), n * kinds) / size[:, None]
    scale = np.sqrt((design * design).sum(axis=0))
    design = design / scale
    chol = _root(covariance)
    white = np.linalg.solve(chol, design)
    observed = found.mean_square[used] / size
    gram = white.T @ white
    ridge = RIDGE * np.diag(np.diag(gram))
    inverse = np.linalg.inv(gram + ridge)
    target = np.linalg.solve(chol, observed)
    project = white.T @ target
    free = inverse @ project
    bounded = non_negative(gram + ridge, project)
    gain = (inverse @ np.linalg.solve(chol.T, white).T) / scale[:, None]
    return Solution(
        theta=(bounded / scale).reshape(n, kinds),
        free=(free / scale).reshape(n, kinds),
        covariance=inverse / scale[:, None] / scale,
        gain=gain / size,
        used=used,
        model=covariance * size[:, None] * size,
        residuals=target - white @ bounded,
        moments=found,
    )


def _root(covariance: FloatArray) -> FloatArray:
    """Cholesky factor; what rounding and sampled sums leave below zero is lifted by as little as it takes."""
    for ridge in (RIDGE, 1e-7, 1e-4, 1e-2):
        try:
            lifted = covariance + np.diag(ridge * np.diag(covariance) + LEAST_RELATIVE)
            return np.asarray(np.linalg.cholesky(lifted), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
    raise EnsembleError("the readings do not say enough to fit noises: their moments have no proper covariance")


def non_negative(gram: FloatArray, project: FloatArray, rounds: int = 200) -> FloatArray:
    """Minimise ½ θ'Gθ − b'θ over θ ≥ 0, G positive definite.

    Block principal pivoting, with single exchanges once blocks no longer help (Kim and Park, SIAM J. Sci. Comput. 33,
    2011): every variable is either free or zero, and those of the wrong sign change sides.
    """
    size = len(project)
    free = np.ones(size, dtype=bool)
    theta = np.zeros(size)
    fewest, patience = size + 1, 3
    for _ in range(rounds):
        theta = np.zeros(size)
        theta[free] = np.linalg.solve(gram[np.ix_(free, free)], project[free])
        slope = gram @ theta - project
        slack = 1e-12 * np.abs(project).max(initial=1e-300)
        wrong = np.flatnonzero((free & (theta < 0.0)) | (~free & (slope < -slack)))
        if not wrong.size:
            break
        if wrong.size < fewest:
            fewest, patience = wrong.size, 3
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]
        free[wrong] = ~free[wrong]
    return np.maximum(theta, 0.0)
