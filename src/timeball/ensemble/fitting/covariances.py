"""Covariances of third differences of phase under the five noises, and of their mean squares.

A third difference at lag m, H(t; m) = x(t+3m) − 3x(t+2m) + 3x(t+m) − x(t), takes out phase, rate and drift and is
stationary for every noise up to random run FM. Its covariances follow from generalised covariances K of the phase,
defined up to polynomials that the differences take out (Matheron 1973); with s the lag in steps and each coefficient
written as the Allan variance it gives at one step:

    white PM  δ(s)/3     white FM  −|s|/2     flicker FM  s² ln|s| / (4 ln 2)     random walk FM  |s|³/4
    random run FM  −|s|⁵/12

H here is divided by √6 m, so that its mean square is the Hadamard variance at m steps (NIST SP 1065, section 5.2.8).
No data here: only what the noises predict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
THIRD = (-1.0, 3.0, -3.0, 1.0)
SPAN = 3
# Beyond so many of the longer lag, the covariance of two differences is below 1e-4 of its value at zero.
REACH = 5
# Sums over long lags run on a coarser grid: so many points a (shorter) lag.
POINTS_A_LAG = 16

POWERS = {"wpm": -2, "wfm": -1, "ffm": 0, "rwfm": 1, "rrfm": 3}
"""τ to this power is a noise's Allan variance: what turns a coefficient at 1 s into one at a step and back."""


def generalised(kind: str, s: FloatArray) -> FloatArray:
    """Generalised covariance of phase at lag s (steps) of a noise whose AVAR at one step is 1."""
    r = np.abs(s)
    if kind == "wpm":
        return np.where(r < 0.5, 1.0 / 3.0, 0.0)
    if kind == "wfm":
        return -r / 2.0
    if kind == "ffm":
        return np.asarray(r * r * np.log(np.maximum(r, 1.0)) / (4.0 * math.log(2.0)), dtype=np.float64)
    return r**3 / 4.0 if kind == "rwfm" else -(r**5) / 12.0


def differences(kind: str, m: int, n: int, s: IntArray) -> FloatArray:
    """Covariance of H(t; m) and H(t + s; n), both divided by √6 times their lag, for AVAR = 1 at one step."""
    total = np.zeros(s.shape)
    for a, first in enumerate(THIRD):
        for b, second in enumerate(THIRD):
            total += first * second * generalised(kind, (s + b * n - a * m).astype(np.float64))
    return total / (6.0 * m * n)


def hadamard(kinds: Sequence[str], lags: Sequence[int]) -> FloatArray:
    """Hadamard variance float64[kinds, lags] of each noise whose AVAR at one step is 1."""
    zero = np.zeros(1, dtype=np.int64)
    return np.array([[float(differences(kind, m, m, zero)[0]) for m in lags] for kind in kinds])


def mean_square_covariances(kinds: Sequence[str], m: int, n: int, density: tuple[IntArray, FloatArray]) -> FloatArray:
    """Σ ρ(s) G_p(s) G_q(s), float64[kinds, kinds], of two lags; twice it is the covariance of mean squares.

    density: `pair_density` for these lags, the lags s and ρ(s). By Isserlis' theorem the covariance of two squares of
    Gaussian numbers is twice the square of theirs; G_p is `differences` of noise p.
    """
    s, rho = density
    rows = np.array([differences(kind, m, n, s) for kind in kinds])
    sums = (rows * rho) @ rows.T
    if "wpm" in kinds:  # white phase meets itself at single lags: each of them once, however coarse the grid
        white = list(kinds).index("wpm")
        step = stride(m, n)
        sums[white] /= step
        sums[:, white] = sums[white]
    return np.asarray(sums, dtype=np.float64)


def stride(m: int, n: int) -> int:
    """Step of the grid on which sums over s run for two lags that are powers of two."""
    return max(1, min(m, n) // POINTS_A_LAG)


def pair_lags(m: int, n: int, epochs: int) -> IntArray:
    """The lags s = t' − t that count between H(t; m) and H(t'; n) in a record, on the grid of `stride`."""
    step = stride(m, n)
    before = min(epochs - SPAN * m - 1, REACH * max(m, n)) // step
    after = min(epochs - SPAN * n - 1, REACH * max(m, n)) // step
    return np.arange(-before, after + 1, dtype=np.int64) * step


class PairDensity:
    """How often two third differences of one clock stand s steps apart, over the product of their counts.

    present : bool[epochs, clocks]
        Masks of clocks; ρ is the mean over those with gaps, SAMPLED of them at most.
    """

    SAMPLED = 8

    def __init__(self, present: npt.NDArray[np.bool_]) -> None:
        self._epochs = len(present)
        gappy = np.flatnonzero(~present.all(axis=0))
        self._masks = present[:, gappy[:: max(1, len(gappy) // self.SAMPLED)][: self.SAMPLED]]
        self._size = 1 << (2 * self._epochs - 1).bit_length()
        self._spectra: dict[int, tuple[npt.NDArray[np.complex128], FloatArray]] = {}

    def __call__(self, m: int, n: int) -> tuple[IntArray, FloatArray]:
        """Lags and ρ at them; ρ holds the step of the grid as a factor, so that Σ ρ f is the sum over every lag."""
        s = pair_lags(m, n, self._epochs)
        if self._masks.shape[1] == 0:
            firsts, seconds = self._epochs - SPAN * m, self._epochs - SPAN * n
            pairs = np.maximum(np.minimum(firsts, seconds - s) - np.maximum(0, -s), 0).astype(np.float64)
            return s, pairs * (stride(m, n) / (firsts * seconds))
        (first, count_m), (second, count_n) = self._spectrum(m), self._spectrum(n)
        pairs = np.fft.irfft((np.conj(first) * second).sum(axis=0), self._size)[s]
        return s, np.maximum(pairs, 0.0) * (stride(m, n) / max(float((count_m * count_n).sum()), 1.0))

    def _spectrum(self, m: int) -> tuple[npt.NDArray[np.complex128], FloatArray]:
        if m not in self._spectra:
            whole = self._masks[SPAN * m :].copy()
            for k in range(SPAN):
                whole &= self._masks[k * m : k * m + len(whole)]
            self._spectra[m] = (np.fft.rfft(whole.T, self._size, axis=1), whole.sum(axis=0).astype(np.float64))
        return self._spectra[m]
