"""Confidence intervals of coefficients by turning a test round: every value at which the estimate is no surprise.

For a supposed value θ0 of one coefficient the moments are weighed as they deserve if it is true, and the estimate that
follows, unconstrained, has mean θ0, a variance quadratic in θ0 and the skewness of a sum of squares. The interval holds
every θ0 ≥ 0 for which the estimate lies between its quantiles (`deviates`): near zero it begins at zero, and with few
degrees of freedom it is that of a chi-square.

Clocks whose moments the estimate leans on (the partners with which a clock carries the ensemble) are solved for with
it; the others stay as they were found. Skewness: the third cumulant of three mean squares is 8 tr(A B C), which their
covariances do not give; 2 C_ab C_bc C_ca / ∛(C_aa V_a · C_bb V_b · C_cc V_c) stands for it, exact when they are one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.fitting.deviates import deviates, skewed
from timeball.ensemble.fitting.solving import RIDGE, SMALLEST, Problem, Solution, non_negative

FloatArray = npt.NDArray[np.float64]
MOST_PARTNERS = 4
LEAST_SHARE = 0.05
ROUNDS = 12
CLOSE = 0.02
GROWTH = 4.0
HALVINGS = 30
LOWER, UPPER = 0, 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of a coefficient weighed at θ0, its variance constant + θ (linear + θ square), its skewness."""

    value: float
    constant: float
    linear: float
    square: float
    skew: float

    def sigma(self, theta: float) -> float:
        """Standard deviation when the true value is θ."""
        return math.sqrt(max(self.constant + theta * (self.linear + theta * self.square), 0.0))

    def above(self, theta: float, confidence: float, side: int) -> float:
        """How far the lower (side 0) or upper (1) quantile of the estimate, were θ true, lies above the estimate."""
        sigma = self.sigma(theta)
        if sigma == 0.0:
            return theta - self.value
        z = deviates(theta / sigma, confidence)[side]
        return theta + sigma * skewed(self.skew, z) - self.value

    def turned(self, confidence: float, side: int, most: float) -> float:
        """The θ between 0 and `most` of which the estimate is the quantile; the end where there is none between."""
        low, high = 0.0, most
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.above(middle, confidence, side) < 0.0 else (low, middle)
        return high


class Supposing:
    """What the moments say of coefficient p of clock i if it is θ0."""

    def __init__(self, problem: Problem, solution: Solution, i: int, p: int) -> None:
        self.kinds = solution.theta.shape[1]
        members = _partners(solution, i, p)
        rows = np.flatnonzero(np.isin(solution.used[1], members))
        lags, clocks = solution.used[0][rows], solution.used[1][rows]
        found = solution.moments
        self.shares = found.shares[lags, clocks]
        self.members, self.place = members, members.index(i) * self.kinds + p
        expected = found.expected[lags, clocks]
        phi = problem.phi[:, lags]
        self.design = np.einsum("rk,pr->rkp", expected[:, members], phi).reshape(len(rows), -1)
        rest = solution.theta.copy()
        rest[members] = 0.0
        self.observed = found.mean_square[lags, clocks] - np.einsum("rk,kp,pr->r", expected, rest, phi)
        self.outside = np.einsum("rk,kp,pr->r", expected, rest, phi)
        self.fixed = np.einsum("ak,kp,bk->pab", self.shares, rest, self.shares)
        self.own = self.shares[:, members]
        spread = problem.spread(found)[lags, clocks]
        self.gamma = problem.gamma[np.ix_(lags, lags)] * (2.0 * spread[:, None] * spread)[:, :, None, None]
        self.nuisance = solution.theta[members].reshape(-1)
        self.found = float(solution.theta[i, p])
        self.free = float(solution.free[i, p])
        row = i * self.kinds + p
        self.u = math.sqrt(max(float(solution.covariance[row, row]), 0.0))

    def at(self, theta: float) -> Estimate:
        """The estimate with the moments weighed for this value; the other coefficients follow for the next call."""
        nuisance = self.nuisance.copy()
        nuisance[self.place] = 0.0
        constant, linear, square = self._covariances(nuisance)
        covariance = constant + theta * (linear + theta * square)
        nuisance[self.place] = theta
        size = self.outside + self.design @ nuisance
        scale = np.sqrt(np.diag(covariance)) + SMALLEST
        design = self.design / scale[:, None]
        columns = np.sqrt((design * design).sum(axis=0))
        inverse = np.linalg.inv(covariance / scale[:, None] / scale + RIDGE * np.eye(len(scale)))
        half = (design / columns).T @ inverse
        gram = half @ (design / columns)
        gram += RIDGE * np.diag(np.diag(gram))
        gain = np.linalg.solve(gram, half)[self.place] / columns[self.place] / scale
        self._follow(theta, gram, half @ (self.observed / scale), columns)
        variances = [float(gain @ part @ gain) for part in (constant, linear, square)]
        variance = max(variances[0] + theta * (variances[1] + theta * variances[2]), 0.0)
        turned = (gain / np.cbrt(np.maximum(scale**2 * size, 1e-300)))[:, None] * covariance
        third = 2.0 * float(np.einsum("ab,bc,ca->", turned, turned, turned, optimize=True))
        skew = third / variance**1.5 if variance > SMALLEST**1.5 else 0.0
        return Estimate(float(gain @ self.observed), variances[0], variances[1], variances[2], skew)

    def _follow(self, theta: float, gram: FloatArray, project: FloatArray, columns: FloatArray) -> None:
        """The other coefficients, not negative, with this one held at θ."""
        others = np.arange(len(columns)) != self.place
        held = project[others] - gram[others, self.place] * theta * columns[self.place]
        self.nuisance = np.zeros(len(columns))
        self.nuisance[others] = non_negative(gram[np.ix_(others, others)], held) / columns[others]

    def _covariances(self, nuisance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Covariance of the moments by powers of the coefficient in question."""
        theta = nuisance.reshape(-1, self.kinds)
        h = self.fixed + np.einsum("ak,kp,bk->pab", self.own, theta, self.own)
        met = np.einsum("abpq,qab->pab", self.gamma, h)
        member, p = divmod(self.place, self.kinds)
        both = self.own[:, member][:, None] * self.own[:, member]
        linear = both * met[p]
        return (h * met).sum(axis=0), linear + linear.T, both**2 * self.gamma[:, :, p, p]


def interval(problem: Problem, solution: Solution, i: int, p: int, confidence: float) -> tuple[float, float]:
    """Lower and upper end for coefficient p of clock i (AVAR at one step) at a confidence between 0 and 1."""
    supposing = Supposing(problem, solution, i, p)
    low = 0.0
    if supposing.at(0.0).above(0.0, confidence, UPPER) < 0.0:
        low = _end(supposing, supposing.found, confidence, UPPER)
    high = _end(supposing, max(supposing.found, supposing.free) + supposing.u, confidence, LOWER)
    return min(low, supposing.found), max(high, supposing.found)


def _end(supposing: Supposing, theta: float, confidence: float, side: int) -> float:
    """An end of the interval: the moments weighed at the last one until it stays where it is."""
    for _ in range(ROUNDS):
        estimate = supposing.at(theta)
        before, theta = theta, estimate.turned(confidence, side, GROWTH * max(theta, supposing.u))
        if abs(theta - before) <= CLOSE * before:
            break
    return theta


def _partners(solution: Solution, i: int, p: int) -> list[int]:
    """Clock i, and those whose moments its coefficient leans on."""
    n, kinds = solution.theta.shape
    pull = np.abs(solution.gain[i * kinds + p]) * np.sqrt(np.diag(solution.model))
    most = np.zeros(n)
    np.maximum.at(most, solution.used[1], pull)
    others = [int(k) for k in np.argsort(-most) if k != i and most[k] > LEAST_SHARE * most[i]]
    return sorted([i, *others[:MOST_PARTNERS]])
