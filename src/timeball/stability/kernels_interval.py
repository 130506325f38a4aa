"""Compiled pass of MTIE: greatest range of phase over all windows of a width, and running extremes of twice the width.

Only comparisons and one subtraction a window: the answer is exact, in whatever order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 1024


@njit(cache=True, nogil=True)
def find_widest(
    highest: NDArray[np.float64],
    lowest: NDArray[np.float64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    width: int,
    points: int,
    double: bool,
) -> float:
    """Give the greatest range in any window of so many points inside one stretch [start, stop); −inf without a window.

    highest[i], lowest[i]: the extremes of x[i : i + width], width ≤ points ≤ 2 · width. With `double` they become in
    place those of x[i : i + 2 width], as far as the stretch goes.
    """
    best = np.empty(TILE)
    best[:] = -np.inf
    tops, bottoms = np.empty(TILE), np.empty(TILE)
    for s in range(starts.size):
        windows = stops[s] - starts[s] - points + 1
        doubled = stops[s] - starts[s] - 2 * width + 1 if double else 0
        done = 0
        while done < max(windows, doubled):
            i = starts[s] + done
            size = max(min(TILE, windows - done), 0)
            near_high, far_high = highest[i : i + size], highest[i + points - width : i + points - width + size]
            near_low, far_low = lowest[i : i + size], lowest[i + points - width : i + points - width + size]
            for k in range(size):
                high = near_high[k] if near_high[k] > far_high[k] else far_high[k]
                low = near_low[k] if near_low[k] < far_low[k] else far_low[k]
                best[k] = high - low if high - low > best[k] else best[k]
            size = max(min(TILE, doubled - done), 0)
            near_high, far_high = highest[i : i + size], highest[i + width : i + width + size]
            near_low, far_low = lowest[i : i + size], lowest[i + width : i + width + size]
            # by way of a tile: what is read at i + width must not have been written yet
            for k in range(size):
                tops[k] = near_high[k] if near_high[k] > far_high[k] else far_high[k]
                bottoms[k] = near_low[k] if near_low[k] < far_low[k] else far_low[k]
            near_high[:] = tops[:size]
            near_low[:] = bottoms[:size]
            done += TILE
    widest = -np.inf
    for k in range(TILE):
        widest = best[k] if best[k] > widest else widest
    return widest
