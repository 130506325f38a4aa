"""Compiled loops of AT1: the recursion, one epoch after the other.

Sign: ``X[t, i]`` is clock i minus the pivot of row t (any pivot: it cancels), ``x_i`` clock i minus the scale, a
prediction error is measured minus predicted. Only + − × ÷ √ in a fixed order, so that the same input gives the same
bits with the compiler on, off, or building for a generic CPU. What it does not do: check its arguments (the callers in
`at1` do), or put anything in words (`steps.py` does).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.ensemble.codes import (
    AT_CAP,
    CAME_BACK,
    JOINED,
    LEARNING,
    LEFT_OUT,
    MISSING,
    NO_SCALE,
    NO_WEIGHT,
    NOISE_STEP,
    OK,
    PHASE_STEP,
    RATE_STEP,
    REDUCED,
    STARTING,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

NS_PER_S = 1e9
SQRT3 = 1.7320508075688772
FLOOR_S2 = 1e-30  # (1 fs)²: phases are recorded to 1 fs, so no clock can be known to predict better
MIN_ERRORS = 10  # errors before the mean square is trusted for a test or for a share at the start
CLIP = 256.0  # = 16²: a clock that steps often earns less weight, but no single step exiles a clock
TIE = 1.000001  # ratios closer than this are equal: the choice must not hang on rounding


@njit(cache=True, nogil=True)
def rate_memory(tau_s: float, tau_min_s: float) -> float:
    """m_i = ½(−1 + √(1/3 + 4τ_min²/3τ²)), never below 0: the number of old rates one new rate is weighed against.

    The steady-state Kalman gain 1/(m+1) of a clock with white and random-walk frequency noise, τ_min² = 3σ₁²/σ₂².
    (Some texts print 4/3 in place of 1/3.)
    """
    ratio = tau_min_s / tau_s
    m = 0.5 * (math.sqrt(1.0 / 3.0 + 4.0 * ratio * ratio / 3.0) - 1.0)
    return m if m > 0.0 else 0.0


@njit(cache=True, nogil=True)
def variance_growth(tau_s: float, interval_s: float, tau_min_s: float) -> float:
    """Variance of a prediction over tau_s as a multiple of that over interval_s (1 when they are equal).

    For the clock of `rate_memory` with its rate known as well as it can be: σ₁²τ(1 + √3 q + q²), q = τ/τ_min.
    """
    q, q0 = tau_s / tau_min_s, interval_s / tau_min_s
    return (tau_s * (1.0 + SQRT3 * q + q * q)) / (interval_s * (1.0 + SQRT3 * q0 + q0 * q0))


@njit(cache=True, nogil=True)
def share_weights(members: Flags, variance: Floats, cap: float, weights: Floats, capped: Flags) -> None:
    """Fill `weights` (sum 1) ∝ 1/variance over `members`, none above the cap; the surplus goes to the others.

    A cap that so few members could not keep is raised to 1/members. `capped` marks who stands at the cap.
    """
    n = members.shape[0]
    count = 0
    for i in range(n):
        weights[i] = 0.0
        capped[i] = False
        if members[i]:
            count += 1
    if count == 0:
        return
    limit = cap if cap * count > 1.0 else 1.0 / count
    free, held = 1.0, 0
    while held < count:
        total = 0.0
        for i in range(n):
            if members[i] and not capped[i]:
                total += 1.0 / variance[i]
        again = False
        for i in range(n):
            if members[i] and not capped[i]:
                weights[i] = free / (variance[i] * total)
        for i in range(n):
            if members[i] and not capped[i] and weights[i] > limit * TIE:
                weights[i] = limit
                capped[i] = True
                held += 1
                again = True
        if not again:
            return
        free = 1.0 - held * limit


@njit(cache=True, nogil=True)
def scale_offset(weights: Floats, predicted: Floats, row: Floats) -> float:
    """Σ w_i (x̂_i − X_i): what takes phases against the pivot to phases against the scale."""
    offset = 0.0
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            offset += weights[i] * (predicted[i] - row[i])
    return offset


@njit(cache=True, nogil=True)
def middle_share(members: Flags, predicted: Floats, row: Floats, weights: Floats) -> None:
    """Give all weight to the member whose offset x̂ − X is the middle one, or half each to the two in the middle.

    While nobody's noise is known, the median keeps a few wild clocks from carrying the scale away, as a mean would not.
    """
    ahead = np.empty(members.shape[0])
    for i in range(members.shape[0]):
        ahead[i] = predicted[i] - row[i]
    median_weights(ahead, members, weights)


@njit(cache=True, nogil=True)
def median_weights(values: Floats, members: Flags, weights: Floats) -> None:
    """The weights of the members' median: 1 for the middle one, ½ each for two; of equal values the first is less."""
    n = members.shape[0]
    count = 0
    for i in range(n):
        weights[i] = 0.0
        if members[i]:
            count += 1
    for i in range(n):
        if not members[i]:
            continue
        rank = 0
        for j in range(n):
            if members[j] and (values[j] < values[i] or (values[j] == values[i] and j < i)):
                rank += 1
        if rank == count // 2:
            weights[i] += 0.5
        if rank == (count - 1) // 2:
            weights[i] += 0.5


@njit(cache=True, nogil=True)
def choose_members(
    present: Flags,
    eligible: Flags,
    seen_count: Counts,
    rate_count: Counts,
    error_count: Counts,
    learned: Counts,
    min_learned: int,
    members: Flags,
) -> int:
    """Mark who carries the scale at this epoch and give the rung of the ladder: the first that anybody stands on.

    3: clocks that have learned; 2: with a trusted mean square error; 1: with a rate; 0: with a phase; −1: nobody.
    """
    n = present.shape[0]
    for rung in range(3, -1, -1):
        found = False
        for i in range(n):
            stands = present[i] and eligible[i] and seen_count[i] > 0
            if rung >= 1:
                stands = stands and rate_count[i] > 0
            if rung >= 2:
                stands = stands and error_count[i] >= MIN_ERRORS
            if rung == 3:
                stands = stands and learned[i] >= min_learned
            members[i] = stands
            found = found or stands
        if found:
            return rung
    return -1


@njit(cache=True, nogil=True)
def scale_variance(weights: Floats, variance: Floats) -> float:
    """Σ w²ε²: how far the scale itself may be off at this epoch, s²."""
    total = 0.0
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            total += weights[i] * weights[i] * variance[i]
    return total


@njit(cache=True, nogil=True)
def expected_error(variance: float, weight: float, of_scale: float) -> float:
    """Sigma of an error seen against a scale of which the clock is a part: √(ε²(1−w)² + Σ_others w²ε²).

    With weights 1/ε² this is AT1's √(ε²(1−w)). It differs when a clock carries less than its share (capped, left out,
    without weight): then the scale's own noise is in the error too. Without it the first maser left out would take the
    others with it, each judged against what the caesiums make of the scale.
    """
    rest = 1.0 - weight
    others = of_scale - weight * weight * variance
    squared = variance * rest * rest if rest > 1e-9 else 0.0
    return math.sqrt(squared + others) if others > 1e-9 * of_scale else math.sqrt(squared)


@njit(cache=True, nogil=True)
def find_worst(
    members: Flags,
    testable: Flags,
    row: Floats,
    offset: float,
    predicted: Floats,
    variance: Floats,
    weights: Floats,
    reject: float,
) -> int:
    """Give the member farthest beyond `reject` sigma, −1 for none; of two equally far the one known to be worse."""
    worst, farthest = -1, 0.0
    of_scale = scale_variance(weights, variance)
    for i in range(members.shape[0]):
        if not (members[i] and testable[i]):
            continue
        sigma = expected_error(variance[i], weights[i], of_scale)
        if sigma == 0.0:
            continue
        ratio = abs(row[i] + offset - predicted[i]) / sigma
        if ratio <= reject:
            continue
        farther = worst < 0 or ratio > farthest * TIE
        tied = worst >= 0 and not farther and ratio * TIE >= farthest
        if farther or (tied and variance[i] > variance[worst] * TIE):
            worst, farthest = i, ratio
    return worst


@njit(cache=True, nogil=True)
def settle(
    members: Flags,
    testable: Flags,
    row: Floats,
    predicted: Floats,
    variance: Floats,
    cap: float,
    reduce: float,
    reject: float,
    weights: Floats,
    capped: Flags,
    left_out: Flags,
    factor: Floats,
) -> float:
    """Find the offset of the scale at one epoch and the weights it was found with.

    Weights come from the past alone. Members beyond `reject` sigma are left out one by one, the worst first, each time
    against the scale of those that remain; then those beyond `reduce` count with the factor reject − ratio.
    """
    n = members.shape[0]
    share_weights(members, variance, cap, weights, capped)
    offset = scale_offset(weights, predicted, row)
    while True:
        worst = find_worst(members, testable, row, offset, predicted, variance, weights, reject)
        if worst < 0:
            break
        members[worst] = False
        left_out[worst] = True
        share_weights(members, variance, cap, weights, capped)
        offset = scale_offset(weights, predicted, row)
    total, reduced = 0.0, False
    of_scale = scale_variance(weights, variance)
    for i in range(n):
        factor[i] = 1.0
        if members[i] and testable[i]:
            sigma = expected_error(variance[i], weights[i], of_scale)
            if sigma > 0.0:
                ratio = abs(row[i] + offset - predicted[i]) / sigma
                if ratio > reduce:
                    factor[i] = (reject - ratio) / (reject - reduce)
                    reduced = True
        total += weights[i] * factor[i]
    if reduced and total > 0.0:
        for i in range(n):
            weights[i] = weights[i] * factor[i] / total
        offset = scale_offset(weights, predicted, row)
    return offset


@njit(cache=True, nogil=True)
def learn_rate(y: float, d: float, step_s: float, tau_s: float, tau_min_s: float, count: int) -> float:
    """The rate after one more interval: y ← [f + m(y + Dτ)]/(m+1), f moved to the interval's end by the drift.

    While fewer than m rates have been seen, m is their number: the plain mean of a clock that starts.
    """
    m = rate_memory(tau_s, tau_min_s)
    m = min(m, count)
    f = step_s / tau_s + 0.5 * d * tau_s
    return (f + m * (y + d * tau_s)) / (m + 1.0)


@njit(cache=True, nogil=True)
def learn_error(mean_square: float, square: float, memory: float, count: int) -> float:
    """The mean square error after one more error: ⟨ε²⟩ ← (ε² + N⟨ε²⟩)/(N+1), ε² clipped at 16 sigma, N ≤ count."""
    if count >= 3 and square > CLIP * mean_square:
        square = CLIP * mean_square
    kept = memory if memory < count else float(count)
    return (square + kept * mean_square) / (kept + 1.0)


@njit(cache=True, nogil=True)
def note_beyond(
    i: int,
    error: float,
    tau_s: float,
    limit_s: float,
    streak: Counts,
    beyond: Counts,
    streak_s: Floats,
    streak_tau_s: Floats,
) -> int:
    """Note an error of clock i beyond the limit, and give its code: left out, or back from an outlier before it."""
    beyond[i] += 1
    if streak[i] * error > 0.0:
        streak[i] += 1 if streak[i] > 0 else -1
        streak_s[i] += error
        streak_tau_s[i] += tau_s
        return LEFT_OUT
    back = streak[i] != 0 and abs(streak_s[i] + error) <= limit_s
    streak[i] = 1 if error > 0.0 else -1
    streak_s[i] = error
    streak_tau_s[i] = tau_s
    if back:
        streak[i] = 0
        return CAME_BACK
    return LEFT_OUT


@njit(cache=True, nogil=True)
def advance_epochs(
    epochs: Counts,
    X: Floats,
    eligible: Flags,
    tau_min_s: Floats,
    interval_s: float,
    memory_s: float,
    cap: float,
    reduce: float,
    reject: float,
    min_learned: int,
    step_count: int,
    noise_count: int,
    x: Floats,
    y: Floats,
    d: Floats,
    eps2: Floats,
    seen: Counts,
    seen_count: Counts,
    rate_count: Counts,
    error_count: Counts,
    learned: Counts,
    streak: Counts,
    beyond: Counts,
    streak_s: Floats,
    streak_tau_s: Floats,
    out_x: Floats,
    out_y: Floats,
    out_weight: Floats,
    out_error: Floats,
    out_sigma: Floats,
    out_figure: Floats,
    out_code: NDArray[np.int8],
) -> None:
    """Advance the state arrays (changed in place) over all epochs and fill the outputs [m, n].

    `streak` counts consecutive errors beyond `reject` of one sign (and carries that sign), `beyond` those of any sign.
    """
    m, n = X.shape
    present = np.zeros(n, dtype=np.bool_)
    members = np.zeros(n, dtype=np.bool_)
    testable = np.zeros(n, dtype=np.bool_)
    left_out = np.zeros(n, dtype=np.bool_)
    capped = np.zeros(n, dtype=np.bool_)
    predicted, variance, factor = np.zeros(n), np.zeros(n), np.zeros(n)
    weights, share = np.zeros(n), np.zeros(n)
    for t in range(m):
        started = False
        for i in range(n):
            present[i] = not math.isnan(X[t, i])
            testable[i] = present[i] and seen_count[i] > 0 and rate_count[i] > 0 and error_count[i] >= MIN_ERRORS
            left_out[i] = False
            capped[i] = False
            factor[i] = 1.0
            if seen_count[i] > 0:
                started = True
                tau = (epochs[t] - seen[i]) / NS_PER_S
                predicted[i] = x[i] + y[i] * tau + 0.5 * d[i] * tau * tau
                spread = eps2[i] if eps2[i] > FLOOR_S2 else FLOOR_S2
                variance[i] = spread * variance_growth(tau, interval_s, tau_min_s[i])
        if started:
            rung = choose_members(present, eligible, seen_count, rate_count, error_count, learned, min_learned, members)
        else:
            # the first epoch of all: the scale is set to the middle of the clocks that may carry it
            rung = -1
            for i in range(n):
                members[i] = present[i] and eligible[i]
                predicted[i] = 0.0
                if members[i]:
                    rung = 0
        offset = 0.0
        if rung >= 2:
            offset = settle(
                members, testable, X[t], predicted, variance, cap, reduce, reject, weights, capped, left_out, factor
            )
        elif rung >= 0:
            middle_share(members, predicted, X[t], weights)
            offset = scale_offset(weights, predicted, X[t])
        count = 0
        for i in range(n):
            if members[i]:
                count += 1
        of_scale = scale_variance(weights, variance)
        for i in range(n):
            # how much of an error the clock hides by being in the scale: of a median, as of a mean, its share
            share[i] = weights[i] if rung >= 2 else (1.0 / count if members[i] else 0.0)
        for i in range(n):
            out_x[t, i] = np.nan
            out_y[t, i] = y[i]
            out_error[t, i] = np.nan
            out_sigma[t, i] = np.nan
            out_figure[t, i] = np.nan
            out_weight[t, i] = 0.0
            if not present[i]:
                out_code[t, i] = MISSING
                continue
            if rung < 0:
                out_code[t, i] = NO_SCALE
                continue
            measured = X[t, i] + offset
            out_x[t, i] = measured
            out_weight[t, i] = weights[i]
            if seen_count[i] == 0:
                out_code[t, i] = JOINED if eligible[i] else NO_WEIGHT
                if not started and eligible[i]:
                    out_code[t, i] = STARTING
                x[i] = measured
                seen[i] = epochs[t]
                seen_count[i] = 1
                continue
            tau = (epochs[t] - seen[i]) / NS_PER_S
            error = measured - predicted[i]
            code = OK
            ordinary = True
            if rate_count[i] > 0:
                sigma = math.sqrt(variance[i] * (1.0 - share[i]))
                if rung >= 2:
                    sigma = expected_error(variance[i], share[i], of_scale)
                out_error[t, i] = error
                out_sigma[t, i] = sigma
                ordinary = not (left_out[i] or (testable[i] and not members[i] and abs(error) > reject * sigma))
                if not ordinary:
                    code = note_beyond(i, error, tau, reject * sigma, streak, beyond, streak_s, streak_tau_s)
                    if abs(streak[i]) >= step_count:
                        code = RATE_STEP
                        out_figure[t, i] = streak_s[i] / streak_tau_s[i]
                        y[i] += streak_s[i] / streak_tau_s[i]
                        rate_count[i] = step_count
                        learned[i] = 0
                        streak[i] = 0
                        beyond[i] = 0
                    elif beyond[i] >= noise_count:
                        code = NOISE_STEP
                        error_count[i] = 0
                        learned[i] = 0
                        streak[i] = 0
                        beyond[i] = 0
                if (ordinary or abs(streak[i]) == 1) and sigma > 0.0:
                    growth = variance_growth(tau, interval_s, tau_min_s[i])
                    if error_count[i] < MIN_ERRORS:
                        square = error * error / ((1.0 - share[i]) * growth)
                    else:
                        # e²/σ² of what was expected: with the weights of theory this is AT1's unbiased e²/(1−w)
                        square = error * error / (sigma * sigma) * (variance[i] / growth)
                    eps2[i] = learn_error(eps2[i], square, memory_s / tau, error_count[i])
                    error_count[i] += 1
            if ordinary:
                y[i] = learn_rate(y[i], d[i], measured - x[i], tau, tau_min_s[i], rate_count[i])
                rate_count[i] += 1
                if out_error[t, i] == out_error[t, i]:
                    learned[i] += 1
                if streak[i] != 0:
                    code = PHASE_STEP
                    out_figure[t, i] = streak_s[i]
                elif not members[i]:
                    code = LEARNING
                    out_figure[t, i] = learned[i]
                elif factor[i] < 1.0:
                    code = REDUCED
                    out_figure[t, i] = reject - factor[i] * (reject - reduce)
                elif rung < 3:
                    code = STARTING
                    out_figure[t, i] = learned[i]
                elif capped[i]:
                    code = AT_CAP
                streak[i] = 0
                beyond[i] = 0
            if not eligible[i]:
                code = NO_WEIGHT
            out_code[t, i] = code
            out_y[t, i] = y[i]
            x[i] = measured
            seen[i] = epochs[t]
            seen_count[i] += 1
