"""Two control laws at equal steering effort: the fair way to compare them.

Effort is the rms of the changes of rate. A law that steers harder is nearer to UTC; so LQG is told what a steer costs
until its effort is that of the other law, and then their rms offsets are compared, on the same runs. Pure: free scales
and randomness come from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.ensemble.noise import ClockNoise
from timeball.simulation.steered import FloatArray, Practice, loop_of
from timeball.steering.envelope import Envelope
from timeball.steering.laws import OnEstimate
from timeball.steering.lqg import LQG
from timeball.steering.pole_placement import PolePlacement

WEEK_S = 7 * 86_400.0
UNLIMITED = Envelope(1e-9, 1e-9, 1e-3)
SETTLED_DAYS, SETTLED_STEERS = 180, 26
OFFSET_S = 1e-9
HALVINGS = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rms offset (s), effort (rms change of rate), and the mean square offset of each run (s²)."""

    rms_s: float
    effort: float
    squares: FloatArray


def outcome_of(gains: PolePlacement | LQG, noise: ClockNoise, free: FloatArray, first_mjd: int, seed: int) -> Outcome:
    """Steer free scales float64[n, r] (s), weekly and without limits; the first half year does not count."""
    practice = Practice(OnEstimate(gains=gains, noise=noise), UNLIMITED)
    loop = loop_of(practice, first_mjd, free, np.random.default_rng(seed))
    loop.run(0, free.shape[0] - 1)
    squares = np.mean((free + loop.steered)[SETTLED_DAYS:] ** 2, axis=0)
    effort = np.sqrt(np.mean(np.array(loop.changes[SETTLED_STEERS:]) ** 2))
    return Outcome(float(np.sqrt(np.mean(squares))), float(effort), squares)


def at_equal_effort(
    placement: PolePlacement, noise: ClockNoise, free: FloatArray, first_mjd: int, seed: int
) -> tuple[Outcome, Outcome]:
    """Pole placement, and LQG with the greatest effort that is not above it."""
    theirs = outcome_of(placement, noise, free, first_mjd, seed)
    gentle, hard = LQG(WEEK_S, OFFSET_S, 1e-18), LQG(WEEK_S, OFFSET_S, 1e-12)
    ours = outcome_of(gentle, noise, free, first_mjd, seed)
    for _ in range(HALVINGS):
        middle = replace_change(gentle, (gentle.change * hard.change) ** 0.5)
        tried = outcome_of(middle, noise, free, first_mjd, seed)
        if tried.effort <= theirs.effort:
            gentle, ours = middle, tried
        else:
            hard = middle
    return theirs, ours


def replace_change(law: LQG, change: float) -> LQG:
    """The same law with another cost of a steer."""
    return LQG(law.interval_s, law.offset_s, change, law.rate)


def ratio_with_error(theirs: Outcome, ours: Outcome) -> tuple[float, float]:
    """Rms of ours over theirs, and its standard error from the differences run by run."""
    ratio = ours.rms_s / theirs.rms_s
    difference = ours.squares - ratio**2 * theirs.squares
    error = float(np.std(difference) / np.sqrt(difference.size) / (2.0 * ratio * np.mean(theirs.squares)))
    return ratio, error
