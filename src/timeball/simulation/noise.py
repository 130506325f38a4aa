"""The five power-law noises of a clock, sampled exactly on a grid, in runs that carry their state from one to the next.

Flicker is a sum of first-order Markov stages whose time constants T lie a factor of four apart: each has variance
s² and the spectrum 4 s² T / (1 + (2π f T)²), and together they make s² / (f ln 4), with a ripple below 0.4 %. Their
short end stands for the bandwidth: the shortest edge is 1/(2π f_h), which gives the constant of the flicker PM
formula exactly. The stages are sampled from their transition law, phase and rate jointly, so a longer step is the
same process seen less often. (Markov stages for flicker FM: Davis, Greenhall and Stacey, Proc. FCS 2005.)

Sign convention: phases are clock minus its noiseless self, s. No drift and no events here (`models`, `world`), and no
random state of its own: every run takes a `numpy.random.Generator`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeball.simulation.kernels import run_noise
from timeball.simulation.models import BANDWIDTH_HZ, FLICKER_PM_CONSTANT, ClockModel

FloatArray = NDArray[np.float64]

RATIO = 4.0
# Flicker PM drowns in flicker FM long before its longest stage; flicker FM goes on for thirty years.
LONGEST_PHASE_STAGE_S = 1e7
LONGEST_RATE_STAGE_S = 1e9
# Stages faster than this part of a step are white at that step, and added to the white noise.
WHITE_BELOW = 0.025
ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """A model's noises for one step, as `kernels.run_noise` takes them. Made by `noise_of`."""

    step_s: float
    white_phase_s: float
    white_increment_s: float
    walk: float
    phase_stages: FloatArray
    rate_stages: FloatArray
    initial_s: FloatArray

    @property
    def columns(self) -> int:
        """Normals needed per step."""
        return 3 + len(self.phase_stages) + len(self.rate_stages)

    def start(self, rng: np.random.Generator) -> FloatArray:
        """Draw a first state: no phase yet, and every stage from its stationary law."""
        return np.asarray(self.initial_s * rng.standard_normal(self.initial_s.size), dtype=np.float64)

    def run(self, state: FloatArray, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Phase (s, float64[n]) at the next n steps, and the state after them; `state` itself is left as it is."""
        out = np.empty(n)
        carried = state.copy()
        for first in range(0, n, ROWS_AT_ONCE):
            part = out[first : first + ROWS_AT_ONCE]
            normals = rng.standard_normal((part.size, self.columns))
            run_noise(
                normals,
                carried,
                self.white_phase_s,
                self.white_increment_s,
                self.walk,
                self.phase_stages,
                self.rate_stages,
                self.step_s,
                part,
            )
        return out, carried


def noise_of(model: ClockModel, step_s: float) -> Noise:
    """Prepare a model's noises for a step of `step_s` seconds; ValueError unless the step is positive."""
    if not 0.0 < step_s < math.inf:
        raise ValueError(f"simulation: a step of {step_s!r} s is not a positive time")
    phase_stages, phase_s, white_phase_var = _flicker_phase(model, step_s)
    rate_stages, rate, white_increment_var = _flicker_rate(model, step_s)
    # Random walk FM gives AVAR = q τ/3, with q the rate variance gained a second.
    q = 3.0 * model.rwfm**2
    return Noise(
        step_s,
        # ADEV of white phase with standard deviation σ: √3 σ/τ; of white FM with phase variance D a second: √(D/τ).
        math.sqrt(model.wpm**2 / 3.0 + white_phase_var),
        # A random walk's phase over a step is q τ³/12 in variance about the mean of its rates before and after.
        math.sqrt(model.wfm**2 * step_s + white_increment_var + q * step_s**3 / 12.0),
        math.sqrt(q * step_s),
        phase_stages,
        rate_stages,
        np.concatenate([np.zeros(2), np.full(len(phase_stages), phase_s), np.full(len(rate_stages), rate)]),
    )


def simulate_phase(model: ClockModel, n: int, tau0_s: float, rng: np.random.Generator) -> FloatArray:
    """Phase of a free clock, float64[n] in s: n values `tau0_s` seconds apart, drift included, first rate random."""
    noise = noise_of(model, tau0_s)
    phase, _ = noise.run(noise.start(rng), n, rng)
    t_s = np.arange(n) * tau0_s
    return np.asarray(phase + 0.5 * model.drift * t_s * t_s, dtype=np.float64)


def _stages(shortest_edge_s: float, longest_s: float) -> FloatArray:
    """Time constants of the stages: each stands for the interval from T/2 to 2T."""
    count = max(1, math.ceil(math.log(longest_s / shortest_edge_s, RATIO)))
    return np.asarray(shortest_edge_s * math.sqrt(RATIO) * RATIO ** np.arange(count), dtype=np.float64)


def _flicker_phase(model: ClockModel, step_s: float) -> tuple[FloatArray, float, float]:
    """Stages of flicker PM, the standard deviation of each (s), and the variance (s²) of those white at this step."""
    if not model.fpm:
        return np.empty((0, 2)), 0.0, 0.0
    # AVAR = h1/(4π²τ²) · (1.038 + 3 ln(2π f_h τ)), and a stage's variance is h1/(4π²) · ln 4.
    at_1_s = FLICKER_PM_CONSTANT + 3.0 * math.log(2.0 * math.pi * BANDWIDTH_HZ)
    sigma_s = math.sqrt(model.fpm**2 / at_1_s * math.log(RATIO))
    constant_s = _stages(1.0 / (2.0 * math.pi * BANDWIDTH_HZ), LONGEST_PHASE_STAGE_S)
    slow = constant_s >= WHITE_BELOW * step_s
    kept = constant_s[slow]
    remains = np.exp(-step_s / kept)
    adds = sigma_s * np.sqrt(-np.expm1(-2.0 * step_s / kept))
    return np.column_stack([remains, adds]), sigma_s, sigma_s**2 * float(np.count_nonzero(~slow))


def _flicker_rate(model: ClockModel, step_s: float) -> tuple[FloatArray, float, float]:
    """Stages of flicker FM, the standard deviation of each, and the variance (s²) of the white phase gained a step."""
    if not model.ffm:
        return np.empty((0, 4)), 0.0, 0.0
    # AVAR = 2 ln 2 · h, and a stage's variance is h ln 4: the same. So each stage is as large as the floor.
    sigma = model.ffm
    edge_s = WHITE_BELOW * step_s
    constant_s = _stages(edge_s, LONGEST_RATE_STAGE_S)
    u = step_s / constant_s
    gone = -np.expm1(-u)
    # An integrated Ornstein-Uhlenbeck process: the phase gained in a step follows the rates before and after it. What
    # it has beyond them is independent from step to step and stage to stage, and one white increment makes up for all.
    adds = sigma * np.sqrt(-np.expm1(-2.0 * u))
    phase_by_normal = sigma**2 * constant_s * gone**2 / adds
    beyond = float(np.sum((sigma * constant_s) ** 2 * _bridge(u)))
    # Below the edge: white FM of spectrum ∫ 4 s² T dT/(T ln 4) = 4 s² edge / ln 4, half of it as variance a second.
    white = 2.0 * sigma**2 * edge_s / math.log(RATIO) * step_s
    return np.column_stack([1.0 - gone, adds, constant_s * gone, phase_by_normal]), sigma, beyond + white


def _bridge(u: FloatArray) -> FloatArray:
    """2u − 4 tanh(u/2), by its series where the terms would cancel."""
    return np.where(u < 1e-2, u**3 * (1.0 / 6.0 - u * u / 60.0), 2.0 * u - 4.0 * np.tanh(0.5 * u))
