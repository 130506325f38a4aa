"""Covariances of a clock's phase by kind of noise, in the form that holds for whatever no line or parabola changes.

Phase under white, flicker and random-walk FM has no variance of its own, for its start and rate are anybody's guess.
But every combination of phases that a line does not change has one, and it follows from a generalised covariance K(h)
as if that were the covariance (Matheron, Adv. Appl. Prob. 5, 1973):

    white FM        −wfm² |h| / 2
    flicker FM      ffm² h² ln|h| / (4 ln 2)
    random-walk FM  rwfm² |h|³ / 4
    random-run FM   −rrfm² |h|⁵ / 12    (only for what no parabola changes)

The second difference at τ has the variance 2 K(2τ) − 8 K(τ) = 2 τ² AVAR(τ), which gives the first three constants; the
last is 20 rrfm² / 240. Time in days and phase in ns inside this room, so that the numbers stay near one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.ensemble.noise import ClockNoise

DAY_S = 86_400.0
NS = 1e-9
# ADEV at 1 s → AVAR coefficient in (ns/day)² with τ in days: y in ns/day is y · 86 400 s / 1 ns.
RATE_UNIT = DAY_S / NS

FloatArray = NDArray[np.float64]


def white_fm(h: FloatArray) -> FloatArray:
    """K of white FM whose AVAR at one day is 1 (ns/day)²."""
    return np.asarray(-0.5 * np.abs(h))


def flicker_fm(h: FloatArray) -> FloatArray:
    """K of flicker FM whose AVAR is 1 (ns/day)²."""
    distance = np.abs(h)
    return np.asarray(h * h * np.log(np.where(distance > 0.0, distance, 1.0)) / (4.0 * np.log(2.0)))


def walk_fm(h: FloatArray) -> FloatArray:
    """K of random-walk FM whose AVAR at one day is 1 (ns/day)²."""
    return np.asarray(np.abs(h) ** 3 / 4.0)


def run_fm(h: FloatArray) -> FloatArray:
    """K of random-run FM with rrfm² τ³ = 1 (ns/day)² at one day; for what no parabola changes."""
    return np.asarray(-(np.abs(h) ** 5) / 12.0)


def levels(noise: ClockNoise) -> tuple[float, float, float, float]:
    """Coefficients of the four kinds as AVAR at one day, (ns/day)², from ADEVs at 1 s."""
    return (
        noise.wfm**2 / DAY_S * RATE_UNIT**2,
        noise.ffm**2 * RATE_UNIT**2,
        noise.rwfm**2 * DAY_S * RATE_UNIT**2,
        noise.rrfm**2 * DAY_S**3 * RATE_UNIT**2,
    )


def noise_of(white: float, flicker: float, walk: float, wpm_variance_s2: float = 0.0) -> ClockNoise:
    """The other way round: coefficients at 1 s from AVAR at one day, (ns/day)², and the variance of a reading (s²)."""
    return ClockNoise(
        wpm=(3.0 * wpm_variance_s2) ** 0.5,
        wfm=(white * DAY_S) ** 0.5 / RATE_UNIT,
        ffm=flicker**0.5 / RATE_UNIT,
        rwfm=(walk / DAY_S) ** 0.5 / RATE_UNIT,
    )
