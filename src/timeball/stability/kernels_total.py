"""Compiled sums of the total deviations: reflected ends (TOTDEV), mirrored stretches of 3m points (MTOTDEV, HTOTDEV).

All sums run in a fixed order, without fastmath. The stretches of MTOTDEV stand side by side in the lanes of a tile.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.stability.kernels import LANES, ROWS, copy_level, sum_pairwise


@njit(cache=True, nogil=True)
def find_ends(x: NDArray[np.float64], start: int, stop: int) -> tuple[int, int]:
    """Give the places of the first and the last value of a stretch that are there."""
    first, last = start, stop - 1
    while first < last and np.isnan(x[first]):
        first += 1
    while last > first and np.isnan(x[last]):
        last -= 1
    return first, last


@njit(cache=True, nogil=True)
def extend(x: NDArray[np.float64], first: int, last: int, i: int, row: NDArray[np.float64]) -> None:
    """Fill the row with x from i on, carried on past x[first] and x[last] by inverted reflection."""
    inside = min(max(first - i, 0), row.size)
    beyond = min(max(last + 1 - i, inside), row.size)
    for k in range(inside):
        row[k] = 2.0 * x[first] - x[2 * first - i - k]
    row[inside:beyond] = x[i + inside : i + beyond]
    for k in range(beyond, row.size):
        row[k] = 2.0 * x[last] - x[2 * last - i - k]


@njit(cache=True, nogil=True)
def drop_missing(values: NDArray[np.float64]) -> int:
    """Put 0 in the place of each NaN; gives how many there were."""
    missing = 0
    for k in range(values.size):
        if np.isnan(values[k]):
            values[k] = 0.0
            missing += 1
    return missing


@njit(cache=True, nogil=True)
def sum_reflected(
    x: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], m: int, gaps: bool
) -> tuple[float, int]:
    """Sum the squares of TOTDEV's second differences that reach past an end of their stretch [start, stop).

    The ends are the outermost values that are there. With gaps a term that touches a NaN is left out. Gives the sum and
    the number of terms in it.
    """
    before, after, squares, lanes = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.zeros(LANES)
    total = 0.0
    used = rows = 0
    for s in range(starts.size):
        first, last = find_ends(x, starts[s], stops[s])
        if last - first < m:
            continue
        i = first + 1
        while i < last:
            if first + m <= i <= last - m:  # from here to there terms reach past no end
                i = last - m + 1
                continue
            width = min(LANES, last - i) if i > last - m else min(LANES, first + m - i, last - i)
            middle = x[i : i + width]
            extend(x, first, last, i - m, before[:width])
            extend(x, first, last, i + m, after[:width])
            for k in range(width):
                d = (after[k] - middle[k]) - (middle[k] - before[k])
                squares[k] = d * d
            used += width
            if gaps:
                used -= drop_missing(squares[:width])
            for k in range(width):
                lanes[k] += squares[k]
            rows += 1
            if rows % ROWS == 0:
                total += sum_pairwise(lanes, LANES)
                lanes[:] = 0.0
            i += width
    total += sum_pairwise(lanes, LANES)
    return total, used


@njit(cache=True, nogil=True)
def add_pairs(
    lane_sums: NDArray[np.float64],
    rising: NDArray[np.float64],
    falling: NDArray[np.float64],
    level: NDArray[np.float64],
    slope: NDArray[np.float64],
    m: int,
    first: int,
    stop: int,
) -> None:
    """Add to each lane n the squares of (rising[n+j] + falling[n−j]) − (level[n] + slope[n] t_j), first ≤ j < stop.

    rising begins at j = first, falling at j = stop − 1. t_j is what a line through the stretch leaves in the term: j²
    up to m, and 3 (j − m)² − j² beyond.
    """
    j = first
    while j < stop:
        # two steps at a time, so that the lanes are read and written once for both; a last single one counts once
        k = j + 1 if j + 1 < stop else j
        twice = 1.0 if k > j else 0.0
        t = float(j) * j if j <= m else 3.0 * float(j - m) * (j - m) - float(j) * j
        t_next = float(k) * k if k <= m else 3.0 * float(k - m) * (k - m) - float(k) * k
        up, up_next = rising[j - first : j - first + LANES], rising[k - first : k - first + LANES]
        down, down_next = falling[stop - 1 - j : stop - 1 - j + LANES], falling[stop - 1 - k : stop - 1 - k + LANES]
        for n in range(LANES):
            d = (up[n] + down[n]) - (level[n] + slope[n] * t)
            e = (up_next[n] + down_next[n]) - (level[n] + slope[n] * t_next)
            lane_sums[n] += d * d + twice * (e * e)
        j += 2


@njit(cache=True, nogil=True)
def fold(
    g: NDArray[np.float64],
    m: int,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    d: NDArray[np.float64],
    slope: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    """Prepare what `add_pairs` adds, from the running sum g: see `sum_mirrored`."""
    middle = 3 * m // 2
    for k in range(m + LANES):
        a[k] = g[k] + 3.0 * (g[k + 2 * m] - g[k + m])
        b[k] = g[k + 2 * m] - 3.0 * (g[k + m] - g[k])
    for k in range(2 * m + LANES):
        c[k] = 3.0 * g[k + m] - g[k]
        d[k] = 3.0 * g[k] - g[k + m]
    for n in range(LANES):
        rise = (g[n + 3 * m] - g[n + 3 * m - middle]) - (g[n + middle] - g[n])
        slope[n] = rise / (float(middle) * (3 * m - middle))
        low[n], high[n] = 2.0 * g[n], 2.0 * g[n + 3 * m]


@njit(cache=True, nogil=True)
def sum_mirrored(
    x: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], m: int, integrate: bool
) -> tuple[float, int]:
    """Sum the 6m squares of every stretch of 3m values: of x itself to integrate (MTOTDEV), of x's steps if not (HTOT).

    A stretch z, its half-average slope removed and mirrored at both ends, has the period 6m; S_j = Σ z[j .. j+m−1]
    − 2 Σ z[j+m .. j+2m−1] + Σ z[j+2m .. j+3m−1] is taken over one period. S_j = S_{3m−j} = S_{−3m−j}: j = −3m/2 .. 3m/2
    is enough. With g the running sum of z, each S_j is a sum of a few g inside the stretch; those with +j go to
    `rising`, those with −j to `falling`. The line through the tile's ends is taken off first: it has no part in S, and
    small numbers keep their digits. The stretches [start, stop) hold no NaN. Gives the sum and the number of stretches.
    """
    span = 3 * m
    middle = span // 2
    phase = np.empty(span + LANES)
    g, a, b = np.empty(span + LANES), np.empty(m + LANES), np.empty(m + LANES)
    c, d = np.empty(2 * m + LANES), np.empty(2 * m + LANES)
    slope, low, high, lane_sums = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    total = 0.0
    used = 0
    for s in range(starts.size):
        count = stops[s] - starts[s] - span + (1 if integrate else 0)
        done = 0
        while done < count:
            lanes = min(LANES, count - done)
            if integrate:
                copy_level(x, starts[s] + done, span + lanes - 1, phase)
                g[0] = 0.0
                for k in range(span + LANES - 1):
                    g[k + 1] = g[k] + phase[k]
            else:
                copy_level(x, starts[s] + done, span + lanes, g)
            fold(g, m, a, b, c, d, slope, low, high)
            lane_sums[:] = 0.0
            add_pairs(lane_sums, a, g[2 * m :], high, slope, m, 0, m + 1)
            add_pairs(lane_sums, g[1:], b, low, slope, m, 1, m + 1)
            for n in range(LANES):
                low[n] *= 2.0
                high[n] *= 2.0
            stop = (span + 1) // 2  # 3m/2 is its own mirror image and counts once, below
            add_pairs(lane_sums, c[m + 1 :], c[span - stop + 1 :], high, slope, m, m + 1, stop)
            add_pairs(lane_sums, d[1:], d[2 * m - stop + 1 :], low, slope, m, m + 1, stop)
            for n in range(LANES):
                lane_sums[n] *= 2.0
            if m % 2 == 0:
                add_pairs(lane_sums, c[middle:], c[middle:], high, slope, m, middle, middle + 1)
                add_pairs(lane_sums, d[middle - m :], d[middle - m :], low, slope, m, middle, middle + 1)
            total += sum_pairwise(lane_sums, lanes)
            done += lanes
        used += max(count, 0)
    return total, used
