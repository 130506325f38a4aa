"""Compiled sums of the total deviations: reflected ends (TOTDEV), mirrored stretches of 3m points (MTOTDEV, HTOTDEV).

All sums run in a fixed order, without fastmath, of phases less a line (`copy_level`). The
stretches of MTOTDEV stand side by side in the lanes of a tile.
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
    for k in range(inside, beyond):
        row[k] = x[i + k]
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
    for j in range(first, stop, 2):
        # two steps at a time, so that the lanes are read and written once for both; a last single one counts once
        k = min(j + 1, stop - 1)
        twice = float(k - j)
        t = 3.0 * float(j - m) ** 2 - float(j) ** 2 if j > m else float(j) ** 2
        t_next = 3.0 * float(k - m) ** 2 - float(k) ** 2 if k > m else float(k) ** 2
        up, up_next = rising[j - first : j - first + LANES], rising[k - first : k - first + LANES]
        down, down_next = falling[stop - 1 - j : stop - 1 - j + LANES], falling[stop - 1 - k : stop - 1 - k + LANES]
        for n in range(LANES):
            d = (up[n] + down[n]) - (level[n] + slope[n] * t)
            e = (up_next[n] + down_next[n]) - (level[n] + slope[n] * t_next)
            lane_sums[n] += d * d + twice * (e * e)


@njit(cache=True, nogil=True)
def fold(bank: NDArray[np.float64], m: int, levels: NDArray[np.float64], slope: NDArray[np.float64]) -> None:
    """Prepare what `add_pairs` adds from the running sum g, with which the bank begins: see `plan_mirrors`."""
    span, middle = 3 * m, 3 * m // 2
    a = span + LANES
    b = a + m + LANES
    c = b + m + LANES
    d = c + 2 * m + LANES
    for k in range(m + LANES):
        bank[a + k] = bank[k] + 3.0 * (bank[k + 2 * m] - bank[k + m])
        bank[b + k] = bank[k + 2 * m] - 3.0 * (bank[k + m] - bank[k])
    for k in range(2 * m + LANES):
        bank[c + k] = 3.0 * bank[k + m] - bank[k]
        bank[d + k] = 3.0 * bank[k] - bank[k + m]
    for n in range(LANES):
        low, high = bank[n], bank[n + span]
        slope[n] = ((high - bank[n + span - middle]) - (bank[n + middle] - low)) / (float(middle) * (span - middle))
        levels[0, n], levels[1, n], levels[2, n], levels[3, n] = 2.0 * high, 2.0 * low, 4.0 * high, 4.0 * low


def plan_mirrors(m: int) -> NDArray[np.int64]:
    """Tell `sum_mirrored` which pairs to add: rows of where rising and falling begin, which level, first and stop j.

    S_j is made of g at the four places j, j + m, j + 2m, j + 3m; those past the end 3m are 2 g[3m] − g[6m − place].
    With j up to m one place is past it, beyond that two; what stands inside with +j goes to rising, with −j to falling.
    The bank holds g, a = g − 3 g(+m) + 3 g(+2m), b = 3 g − 3 g(+m) + g(+2m), c = 3 g(+m) − g and d = 3 g − g(+m). Rows
    by turns for j ≥ 0 and, seen from the other end, for j < 0. The first four count twice; the last two are j = 3m/2,
    its own mirror image, when that is whole.
    """
    span, middle, stop = 3 * m, 3 * m // 2, (3 * m + 1) // 2
    a = span + LANES
    b = a + m + LANES
    c = b + m + LANES
    d = c + 2 * m + LANES
    last = middle + (m + 1) % 2
    rows = [
        (a, 2 * m, 0, 0, m + 1),
        (1, b, 1, 1, m + 1),
        (c + m + 1, c + span - stop + 1, 2, m + 1, stop),
        (d + 1, d + 2 * m - stop + 1, 3, m + 1, stop),
        (c + middle, c + middle, 2, middle, last),
        (d + middle - m, d + middle - m, 3, middle, last),
    ]
    return np.array(rows, dtype=np.int64)


@njit(cache=True, nogil=True)
def sum_mirrored(
    x: NDArray[np.float64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    m: int,
    integrate: bool,
    plan: NDArray[np.int64],
) -> tuple[float, int]:
    """Sum the 6m squares of every stretch of 3m values: of x itself to integrate (MTOTDEV), of x's steps if not (HTOT).

    A stretch z, its half-average slope removed and mirrored at both ends, has the period 6m; S_j = Σ z[j .. j+m−1]
    − 2 Σ z[j+m .. j+2m−1] + Σ z[j+2m .. j+3m−1] is taken over one period. S_j = S_{3m−j} = S_{−3m−j}: j = −3m/2 .. 3m/2
    is enough. With g the running sum of z, each S_j is a sum of a few g inside the stretch (`plan_mirrors`). The line
    through the tile's ends is taken off first: it has no part in S, and small numbers keep their digits. The stretches
    [start, stop) hold no NaN. Gives the sum and the number of stretches of 3m.
    """
    span = 3 * m
    phase, bank = np.empty(span + LANES), np.empty(9 * m + 5 * LANES)
    levels, slope, lane_sums = np.empty((4, LANES)), np.empty(LANES), np.empty(LANES)
    total = 0.0
    used = 0
    for s in range(starts.size):
        count = stops[s] - starts[s] - span + (1 if integrate else 0)
        done = 0
        while done < count:
            lanes = min(LANES, count - done)
            copy_level(x, starts[s] + done, span + lanes - (1 if integrate else 0), phase)
            g = 0.0
            for k in range(span + LANES):
                bank[k] = g if integrate else phase[k]
                g += phase[k]
            fold(bank, m, levels, slope)
            for n in range(LANES):
                lane_sums[n] = 0.0
            for row in range(6):
                rising, falling, level, first, stop = plan[row]
                add_pairs(lane_sums, bank[rising:], bank[falling:], levels[level], slope, m, first, stop)
                for n in range(LANES if row == 3 else 0):
                    lane_sums[n] *= 2.0
            total += sum_pairwise(lane_sums, lanes)
            done += lanes
        used += max(count, 0)
    return total, used
