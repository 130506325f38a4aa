"""Compiled loops of ALGOS: the epochs within a window, and what happens when a window ends.

Sign: ``X[t, i]`` is clock i minus the pivot of row t (any pivot: it cancels), ``x_i`` clock i minus the scale, a
prediction error is measured minus predicted. Only + − × ÷ √ in a fixed order, so that the same input gives the same
bits with the compiler on, off, or building for a generic CPU. What it does not do: check its arguments (the callers in
`algos` do), or put anything in words (`steps.py` does).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.ensemble.at1.kernels import (
    FLOOR_S2,
    MIN_ERRORS,
    expected_error,
    find_worst,
    learn_error,
    middle_share,
    note_beyond,
    scale_offset,
    scale_variance,
    share_weights,
)
from timeball.ensemble.codes import (
    ABNORMAL,
    AT_CAP,
    CAME_IN,
    FIRST_WINDOWS,
    JOINED,
    MISSING,
    NO_SCALE,
    NO_WEIGHT,
    NOISE_STEP,
    OK,
    PHASE_STEP,
    RATE_STEP,
    STARTING,
    SUSPENDED,
    UNPROVEN,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

NS_PER_S = 1e9
CLIPPED_FROM = 3  # errors before one beyond the limit is known to be abnormal, and cut
LEAST_MEMORY = 20.0  # epochs: on the 5-day grid a month has six
LONGEST_GAP = 3.0  # intervals the others went on without a clock, after which it comes back without weight
FLOOR_RATE2 = 1e-40  # (1e-20)²: no rate is known better, and equal clocks must not divide by nothing
HELD_STEP, HELD_ABNORMAL = 1, 2


@njit(cache=True, nogil=True)
def push(history: NDArray[Any], value: float) -> None:
    """Put a value at the front of a history, whose last one falls out."""
    for k in range(history.shape[0] - 1, 0, -1):
        history[k] = history[k - 1]
    history[0] = value


@njit(cache=True, nogil=True)
def fitted_drift(rates: Floats, mids: Counts, count: int) -> float:
    """Slope (1/s) of least squares through the newest `count` rates, at the middles of their windows (ns)."""
    mean_t, mean_y = 0.0, 0.0
    for k in range(count):
        mean_t += (mids[k] - mids[0]) / NS_PER_S
        mean_y += rates[k]
    mean_t /= count
    mean_y /= count
    above, below = 0.0, 0.0
    for k in range(count):
        t = (mids[k] - mids[0]) / NS_PER_S - mean_t
        above += t * (rates[k] - mean_y)
        below += t * t
    return above / below if below > 0.0 else 0.0


@njit(cache=True, nogil=True)
def predictability(squares: Floats, count: int, total: float, weight: float) -> float:
    """σ² = Σ_k ((M+1−k)/M) ε_k² / Σ_k (M+1−k)/M, k = 1 the newest of M windows.

    Total and weight are those of squares known before.
    """
    for k in range(count):
        share = float(count - k) / count
        total += share * squares[k]
        weight += share
    return total / weight


@njit(cache=True, nogil=True)
def starting_variance(noise2: float, interval_s: float, window_s: float, squares: Floats, count: int) -> float:
    """A clock's σ² before it has been judged by enough windows: what its epochs promise, counted as one window more.

    White frequency noise of noise2 an interval makes a rate over one window, taken for the next, wrong by
    2·noise2/(interval·window).
    """
    return predictability(squares, count, 2.0 * noise2 / (interval_s * window_s), 1.0)


@njit(cache=True, nogil=True)
def centre_drifts(
    standing: Counts, min_windows: int, rate_count: Counts, eligible: Flags, sigma2: Floats, cap: float, drift: Floats
) -> None:
    """Take the weighted mean out of fitted drifts.

    Drifts against the scale itself say nothing about the scale's own; left in, their noise would feed itself, window
    after window. (The BIPM takes them against TT.)
    """
    n = drift.shape[0]
    members = np.zeros(n, dtype=np.bool_)
    weights = np.zeros(n)
    capped = np.zeros(n, dtype=np.bool_)
    count = 0
    for i in range(n):
        members[i] = eligible[i] and rate_count[i] > 0 and standing[i] >= min_windows
        if members[i]:
            count += 1
    if count == 0:
        return
    share_weights(members, sigma2, cap / count, weights, capped)
    mean = 0.0
    for i in range(n):
        mean += weights[i] * drift[i]
    for i in range(n):
        if rate_count[i] > 0:
            drift[i] -= mean


@njit(cache=True, nogil=True)
def turn_window(
    start: int,
    end: int,
    eligible: Flags,
    given_drift: Floats,
    cap: float,
    min_windows: int,
    max_windows: int,
    drift_windows: int,
    least_drift_windows: int,
    coverage: float,
    abnormal: float,
    window: Counts,
    base: Floats,
    drift: Floats,
    sigma2: Floats,
    sum_s: Floats,
    sum_tau_s: Floats,
    weight_s: Floats,
    rate_step: Floats,
    rates: Floats,
    mids: Counts,
    squares: Floats,
    rate_count: Counts,
    judged: Counts,
    standing: Counts,
    absent: Counts,
    held: Counts,
    own: Counts,
) -> None:
    """Close the window: rates and errors over it, weights and predictions for the one from start to end (ns of TAI)."""
    n = base.shape[0]
    length_s = (window[1] - window[0]) / NS_PER_S
    middle = window[0] + (window[1] - window[0]) // 2
    some_given = False
    for i in range(n):
        covered = sum_tau_s[i] > 0.0 and sum_tau_s[i] >= coverage * length_s
        rate = sum_s[i] / sum_tau_s[i] if covered else 0.0
        if rate_count[i] > 0 and own[i] == 0 and (covered or rate_step[i] != 0.0):
            error = rate_step[i]
            if covered:
                error += rate - (base[i] + drift[i] * (0.5 * length_s))
            rest = 1.0
            if sum_tau_s[i] > 0.0:
                rest -= weight_s[i] / sum_tau_s[i]
            if rest > 1e-9:
                # the clock hides its share of its own error by being in the scale
                square = error * error / rest
                if judged[i] >= CLIPPED_FROM and square > abnormal * abnormal * sigma2[i]:
                    square = abnormal * abnormal * sigma2[i]
                push(squares[i], max(square, FLOOR_RATE2))
                judged[i] = min(judged[i] + 1, max_windows)
        own[i] = 0
        if covered:
            push(rates[i], rate)
            push(mids[i], middle)
            rate_count[i] = min(rate_count[i] + 1, rates.shape[1])
            absent[i] = 0
        else:
            absent[i] += 1
            if absent[i] >= min_windows:
                rate_count[i] = 0
                judged[i] = 0
        standing[i] = judged[i]
        sigma2[i] = predictability(squares[i], judged[i], 0.0, 0.0) if judged[i] > 0 else 0.0
        drift[i] = 0.0
        if given_drift[i] == given_drift[i]:
            some_given = True
            drift[i] = given_drift[i]
        elif rate_count[i] >= least_drift_windows:
            drift[i] = fitted_drift(rates[i], mids[i], min(rate_count[i], drift_windows))
    if not some_given:
        centre_drifts(standing, min_windows, rate_count, eligible, sigma2, cap, drift)
    for i in range(n):
        base[i] = rates[i, 0] + drift[i] * ((start - mids[i, 0]) / NS_PER_S) if rate_count[i] > 0 else 0.0
        sum_s[i] = 0.0
        sum_tau_s[i] = 0.0
        weight_s[i] = 0.0
        rate_step[i] = 0.0
        held[i] = 0
    window[0] = start
    window[1] = end


@njit(cache=True, nogil=True)
def choose_members(
    present: Flags,
    eligible: Flags,
    known: Flags,
    away: Flags,
    seen_count: Counts,
    error_count: Counts,
    standing: Counts,
    held: Counts,
    min_windows: int,
    members: Flags,
) -> int:
    """Mark who carries the scale at this epoch and give the rung of the ladder: the first that anybody stands on.

    3: clocks judged by enough windows; 2: with a trusted mean square error; 1: a rate; 0: a phase; −1: nobody.
    """
    n = present.shape[0]
    for rung in range(3, -1, -1):
        found = False
        for i in range(n):
            stands = present[i] and eligible[i] and seen_count[i] > 0
            if rung >= 1:
                stands = stands and known[i]
            if rung >= 2:
                stands = stands and held[i] == 0 and not away[i] and error_count[i] >= MIN_ERRORS
            if rung == 3:
                stands = stands and standing[i] >= min_windows
            members[i] = stands
            found = found or stands
        if found:
            return rung
    return -1


@njit(cache=True, nogil=True)
def share_settled(members: Flags, settled: Floats, weights: Floats) -> None:
    """Fill `weights` (sum 1) in proportion to the window's settled weights over `members`.

    The cap is not applied again: when masers are missing for an epoch, what they leave goes to the other masers and not
    to the caesium clocks that the cap would send it to.
    """
    total = 0.0
    for i in range(members.shape[0]):
        weights[i] = 0.0
        if members[i]:
            total += settled[i]
    for i in range(members.shape[0]):
        if members[i]:
            weights[i] = settled[i] / total


@njit(cache=True, nogil=True)
def settle(
    members: Flags,
    testable: Flags,
    row: Floats,
    predicted: Floats,
    variance: Floats,
    settled: Floats,
    reject: float,
    weights: Floats,
    left_out: Flags,
) -> float:
    """Find the offset of the scale at one epoch and the weights it was found with.

    Members whose error at this epoch is beyond `reject` sigma are left out one by one, the worst first, each time
    against the scale of those that remain.
    """
    share_settled(members, settled, weights)
    offset = scale_offset(weights, predicted, row)
    while True:
        worst = find_worst(members, testable, row, offset, predicted, variance, weights, reject)
        if worst < 0:
            return offset
        members[worst] = False
        left_out[worst] = True
        share_settled(members, settled, weights)
        offset = scale_offset(weights, predicted, row)


@njit(cache=True, nogil=True)
def advance_epochs(
    epochs: Counts,
    X: Floats,
    eligible: Flags,
    interval_s: float,
    cap: float,
    min_windows: int,
    reject: float,
    step_count: int,
    noise_count: int,
    window: Counts,
    x: Floats,
    noise2: Floats,
    base: Floats,
    drift: Floats,
    sigma2: Floats,
    sum_s: Floats,
    sum_tau_s: Floats,
    weight_s: Floats,
    rate_step: Floats,
    streak_s: Floats,
    streak_tau_s: Floats,
    rates: Floats,
    squares: Floats,
    seen: Counts,
    seen_count: Counts,
    error_count: Counts,
    rate_count: Counts,
    judged: Counts,
    standing: Counts,
    held: Counts,
    streak: Counts,
    beyond: Counts,
    out_x: Floats,
    out_y: Floats,
    out_weight: Floats,
    out_error: Floats,
    out_sigma: Floats,
    out_figure: Floats,
    out_code: NDArray[np.int8],
) -> None:
    """Process epochs of one window, one after the other: the state arrays change in place, the out arrays are filled.

    X, out: [m, n]. window: its start and end (ns of TAI). For the state's meaning see `ALGOSState`, for the output
    `Steps`.
    """
    m, n = X.shape
    present = np.empty(n, dtype=np.bool_)
    known = np.empty(n, dtype=np.bool_)
    away = np.empty(n, dtype=np.bool_)
    testable = np.empty(n, dtype=np.bool_)
    members = np.empty(n, dtype=np.bool_)
    capped = np.zeros(n, dtype=np.bool_)
    left_out = np.empty(n, dtype=np.bool_)
    rate = np.empty(n)
    predicted = np.empty(n)
    variance = np.empty(n)
    rate_variance = np.empty(n)
    weights = np.empty(n)
    for_now = np.zeros(n)
    able = np.zeros(n, dtype=np.bool_)
    settled = np.zeros(n)
    at_cap = np.zeros(n, dtype=np.bool_)
    stale = True
    started = False
    for i in range(n):
        started = started or seen_count[i] > 0
    length_s = (window[1] - window[0]) / NS_PER_S
    for t in range(m):
        if stale:
            # the weights of the window: settled from the windows before it, and again when a clock is suspended
            count = 0
            for i in range(n):
                able[i] = eligible[i] and held[i] == 0 and standing[i] >= min_windows
                if able[i]:
                    count += 1
            share_weights(able, sigma2, cap / max(count, 1), settled, at_cap)
            stale = False
        newest = seen[0] if n > 0 else 0
        for i in range(1, n):
            newest = max(newest, seen[i])
        for i in range(n):
            # over a long gap a prediction is far off: with weight, it would step the scale that the others kept
            away[i] = (newest - seen[i]) / NS_PER_S > LONGEST_GAP * interval_s
            present[i] = X[t, i] == X[t, i]
            testable[i] = error_count[i] >= MIN_ERRORS
            left_out[i] = False
            weights[i] = 0.0
            known[i] = rate_count[i] > 0 or sum_tau_s[i] > 0.0
            rate[i] = 0.0
            if rate_count[i] > 0:
                # the rate at the middle of the interval since the clock's last reading: exact for a quadratic
                before = seen[i] if seen_count[i] > 0 else epochs[t]
                since = 0.5 * ((before - window[0]) + (epochs[t] - window[0])) / NS_PER_S
                rate[i] = base[i] + drift[i] * since
            elif known[i]:
                rate[i] = sum_s[i] / sum_tau_s[i]
            if seen_count[i] > 0:
                tau = (epochs[t] - seen[i]) / NS_PER_S
                predicted[i] = x[i] + rate[i] * tau
                variance[i] = noise2[i] * (tau / interval_s)
                if standing[i] > 0 and tau > interval_s:
                    # over a gap the error of the rate counts too; within an interval it is in noise2 already
                    variance[i] += sigma2[i] * (tau * (tau - interval_s))
                variance[i] = max(variance[i], FLOOR_S2)
            else:
                predicted[i] = 0.0
                variance[i] = FLOOR_S2
        if started:
            rung = choose_members(
                present, eligible, known, away, seen_count, error_count, standing, held, min_windows, members
            )
        else:
            # the first epoch of all: the scale is set to the middle of the clocks that may carry it
            rung = -1
            for i in range(n):
                members[i] = present[i] and eligible[i]
                if members[i]:
                    rung = 0
        count = 0
        for i in range(n):
            capped[i] = at_cap[i]
            if members[i]:
                count += 1
        offset = 0.0
        if rung >= 2:
            for i in range(n):
                for_now[i] = settled[i]
                if rung == 2 and members[i]:
                    floor = max(noise2[i], FLOOR_S2)
                    rate_variance[i] = starting_variance(floor, interval_s, length_s, squares[i], judged[i])
            if rung == 2:
                share_weights(members, rate_variance, cap / count, for_now, capped)
            offset = settle(members, testable, X[t], predicted, variance, for_now, reject, weights, left_out)
        elif rung >= 0:
            middle_share(members, predicted, X[t], weights)
            offset = scale_offset(weights, predicted, X[t])
        of_scale = scale_variance(weights, variance)
        for i in range(n):
            out_x[t, i] = np.nan
            out_error[t, i] = np.nan
            out_sigma[t, i] = np.nan
            out_figure[t, i] = np.nan
            out_weight[t, i] = weights[i]
            out_y[t, i] = rate[i]
            if rate_count[i] > 0 and seen_count[i] > 0:
                out_y[t, i] += drift[i] * (0.5 * ((epochs[t] - seen[i]) / NS_PER_S))
            if not present[i]:
                out_code[t, i] = MISSING
                continue
            if rung < 0:
                out_code[t, i] = NO_SCALE
                continue
            measured = X[t, i] + offset
            out_x[t, i] = measured
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
            if known[i]:
                share = weights[i] if rung >= 2 else (1.0 / count if members[i] else 0.0)
                sigma = math.sqrt(variance[i] * (1.0 - share))
                if rung >= 2:
                    sigma = expected_error(variance[i], share, of_scale)
                out_error[t, i] = error
                out_sigma[t, i] = sigma
                ordinary = not (left_out[i] or (testable[i] and not members[i] and abs(error) > reject * sigma))
                if not ordinary:
                    code = note_beyond(i, error, tau, reject * sigma, streak, beyond, streak_s, streak_tau_s)
                    if abs(streak[i]) >= step_count:
                        code = RATE_STEP
                        step = streak_s[i] / streak_tau_s[i]
                        out_figure[t, i] = step
                        for k in range(rate_count[i]):
                            rates[i, k] += step  # so that the drift is still that of one clock
                        base[i] += step
                        rate_step[i] += step
                        sum_s[i] = 0.0
                        sum_tau_s[i] = 0.0
                        weight_s[i] = 0.0
                        held[i] = HELD_STEP
                        stale = True
                        streak[i] = 0
                        beyond[i] = 0
                    elif beyond[i] >= noise_count:
                        code = NOISE_STEP
                        error_count[i] = 0
                        held[i] = HELD_STEP
                        stale = True
                        streak[i] = 0
                        beyond[i] = 0
                if (ordinary or abs(streak[i]) == 1) and sigma > 0.0:
                    if error_count[i] < MIN_ERRORS:
                        square = error * error / ((1.0 - share) * (tau / interval_s))
                    else:
                        # e²/σ² of what was expected: with the weights of theory this is the unbiased e²/(1−w)
                        square = error * error / (sigma * sigma) * noise2[i]
                    kept = max(length_s / tau, LEAST_MEMORY)
                    noise2[i] = learn_error(noise2[i], square, kept, error_count[i])
                    error_count[i] += 1
            if ordinary:
                if (seen[i] - window[0]) + (epochs[t] - window[0]) >= 0:
                    sum_s[i] += measured - x[i]
                    sum_tau_s[i] += tau
                    weight_s[i] += weights[i] * tau
                if streak[i] != 0:
                    code = PHASE_STEP
                    out_figure[t, i] = streak_s[i]
                elif held[i] == HELD_STEP:
                    code = SUSPENDED
                elif held[i] == HELD_ABNORMAL:
                    code = ABNORMAL
                elif rung >= 2 and away[i]:
                    code = CAME_IN
                    out_figure[t, i] = tau
                elif rung == 3 and not members[i]:
                    code = UNPROVEN
                    out_figure[t, i] = standing[i]
                elif rung < 3:
                    code = FIRST_WINDOWS
                    out_figure[t, i] = standing[i]
                elif capped[i]:
                    code = AT_CAP
                streak[i] = 0
                beyond[i] = 0
            if not eligible[i]:
                code = NO_WEIGHT
            out_code[t, i] = code
            x[i] = measured
            seen[i] = epochs[t]
            seen_count[i] += 1
        started = started or rung >= 0
