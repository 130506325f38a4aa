"""From a clock's noise coefficients to the numbers of the filter; once per call, with + − × ÷ √ alone.

Flicker FM is a sum of Markov stages of the rate whose time constants lie a factor of sixteen apart (Davis, Greenhall
and Stacey, Proc. FCS 2005): with that factor each has the variance 2 ffm², and the sum is level to a few per cent.
What is faster than the first stage is white FM, what is slower than the last a random walk. What it does not do: fit
coefficients (`ensemble.fitting` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from timeball.ensemble.kalman.parameters import DAY_S, KalmanParameters
from timeball.ensemble.noise import ClockNoise

FloatArray = npt.NDArray[np.float64]

RATIO = 16.0
ROOT = 4.0  # a stage stands for the time constants from T/4 to 4T
VARIANCE = 2.0  # ln 16 / (2 ln 2): of a stage, in units of ffm²
LN4 = 1.3862943611198906
FLOOR_S2 = 1e-30  # (1 fs)²: phases are recorded to 1 fs
LEAST_Q = 1e-40  # white FM of 1e-20 at 1 s: no clock is as quiet, and no weight becomes infinite
DRIFT_SPREAD = 2.0  # a drift not known yet: twice what the clock's noise does in a day, a day


class ClockModels(NamedTuple):
    """The clocks' numbers: q float64[n, 3], R float64[n] (s²), stage_variance [n], drift_variance [n] (1/s²)."""

    q: FloatArray
    R: FloatArray
    stage_variance: FloatArray
    drift_variance: FloatArray


def stage_constants(parameters: KalmanParameters) -> FloatArray:
    """Time constants (s) of the flicker stages: the first stands for what is slower than half an interval."""
    return np.array(
        [2.0 * parameters.interval_s * RATIO**k for k in range(parameters.flicker_stages)], dtype=np.float64
    )


def clock_models(parameters: KalmanParameters, clocks: Sequence[str]) -> ClockModels:
    """The numbers of some clocks, in their order."""
    n = len(clocks)
    models = ClockModels(np.zeros((n, 3)), np.zeros(n), np.zeros(n), np.zeros(n))
    for i, name in enumerate(clocks):
        noise = parameters.noise_of(name)
        white, walk = _flicker_ends(noise, parameters)
        models.q[i] = (
            noise.wfm * noise.wfm + white + LEAST_Q,
            3.0 * noise.rwfm * noise.rwfm + walk,
            20.0 * noise.rrfm * noise.rrfm,
        )
        models.R[i] = noise.wpm * noise.wpm / 3.0 + FLOOR_S2
        models.stage_variance[i] = VARIANCE * noise.ffm * noise.ffm if has_flicker(noise, parameters) else 0.0
        models.drift_variance[i] = _drift_variance(noise)
    return models


def has_flicker(noise: ClockNoise, parameters: KalmanParameters) -> bool:
    """Whether a clock has flicker stages."""
    return noise.ffm > 0.0 and parameters.flicker_stages > 0


def _flicker_ends(noise: ClockNoise, parameters: KalmanParameters) -> tuple[float, float]:
    """What flicker beyond the stages adds to q1 and q2: faster than the first is white, slower than the last walks."""
    square = noise.ffm * noise.ffm
    if not has_flicker(noise, parameters):
        return 0.0, 3.0 * square / max(DAY_S, parameters.interval_s)
    constants = stage_constants(parameters)
    fastest, next_stage = float(constants[0]) / ROOT, float(constants[-1]) * RATIO
    return 2.0 * square * fastest / LN4, 2.0 * VARIANCE * square / next_stage


def _drift_variance(noise: ClockNoise) -> float:
    """Variance (1/s²) of a drift that nothing is known of."""
    in_a_day = noise.wfm * noise.wfm / DAY_S + noise.ffm * noise.ffm + noise.rwfm * noise.rwfm * DAY_S
    return DRIFT_SPREAD * DRIFT_SPREAD * (in_a_day + LEAST_Q) / (DAY_S * DAY_S)
