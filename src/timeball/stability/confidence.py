"""Confidence intervals and biases of deviations: between which limits the true value lies, given what was measured.

σ²·edf/χ² has the chi-square law with `edf` degrees of freedom (NIST SP 1065, eq. 45 and 46), where the EDF depends on
the deviation, the record with its gaps, τ and the noise that is found at it. Total deviations are biased by a known
ratio: the limits are those of the deviation without the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import edf_tables
from timeball.stability.chi_square import ConfidenceError, chi_square_quantile
from timeball.stability.edf import degrees_of_freedom
from timeball.stability.noise import Noise, identify_noise
from timeball.stability.records import Record, check_interval, frequency_record, phase_record

if TYPE_CHECKING:
    from timeball.stability.forms import Deviations

FloatArray = NDArray[np.float64]
# The share of a normal law within one sigma, as Stable32 and most of the field print it.
ONE_SIGMA = 0.683
HADAMARD = ("hdev", "ohdev", "htotdev")


@dataclass(frozen=True, slots=True)
class Intervals:
    """Limits of a deviation at k averaging times, all arrays [k].

    alpha and method: the noise (`noise`); edf: degrees of freedom; bias: E[σ²] of the estimator over the true σ²;
    sigma: the deviation without its bias, in its own unit; low and high: the limits about it at `confidence`, both
    sides alike in probability. NaN where there is no law: MTIE, TIE rms under flicker or slower FM, no term.
    """

    confidence: float
    alpha: NDArray[np.int64]
    method: tuple[str, ...]
    edf: FloatArray
    bias: FloatArray
    sigma: FloatArray
    low: FloatArray
    high: FloatArray


def intervals(
    key: str,
    deviations: Deviations,
    x: ArrayLike,
    tau0_s: float,
    *,
    kind: str = "phase",
    confidence: float = ONE_SIGMA,
    alpha: int | Sequence[int] | None = None,
) -> Intervals:
    """Give the limits of `deviations`, computed by the deviation `key` from the record x.

    key: "adev", "oadev", ... as in DEVIATIONS. x, tau0_s, kind: the record, as it was given to the deviation. alpha:
    the noise if it is known, one for all or one for each τ; without it, it is identified at each τ.
    Raises ConfidenceError for a confidence outside (0, 1), RecordError for a record that is none.
    """
    if not 0.0 < confidence < 1.0:
        raise ConfidenceError(f"a confidence lies between 0 and 1, not at {confidence!r}")
    tau0_s = check_interval(tau0_s)
    record = phase_record(x) if kind == "phase" else frequency_record(x, tau0_s)
    factors = _periods(key, deviations)
    noise = _noise(alpha, factors.size) or identify_noise(
        x, tau0_s, factors, kind=kind, lowest=-4 if key in HADAMARD else -2
    )
    own = [_estimator(key, deviations, k, tau0_s) for k in range(factors.size)]
    edf = _freedoms(own, record, deviations.m, noise.alpha)
    # without a term there is nothing that could have a freedom
    edf[deviations.n == 0] = np.nan
    points = int(np.isfinite(record.x).sum())
    bias = np.array(
        [
            edf_tables.variance_bias(name, a, m, (points - 1) / m)
            for name, m, a in zip(own, deviations.m.tolist(), noise.alpha.tolist(), strict=True)
        ]
    )
    sigma = deviations.sigma / np.sqrt(bias)
    low, high = _limits(sigma, edf, confidence)
    return Intervals(confidence, noise.alpha, noise.method, edf, bias, sigma, low, high)


def _periods(key: str, deviations: Deviations) -> NDArray[np.int64]:
    """Factors at which the noise is looked for: Theo1 at m is about τ = 0.75 m τ₀."""
    if key in ("theo1", "theobr"):
        return np.maximum((3 * deviations.m) // 4, 1)
    return deviations.m


def _estimator(key: str, deviations: Deviations, k: int, tau0_s: float) -> str:
    """TheoH is two deviations: OADEV where τ = m τ₀, and TheoBR above."""
    if key != "theoh":
        return key
    plain = abs(deviations.tau_s[k] / (deviations.m[k] * tau0_s) - 1.0) < 1e-6
    return "oadev" if plain else "theobr"


def _noise(alpha: int | Sequence[int] | None, size: int) -> Noise | None:
    if alpha is None:
        return None
    given = np.broadcast_to(np.asarray(alpha, dtype=np.int64), (size,)).copy()
    return Noise(given, given.astype(np.float64), ("given",) * size)


def _freedoms(keys: list[str], record: Record, m: NDArray[np.int64], alpha: NDArray[np.int64]) -> FloatArray:
    rows = zip(keys, m.tolist(), alpha.tolist(), strict=True)
    return np.array([degrees_of_freedom(key, record, factor, a) for key, factor, a in rows], dtype=np.float64)


def _limits(sigma: FloatArray, edf: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    tail = 0.5 * (1.0 - confidence)
    low, high = np.full(sigma.size, np.nan), np.full(sigma.size, np.nan)
    for k in np.flatnonzero(np.isfinite(edf) & np.isfinite(sigma)).tolist():
        freedom = float(edf[k])
        low[k] = sigma[k] * np.sqrt(freedom / chi_square_quantile(1.0 - tail, freedom))
        high[k] = sigma[k] * np.sqrt(freedom / chi_square_quantile(tail, freedom))
    return low, high
