"""Compiled sums of the deviations: squares of differences of phase, of their moving sums (MDEV), of slopes (PDEV).

All sums run in a fixed order, without fastmath: terms go through a tile and are added pairwise, so that the rounding
error grows with the logarithm of the number of terms. Nothing here knows of τ: the factor 1/(2 τ²) is the caller's.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 1024
# Squares of differences are added in lanes side by side, so many rows of them before the lanes are added in pairs.
LANES = 128
ROWS = 16
# So many points of a record are gone through at all lags before the next.
BLOCK = 32768
# A moving sum is computed anew after so many steps, so that rounding does not pile up along a long record.
RENEWAL = 4096


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
    for k in range(count):
        out[k] = (x[start + k] - x[start]) - rate * k
    out[count:] = 0.0


@njit(cache=True, nogil=True)
def thin(source: NDArray[np.float64], step: int, target: NDArray[np.float64]) -> None:
    """Copy every step-th value, from the first on; the target may be the beginning of the source itself."""
    for k in range(target.size):
        target[k] = source[k * step]


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


@njit(cache=True, nogil=True)
def sum_window(x: NDArray[np.float64], j: int, m: int, tile: NDArray[np.float64]) -> float:
    """Sum the m second differences x[i+2m] − 2 x[i+m] + x[i] for i = j .. j+m−1 directly."""
    total = 0.0
    done = 0
    while done < m:
        size = min(TILE, m - done)
        i = j + done
        first = x[i : i + size]
        middle = x[i + m : i + m + size]
        last = x[i + 2 * m : i + 2 * m + size]
        for k in range(size):
            tile[k] = (last[k] - middle[k]) - (middle[k] - first[k])
        total += sum_pairwise(tile, size)
        done += size
    return total


@njit(cache=True, nogil=True)
def square_windows(tile: NDArray[np.float64], window: float) -> float:
    """Turn the steps W_{j+1} − W_j of a whole tile into the squares W_j²; take W_0 and give the W after the last step.

    Four lanes run side by side, each from its own zero: one chain of additions would wait for itself.
    """
    lane = TILE // 4
    t0 = tile[:lane]
    t1 = tile[lane : 2 * lane]
    t2 = tile[2 * lane : 3 * lane]
    t3 = tile[3 * lane : 4 * lane]
    w0 = w1 = w2 = w3 = 0.0
    for k in range(lane):
        s0, s1, s2, s3 = t0[k], t1[k], t2[k], t3[k]
        t0[k], t1[k], t2[k], t3[k] = w0, w1, w2, w3
        w0 += s0
        w1 += s1
        w2 += s2
        w3 += s3
    w1 += window + w0
    w2 += w1
    for k in range(lane):
        a = window + t0[k]
        b = (window + w0) + t1[k]
        c = w1 + t2[k]
        d = w2 + t3[k]
        t0[k], t1[k], t2[k], t3[k] = a * a, b * b, c * c, d * d
    return w2 + w3


@njit(cache=True, nogil=True)
def sum_moving_windows(
    x: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], m: int
) -> tuple[float, int]:
    """Sum W_j² over the windows of 3m points inside one stretch [start, stop); the stretches hold no NaN.

    W_j is the sum of the m second differences that start at i = j .. j+m−1.
    W_{j+1} = W_j + x[j+3m] − 3 x[j+2m] + 3 x[j+m] − x[j]; every max(4m, RENEWAL) steps W is summed directly again.
    Gives the sum and the number of windows in it.
    """
    tile = np.empty(TILE)
    total = 0.0
    used = 0
    renewal = max(4 * m, RENEWAL)
    for s in range(starts.size):
        terms = stops[s] - starts[s] - 3 * m + 1
        window = 0.0
        age = renewal
        done = 0
        while done < terms:
            j = starts[s] + done
            if age >= renewal:
                window = sum_window(x, j, m, tile)
                age = 0
            size = min(TILE, terms - done)
            # the last window of the stretch has no successor: its step would read beyond the stretch
            steps = min(size, terms - done - 1)
            x0 = x[j : j + steps]
            x1 = x[j + m : j + m + steps]
            x2 = x[j + 2 * m : j + 2 * m + steps]
            x3 = x[j + 3 * m : j + 3 * m + steps]
            for k in range(steps):
                tile[k] = (x3[k] - x0[k]) - 3.0 * (x2[k] - x1[k])
            for k in range(steps, TILE):
                tile[k] = 0.0
            window = square_windows(tile, window)
            total += sum_pairwise(tile, size)
            done += size
            age += size
        used += max(terms, 0)
    return total, used


@njit(cache=True, nogil=True)
def sum_parabolic(
    x: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], m: int
) -> tuple[float, int]:
    """Sum A_i² over the windows of 2m + 1 points inside one stretch [start, stop); the stretches hold no NaN.

    A_i = Σ ((m−1)/2 − k) d_{i+k} over k = 0 .. m−1, d_j = x[j] − x[j+m]; with the sum U_i of the same d,
    A_{i+1} = A_i + U_i − (m+1)/2 d_i − (m−1)/2 d_{i+m}. Both are summed anew every max(2m, 128) windows, and d is
    taken against the first one then: a constant has no part in A.
    """
    tile = np.empty(TILE)
    half = 0.5 * (m - 1)
    renewal = max(2 * m, 128)
    total = 0.0
    used = 0
    for s in range(starts.size):
        terms = stops[s] - starts[s] - 2 * m
        age = renewal
        a = u = level = 0.0
        done = 0
        while done < terms:
            j = starts[s] + done
            if age >= renewal:
                age = 0
                level = x[j] - x[j + m]
                a = u = 0.0
                for k in range(m):
                    d = (x[j + k] - x[j + k + m]) - level
                    u += d
                    a += (half - k) * d
            size = min(TILE, renewal - age, terms - done)
            for k in range(size):
                tile[k] = a * a
                d = (x[j + k] - x[j + k + m]) - level
                d_next = (x[j + k + m] - x[j + k + 2 * m]) - level
                a += u - (half + 1.0) * d - half * d_next
                u += d_next - d
            total += sum_pairwise(tile, size)
            done += size
            age += size
        used += max(terms, 0)
    return total, used
