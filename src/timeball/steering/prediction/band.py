"""The band: median and central interval of the prediction at each epoch, and the known steers put back.

x is UTC(k) − UTC (s), or a free scale's, whichever the series and the steers make it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.ensemble.noise import ClockNoise
from timeball.steering.prediction.covariance import NS
from timeball.steering.prediction.posterior import FloatArray, Posterior, Prediction
from timeball.steering.stepper import StepperCommand, commanded_phases

BISECTIONS = 50


class Band(NamedTuple):
    """Prediction at m epochs, all in s.

    epochs int64[m] (TAI ns); x_s median; u_s half of what holds 68.3 %; low_s and high_s hold `confidence`; noise the
    coefficients of the free scale that the past suggests (mean of each squared), or those that were given.
    """

    epochs: NDArray[np.int64]
    x_s: FloatArray
    u_s: FloatArray
    low_s: FloatArray
    high_s: FloatArray
    confidence: float
    noise: ClockNoise


def predict_band(
    epochs: NDArray[np.int64],
    x_s: FloatArray,
    at: NDArray[np.int64],
    *,
    u_s: FloatArray | None = None,
    u_at_s: float = 0.0,
    noise: ClockNoise | None = None,
    confidence: float = 0.95,
    drifts: bool = False,
    steers: Sequence[StepperCommand] = (),
) -> Band:
    """Predict UTC(k) − UTC with a band in which it is found with probability `confidence`.

    Parameters
    ----------
    epochs, x_s : int64[n], float64[n]
        The past: TAI ns, growing, and UTC(k) − UTC in s; NaN is left out. At least 6 values.
    at : int64[m]
        TAI ns to predict.
    u_s : float64[n] or float64[n, n] or None
        Standard uncertainties of the values, or their covariance (s²); None: unknown and estimated with the rest.
    u_at_s : float
        Standard uncertainty with which the predicted value will be measured, s.
    noise : ClockNoise or None
        Noise of the free scale if it is known; None estimates it from the past, and the band allows for that.
    confidence : float
        Probability of the band, between 0 and 1.
    drifts : bool
        Whether the free scale may have a constant drift.
    steers : sequence of StepperCommand
        Rates of UTC(k) against the free scale, past and already decided; () for a scale that is not steered.

    Raises
    ------
    PredictionError
        With too few points, or epochs that do not grow.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1; {confidence!r} does not")
    known = np.isfinite(x_s)
    past, ahead = np.asarray(epochs, dtype=np.int64)[known], np.asarray(at, dtype=np.int64)
    free = np.asarray(x_s, dtype=np.float64)[known] - commanded_phases(steers, past)
    posterior = Posterior(past, ahead, u_s=_of_known(u_s, known), noise=noise, drifts=drifts)
    prediction = posterior.of(free)
    steered = commanded_phases(steers, ahead)
    tails = (0.5, (1 - confidence) / 2, (1 + confidence) / 2, 0.15865525393145707, 0.8413447460685429)
    middle, low, high, less, more = (quantile(prediction, p, u_at_s)[:, 0] + steered for p in tails)
    return Band(ahead, middle, (more - less) / 2.0, low, high, confidence, noise or posterior.coefficients(free))


def quantile(prediction: Prediction, p: float, u_at_s: float = 0.0) -> FloatArray:
    """Quantile p of each mixture, float64[m, r], s; `u_at_s` is added to the spread in quadrature."""
    spread = np.sqrt((prediction.spread[:, :, None] * prediction.scale[:, None, :]) ** 2 + (u_at_s / NS) ** 2)
    spread = np.maximum(spread, 1e-9)
    reach = 1e3 * spread.max(axis=0)
    low, high = prediction.mean.min(axis=0) - reach, prediction.mean.max(axis=0) + reach
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        share = student_cdf((middle - prediction.mean) / spread, prediction.freedom)
        below = (prediction.weight[:, None, :] * share).sum(axis=0) < p
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high) * NS)


def student_cdf(t: FloatArray, freedom: float) -> FloatArray:
    """Distribution function of Student's t (normal for infinite freedom), to 1e-6, by one table and interpolation."""
    # θ = arctan(t/√ν) maps the line to an interval on which the density is cos^(ν−1), smooth and short.
    if math.isinf(freedom):
        freedom = 1e7
    theta = np.arctan(t / math.sqrt(freedom))
    edge = min(math.pi / 2, 12.0 / math.sqrt(freedom))
    grid = np.linspace(-edge, edge, 4001)
    with np.errstate(divide="ignore"):
        density = np.exp((freedom - 1.0) * np.log(np.maximum(np.cos(grid), 1e-300)))
    table = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.asarray(np.interp(theta, grid, table / table[-1]))


def _of_known(u_s: FloatArray | None, known: NDArray[np.bool_]) -> FloatArray | None:
    if u_s is None:
        return None
    stated = np.asarray(u_s, dtype=np.float64)
    return stated[known] if stated.ndim == 1 else stated[np.ix_(known, known)]
