"""Compiled sums of squared differences of phase, and what all the room's kernels share.

All sums run in a fixed order, without fastmath: terms are added side by side in lanes, and the lanes pairwise, so that
the rounding error grows slowly with the number of terms. Nothing here knows of τ: factors such as 1/(2 τ²) are the
caller's.

numba keeps machine code by the file it was written in, and what others take from here is built into theirs: whoever
changes `sum_pairwise` or `copy_level` also changes the files that import them, or old code stays in use.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Squares of differences are added in lanes side by side, so many rows of them before the lanes are added in pairs.
LANES = 128
ROWS = 16
# So many points of a record are gone through at all lags before the next.
BLOCK = 32768


@njit(cache=True, nogil=True)
def sum_pairwise(tile: NDArray[np.float64], size: int) -> float:
    """Add tile[:size] in pairs (the tile is used up); its length is a power of two."""
    width = 1
    while width < size:
        width *= 2
    for k in range(size, width):
        tile[k] = 0.0
    while width > 1:
        width //= 2
        low = tile[:width]
        high = tile[width : 2 * width]
        for k in range(width):
            low[k] += high[k]
    return tile[0]


@njit(cache=True, nogil=True)
def copy_level(x: NDArray[np.float64], start: int, count: int, out: NDArray[np.float64]) -> None:
    """Copy x[start : start + count] less the line through its first and last point; zeros fill the rest of `out`."""
    rate = (x[start + count - 1] - x[start]) / max(count - 1, 1)
    # the upper 26 bits of it (Veltkamp): times a whole number it is then exact, and costs the phases no digits
    shifted = 134217729.0 * rate
    rate = shifted - (shifted - rate)
    for k in range(count):
        out[k] = (x[start + k] - x[start]) - rate * k
    out[count:] = 0.0


@njit(cache=True, nogil=True)
def add_differences(x: NDArray[np.float64], i: int, m: int, order: int, lanes: NDArray[np.float64], size: int) -> None:
    """Add to the lanes in turn the squares of `size` differences over a lag of m that start at i, i + 1, ..."""
    x0, x1, x2, x3 = x[i:], x[i + m :], x[i + min(order, 2) * m :], x[i + order * m :]
    # nearly equal phases subtract exactly: a large common offset costs no digits
    for row in range(0, size, LANES):
        width = min(LANES, size - row)
        a, b, c, d = x0[row : row + width], x1[row : row + width], x2[row : row + width], x3[row : row + width]
        if order == 1:
            for k in range(width):
                first = b[k] - a[k]
                lanes[k] += first * first
        elif order == 2:
            for k in range(width):
                second = (c[k] - b[k]) - (b[k] - a[k])
                lanes[k] += second * second
        else:
            for k in range(width):
                third = (d[k] - a[k]) - 3.0 * (c[k] - b[k])
                lanes[k] += third * third


@njit(cache=True, nogil=True)
def add_present(x: NDArray[np.float64], i: int, m: int, order: int, lanes: NDArray[np.float64], size: int) -> int:
    """As `add_differences` where there are gaps: those that touch a NaN are left out, the others counted."""
    used = 0
    for k in range(i, i + size):
        d = x[k + m] - x[k]
        if order == 2:
            d = (x[k + 2 * m] - x[k + m]) - d
        elif order == 3:
            d = (x[k + 3 * m] - x[k]) - 3.0 * (x[k + 2 * m] - x[k + m])
        if not np.isnan(d):
            lanes[(k - i) % LANES] += d * d
            used += 1
    return used


@njit(cache=True, nogil=True)
def sum_differences(
    x: NDArray[np.float64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    factors: NDArray[np.int64],
    order: int,
    total: NDArray[np.float64],
    used: NDArray[np.int64],
) -> None:
    """Sum the squared differences of order 1, 2 or 3 over each lag m, e.g. (x[i+2m] − 2 x[i+m] + x[i])².

    Only terms that lie inside one stretch [start, stop) and touch no NaN. Adds to `total` and `used`, one place a
    factor, the sum and the number of terms in it. The record is gone through by blocks, so that the lags of one block
    find it in the processor's cache.
    """
    lanes = np.empty(LANES)
    for s in range(starts.size):
        for block in range(starts[s], stops[s], BLOCK):
            for q in range(factors.size):
                i = block
                stop = min(block + BLOCK, stops[s] - order * factors[q])
                while i < stop:
                    size = min(LANES * ROWS, stop - i)
                    lanes[:] = 0.0
                    add_differences(x, i, factors[q], order, lanes, size)
                    part, present = sum_pairwise(lanes, LANES), size
                    if np.isnan(part):
                        lanes[:] = 0.0
                        present = add_present(x, i, factors[q], order, lanes, size)
                        part = sum_pairwise(lanes, LANES)
                    total[q] += part
                    used[q] += present
                    i += size
