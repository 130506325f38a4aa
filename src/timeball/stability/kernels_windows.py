"""Compiled sums over windows that move along a record: of second differences (MDEV), of slopes (PDEV).

A window's sum is made of the one before it, and anew from time to time, so that rounding does not pile up. All sums run
in a fixed order, without fastmath; squares go through a tile and are added pairwise.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.stability.kernels import sum_pairwise

TILE = 1024
# A moving sum is computed anew after so many steps, so that rounding does not pile up along a long record.
RENEWAL = 4096


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
