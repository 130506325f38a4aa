"""Offset and rate of UTC(k) − UTC at one epoch, from a run of past values.

A straight line by least squares in a fixed order of additions. It assumes white phase noise: the uncertainties come
from the scatter about the line and say nothing of what a clock does beyond it. This module does not reject outliers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.steering.stepper import NS_PER_S


class Offset(NamedTuple):
    """State of UTC(k) − UTC at an epoch: phase (s), rate, and their standard uncertainties (k = 1, NaN unknown)."""

    x_s: float
    y: float
    u_x_s: float
    u_y: float


class OffsetUnknown(ValueError):
    """There are not enough values to fit a line through."""


def fit_offset(epochs: NDArray[np.int64], x: NDArray[np.float64], at: int) -> Offset:
    """Fit a line through x and read it off at `at`.

    Parameters
    ----------
    epochs : int64[n]
        TAI ns.
    x : float64[n]
        UTC(k) − UTC, s; NaN is left out.
    at : int
        TAI ns at which offset and rate are wanted.

    Raises
    ------
    OffsetUnknown
        With fewer than two values at different epochs.
    """
    from timeball.steering.kernels import fit_line

    t_s = (np.asarray(epochs, dtype=np.int64) - np.int64(at)) / NS_PER_S
    x_s, y, u_x_s, u_y, n = fit_line(t_s, np.asarray(x, dtype=np.float64))
    if np.isnan(y):
        raise OffsetUnknown(f"offset from UTC unknown: {n} value(s), and a line needs two at different epochs")
    # without the compiler these are numpy's floats, whose text is another one
    return Offset(float(x_s), float(y), float(u_x_s), float(u_y))
