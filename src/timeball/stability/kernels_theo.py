"""Compiled sum of Thêo1: all pairs of a window about its middle, for many windows side by side.

The windows stand in the lanes of a tile, less a line through it (`copy_level`), so that no lane's
sum is ever taken apart: the order of additions is fixed.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.stability.kernels import LANES, copy_level, sum_pairwise


@njit(cache=True, nogil=True)
def sum_theo(x: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], m: int) -> tuple[float, int]:
    """Sum {(x[i] − x[i+k]) + (x[i+m] − x[i+m−k])}² / k over k = 1 .. m/2 and the windows of m + 1 points, m even.

    The stretches [start, stop) hold no NaN. Gives the sum and the number of windows in it.
    """
    near = np.empty(m + LANES)
    ends, lane_sums = np.empty(LANES), np.empty(LANES)
    total = 0.0
    used = 0
    for s in range(starts.size):
        windows = stops[s] - starts[s] - m
        done = 0
        while done < windows:
            lanes = min(LANES, windows - done)
            copy_level(x, starts[s] + done, m + lanes, near)
            for n in range(LANES):
                ends[n] = near[n] + near[m + n]
                lane_sums[n] = 0.0
            k = 1
            while k < m // 2:
                # two steps at a time: the lanes are read and written once for both
                w, w_next = 1.0 / k, 1.0 / (k + 1)
                up, up_next = near[k : k + LANES], near[k + 1 : k + 1 + LANES]
                down, down_next = near[m - k : m - k + LANES], near[m - k - 1 : m - k - 1 + LANES]
                for n in range(LANES):
                    d = ends[n] - (up[n] + down[n])
                    e = ends[n] - (up_next[n] + down_next[n])
                    lane_sums[n] += d * d * w + e * e * w_next
                k += 2
            if k == m // 2:
                w = 1.0 / k
                up = near[k : k + LANES]
                for n in range(LANES):
                    d = ends[n] - 2.0 * up[n]
                    lane_sums[n] += d * d * w
            total += sum_pairwise(lane_sums, lanes)
            done += lanes
        used += max(windows, 0)
    return total, used
