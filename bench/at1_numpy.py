"""AT1 once more, in plain numpy, one epoch at a time: the peer of the benchmark and the oracle of the tests.

Written from the equations of the module docstrings of `timeball.ensemble`, not from the kernel: arrays over the clocks
instead of loops, sums in numpy's order. So it agrees to rounding, not to the bit. It knows no reason codes, only what
is decided: phases, weights, errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Rules:
    """The same rules as `AT1Parameters`, as arrays over the clocks."""

    tau_min_s: np.ndarray
    eligible: np.ndarray
    memory_s: float
    cap: float
    interval_s: float
    min_epochs: int
    reduce: float = 3.0
    reject: float = 4.0
    step_epochs: int = 3
    noise_epochs: int = 10


class Clocks:
    """What is known of n clocks."""

    def __init__(self, n):
        self.x, self.y, self.eps2, self.t = np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, np.nan)
        self.rates, self.errors, self.learned = np.zeros(n), np.zeros(n), np.zeros(n)
        self.run, self.any_run, self.run_s, self.run_tau = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)


def spread(tau, tau_min):
    """Prediction variance of a clock with white and random-walk frequency noise, up to its level."""
    return tau * (1 + np.sqrt(3) * tau / tau_min + (tau / tau_min) ** 2)


def capped(variance, members, cap):
    """Weights ∝ 1/variance, water-filled under the cap."""
    weights = np.zeros(len(variance))
    free = members.copy()
    cap = max(cap, 1 / members.sum())
    while free.any():
        left = 1 - cap * (members & ~free).sum()
        weights[free] = left / variance[free] / (1 / variance[free]).sum()
        over = free & (weights > cap * (1 + 1e-6))
        if not over.any():
            break
        weights[over] = cap
        free &= ~over
    return weights


def middle(offsets, members):
    """Weights of a median: the middle member, or the two in the middle."""
    order = np.flatnonzero(members)[np.argsort(offsets[members], kind="stable")]
    weights = np.zeros(len(members))
    for place in ((len(order) - 1) // 2, len(order) // 2):
        weights[order[place]] += 0.5
    return weights


def ladder(clocks, present, rules):
    """Who carries the scale: the best-known clocks that are there."""
    base = present & rules.eligible & ~np.isnan(clocks.t)
    steps = [base, base & (clocks.rates > 0)]
    steps.append(steps[1] & (clocks.errors >= 10))
    steps.append(steps[2] & (clocks.learned >= rules.min_epochs))
    for rung in (3, 2, 1, 0):
        if steps[rung].any():
            return rung, steps[rung]
    return -1, base


def sigma_of(variance, weights):
    """What the error of each clock is expected to be: its own noise, and the scale's that is not its own."""
    mine = weights**2 * variance
    return np.sqrt(np.maximum(variance * (1 - weights) ** 2 + np.where(weights > 0, mine, 0).sum() - mine, 0))


def ratios(error, sigma):
    """Errors in sigma; a clock that is the scale alone is never far."""
    return np.divide(np.abs(error), sigma, out=np.zeros(len(error)), where=sigma > 0)


def epoch(clocks, t, row, rules):
    """One epoch: gives phases, weights and errors, and changes `clocks`."""
    present = ~np.isnan(row)
    known = ~np.isnan(clocks.t)
    tau = np.where(known, t - clocks.t, rules.interval_s)
    predicted = np.where(known, clocks.x + clocks.y * tau, 0.0)
    growth = spread(tau, rules.tau_min_s) / spread(rules.interval_s, rules.tau_min_s)
    variance = np.maximum(clocks.eps2, 1e-30) * growth
    testable = present & known & (clocks.rates > 0) & (clocks.errors >= 10)
    row0 = np.where(present, row, 0.0)
    rung, members = ladder(clocks, present, rules) if known.any() else (0, present & rules.eligible)
    nothing = np.full(len(row), np.nan)
    if not members.any():
        return nothing, np.zeros(len(row)), nothing
    out = np.zeros(len(row), dtype=bool)
    while True:
        weights = capped(variance, members, rules.cap) if rung >= 2 else middle(predicted - row0, members)
        shift = (weights * (predicted - row0)).sum()
        ratio = np.where(members & testable, ratios(row0 + shift - predicted, sigma_of(variance, weights)), 0.0)
        worst = int(np.argmax(ratio))
        if ratio[worst] <= rules.reject:
            break
        members, out = members.copy(), out.copy()
        members[worst], out[worst] = False, True
    factor = np.where(ratio > rules.reduce, (rules.reject - ratio) / (rules.reject - rules.reduce), 1.0)
    if (factor < 1).any() and (weights * factor).sum() > 0:
        weights = weights * factor / (weights * factor).sum()
        shift = (weights * (predicted - row0)).sum()
    x = np.where(present, row + shift, np.nan)
    error = np.where(present & known & (clocks.rates > 0), x - predicted, np.nan)
    share = weights if rung >= 2 else members / members.sum()
    sigma = sigma_of(variance, share) if rung >= 2 else np.sqrt(variance * (1 - share))
    out |= testable & ~members & (np.abs(np.nan_to_num(error)) > rules.reject * sigma)
    learn(clocks, rules, t, tau, x, error, sigma, (variance, 1 - share, growth), out)
    return x, weights, error


def learn(clocks, rules, t, tau, x, error, sigma, known, out):
    """Take phases, rates and errors of the epoch into memory."""
    for i in np.flatnonzero(~np.isnan(x)):
        first = np.isnan(clocks.t[i])
        if not first and out[i]:
            stray(clocks, rules, i, tau[i], error[i], sigma[i])
        if not np.isnan(error[i]) and (not out[i] or abs(clocks.run[i]) == 1) and sigma[i] > 0:
            variance, rest, growth = (column[i] for column in known)
            expected = sigma[i] ** 2 / variance if clocks.errors[i] >= 10 else rest
            square = error[i] ** 2 / expected / growth
            if clocks.errors[i] >= 3:
                square = min(square, 256 * clocks.eps2[i])
            n = min(rules.memory_s / tau[i], clocks.errors[i])
            clocks.eps2[i] = (square + n * clocks.eps2[i]) / (n + 1)
            clocks.errors[i] += 1
        if not first and not out[i]:
            m = max(0, 0.5 * (-1 + np.sqrt(1 / 3 + 4 * rules.tau_min_s[i] ** 2 / (3 * tau[i] ** 2))))
            m = min(m, clocks.rates[i])
            clocks.y[i] = ((x[i] - clocks.x[i]) / tau[i] + m * clocks.y[i]) / (m + 1)
            clocks.rates[i] += 1
            clocks.learned[i] += not np.isnan(error[i])
            clocks.run[i] = clocks.any_run[i] = 0
        clocks.x[i], clocks.t[i] = x[i], t


def stray(clocks, rules, i, tau, error, sigma):
    """An error beyond the limit: count it, and after enough of them learn the rate or the noise anew."""
    sign = np.sign(error)
    clocks.any_run[i] += 1
    if clocks.run[i] * sign > 0:
        clocks.run[i] += sign
        clocks.run_s[i] += error
        clocks.run_tau[i] += tau
    else:
        back = clocks.run[i] != 0 and abs(clocks.run_s[i] + error) <= rules.reject * sigma
        clocks.run[i], clocks.run_s[i], clocks.run_tau[i] = 0 if back else sign, error, tau
    if abs(clocks.run[i]) >= rules.step_epochs:
        clocks.y[i] += clocks.run_s[i] / clocks.run_tau[i]
        clocks.rates[i], clocks.learned[i], clocks.run[i], clocks.any_run[i] = rules.step_epochs, 0, 0, 0
    elif clocks.any_run[i] >= rules.noise_epochs:
        clocks.errors[i], clocks.learned[i], clocks.run[i], clocks.any_run[i] = 0, 0, 0, 0


def run(epochs_s, phases, rules):
    """The scale of a table [m, n]: gives phases, weights, errors, each [m, n]."""
    clocks = Clocks(phases.shape[1])
    steps = [epoch(clocks, t, row, rules) for t, row in zip(epochs_s, phases, strict=True)]
    x, weights, errors = (np.array(column) for column in zip(*steps, strict=True))
    return x, weights, errors
