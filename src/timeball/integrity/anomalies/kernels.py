"""Compiled loops of the anomaly detectors: cells, contrasts, the search for what explains them best.

Sign: a contrast is after minus before, of a clock against the others, in fs (phase) or fs a cell (rate). Only + − × ÷ √
in a fixed order, so that the same input gives the same bits on any machine. What it does not do: check its arguments,
or put anything in words.

Phases stand in rings, one a level; a cell of level ℓ is the mean of 4^ℓ epochs. Between cells k and k+1, with h cells
on either side, there are two contrasts (WINDOWS holds the h):

    phase   P = (c[k+1] − c[k]) − ½(r_before + r_after)       a step of phase there; a step of rate leaves it alone
    rate    R = r_after − r_before                            a step of rate there; a step of phase leaves it alone

with r_before = (c[k] − c[k−h])/h and r_after = (c[k+1+h] − c[k+1])/h. How much each scatters is learned from the clock
itself, so no model of its noise is needed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

CELLS = 28  # 6h + 4 for the longest window: room for a change, for the longest wait after it and for h cells before
PATIENCE = (8, 14)  # 3h + 2: of a change that goes on after so many cells what is past is judged
LONGEST = (16, 14)  # and all of it after so many, while it still stands in the ring
WINDOWS = (2, 4)
RATIO = 4  # epochs of a level's cell to those of the level below
DELAY = 10  # cells of a level wait so long before they make one of the next: changes are taken out of them by then
PHASE, RATE, DRIFT, NOISE = 0, 1, 2, 3
COLUMNS = 12  # of a finding: kind, row, level, window, epoch index, size, u, sigmas, second row, found, span, freedom
CLIP = 4.0  # sigmas: no single contrast teaches more than this
NOISE_CLIP = 16.0  # the same in the block where a change of noise is looked for, squared
NOISE_BLOCK = 64
NOISE_FREEDOM = 36.0  # of a block: neighbouring contrasts share a part of their cells
NOISE_AGREES = 3.0  # sigmas of a block within which it confirms what was learned; until then no change is told
DISCERNED = 9.0  # a second explanation that is worse by less (in χ²) is named
PREFERENCE = (
    6.0  # χ² by which several clocks at once must explain more than one: one clock steps more often than a link
)
FLOOR_FS2 = 1.0
FIRST = 12  # contrasts against the middle of the clocks, until their variances are known enough for weights
LEAST_SHARE = 0.4  # of a contrast's variance: else a variance that came out too small would never learn better


@njit(cache=True, nogil=True)
def student_limit(sigmas: float, freedom: float) -> float:
    """The limit for Student's t that is as rare as `sigmas` of a normal: t² = ν(exp(z²/ν) − 1), Wallace 1959.

    exp by (1 + u/64)^64, which is exact enough for a limit and the same on any machine.
    """
    grown = 1.0 + sigmas * sigmas / freedom / 64.0
    for _ in range(6):
        grown = grown * grown
    return math.sqrt(freedom * (grown - 1.0))


@njit(cache=True, nogil=True)
def fill_contrasts(cells: Floats, k: int, h: int, kind: int, mean: Floats, out: Floats) -> None:
    """Contrast of each clock between cells k and k+1 with h on either side, beyond its mean (that of a drift).

    NaN where one of its cells is missing. The mean goes before clocks are compared: who is missing must not matter.
    """
    for i in range(cells.shape[1]):
        before = (cells[k, i] - cells[k - h, i]) / h
        after = (cells[k + 1 + h, i] - cells[k + 1, i]) / h
        if kind == PHASE:
            out[i] = (cells[k + 1, i] - cells[k, i]) - 0.5 * (before + after) - mean[i]
        else:
            out[i] = after - before - mean[i]


@njit(cache=True, nogil=True)
def middle_of(values: Floats) -> float:
    """The upper median of those that are not NaN; NaN where there is none."""
    n, count = values.shape[0], 0
    for i in range(n):
        if not math.isnan(values[i]):
            count += 1
    for i in range(n):
        rank = 0
        for j in range(n):
            if values[j] < values[i] or (values[j] == values[i] and j < i):
                rank += 1
        if not math.isnan(values[i]) and rank == count // 2:
            return values[i]
    return np.nan


@njit(cache=True, nogil=True)
def fill_weights(values: Floats, square: Floats, count: Counts, weights: Floats) -> None:
    """Weight of each clock in what the others have in common: 1/variance.

    While nobody's is known the half nearest to the median count alike: one wild clock would be taught to all others.
    """
    n = values.shape[0]
    known = False
    for i in range(n):
        weights[i] = 0.0
        if count[i] >= FIRST and not math.isnan(values[i]):
            weights[i] = 1.0 / max(square[i], FLOOR_FS2)
            known = True
    if not known:
        middle = middle_of(values)
        apart = np.empty(n)
        for i in range(n):
            apart[i] = abs(values[i] - middle)
        half = middle_of(apart)
        for i in range(n):
            if apart[i] <= half:
                weights[i] = 1.0


@njit(cache=True, nogil=True)
def fill_rows(
    values: Floats, weights: Floats, member: Flags, against_all: bool, rows: Floats, gain_weight: Floats
) -> None:
    """How each row moved against the clocks outside it, and the weight w with which w·e² is the χ² it explains.

    A row is a clock, or a link with two members present. against_all: against the outside reference itself instead.
    """
    n = values.shape[0]
    for r in range(member.shape[0]):
        inside, sum_in, outside, sum_out, present = 0.0, 0.0, 0.0, 0.0, 0
        for i in range(n):
            if math.isnan(values[i]):
                continue
            if member[r, i]:
                # a member without a learned noise must not hide a step of its own
                weight = weights[i] if weights[i] > 0.0 or r >= n else 1.0
                inside += weight
                sum_in += weight * values[i]
                present += 1
            else:
                outside += weights[i]
                sum_out += weights[i] * values[i]
        rows[r] = np.nan
        gain_weight[r] = 0.0
        if inside <= 0.0 or (r >= n and present < 2):
            continue
        if against_all:
            rows[r] = sum_in / inside
            gain_weight[r] = inside
        elif outside > 0.0:
            rows[r] = sum_in / inside - sum_out / outside
            gain_weight[r] = inside * outside / (inside + outside)


@njit(cache=True, nogil=True)
def remembered(count: int, h: int, memory: int) -> float:
    """Contrasts that a learned level rests on: all of the first ones, then half of all, at most `memory`.

    The first ones are taken against a poor mean of the others, and must be forgotten as weights get better.
    """
    return min(float(count), 4.0 * h + 0.5 * count, float(memory))


@njit(cache=True, nogil=True)
def learn(
    value: float, expected: float, own: bool, mean: Floats, square: Floats, count: Counts, r: int, h: int, memory: int
) -> None:
    """One more contrast (beyond its mean) of row r, of total variance `expected`, into mean and own part of variance.

    own: whether `square` is the variance of a clock (part of `expected`), or what a link adds to its clocks' (never
    below 0). A contrast teaches the less the more of its variance is the others'.
    """
    count[r] = min(count[r] + 1, 2 * memory)
    weight = 1.0 / remembered(count[r], h, memory)
    difference = value
    if count[r] <= FIRST:
        mean[r] += weight * difference if own else 0.0
        square[r] += weight * (difference * difference * (1.0 - weight) - square[r]) if own else 0.0
        return
    limit = CLIP * math.sqrt(max(expected, FLOOR_FS2))
    if count[r] > 4 * h:
        difference = min(max(difference, -limit), limit)
    share = max(square[r] / expected, LEAST_SHARE) if own else 1.0
    if own:
        mean[r] += weight * difference * share
    # (1 − weight) takes the mean's own scatter out, as the n − 1 of a sample variance does
    beyond = difference * difference * (1.0 - weight * share) - expected
    square[r] = max(square[r] + weight * share * share * beyond, 0.8 * square[r] if own else 0.0)


@njit(cache=True, nogil=True)
def row_variance(r: int, n: int, gain: float, square: Floats) -> float:
    """Variance to expect of a row's contrast: its clocks' and the others', and what its link adds."""
    variance = 1.0 / gain if gain > 0.0 else 1.0
    if r >= n:
        variance += square[r]
    return max(variance, FLOOR_FS2)


@njit(cache=True, nogil=True)
def ratio_to_limit(
    difference: float, variance: float, count: int, h: int, memory: int, threshold: float, least: float
) -> float:
    """|contrast| over what it may be at most; 0 while its noise rests on too little."""
    freedom = remembered(count, h, memory) / h
    if math.isnan(difference) or freedom < least:
        return 0.0
    return abs(difference) / (math.sqrt(variance) * student_limit(threshold, freedom))


@njit(cache=True, nogil=True)
def local_scatter(
    cells: Floats,
    k: int,
    h: int,
    r: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    work: Floats,
    weights: Floats,
    rows: Floats,
    gains: Floats,
) -> float:
    """Mean square of row r's phase contrasts away from k, in units of what was learned: 1 where noise is as ever."""
    total, found, n = 0.0, 0, cells.shape[1]
    for other in range(h, cells.shape[0] - 1 - h):
        if abs(other - k) <= h + 1:
            continue
        fill_contrasts(cells, other, h, PHASE, mean, work)
        fill_weights(work, square, count, weights)
        fill_rows(work, weights, member, against_all, rows, gains)
        if not math.isnan(rows[r]):
            part = rows[r]
            total += part * part / row_variance(r, n, gains[r], square)
            found += 1
    return total / found if found >= 3 else 1.0


@njit(cache=True, nogil=True)
def ramp_instead(
    cells: Floats, k: int, h: int, r: int, member: Flags, against_all: bool, mean: Floats, weights: Floats, fit: Floats
) -> bool:
    """Whether the increments of row r over the ring are better a straight line than one level before k, one after.

    Each clock's usual drift, mean/(h + 1) of its contrasts of rate, is taken out first. fit[0]: the slope beyond it (fs
    a cell, a cell); fit[1]: its standard uncertainty from the residuals.
    """
    w, n = cells.shape
    own = np.zeros(n)
    for i in range(n):
        first, last = -1, -1
        for j in range(w):
            if not math.isnan(cells[j, i]):
                last = j
                first = j if first < 0 else first
        if last > first:
            own[i] = (cells[last, i] - cells[first, i]) / (last - first)
    values = np.empty(w - 1)
    work, rows, gains = np.empty(n), np.empty(member.shape[0]), np.empty(member.shape[0])
    part = np.empty(n)
    for j in range(w - 1):
        for i in range(n):
            work[i] = cells[j + 1, i] - cells[j, i] - own[i] - mean[i] / (h + 1) * (j - 0.5 * (w - 2))
            part[i] = weights[i]
        fill_rows(work, part, member, against_all, rows, gains)
        values[j] = rows[r]
    s0, s1, s2, t0, t1 = 0.0, 0.0, 0.0, 0.0, 0.0
    early, late, count_early, count_late, squares = 0.0, 0.0, 0, 0, 0.0
    for j in range(w - 1):
        v = values[j]
        if math.isnan(v) or j == k:
            continue
        x = j - 0.5 * (w - 2)
        s0 += 1.0
        s1 += x
        s2 += x * x
        t0 += v
        t1 += x * v
        squares += v * v
        if j < k:
            early += v
            count_early += 1
        else:
            late += v
            count_late += 1
    fit[0], fit[1] = 0.0, 0.0
    if s0 < 8.0 or count_early < 2 or count_late < 2:
        return False
    spread = s2 - s1 * s1 / s0
    slope = (t1 - s1 * t0 / s0) / spread
    left_line = squares - t0 * t0 / s0 - slope * slope * spread
    left_step = squares - early * early / count_early - late * late / count_late
    fit[0] = slope
    fit[1] = math.sqrt(max(left_line, 0.0) / (s0 - 2.0) / spread)
    return left_line < left_step


@njit(cache=True, nogil=True)
def take_out(
    ring: Floats, cell: Counts, member: Flags, r: int, kind: int, index: int, size: float, level: int, mean: Floats
) -> None:
    """Make the past of row r's clocks agree with their present, so that nothing is found twice.

    index: the first epoch after the change. A phase step is added to what came before; after a change of rate or drift
    what came before is forgotten, as is every cell the change fell into. A new drift becomes what is expected.
    """
    span = 1
    for at in range(ring.shape[0]):
        for i in range(ring.shape[2]):
            if not member[r, i]:
                continue
            for w in range(CELLS):
                first = (cell[at] - (CELLS - 1 - w)) * span
                if first >= index:
                    continue
                if kind == PHASE and first + span <= index:
                    ring[at, w, i] += size
                else:
                    ring[at, w, i] = np.nan
        if kind == DRIFT:
            grown = size
            for _ in range(level, at):
                grown = grown * RATIO * RATIO
            for _ in range(at, level):
                grown = grown / (RATIO * RATIO)
            for place in range(len(WINDOWS)):
                for i in range(ring.shape[2]):
                    if member[r, i]:
                        mean[at, place, RATE, i] += grown * (WINDOWS[place] + 1)
        span = span * RATIO


@njit(cache=True, nogil=True)
def find_best(
    cells: Floats,
    h: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    threshold: float,
    least: float,
    memory: int,
    best: Floats,
) -> bool:
    """Search all places of a ring for the change that explains most; fill `best`, False when there is none.

    best: gain in χ², kind, place k, row, size, standard uncertainty, second row (or −1).
    """
    n = cells.shape[1]
    total_rows = member.shape[0]
    work, weights = np.empty(n), np.empty(n)
    rows, gains = np.empty(total_rows), np.empty(total_rows)
    found = False
    best[0] = 0.0
    for k in range(h, cells.shape[0] - 1 - h):
        for kind in (PHASE, RATE):
            fill_contrasts(cells, k, h, kind, mean[kind], work)
            fill_weights(work, square[kind], count[kind], weights)
            fill_rows(work, weights, member, against_all, rows, gains)
            for r in range(total_rows):
                part = rows[r]
                variance = row_variance(r, n, gains[r], square[kind])
                if ratio_to_limit(part, variance, count[kind, r], h, memory, threshold, least) <= 1.0:
                    continue
                gain = part * part * gains[r] - (PREFERENCE if r >= n else 0.0)
                if gain <= best[0]:
                    continue
                found = True
                best[0], best[1], best[2], best[3] = gain, kind, k, r
                best[4], best[5] = part, math.sqrt(variance)
    if not found:
        return False
    kind, k, chosen = int(best[1]), int(best[2]), int(best[3])
    fill_contrasts(cells, k, h, kind, mean[kind], work)
    fill_weights(work, square[kind], count[kind], weights)
    fill_rows(work, weights, member, against_all, rows, gains)
    best[6] = -1.0
    second = best[0] - DISCERNED
    for r in range(total_rows):
        if r != chosen and not math.isnan(rows[r]):
            part = rows[r]
            gain = part * part * gains[r] - (PREFERENCE if r >= n else 0.0)
            if gain > second:
                second = gain
                best[6] = r
    return True


@njit(cache=True, nogil=True)
def spike_at(
    cells: Floats,
    k: int,
    h: int,
    r: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    size: float,
) -> int:
    """The one cell that is off and comes back, when the step at k is no step; −1 for a step."""
    n, total_rows = cells.shape[1], member.shape[0]
    work, weights = np.empty(n), np.empty(n)
    rows, gains = np.empty(total_rows), np.empty(total_rows)
    for near in (-1, 1):
        if not h <= k + near < cells.shape[0] - 1 - h:
            continue
        fill_contrasts(cells, k + near, h, PHASE, mean, work)
        fill_weights(work, square, count, weights)
        fill_rows(work, weights, member, against_all, rows, gains)
        part = rows[r]
        if part * size < 0.0 and abs(part) > 0.65 * abs(size):
            return k if near < 0 else k + 1
    return -1


@njit(cache=True, nogil=True)
def settle(
    ring: Floats,
    cell: Counts,
    level: int,
    place: int,
    latest: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    threshold: float,
    least: float,
    memory: int,
    now: int,
    found: Floats,
    filled: int,
) -> int:
    """Tell what happened in a ring that gave an alarm: one change after the other, each taken out; gives `filled`.

    latest: the last place to judge. What explains most after it may be the edge of something not yet in the ring.
    """
    h = WINDOWS[place]
    n, total_rows = ring.shape[2], member.shape[0]
    best, fit = np.zeros(7), np.zeros(2)
    work, weights = np.empty(n), np.empty(n)
    rows, gains = np.empty(total_rows), np.empty(total_rows)
    span, first = RATIO**level, filled
    for _ in range(16):
        cells = ring[level]
        if not find_best(
            cells,
            h,
            member,
            against_all,
            mean[level, place],
            square[level, place],
            count[level, place],
            threshold,
            least,
            memory,
            best,
        ):
            break
        kind, k, r = int(best[1]), int(best[2]), int(best[3])
        size, u = best[4], best[5]
        if k > latest:
            break
        scatter = local_scatter(
            cells,
            k,
            h,
            r,
            member,
            against_all,
            mean[level, place, PHASE],
            square[level, place, PHASE],
            count[level, place, PHASE],
            work,
            weights,
            rows,
            gains,
        )
        limit = threshold * math.sqrt(scatter / 1.5) if scatter > 1.5 else 0.0
        if abs(size) < limit * u:
            break
        if kind == PHASE:
            off = spike_at(
                cells,
                k,
                h,
                r,
                member,
                against_all,
                mean[level, place, PHASE],
                square[level, place, PHASE],
                count[level, place, PHASE],
                size,
            )
            if off >= 0:
                for i in range(n):
                    if member[r, i]:
                        ring[level, off, i] = np.nan
                continue
        else:
            fill_contrasts(cells, k, h, RATE, mean[level, place, RATE], work)
            fill_weights(work, square[level, place, RATE], count[level, place, RATE], weights)
            if (
                ramp_instead(cells, k, h, r, member, against_all, mean[level, place, RATE], weights, fit)
                and abs(fit[0]) > threshold * fit[1]
            ):
                kind, size, u = DRIFT, fit[0], fit[1]
        index = (cell[level] - (CELLS - 1 - (k + 1))) * span
        if kind == PHASE:
            size = float(round(size))
        take_out(ring, cell, member, r, kind, index, size, level, mean)
        if kind == PHASE and filled > first:
            row = found[filled - 1]
            if row[0] == PHASE and row[1] == r and abs(row[4] - index) == span:
                # a reading taken in the middle of a step makes two of it
                row[4] = max(row[4], float(index))
                row[5] += size
                row[6] = math.sqrt(row[6] * row[6] + u * u)
                row[7] = abs(row[5]) / row[6]
                continue
        if filled < found.shape[0]:
            row = found[filled]
            row[0], row[1], row[2], row[3] = kind, r, level, h
            row[4], row[5], row[6], row[7] = index, size, u, abs(size) / u
            row[8], row[9], row[10] = best[6], now, span
            row[11] = remembered(count[level, place, min(kind, RATE), r], h, memory) / h
            filled += 1
    return filled


@njit(cache=True, nogil=True)
def watch_noise(
    level: int,
    i: int,
    square: float,
    noise_sum: Floats,
    noise_count: Counts,
    threshold: float,
    fit: Floats,
) -> bool:
    """One more squared contrast (in units of its variance) of clock i; True when a full block is to be told.

    Fisher's √(2χ²) − √(2ν−1) is the test. fit[0]: ratio of variances, fit[1]: sigmas. The count runs up to 0 until a
    block has confirmed what was learned, and from 0 after; fit[1] is 0 where nothing is to be changed.
    """
    noise_sum[level, i] += min(square, NOISE_CLIP)
    noise_count[level, i] += 1
    fit[1] = 0.0
    confirmed = noise_count[level, i] > 0
    if noise_count[level, i] != 0 and noise_count[level, i] < NOISE_BLOCK:
        return False
    fit[0] = noise_sum[level, i] / NOISE_BLOCK
    fit[1] = math.sqrt(2.0 * NOISE_FREEDOM * fit[0]) - math.sqrt(2.0 * NOISE_FREEDOM - 1.0)
    noise_sum[level, i] = 0.0
    noise_count[level, i] = 0
    limit = threshold if confirmed else NOISE_AGREES
    if abs(fit[1]) <= limit:
        fit[1] = 0.0
    elif not confirmed:
        noise_count[level, i] = -NOISE_BLOCK
    return confirmed and fit[1] != 0.0


@njit(cache=True, nogil=True)
def learn_place(
    ring: Floats,
    level: int,
    place: int,
    k: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    memory: int,
    least: float,
    noise_threshold: float,
    noise_sum: Floats,
    noise_count: Counts,
    now: int,
    cell: int,
    found: Floats,
    filled: int,
) -> int:
    """Learn from the contrasts at k, and look for a change of noise in those of phase; gives `filled`."""
    h = WINDOWS[place]
    n, total_rows = ring.shape[2], member.shape[0]
    work, weights = np.empty(n), np.empty(n)
    rows, gains = np.empty(total_rows), np.empty(total_rows)
    fit = np.zeros(2)
    span = RATIO**level
    for kind in (PHASE, RATE):
        fill_contrasts(ring[level], k, h, kind, mean[level, place, kind], work)
        fill_weights(work, square[level, place, kind], count[level, place, kind], weights)
        fill_rows(work, weights, member, against_all, rows, gains)
        for r in range(total_rows):
            if math.isnan(rows[r]):
                continue
            spread = row_variance(r, n, gains[r], square[level, place, kind])
            asked = 4.0 * least if r < n and noise_count[level, r] >= 0 else least
            known = remembered(count[level, place, kind, r], h, memory) / h >= asked
            mostly_own = square[level, place, kind, r] > 0.6 * spread
            if kind == PHASE and place == 0 and r < n and known and mostly_own:
                part = rows[r]
                tell = watch_noise(level, r, part * part / spread, noise_sum, noise_count, noise_threshold, fit)
                if fit[1] != 0.0:
                    # what never agreed with a block was learned beside wrong weights, and begins nearly anew
                    rests = NOISE_BLOCK * h if tell else 8 * h
                    for other in range(len(WINDOWS)):
                        for each in (PHASE, RATE):
                            square[level, other, each, r] *= fit[0]
                            count[level, other, each, r] = min(count[level, other, each, r], rests)
                    if tell and filled < found.shape[0]:
                        row = found[filled]
                        row[0], row[1], row[2], row[3] = NOISE, r, level, h
                        row[4] = (cell - (CELLS - 1 - k) - NOISE_BLOCK) * span
                        row[5] = math.sqrt(fit[0])
                        row[6] = row[5] / math.sqrt(2.0 * NOISE_FREEDOM)
                        row[7], row[8], row[9], row[10], row[11] = abs(fit[1]), -1.0, now, span, NOISE_FREEDOM
                        filled += 1
            learn(
                rows[r],
                spread,
                r < n,
                mean[level, place, kind],
                square[level, place, kind],
                count[level, place, kind],
                r,
                h,
                memory,
            )
    return filled


@njit(cache=True, nogil=True)
def any_alarm(
    cells: Floats,
    k: int,
    h: int,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    threshold: float,
    least: float,
    memory: int,
) -> bool:
    """Whether a contrast at k of any row is beyond its limit."""
    n, total_rows = cells.shape[1], member.shape[0]
    work, weights = np.empty(n), np.empty(n)
    rows, gains = np.empty(total_rows), np.empty(total_rows)
    for kind in (PHASE, RATE):
        fill_contrasts(cells, k, h, kind, mean[kind], work)
        fill_weights(work, square[kind], count[kind], weights)
        fill_rows(work, weights, member, against_all, rows, gains)
        for r in range(total_rows):
            variance = row_variance(r, n, gains[r], square[kind])
            part = rows[r]
            if ratio_to_limit(part, variance, count[kind, r], h, memory, threshold, least) > 1.0:
                return True
    return False


@njit(cache=True, nogil=True)
def next_cell(cells: Floats, out: Floats) -> None:
    """The mean of the four oldest cells that have waited long enough, for the level above.

    Where one or two of the four are missing the mean of the rest is moved to the middle of the four by the clock's
    rate near them.
    """
    start = CELLS - DELAY - RATIO
    for i in range(cells.shape[1]):
        total, place, present = 0.0, 0.0, 0
        for w in range(start, start + RATIO):
            if not math.isnan(cells[w, i]):
                total += cells[w, i]
                place += w - start
                present += 1
        out[i] = np.nan
        if present < 2:
            continue
        if present == RATIO:
            out[i] = float(round(total / RATIO))
            continue
        first, last = -1, -1
        for w in range(start - 3, start + RATIO + 3):
            if not math.isnan(cells[w, i]):
                last = w
                first = w if first < 0 else first
        if last - first >= 3:
            rate = (cells[last, i] - cells[first, i]) / (last - first)
            out[i] = float(round(total / present + rate * (0.5 * (RATIO - 1) - place / present)))


@njit(cache=True, nogil=True)
def push_cell(
    ring: Floats,
    cell: Counts,
    level: int,
    values: Floats,
    member: Flags,
    against_all: bool,
    mean: Floats,
    square: Floats,
    count: Counts,
    alarm: Counts,
    threshold: float,
    least: float,
    memory: int,
    noise_threshold: float,
    noise_sum: Floats,
    noise_count: Counts,
    now: int,
    found: Floats,
    filled: int,
) -> int:
    """Take one more cell into a level: test, wait, settle or learn; gives `filled`."""
    n = ring.shape[2]
    for w in range(CELLS - 1):
        for i in range(n):
            ring[level, w, i] = ring[level, w + 1, i]
    for i in range(n):
        ring[level, CELLS - 1, i] = values[i]
    cell[level] += 1
    for place in range(len(WINDOWS)):
        h = WINDOWS[place]
        newest = CELLS - 2 - h
        oldest = newest
        loud = any_alarm(
            ring[level],
            newest,
            h,
            member,
            against_all,
            mean[level, place],
            square[level, place],
            count[level, place],
            threshold,
            least,
            memory,
        )
        if alarm[level, place] > 0:
            # the whole of a change must be in the ring before it is judged: until then its edge looks like another
            waited = alarm[level, place]
            if waited < h or (loud and waited < PATIENCE[place]):
                alarm[level, place] += 1
                continue
            if loud and waited < LONGEST[place]:
                filled = settle(
                    ring,
                    cell,
                    level,
                    place,
                    newest - h,
                    member,
                    against_all,
                    mean,
                    square,
                    count,
                    threshold,
                    least,
                    memory,
                    now,
                    found,
                    filled,
                )
                alarm[level, place] += 1
                continue
            filled = settle(
                ring,
                cell,
                level,
                place,
                newest,
                member,
                against_all,
                mean,
                square,
                count,
                threshold,
                least,
                memory,
                now,
                found,
                filled,
            )
            oldest = newest - waited  # what nobody has learned from while the alarm was on
            alarm[level, place] = 0
        elif loud:
            alarm[level, place] = 1
            continue
        for k in range(oldest, newest + 1):
            filled = learn_place(
                ring,
                level,
                place,
                k,
                member,
                against_all,
                mean,
                square,
                count,
                memory,
                least,
                noise_threshold,
                noise_sum,
                noise_count,
                now,
                cell[level],
                found,
                filled,
            )
    return filled


@njit(cache=True, nogil=True)
def advance_cells(
    index: Counts,
    phases_fs: Floats,
    member: Flags,
    against_all: bool,
    ring: Floats,
    cell: Counts,
    mean: Floats,
    square: Floats,
    count: Counts,
    alarm: Counts,
    thresholds: Floats,
    least: float,
    memory: int,
    noise_threshold: float,
    noise_sum: Floats,
    noise_count: Counts,
    found: Floats,
) -> int:
    """Advance the state arrays (changed in place) over epochs and fill `found`; gives the number of findings.

    index: int64[m], the cell of level 0 of each epoch, counted from the start; of two in one cell the first stays.
    phases_fs: [m, n], whole fs, NaN where missing. Cells that no epoch fell into are missing.
    thresholds: float64[levels].
    """
    levels, n = ring.shape[0], ring.shape[2]
    filled = 0
    missing, values = np.full(n, np.nan), np.empty(n)
    for t in range(index.shape[0]):
        while cell[0] < index[t]:
            row = phases_fs[t] if cell[0] + 1 == index[t] else missing
            level = 0
            while True:
                filled = push_cell(
                    ring,
                    cell,
                    level,
                    row,
                    member,
                    against_all,
                    mean,
                    square,
                    count,
                    alarm,
                    thresholds[level],
                    least,
                    memory,
                    noise_threshold,
                    noise_sum,
                    noise_count,
                    t,
                    found,
                    filled,
                )
                # cells q·4 … q·4+3 become cell q of the level above, once the last of them has waited
                done = cell[level] - DELAY
                if level + 1 == levels or done < 0 or (done + 1) % RATIO != 0:
                    break
                next_cell(ring[level], values)
                row = values.copy()
                level += 1
    return filled
