"""A two-state clock behind a noisy link: fitted by maximum likelihood, smoothed forward and back.

State: phase (s) and frequency. Noise of the clocks: white FM (q_phase, s²/s) and random walk FM (q_frequency, 1/s);
of the link: white, r_s2 for a value of weight 1. Rauch, Tung and Striebel 1965; the matrices of Zucca and Tavella 2005.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from timeball.readings import FloatArray

VAGUE = 1e8  # variance of the first state in units of r: a line has been taken out
SEARCHED = 1500  # values in which the search begins; it is refined in all
SEARCH_PHASE = range(-7, 5)  # decades of q·T/r that are looked through
SEARCH_FREQUENCY = range(-16, 3, 2)


@dataclass(frozen=True, slots=True)
class ClockNoise:
    """Variances: of the link at weight 1 (s²), and the rates of the clocks' phase (s²/s) and frequency (1/s)."""

    r_s2: float
    q_phase: float
    q_frequency: float


def fit_noise(t_s: FloatArray, x_s: FloatArray, weight: FloatArray, least_s2: float = 0.0) -> ClockNoise:
    """Fit the three variances: the ratios by a search that is refined, the level in closed form.

    least_s2: the least variance of the link at weight 1, as the scatter of its tracks tells. Errors of tracks last from
    one epoch to the next, and would be taken for the clocks' own walk otherwise.
    """
    step_s = float(np.median(np.diff(t_s)))
    x_s = x_s - _line(t_s, x_s, weight)
    first = [(float(p), float(f)) for p in SEARCH_PHASE for f in SEARCH_FREQUENCY]
    part = slice(0, SEARCHED)
    best = min(first, key=lambda at: _cost(t_s[part], x_s[part], weight[part], at, step_s, least_s2)[0])
    # how the frequency walks is seen in the whole record alone
    slow = [best, *((best[0], float(f)) for f in SEARCH_FREQUENCY)]
    best = min(slow, key=lambda at: _cost(t_s, x_s, weight, at, step_s, least_s2)[0])
    for width in (1.0, 0.5, 0.25):
        steps = (-width, 0.0, width)
        near = [(best[0] + p * width, best[1] + f * width) for p in steps for f in steps]
        best = min(near, key=lambda at: _cost(t_s, x_s, weight, at, step_s, least_s2)[0])
    r = _cost(t_s, x_s, weight, best, step_s, least_s2)[1]
    return ClockNoise(r, r * 10.0 ** best[0] / step_s, r * 10.0 ** best[1] / step_s**3)


def smooth_clock(
    t_s: FloatArray, x_s: FloatArray, weight: FloatArray, noise: ClockNoise
) -> tuple[FloatArray, FloatArray]:
    """Give the smoothed phases and their standard uncertainties; a weight of 0 is a place without a value."""
    line = _line(t_s, x_s, weight)
    states, _, _ = _filter(t_s, x_s - line, weight, noise.q_phase / noise.r_s2, noise.q_frequency / noise.r_s2)
    x, p = _backward(t_s, states, noise.q_phase / noise.r_s2, noise.q_frequency / noise.r_s2)
    return x + line, np.sqrt(np.maximum(p, 0.0) * noise.r_s2)


def _cost(
    t: FloatArray, x: FloatArray, weight: FloatArray, decades: tuple[float, float], step_s: float, least: float
) -> tuple[float, float]:
    """Give −2 ln likelihood at the level r that makes it largest, of those that are allowed; and r."""
    q1, q2 = 10.0 ** decades[0] / step_s, 10.0 ** decades[1] / step_s**3
    _, squares, logs = _filter(t, x, weight, q1, q2)
    count = max(x.size - 2, 1)
    r = max(squares / count, least, 1e-40)
    return count * math.log(r) + squares / r + logs, r


def _line(t: FloatArray, x: FloatArray, weight: FloatArray) -> FloatArray:
    """Fit a line by least squares and give it at every place."""
    mean = float(np.average(t, weights=weight))
    level = float(np.average(x, weights=weight))
    spread = float((weight * (t - mean) ** 2).sum())
    slope = float((weight * (t - mean) * (x - level)).sum()) / spread if spread > 0 else 0.0
    line: FloatArray = level + slope * (t - mean)
    return line


State = tuple[float, float, float, float, float]


def _filter(t: FloatArray, x: FloatArray, weight: FloatArray, q1: float, q2: float) -> tuple[list[State], float, float]:
    """Filter in units of r: the state after each epoch, the sum of ν²/s, and of ln s, without the first two values."""
    times, values, weights = t.tolist(), x.tolist(), weight.tolist()
    phase, rate = 0.0, 0.0
    vague = VAGUE * (1.0 + q1 * (times[-1] - times[0]))
    p11, p12, p22 = vague, 0.0, vague / max(times[-1] - times[0], 1.0) ** 2
    states: list[State] = []
    squares = logs = 0.0
    seen, last = 0, times[0]
    for now, value, w in zip(times, values, weights, strict=True):
        d = now - last
        last = now
        phase += rate * d
        p11 += 2 * d * p12 + d * d * p22 + q1 * d + q2 * d**3 / 3
        p12 += d * p22 + q2 * d * d / 2
        p22 += q2 * d
        if w > 0:
            s = p11 + 1.0 / w
            new = value - phase
            k1, k2 = p11 / s, p12 / s
            phase, rate = phase + k1 * new, rate + k2 * new
            p22 -= k2 * p12
            p12 /= w * s
            p11 /= w * s
            seen += 1
            if seen > 2:
                squares += new * new / s
                logs += math.log(s)
        states.append((phase, rate, p11, p12, p22))
    return states, squares, logs


def _backward(t: FloatArray, states: list[State], q1: float, q2: float) -> tuple[FloatArray, FloatArray]:
    """Smooth from the last state back: phases and their variances, in units of r."""
    times = t.tolist()
    n = len(states)
    x, p = np.zeros(n), np.zeros(n)
    phase, rate, s11, s12, s22 = states[-1]
    x[-1], p[-1] = phase, s11
    for i in range(n - 2, -1, -1):
        f, g, a, b, c = states[i]
        d = times[i + 1] - times[i]
        # predicted covariance of the next state
        m11 = a + 2 * d * b + d * d * c + q1 * d + q2 * d**3 / 3
        m12 = b + d * c + q2 * d * d / 2
        m22 = c + q2 * d
        det = m11 * m22 - m12 * m12
        i11, i12, i22 = m22 / det, -m12 / det, m11 / det
        # gain = P Φᵀ M⁻¹
        h11, h12, h21, h22 = a + d * b, b, b + d * c, c
        c11, c12 = h11 * i11 + h12 * i12, h11 * i12 + h12 * i22
        c21, c22 = h21 * i11 + h22 * i12, h21 * i12 + h22 * i22
        dx, dy = phase - (f + d * g), rate - g
        phase, rate = f + c11 * dx + c12 * dy, g + c21 * dx + c22 * dy
        e11, e12, e22 = s11 - m11, s12 - m12, s22 - m22
        s11 = a + c11 * c11 * e11 + 2 * c11 * c12 * e12 + c12 * c12 * e22
        s12 = b + c11 * (c21 * e11 + c22 * e12) + c12 * (c21 * e12 + c22 * e22)
        s22 = c + c21 * c21 * e11 + 2 * c21 * c22 * e12 + c22 * c22 * e22
        x[i], p[i] = phase, s11
    return x, p
