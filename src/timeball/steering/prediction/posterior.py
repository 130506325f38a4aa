"""What a past says of a free scale's noise, offset and rate, and what follows for chosen epochs.

x is the free scale minus UTC; inside, phases are in ns and time in days. The noise is white, flicker and random-walk FM
with measurement noise; their ratios run over a lattice, the common level is integrated over in closed form (prior 1/σ),
offset and rate (and drift) are free (universal kriging, restricted likelihood). At each point of the lattice the future
is a Student t; the prediction is their mixture, weighted by likelihood.

The lattice depends on the epochs alone. So one posterior serves any number of series on the same epochs, side by side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.ensemble.noise import ClockNoise
from timeball.steering.prediction.covariance import NS, flicker_fm, levels, noise_of, run_fm, walk_fm, white_fm

FloatArray = NDArray[np.float64]
DAY_NS = 86_400e9
# AVAR of flicker and random-walk FM against white FM, at the time between the points' interval and the horizon
RATIOS = (0.0, 1 / 4, 2.0, 16.0, 128.0)
# variance of the measurement against what white FM gains between two points
WHITE_RATIOS = (1 / 1024, 1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0, 4.0, 16.0)
# A stated measurement uncertainty is believed to this factor (standard deviation of its logarithm).
BELIEF = 0.5
# The times a lattice point must be less likely than the best before it is left out.
NEGLIGIBLE = 1e-5
LEAST_POINTS = 6


class PredictionError(ValueError):
    """The past does not allow a prediction: too few points, or epochs that do not follow one another."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Mixtures for r series at m epochs.

    weight float64[k, r]; mean float64[k, m, r] (ns); spread float64[k, m] (ns per unit of scale) and root
    float64[k, m, m], a root of the joint covariance; scale float64[k, r]; freedom, degrees of freedom (inf: normal).
    """

    weight: FloatArray
    mean: FloatArray
    spread: FloatArray
    root: FloatArray
    scale: FloatArray
    freedom: float

    def draw(self, rng: np.random.Generator, paths: int) -> FloatArray:
        """Draw joint futures of every series: float64[m, r, paths], s."""
        epochs, series = self.mean.shape[1:]
        reached = np.cumsum(self.weight, axis=0)
        below = reached[:-1, :, None] < rng.random((1, series, paths)) * reached[-1][:, None]
        node = below.sum(axis=0).ravel()
        column = np.repeat(np.arange(series), paths)
        scale = self.scale[node, column]
        if not math.isinf(self.freedom):
            scale = scale * np.sqrt(self.freedom / rng.chisquare(self.freedom, scale.size))
        normals = rng.standard_normal((epochs, scale.size)) * scale
        out = self.mean[node, :, column].T
        order = np.argsort(node, kind="stable")
        nodes, starts = np.unique(node[order], return_index=True)
        for k, chosen in zip(nodes.tolist(), np.split(order, starts[1:]), strict=True):
            out[:, chosen] += self.root[k] @ normals[:, chosen]
        return np.asarray(out.reshape(epochs, series, paths) * NS)


class Posterior:
    """Lattice, contrasts and factors for one set of past epochs and one of epochs to predict."""

    def __init__(
        self,
        epochs: NDArray[np.int64],
        at: NDArray[np.int64],
        *,
        u_s: FloatArray | None = None,
        noise: ClockNoise | None = None,
        drifts: bool = False,
    ) -> None:
        """Prepare.

        Parameters
        ----------
        epochs : int64[n]
            TAI ns of the past, growing, at least 6.
        at : int64[m]
            TAI ns to predict, any.
        u_s : float64[n] or float64[n, n]
            Standard uncertainties of the points, or their covariance matrix (s²); None: unknown, and alike for all.
        noise : ClockNoise
            Coefficients taken as known; None estimates them.
        drifts : bool
            Whether a constant drift is among the unknowns.

        Raises
        ------
        PredictionError
            If there are fewer points than that, or they do not grow.
        """
        n = epochs.size
        if n < LEAST_POINTS or not bool(np.all(np.diff(epochs) > 0)):
            raise PredictionError(
                f"no prediction from {n} point(s): {LEAST_POINTS} are needed, each later than the one before"
            )
        self.stated = u_s is not None
        t = np.concatenate([epochs, at]).astype(np.float64) - float(epochs[-1])
        t = t / DAY_NS
        self._contrast(t, n, drifts or (noise is not None and noise.rrfm > 0.0))
        measured = np.zeros((t.size, t.size))
        measured[:n, :n] = _measurement(u_s, n)
        self.unit = float(np.mean(np.diag(measured)[:n]))
        distance = t[:, None] - t[None, :]
        parts = [self._project(k) for k in (white_fm(distance), flicker_fm(distance), walk_fm(distance), measured)]
        if noise is None:
            self.nodes = self._lattice(t[:n], t[n:])
            self.freedom = float(self.z.shape[1])
        else:
            parts.append(self._project(run_fm(distance)) if noise.rrfm > 0.0 else 0.0 * parts[0])
            white, flicker, walk, run = levels(noise)
            extra = noise.wpm**2 / 3.0 / NS**2 / self.unit if u_s is None else 1.0
            self.nodes = np.array([[white, flicker, walk, extra, run]])
            self.freedom = math.inf
        self._factor(np.array(parts))

    def _contrast(self, t: FloatArray, n: int, drifts: bool) -> None:
        span = max(1.0, -t[0])
        basis = np.vander(t / span, 3 if drifts else 2, increasing=True)
        past, future = basis[:n], basis[n:]
        q, _ = np.linalg.qr(past, mode="complete")
        self.z = q[:, basis.shape[1] :]
        self.extrapolate = future @ np.linalg.pinv(past)
        rows = self.z.shape[1]
        self.contrast = np.zeros((rows + t.size - n, t.size))
        self.contrast[:rows, :n] = self.z.T
        self.contrast[rows:, :n] = -self.extrapolate
        self.contrast[rows:, n:] = np.eye(t.size - n)

    def _project(self, k: FloatArray) -> FloatArray:
        return np.asarray(self.contrast @ k @ self.contrast.T)

    def _lattice(self, past: FloatArray, future: FloatArray) -> FloatArray:
        """Rows of (white, flicker, walk, measurement), white FM at one day being 1."""
        interval = float(np.median(np.diff(past)))
        horizon = max(interval, float(future.max()) if future.size else interval)
        reference = math.sqrt(interval * horizon)
        rows = [
            (1.0, flicker / reference, walk / reference**2, white * interval / self.unit)
            for flicker in RATIOS
            for walk in RATIOS
            for white in WHITE_RATIOS
        ]
        return np.array(rows)

    def _factor(self, parts: FloatArray) -> None:
        # One factor of past and future together: its corner is a root of what the past leaves open.
        from timeball.steering.kernels import factor_all

        rows = self.z.shape[1]
        lower = np.ascontiguousarray(np.einsum("kj,jab->kab", self.nodes, parts))
        factor_all(lower)
        self.lower = lower
        self.half_log_det = np.log(np.diagonal(lower[:, :rows, :rows], axis1=1, axis2=2)).sum(axis=1)
        self.root = lower[:, rows:, rows:]
        self.spread = np.sqrt((self.root * self.root).sum(axis=2))

    def _whiten(self, x: FloatArray) -> FloatArray:
        from timeball.steering.kernels import solve_all

        return np.asarray(solve_all(self.lower, self.z.shape[1], np.ascontiguousarray(self.z.T @ x)))

    def of(self, x_s: FloatArray) -> Prediction:
        """Predict series x_s[n] or x_s[n, r] (s), one column a series."""
        x = np.asarray(x_s, dtype=np.float64).reshape(self.z.shape[0], -1) / NS
        white = self._whiten(x)
        square = (white * white).sum(axis=1)
        if math.isinf(self.freedom):
            weight, scale = np.ones_like(square), np.ones_like(square)
        else:
            scale = np.sqrt(square / self.freedom)
            weight = self._weigh(square, scale)
        mean = self.extrapolate @ x + np.matmul(self.lower[:, white.shape[1] :, : white.shape[1]], white)
        kept = (weight > NEGLIGIBLE).any(axis=1)
        return Prediction(weight[kept], mean[kept], self.spread[kept], self.root[kept], scale[kept], self.freedom)

    def _weigh(self, square: FloatArray, scale: FloatArray) -> FloatArray:
        log_weight = -self.half_log_det[:, None] - 0.5 * self.freedom * np.log(square)
        if self.stated:
            # the measurement's variance at this lattice point against the stated one
            level = 0.5 * np.log(self.nodes[:, 3])[:, None] + np.log(scale)
            log_weight = log_weight - 0.5 * (level / BELIEF) ** 2
        weight = np.exp(log_weight - log_weight.max(axis=0))
        return np.asarray(weight / weight.sum(axis=0))

    def coefficients(self, x_s: FloatArray) -> ClockNoise:
        """Coefficients of one series x_s[n] (s): the mean over the posterior of each squared."""
        x = np.asarray(x_s, dtype=np.float64).reshape(self.z.shape[0], 1) / NS
        white = self._whiten(x)
        square = (white * white).sum(axis=1)
        scale = np.ones_like(square) if math.isinf(self.freedom) else np.sqrt(square / self.freedom)
        weight = np.ones_like(square) if math.isinf(self.freedom) else self._weigh(square, scale)
        white_fm_, flicker, walk, reading = (weight * scale**2 * self.nodes).sum(axis=0)[:4].tolist()
        return noise_of(white_fm_, flicker, walk, reading * self.unit * NS**2)


def _measurement(u_s: FloatArray | None, n: int) -> FloatArray:
    """Covariance of the points' measurement noise, ns²; white of 1 ns² where nothing is stated."""
    if u_s is None:
        return np.eye(n)
    stated = np.asarray(u_s, dtype=np.float64)
    matrix = np.diag(stated**2) if stated.ndim == 1 else stated
    if matrix.shape != (n, n) or not np.all(np.isfinite(matrix)):
        raise PredictionError(
            f"{n} points need {n} uncertainties that are numbers, or a covariance matrix of that size"
        )
    if np.trace(matrix) <= 0.0:
        return np.eye(n) * 1e-6
    return np.asarray(matrix / NS**2)
