"""Compiled loop of the simulation room: one clock's noise over a run of steps."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def run_noise(
    normals: NDArray[np.float64],
    state: NDArray[np.float64],
    white_phase_s: float,
    white_increment_s: float,
    walk: float,
    phase_stages: NDArray[np.float64],
    rate_stages: NDArray[np.float64],
    step_s: float,
    out: NDArray[np.float64],
) -> None:
    """Write the phase at each step to `out`, and leave in `state` what the next run needs.

    Parameters
    ----------
    normals : float64[n, 3 + p + q]
        Standard normals: white phase, white increment, random walk, one a phase stage, one a rate stage.
    state : float64[2 + p + q]
        Integrated phase (s), random-walk rate, the phase stages (s), the rate stages. Changed in place.
    white_phase_s, white_increment_s : float
        Standard deviation of the white phase at a step, and of the independent phase that a step gains, s.
    walk : float
        Standard deviation of the random walk's change of rate over a step.
    phase_stages : float64[p, 2]
        Per stage: what remains after a step, and what a normal adds (s).
    rate_stages : float64[q, 4]
        Per stage: what remains, and what a normal adds; the phase (s) gained by the rate before, and by the normal.
    step_s : float
        Length of a step, s.
    out : float64[n]
        Phase, s; filled.
    """
    p = phase_stages.shape[0]
    q = rate_stages.shape[0]
    for k in range(out.size):
        phase = state[0] + white_phase_s * normals[k, 0]
        for i in range(p):
            phase += state[2 + i]
            state[2 + i] = phase_stages[i, 0] * state[2 + i] + phase_stages[i, 1] * normals[k, 3 + i]
        out[k] = phase

        kick = walk * normals[k, 2]
        gained = white_increment_s * normals[k, 1] + (state[1] + 0.5 * kick) * step_s
        state[1] += kick
        for i in range(q):
            rate = state[2 + p + i]
            normal = normals[k, 3 + p + i]
            gained += rate_stages[i, 2] * rate + rate_stages[i, 3] * normal
            state[2 + p + i] = rate_stages[i, 0] * rate + rate_stages[i, 1] * normal
        state[0] += gained
