"""Which power-law noise a record shows at each averaging time.

The lag-1 autocorrelation of the record at spacing τ, differenced until it is stationary (Riley and Greenhall 2004),
tells the exponent where at least LAG1_POINTS values remain. Where they do not, the ratio B1 of the standard to the
Allan variance does, with R(n) = MVAR/AVAR between white and flicker PM (NIST SP 1065, section 5.5); where even that has
too few values, the noise of the next shorter τ is taken. `method` says which it was.

alpha: power of f in S_y(f), 2 white PM, 1 flicker PM, 0 white FM, −1 flicker FM, −2 random walk FM, and for Hadamard
deviations −3 and −4. A constant rate and drift are removed before the autocorrelation, not before B1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.deviations import mdev, oadev
from timeball.stability.errors import StabilityError
from timeball.stability.records import Record, check_interval, frequency_record, phase_record

NOISES = {
    2: "white PM",
    1: "flicker PM",
    0: "white FM",
    -1: "flicker FM",
    -2: "random walk FM",
    -3: "flicker walk FM",
    -4: "random run FM",
}
LAG1_POINTS = 30
B1_POINTS = 8
STATIONARY = 0.25


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise at k averaging factors: alpha int64[k], slope float64[k] (before rounding, NaN from B1), method[k].

    method: "lag-1", "B1", "B1 and R(n)", "shorter τ" (that of the τ before it) or "assumed" (white FM: nothing known).
    """

    alpha: NDArray[np.int64]
    slope: NDArray[np.float64]
    method: tuple[str, ...]


def identify_noise(
    x: ArrayLike, tau0_s: float, m: Sequence[int] | NDArray[np.int64], *, kind: str = "phase", lowest: int = -2
) -> Noise:
    """Tell the noise of a record at the averaging factors m; arguments as `oadev`. lowest: −2, or −4 for Hadamard.

    Raises RecordError for a record that is none.
    """
    tau0_s = check_interval(tau0_s)
    record = phase_record(x) if kind == "phase" else frequency_record(x, tau0_s)
    alphas: list[int] = []
    slopes: list[float] = []
    methods: list[str] = []
    for factor in np.asarray(m, dtype=np.int64).tolist():
        alpha, slope, method = _one(record, factor, lowest, x if kind == "phase" else None)
        if method == "":
            alpha, method = (alphas[-1], "shorter τ") if alphas else (0, "assumed")
        alphas.append(alpha)
        slopes.append(slope)
        methods.append(method)
    return Noise(np.array(alphas, dtype=np.int64), np.array(slopes, dtype=np.float64), tuple(methods))


def _one(record: Record, m: int, lowest: int, phase: ArrayLike | None) -> tuple[int, float, str]:
    series = record.x[::m] if phase is not None else _averages(record, m)
    offset = 2 if phase is not None else 0
    if int(np.isfinite(series).sum()) >= LAG1_POINTS:
        slope = _lag1_slope(series, offset, lowest)
        if math.isfinite(slope):
            return max(min(int(np.rint(slope)), 2), lowest), slope, "lag-1"
    averages = _averages(record, m)
    if int(np.isfinite(averages).sum()) >= B1_POINTS:
        alpha, method = _from_b1(averages, record, m, lowest)
        return alpha, math.nan, method
    return 0, math.nan, ""


def _averages(record: Record, m: int) -> NDArray[np.float64]:
    """Frequency averaged over m intervals (per τ₀), from the record's start on; NaN where a point is missing."""
    x = record.x[::m]
    y = np.diff(x) / m
    if record.starts.size > 1:
        stretch = np.searchsorted(record.starts, np.arange(x.size) * m, side="right")
        inside = np.arange(x.size) * m < record.stops[np.maximum(stretch, 1) - 1]
        y[(stretch[1:] != stretch[:-1]) | ~inside[1:] | ~inside[:-1]] = np.nan
    return np.asarray(y, dtype=np.float64)


def _lag1_slope(series: NDArray[np.float64], offset: int, lowest: int) -> float:
    """alpha, not rounded: −2 (δ + d) + offset, δ = r₁/(1 + r₁) after d differences; NaN for a record without noise."""
    z = _detrended(series, 2 if offset else 1)
    # phase is differenced once more than frequency before it is as white
    most = (offset - lowest) // 2
    for d in range(most + 1):
        delta = _delta(z)
        if not math.isfinite(delta):
            return math.nan
        if delta < STATIONARY or d == most:
            return -2.0 * (delta + d) + offset
        z = np.diff(z)
    return math.nan


def _delta(z: NDArray[np.float64]) -> float:
    """δ = r₁/(1 + r₁) of the autocorrelation between neighbours that are both there."""
    known = z[np.isfinite(z)]
    z = z - (known.mean() if known.size else 0.0)
    pairs = z[1:] * z[:-1]
    square, product = float(np.nansum(z * z)), float(np.nansum(pairs))
    count = int(np.isfinite(pairs).sum())
    if square <= 0.0 or count == 0:
        return math.nan
    r1 = product / square
    if count < z.size - 1:
        # with gaps, each sum by its own count
        r1 *= known.size / count * (1.0 - 1.0 / known.size)
    return r1 / (1.0 + r1) if r1 > -1.0 else math.nan


def _detrended(series: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    known = np.isfinite(series)
    t = np.linspace(-1.0, 1.0, series.size)
    coefficients = np.polynomial.polynomial.polyfit(t[known], series[known], degree)
    return np.asarray(series - np.polynomial.polynomial.polyval(t, coefficients), dtype=np.float64)


def _from_b1(averages: NDArray[np.float64], record: Record, m: int, lowest: int) -> tuple[int, str]:
    """B1 against its expectation for τ^μ (Howe, Allan and Barnes 1981), the boundaries at geometric means."""
    alpha = _b1_alpha(averages)
    if alpha <= -2 and lowest < -2:
        # still steeper: the ratio of the differences, whose exponents are higher by two
        differences = np.diff(averages)
        if int(np.isfinite(differences).sum()) >= B1_POINTS:
            return max(min(_b1_alpha(differences) - 2, -2), lowest), "B1"
    if alpha < 2 or m == 1:
        return max(alpha, lowest), "B1"
    return _from_r(record, m), "B1 and R(n)"


def _b1_alpha(y: NDArray[np.float64]) -> int:
    """2 stands for both noises of phase, which B1 cannot tell apart."""
    n = int(np.isfinite(y).sum())
    differences = np.diff(y)
    allan = 0.5 * float(np.nanmean(differences**2)) if np.isfinite(differences).any() else 0.0
    if allan <= 0.0:
        return 0
    ratio = float(np.nanvar(y, ddof=1)) / allan
    expected = [_b1_expected(n, mu) for mu in (1, 0, -1, -2)]
    for k, alpha in enumerate((-2, -1, 0)):
        if ratio > math.sqrt(expected[k] * expected[k + 1]):
            return alpha
    return 2


def _b1_expected(n: int, mu: int) -> float:
    if mu == 0:
        return n * math.log(n) / (2.0 * (n - 1.0) * math.log(2.0))
    return n * (1.0 - float(n) ** mu) / (2.0 * (n - 1.0) * (1.0 - 2.0**mu))


def _from_r(record: Record, m: int) -> int:
    """R(n): 1/m for white PM; for flicker PM by the logarithms of the two variances, with f_h = 1/(2 τ₀)."""
    x = record.x if record.starts.size == 1 else record.x[: int(record.stops[0])]
    try:
        modified, plain = mdev(x, 1.0, [m]).sigma[0], oadev(x, 1.0, [m]).sigma[0]
    except StabilityError:
        return 2
    if not (math.isfinite(modified) and plain > 0.0):
        return 2
    flicker = 3.0 * math.log(256.0 / 27.0) / 8.0 * 4.0 / (1.038 + 3.0 * math.log(math.pi * m))
    return 2 if (modified / plain) ** 2 < math.sqrt(flicker / m) else 1
