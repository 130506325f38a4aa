"""What a laboratory can see of UTC(k) − UTC at one moment, and what it makes of it: offset and rate now.

x is UTC(k) − UTC, s. Steers are known exactly, so they are taken out of the points: what is left is the line of the
free scale, which no steer bends, and today's phase and rate of the steers are put back at the end.

Every function works on many runs at once, element by element: one laboratory is the case of one run, and a closed-loop
study of a thousand decides by the very same operations. + − × ÷ in a fixed order, so a recorded steer replays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.ensemble.noise import ClockNoise
from timeball.steering.bulletins import CIRCULAR_T, UTCR, PublishedPoint, known_points
from timeball.steering.offset import OffsetUnknown
from timeball.steering.stepper import NS_PER_S, StepperCommand, commanded_phases

DAY_S = 86_400.0
# A filter starts knowing nothing of the rate: clocks of 1e-11 are rare, and one point later it matters no more.
START_RATE = 1e-11
# No bulletin is better than this (s): the filter never divides by nothing.
LEAST_U_S = 1e-12
# Flicker FM stands in the filter as the random walk with the same ADEV at this averaging time: a day, so that the
# filter follows it. A longer time makes a calmer filter, and a law that answers too late.
FLICKER_AS_WALK_S = DAY_S

FloatArray = NDArray[np.float64]


class View(NamedTuple):
    """What is known at `now` (TAI ns), by epoch.

    epochs int64[n] (TAI ns); x float64[n, runs], UTC(k) − UTC as published (s); u_s float64[n]; source, n names;
    steered float64[n, runs] and steered_now float64[runs], phase of the steers (s); rate_now float64[runs], their rate.
    """

    now: int
    epochs: NDArray[np.int64]
    x: FloatArray
    u_s: FloatArray
    source: tuple[str, ...]
    steered: FloatArray
    steered_now: FloatArray
    rate_now: FloatArray

    def part(self, source: str, window_s: float) -> View:
        """The points of a bulletin (UTCr: Circular T's too, which settles them), at most `window_s` before the last."""
        wanted = {source, CIRCULAR_T} if source == UTCR else {source}
        rows = [i for i, name in enumerate(self.source) if name in wanted]
        if rows:
            first = int(self.epochs[rows[-1]]) - round(window_s * NS_PER_S)
            rows = [i for i in rows if int(self.epochs[i]) >= first]
        return self._replace(
            epochs=self.epochs[rows],
            x=self.x[rows],
            u_s=self.u_s[rows],
            source=tuple(self.source[i] for i in rows),
            steered=self.steered[rows],
        )

    @property
    def free(self) -> FloatArray:
        """The points without the steers (s)."""
        return self.x - self.steered


def view_of(
    points: Sequence[PublishedPoint], steers: Sequence[StepperCommand], now: int, rate_now: float | None = None
) -> View:
    """What one laboratory knows at `now`: points that were out, and its own steers (rates of UTC(k) against the scale).

    `rate_now` is the rate in force; None takes it from the record.
    """
    known = known_points(points, now)
    epochs = np.array([point.epoch for point in known], dtype=np.int64)
    in_force = next((command.rate for command in reversed(steers) if command.epoch <= now), 0.0)
    return View(
        now,
        epochs,
        np.array([[point.x_s] for point in known]).reshape(len(known), 1),
        np.array([point.u_s for point in known]),
        tuple(point.source for point in known),
        commanded_phases(steers, epochs).reshape(len(known), 1),
        commanded_phases(steers, np.array([now], dtype=np.int64)),
        np.array([in_force if rate_now is None else rate_now]),
    )


def line(epochs: NDArray[np.int64], x: FloatArray, at: int) -> tuple[FloatArray, FloatArray]:
    """Straight line by least squares through x[n, runs]: its value at `at` (TAI ns) and slope, float64[runs] each.

    Raises
    ------
    OffsetUnknown
        With fewer than two epochs.
    """
    n = epochs.size
    _need_two(epochs)
    t_s = ((epochs - np.int64(at)) / NS_PER_S).tolist()
    t_sum, x_sum = 0.0, np.zeros(x.shape[1])
    for i in range(n):
        t_sum += t_s[i]
        x_sum = x_sum + x[i]
    t_mean, x_mean = t_sum / n, x_sum / n
    s_tt, s_tx = 0.0, np.zeros(x.shape[1])
    for i in range(n):
        dt = t_s[i] - t_mean
        s_tt += dt * dt
        s_tx = s_tx + dt * (x[i] - x_mean)
    slope = s_tx / s_tt
    return x_mean - slope * t_mean, slope


def filtered(
    epochs: NDArray[np.int64], x: FloatArray, u_s: FloatArray, noise: ClockNoise, at: int
) -> tuple[FloatArray, FloatArray]:
    """Kalman filter of phase and rate through x[n, runs], carried to `at` (TAI ns): float64[runs] each.

    Model: white and random-walk FM (Zucca and Tavella 2005); flicker FM as a walk (see above); a published
    value's noise is `u_s` with the white phase noise of the model. Filter and gains are the same for all runs.

    Raises
    ------
    OffsetUnknown
        With fewer than two epochs.
    """
    n = epochs.size
    _need_two(epochs)
    q1, q2 = noise.wfm * noise.wfm, 3.0 * (noise.rwfm * noise.rwfm + noise.ffm * noise.ffm / FLICKER_AS_WALK_S)
    white = noise.wpm * noise.wpm / 3.0
    at_s = ((epochs - np.int64(at)) / NS_PER_S).tolist()
    variance = [max(u, LEAST_U_S) * max(u, LEAST_U_S) + white for u in u_s.tolist()]
    phase, rate = x[0], np.zeros(x.shape[1])
    p11, p12, p22 = variance[0], 0.0, START_RATE * START_RATE
    for i in range(1, n):
        dt = at_s[i] - at_s[i - 1]
        phase = phase + rate * dt
        p11 = p11 + dt * (2.0 * p12 + dt * p22) + q1 * dt + q2 * dt * dt * dt / 3.0
        p12 = p12 + dt * p22 + q2 * dt * dt / 2.0
        p22 = p22 + q2 * dt
        gain_phase, gain_rate = p11 / (p11 + variance[i]), p12 / (p11 + variance[i])
        innovation = x[i] - phase
        phase, rate = phase + gain_phase * innovation, rate + gain_rate * innovation
        p22 = p22 - gain_rate * p12
        p11, p12 = (1.0 - gain_phase) * p11, (1.0 - gain_phase) * p12
    return phase - rate * at_s[-1], rate


def _need_two(epochs: NDArray[np.int64]) -> None:
    if epochs.size < 2 or epochs[0] == epochs[-1]:
        raise OffsetUnknown(f"offset from UTC unknown: {epochs.size} published value(s), and a rate needs two epochs")
