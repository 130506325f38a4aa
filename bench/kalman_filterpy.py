"""The peer of the Kalman scale: filterpy's KalmanFilter on the same clocks, as its documentation shows it.

State: phase and rate of every clock, drift of every fifth; each epoch predict() and update() with the rows of the
clocks that were read, against the first. filterpy knows nothing of scales, weights or outliers: it does less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.ensemble.noise import ClockNoise

FloatArray = npt.NDArray[np.float64]


def run(x: FloatArray, noise: list[ClockNoise], tau_s: float) -> FloatArray:
    """Filter phases float64[m, n] against the first clock (which is never missing); gives the last state."""
    from filterpy.kalman import KalmanFilter  # type: ignore[import-not-found,unused-ignore]

    n = x.shape[1]
    drifting = [i for i in range(n) if noise[i].drifts]
    size = 2 * n + len(drifting)
    kf = KalmanFilter(dim_x=size, dim_z=n - 1)
    F, Q = np.eye(size), np.zeros((size, size))
    for i in range(n):
        q1, q2 = noise[i].wfm ** 2, 3.0 * noise[i].rwfm ** 2
        F[i, n + i] = tau_s
        Q[i, i] = q1 * tau_s + q2 * tau_s**3 / 3.0
        Q[i, n + i] = Q[n + i, i] = q2 * tau_s**2 / 2.0
        Q[n + i, n + i] = q2 * tau_s
    for k, i in enumerate(drifting):
        F[i, 2 * n + k], F[n + i, 2 * n + k] = tau_s**2 / 2.0, tau_s
        Q[2 * n + k, 2 * n + k] = 20.0 * noise[i].rrfm ** 2 * tau_s
    kf.x, kf.F, kf.Q = np.zeros(size), F, Q
    kf.P = np.diag([1e-22] * n + [1e-26] * n + [1e-42] * len(drifting))
    R = np.array([each.wpm**2 / 3.0 for each in noise])
    H = np.zeros((n - 1, size))
    H[:, 0] = -1.0
    H[np.arange(n - 1), np.arange(1, n)] = 1.0
    for row in x:
        here = np.flatnonzero(~np.isnan(row[1:]))
        kf.predict()
        kf.dim_z = len(here)
        kf.update(row[1:][here], np.diag(R[1:][here]) + R[0], H[here])
    state: FloatArray = np.asarray(kf.x, dtype=np.float64)
    return state
