"""Compiled sweep of MTIE: the greatest range of phase over all windows, from running extremes whose width doubles.

Only comparisons, and one subtraction a window: the answer is exact, in whatever order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 128
# So many points go through all widths before the next, so that they are still in the processor's cache.
BLOCK = 8192


@njit(cache=True, nogil=True)
def measure(
    highest: NDArray[np.float64],
    lowest: NDArray[np.float64],
    first: int,
    stop: int,
    lag: int,
    widest: NDArray[np.float64],
) -> None:
    """Keep in the lanes of `widest` the greatest range of two windows `lag` apart that start at first .. stop − 1."""
    ranges = np.empty(LANES)
    for i in range(first, stop, LANES):
        size = min(LANES, stop - i)
        high, next_high = highest[i : i + size], highest[i + lag : i + lag + size]
        low, next_low = lowest[i : i + size], lowest[i + lag : i + lag + size]
        for k in range(size):
            top = high[k] if high[k] > next_high[k] else next_high[k]
            bottom = low[k] if low[k] < next_low[k] else next_low[k]
            ranges[k] = top - bottom
        for k in range(size):
            widest[k] = ranges[k] if ranges[k] > widest[k] else widest[k]


@njit(cache=True, nogil=True)
def double(
    highest: NDArray[np.float64],
    lowest: NDArray[np.float64],
    first: int,
    stop: int,
    width: int,
    highest_out: NDArray[np.float64],
    lowest_out: NDArray[np.float64],
) -> None:
    """Make running extremes of twice the width for first .. stop − 1; the output may be the input itself."""
    tops, bottoms = np.empty(LANES), np.empty(LANES)
    for i in range(first, stop, LANES):
        size = min(LANES, stop - i)
        high, next_high = highest[i : i + size], highest[i + width : i + width + size]
        low, next_low = lowest[i : i + size], lowest[i + width : i + width + size]
        # by way of the lanes: what is read at i + width must not have been written yet
        for k in range(size):
            tops[k] = high[k] if high[k] > next_high[k] else next_high[k]
        for k in range(size):
            bottoms[k] = low[k] if low[k] < next_low[k] else next_low[k]
        high_out, low_out = highest_out[i : i + size], lowest_out[i : i + size]
        for k in range(size):
            high_out[k] = tops[k]
        for k in range(size):
            low_out[k] = bottoms[k]


@njit(cache=True, nogil=True)
def find_ends(points: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """Give for the widths 1, 2, 4, ... that the windows need where the starts of their last windows end."""
    widths = 1
    while 2**widths < points[-1]:
        widths += 1
    end = np.empty(widths, dtype=np.int64)
    for q in range(widths):
        shortest = 2 ** (q + 1)
        for n in points:
            shortest = n if 2**q < n < shortest else shortest
        end[q] = max(stop - shortest + 1, start)
    return end


@njit(cache=True, nogil=True)
def sweep(
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
    highest: NDArray[np.float64],
    lowest: NDArray[np.float64],
    start: int,
    stop: int,
    points: NDArray[np.int64],
    widest: NDArray[np.float64],
) -> None:
    """Keep in widest[f] (by lanes) the greatest range in windows of points[f] inside one stretch [start, stop).

    top, bottom: the phase, −∞ and +∞ where it is missing; highest, lowest: where the extremes of widths 2, 4, ... go,
    which may be top and bottom themselves. points ascends and is at least 2. Width p serves windows of p < n ≤ 2p, and
    follows width p/2 through the record at the distance p that it needs.
    """
    end = find_ends(points, start, stop)
    widths = end.size
    done = np.empty(widths, dtype=np.int64)
    for q in range(widths):
        done[q] = start
    while done[widths - 1] < end[widths - 1]:
        for q in range(widths):
            width = 2**q
            limit = end[q]
            if q == 0:
                limit = min(done[0] + BLOCK, end[0])
            elif done[q - 1] < end[q - 1]:
                limit = min(done[q - 1] - width, end[q])
            if limit <= done[q]:
                continue
            source_high, source_low = (top, bottom) if q == 0 else (highest, lowest)
            for f in range(points.size):
                if width < points[f] <= 2 * width:
                    last = min(limit, stop - points[f] + 1)
                    measure(source_high, source_low, done[q], last, points[f] - width, widest[f])
            if q + 1 < widths:
                double(source_high, source_low, done[q], min(limit, stop - 2 * width + 1), width, highest, lowest)
            done[q] = limit
