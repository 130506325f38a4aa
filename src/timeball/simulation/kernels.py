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
    walk: NDArray[np.float64],
    phase_stages: NDArray[np.float64],
    rate_stages: NDArray[np.float64],
    step_s: float,
    out: NDArray[np.float64],
) -> None:
    """Write the phase at each step to `out`, and leave in `state` what the next run needs.

    Parameters
    ----------
    normals : float64[n, 4 + p + 2 q]
        Standard normals: white phase, white increment, two of the random walk, one a phase stage, two a rate stage.
    state : float64[2 + p + q]
        Integrated phase (s), random-walk rate, the phase stages (s), the rate stages. Changed in place.
    white_phase_s, white_increment_s : float
        Standard deviation of the white phase at a step and of the white-FM increment of a step, s.
    walk : float64[3]
        Random walk over a step: phase by the first normal, rate by the first, rate by the second.
    phase_stages : float64[p, 2]
        Per stage: what remains after a step, and what a normal adds (s).
    rate_stages : float64[q, 5]
        Per stage: what remains; phase by the present rate (s); phase by the first normal (s); rate by the first; rate
        by the second.
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
            state[2 + i] = phase_stages[i, 0] * state[2 + i] + phase_stages[i, 1] * normals[k, 4 + i]
        out[k] = phase

        gained = white_increment_s * normals[k, 1] + state[1] * step_s + walk[0] * normals[k, 2]
        state[1] += walk[1] * normals[k, 2] + walk[2] * normals[k, 3]
        for i in range(q):
            first = normals[k, 4 + p + 2 * i]
            rate = state[2 + p + i]
            gained += rate_stages[i, 1] * rate + rate_stages[i, 2] * first
            state[2 + p + i] = (
                rate_stages[i, 0] * rate + rate_stages[i, 3] * first + rate_stages[i, 4] * normals[k, 5 + p + 2 * i]
            )
        state[0] += gained
