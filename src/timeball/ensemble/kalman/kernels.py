"""Compiled loops of the Kalman scale: prediction, judgement, correction and the common mode, one epoch after the other.

Coordinates, for N clocks of which one is the pivot p: phases u_i = x_i − x_p [0, N), rates r_i = y_i − y_p [N, 2N),
drifts e of the clocks that have one, flicker stages z (K a flicker clock). The pivot's own u and r are zero and have
no variance; so nothing here grows without bound. The common mode (x_p, y_p, d_0: the pivot minus the scale) stands
beside the filter and is moved open loop. Drifts are absolute while some clock has none (it is the anchor), else
against the pivot's.

Sign: ``X[t, i]`` is clock i minus anything common to the row, x_i clock i minus the scale, an error is measured minus
predicted. Only + − × ÷ √ in a fixed order: the same bits with the compiler on, off, or building for a generic CPU.
What it does not do: know names, change the set of clocks or the pivot (`layout.py` does), or check its arguments.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.ensemble.at1.kernels import median_weights
from timeball.ensemble.codes import (
    AT_CAP,
    BACK,
    JOINED,
    LEARNING,
    LEFT_OUT,
    MISSING,
    NO_SCALE,
    NOISE_STEP,
    OK,
    PHASE_STEP,
    RATE_STEP,
    REDUCED,
    STARTING,
)
from timeball.ensemble.kalman.columns import (
    AGE_S,
    BEYOND,
    BEYOND_SQUARES,
    CODE,
    FIRST_ERROR,
    LAST_ERROR,
    LEARNED,
    MISSED,
    RATED,
    SEEN,
    SEEN_COUNT,
    SPREAD,
    SPREAD_COUNT,
    STREAK,
    STREAK_EPOCH,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

NS_PER_S = 1e9
WIDE = 1e4  # a phase or rate not known yet has (100 sigma)² of what its first reading will tell: no digits are lost
LEAST_SPREAD = 2.0  # mean square error, in units of what was expected, from which a clock counts as noisier
SPREAD_ERRORS = 20  # errors before that is believed
CLIP = 16.0
MANY = 24  # comparisons from which the blocks of P are worth their own treatment
TIE = 1.000001  # ratios closer than this are equal: the choice must not hang on rounding


@njit(cache=True, nogil=True)
def decay_of(u: float) -> tuple[float, float]:
    """e^−u and 1 − e^−u for u ≥ 0, by a series of fixed length on u/2^k and k squarings."""
    halvings = 0
    while u > 0.125 and halvings < 16:
        u *= 0.5
        halvings += 1
    if u > 0.125:
        return 0.0, 1.0
    series = 1.0
    for k in range(14, 1, -1):
        series = 1.0 - u * series / k
    gone = u * series
    for _ in range(halvings):
        gone = gone * (2.0 - gone)
    return 1.0 - gone, gone


@njit(cache=True, nogil=True)
def stage_phase(u: float, left: float) -> float:
    """2u − 3 + 4e^−u − e^−2u, the phase variance a Markov stage gains in u time constants, by its series when small."""
    if u > 0.5:
        return 2.0 * u - 3.0 + 4.0 * left - left * left
    total, term, power = 0.0, u * u / 2.0, 4.0
    for k in range(3, 24):
        term = -term * u / k
        power *= 2.0
        total += term * (4.0 - power)
    return total


@njit(cache=True, nogil=True)
def transition(
    tau: float,
    q: Floats,
    stage_variance: Floats,
    stage_s: Floats,
    noise: Floats,
    left: Floats,
    gain: Floats,
    stage_noise: Floats,
) -> None:
    """Fill the constants of a step of tau seconds.

    q: float64[N, 3] diffusion coefficients. noise: float64[N, 6] variances uu, ur, ud, rr, rd, dd of the process noise
    (Zucca and Tavella 2005); left, gain: float64[K], what remains of a stage and the phase it gains; stage_noise:
    float64[N, K, 2], covariance with the phase and variance. The stages' own phase noise is in uu.
    """
    t2 = tau * tau
    t3 = t2 * tau
    clocks, stages = q.shape[0], stage_s.shape[0]
    for i in range(clocks):
        noise[i, 0] = q[i, 0] * tau + q[i, 1] * t3 / 3.0 + q[i, 2] * t3 * t2 / 20.0
        noise[i, 1] = q[i, 1] * t2 / 2.0 + q[i, 2] * t2 * t2 / 8.0
        noise[i, 2] = q[i, 2] * t3 / 6.0
        noise[i, 3] = q[i, 1] * tau + q[i, 2] * t3 / 3.0
        noise[i, 4] = q[i, 2] * t2 / 2.0
        noise[i, 5] = q[i, 2] * tau
    for k in range(stages):
        u = tau / stage_s[k]
        remains, gone = decay_of(u)
        left[k] = remains
        gain[k] = stage_s[k] * gone
        phase = stage_s[k] * stage_s[k] * stage_phase(u, remains)
        for i in range(clocks):
            noise[i, 0] += stage_variance[i] * phase
            stage_noise[i, k, 0] = stage_variance[i] * stage_s[k] * gone * gone
            stage_noise[i, k, 1] = stage_variance[i] * gone * (1.0 + remains)


@njit(cache=True, nogil=True)
def predict_mean(tau: float, pivot: int, drift: Counts, stage: Counts, left: Floats, gain: Floats, x: Floats) -> None:
    """Move the state over tau seconds."""
    clocks, stages = drift.shape[0], left.shape[0]
    half = 0.5 * tau * tau
    of_pivot, e_pivot = 0.0, 0.0
    if drift[pivot] >= 0:
        e_pivot = x[drift[pivot]]
    if stage[pivot] >= 0:
        for k in range(stages):
            of_pivot += gain[k] * x[stage[pivot] + k]
    for i in range(clocks):
        if i == pivot:
            continue
        e = -e_pivot
        if drift[i] >= 0:
            e += x[drift[i]]
        moved = tau * x[clocks + i] + half * e - of_pivot
        if stage[i] >= 0:
            for k in range(stages):
                moved += gain[k] * x[stage[i] + k]
        x[i] += moved
        x[clocks + i] += tau * e
    for i in range(clocks):
        if stage[i] >= 0:
            for k in range(stages):
                x[stage[i] + k] *= left[k]


@njit(cache=True, nogil=True)
def predict_rows(
    tau: float,
    pivot: int,
    drift: Counts,
    stage: Counts,
    drifting: Counts,
    flickering: Counts,
    left: Floats,
    gain: Floats,
    P: Floats,
) -> None:
    """P ← Φ P: the rows of phases and rates, then of the stages. drifting, flickering: the clocks that have them."""
    clocks, stages, n = drift.shape[0], left.shape[0], P.shape[0]
    half = 0.5 * tau * tau
    for i in range(clocks):
        if i != pivot:
            u, r = P[i], P[clocks + i]
            for j in range(n):
                u[j] += tau * r[j]
    for i in drifting:
        if i != pivot:
            u, r, e = P[i], P[clocks + i], P[drift[i]]
            for j in range(n):
                u[j] += half * e[j]
                r[j] += tau * e[j]
    for i in flickering:
        if i != pivot:
            u = P[i]
            for k in range(stages):
                z, g = P[stage[i] + k], gain[k]
                for j in range(n):
                    u[j] += g * z[j]
    if drift[pivot] >= 0:
        e = P[drift[pivot]]
        for i in range(clocks):
            if i != pivot:
                u, r = P[i], P[clocks + i]
                for j in range(n):
                    u[j] -= half * e[j]
                    r[j] -= tau * e[j]
    if stage[pivot] >= 0:
        for k in range(stages):
            z, g = P[stage[pivot] + k], gain[k]
            for i in range(clocks):
                if i != pivot:
                    u = P[i]
                    for j in range(n):
                        u[j] -= g * z[j]
    for i in flickering:
        for k in range(stages):
            z, remains = P[stage[i] + k], left[k]
            for j in range(n):
                z[j] *= remains


@njit(cache=True, nogil=True)
def transpose(P: Floats) -> None:
    """P ← Pᵀ in place, in tiles."""
    n = P.shape[0]
    for first in range(0, n, 16):
        last = min(first + 16, n)
        for i in range(first, n):
            for j in range(first, min(last, i)):
                lower = P[i, j]
                P[i, j] = P[j, i]
                P[j, i] = lower


@njit(cache=True, nogil=True)
def add_noise(
    pivot: int,
    anchored: bool,
    drift: Counts,
    stage: Counts,
    noise: Floats,
    stage_noise: Floats,
    factor: Floats,
    P: Floats,
) -> None:
    """P ← P + Q: each clock's own, and the pivot's in every difference. factor: float64[N], a clock's excess noise."""
    clocks, stages = noise.shape[0], stage_noise.shape[1]
    for i in range(clocks):
        f = factor[i]
        if i != pivot:
            P[i, i] += f * noise[i, 0]
            P[i, clocks + i] += f * noise[i, 1]
            P[clocks + i, i] += f * noise[i, 1]
            P[clocks + i, clocks + i] += f * noise[i, 3]
        if drift[i] >= 0 and (anchored or i != pivot):
            e = drift[i]
            P[e, e] += f * noise[i, 5]
            if i != pivot:
                P[i, e] += f * noise[i, 2]
                P[e, i] += f * noise[i, 2]
                P[clocks + i, e] += f * noise[i, 4]
                P[e, clocks + i] += f * noise[i, 4]
        if stage[i] >= 0:
            for k in range(stages):
                z = stage[i] + k
                P[z, z] += f * stage_noise[i, k, 1]
                if i != pivot:
                    P[i, z] += f * stage_noise[i, k, 0]
                    P[z, i] += f * stage_noise[i, k, 0]
    f = factor[pivot]
    uu, ur, rr = f * noise[pivot, 0], f * noise[pivot, 1], f * noise[pivot, 3]
    ud, rd, dd = f * noise[pivot, 2], f * noise[pivot, 4], f * noise[pivot, 5]
    for i in range(clocks):
        if i == pivot:
            continue
        u, r = P[i], P[clocks + i]
        for j in range(clocks):
            u[j] += uu
            r[j] += ur
        for j in range(clocks, 2 * clocks):
            u[j] += ur
            r[j] += rr
        u[pivot] = 0.0
        r[pivot] = 0.0
        u[clocks + pivot] = 0.0
        r[clocks + pivot] = 0.0
        if drift[pivot] >= 0 and anchored:
            e = drift[pivot]
            u[e] -= ud
            r[e] -= rd
            P[e, i] -= ud
            P[e, clocks + i] -= rd
        if not anchored:
            for j in range(clocks):
                if j == pivot:
                    continue
                e = drift[j]
                u[e] += ud
                r[e] += rd
                P[e, i] += ud
                P[e, clocks + i] += rd
                P[drift[i], e] += dd
        if stage[pivot] >= 0:
            for k in range(stages):
                z = stage[pivot] + k
                u[z] -= f * stage_noise[pivot, k, 0]
                P[z, i] -= f * stage_noise[pivot, k, 0]


@njit(cache=True, nogil=True)
def eliminate(M: Floats, rows: int, width: int) -> None:
    """Turn [S | HP | ν] into [Lᵀ | L⁻¹HP | L⁻¹ν], S = L Lᵀ, in place: eight rows, then all below them at once.

    Every element loses its products one by one in the order of the rows, blocked or not.
    """
    for first in range(0, rows, 8):
        last = min(first + 8, rows)
        for m in range(first, last):
            row = M[m, m:width]
            n = width - m
            for k in range(first, m):
                a = M[k, m:width]
                fa = a[0]
                for i in range(n):
                    row[i] -= fa * a[i]
            # a comparison that says nothing is no comparison
            part = 1.0 / math.sqrt(row[0]) if row[0] > 0.0 else 0.0
            for i in range(n):
                row[i] *= part
        if last - first < 8:
            return
        for m in range(last, rows):
            row = M[m, m:width]
            a, b, c, d = M[first, m:width], M[first + 1, m:width], M[first + 2, m:width], M[first + 3, m:width]
            e, f, g, h = M[first + 4, m:width], M[first + 5, m:width], M[first + 6, m:width], M[first + 7, m:width]
            fa, fb, fc, fd, fe, ff, fg, fh = a[0], b[0], c[0], d[0], e[0], f[0], g[0], h[0]
            for i in range(width - m):
                row[i] = (
                    row[i]
                    - fa * a[i]
                    - fb * b[i]
                    - fc * c[i]
                    - fd * d[i]
                    - fe * e[i]
                    - ff * f[i]
                    - fg * g[i]
                    - fh * h[i]
                )


@njit(cache=True, nogil=True)
def downdate(M: Floats, rows: int, n: int, x: Floats, P: Floats) -> None:
    """x ← x + Wᵀ y and P ← P − WᵀW for [· | W | y] of `eliminate`; the lower triangle, then its mirror.

    Eight rows of W at a time: they stay in the nearest cache while all of P goes by.
    """
    last = rows + n
    for k in range(rows):
        y = M[k, last]
        for i in range(n):
            x[i] += M[k, rows + i] * y
    k = 0
    while k + 8 <= rows:
        a, b, c, d = M[k, rows:last], M[k + 1, rows:last], M[k + 2, rows:last], M[k + 3, rows:last]
        e, f, g, h = M[k + 4, rows:last], M[k + 5, rows:last], M[k + 6, rows:last], M[k + 7, rows:last]
        for i in range(n):
            row = P[i]
            fa, fb, fc, fd, fe, ff, fg, fh = a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]
            for j in range(i + 1):
                row[j] = (
                    row[j]
                    - fa * a[j]
                    - fb * b[j]
                    - fc * c[j]
                    - fd * d[j]
                    - fe * e[j]
                    - ff * f[j]
                    - fg * g[j]
                    - fh * h[j]
                )
        k += 8
    while k < rows:
        a = M[k, rows:last]
        for i in range(n):
            fa = a[i]
            row = P[i]
            for j in range(i + 1):
                row[j] -= fa * a[j]
        k += 1
    mirror(P)


@njit(cache=True, nogil=True)
def mirror(P: Floats) -> None:
    """Copy the lower triangle to the upper, in tiles."""
    n = P.shape[0]
    for first in range(0, n, 16):
        last = min(first + 16, n)
        for i in range(first, n):
            for j in range(first, min(last, i)):
                P[j, i] = P[i, j]


@njit(cache=True, nogil=True)
def correct(
    row: Floats,
    accepted: Flags,
    R: Floats,
    pivot: int,
    members: Counts,
    others: Counts,
    x: Floats,
    P: Floats,
    M: Floats,
    C: Floats,
    G: Floats,
) -> None:
    """Take in the comparisons of the accepted clocks, each against one of them: the pivot if it is there.

    The channel noise R of that one stands in all comparisons; so it does not matter which one it is. members, others:
    room for int64[N]; M, C, G: for float64[N, N + n + 3], [n, n] and [N, N + n + 3].
    """
    clocks, n = row.shape[0], P.shape[0]
    against = pivot if accepted[pivot] else -1
    m, missing = 0, 0
    for i in range(clocks):
        if accepted[i]:
            if against < 0:
                against = i
            elif i != against:
                members[m] = i
                m += 1
        elif i != pivot:
            others[missing] = i
            missing += 1
    if m == 0:
        # the prediction leaves the two triangles a bit apart, and only one of them is recorded
        mirror(P)
        return
    if against == pivot and m >= MANY:
        correct_phases(row, R, pivot, members[:m], others[:missing], x, P, M, C, G)
        return
    base = P[against]
    for k in range(m):
        i = members[k]
        source, target, S = P[i], M[k, m : m + n], M[k]
        for j in range(n):
            target[j] = source[j] - base[j]
        own = source[against] - base[against] - R[against]
        for h in range(m):
            S[h] = target[members[h]] - own
        S[k] += R[i]
        S[m + n] = (row[i] - row[against]) - (x[i] - x[against])
    eliminate(M, m, m + n + 1)
    downdate(M, m, n, x, P)


@njit(cache=True, nogil=True)
def correct_phases(
    row: Floats,
    R: Floats,
    pivot: int,
    members: Counts,
    others: Counts,
    x: Floats,
    P: Floats,
    M: Floats,
    C: Floats,
    G: Floats,
) -> None:
    """The same when the pivot is there, so that just the members' coordinates u are measured: three fifths of the work.

    With S = A + R, A = P_uu, R = D + ρ11ᵀ (ρ the pivot's channel): A⁺ = R − R S⁻¹R, B⁺ = R S⁻¹B for the covariance B
    with the rest (the others' phases, rates and so on), C⁺ = C − Bᵀ S⁻¹ B for that of the rest.
    Rows [S | T | B | ν | 1], T = D with its columns turned round, are eliminated to [Lᵀ | L⁻¹D | W | y | g].
    L⁻¹D is triangular, and what is not zero stands together. The upper triangle of P, then its mirror.
    """
    m, p, clocks, n = members.shape[0], others.shape[0], row.shape[0], P.shape[0]
    q = p + n - clocks
    rho = R[pivot]
    tail = 2 * m  # where B begins
    width = tail + q + 2
    for k in range(m):
        i = members[k]
        source, target = P[i], M[k]
        for h in range(m):
            target[h] = source[members[h]] + rho
            target[m + h] = 0.0
        target[k] += R[i]
        target[tail - 1 - k] = R[i]
        take_rest(source, others, clocks, target[tail : tail + q])
        target[tail + q] = (row[i] - row[pivot]) - x[i]
        target[tail + q + 1] = 1.0
    eliminate_both(M, m, width)
    for a in range(q):
        take_rest(P[others[a] if a < p else clocks + a - p], others, clocks, C[a, :q])
    # G: [TᵀT | TᵀW | Tᵀy | Tᵀg], the lower triangle of the first; v = Wᵀg
    v = G[m, :q]
    for k in range(m):
        G[k, : m + q + 2] = 0.0
    v[:] = 0.0
    s, gy = 0.0, 0.0
    for k in range(m):
        y, g = M[k, tail + q], M[k, tail + q + 1]
        s += g * g
        gy += g * y
        w = M[k, tail : tail + q]
        for a in range(q):
            v[a] += g * w[a]
        for a in range(p):
            x[others[a]] += w[a] * y
        for a in range(p, q):
            x[clocks + a - p] += w[a] * y
    subtract_squares(M, m, tail, q, C)
    add_products(M, m, width, G)
    for a in range(q):
        put_rest(C[a, :q], a, others, clocks, P[others[a] if a < p else clocks + a - p])
    for a in range(p):
        for b in range(a):
            P[others[b], others[a]] = C[b, a]
    both = rho * (1.0 - rho * s)
    for k in range(m):
        i, found = members[k], G[k]
        own = rho * found[m + q + 1]
        for h in range(k + 1):
            value = both - own - rho * G[h, m + q + 1] - found[m - 1 - h]
            if h == k:
                value += R[i]
            P[members[h], i] = value
        of_rest = found[m : m + q]
        for a in range(q):
            of_rest[a] += rho * v[a]
        for a in range(p):
            if others[a] > i:
                P[i, others[a]] = of_rest[a]
            else:
                P[others[a], i] = of_rest[a]
        target = P[i, clocks:]
        for a in range(n - clocks):
            target[a] = of_rest[p + a]
        x[i] += ((row[i] - row[pivot]) - x[i]) - found[m + q] - rho * gy
    mirror(P.T)  # the upper triangle is the lower one of the transpose


@njit(cache=True, nogil=True)
def take_rest(source: Floats, others: Counts, clocks: int, target: Floats) -> None:
    """Copy what a row holds for the others' phases and for all that is no phase."""
    p = others.shape[0]
    for a in range(p):
        target[a] = source[others[a]]
    end, part = target[p:], source[clocks:]
    for a in range(end.shape[0]):
        end[a] = part[a]


@njit(cache=True, nogil=True)
def put_rest(source: Floats, first: int, others: Counts, clocks: int, target: Floats) -> None:
    """Copy it back, from place `first` on: the upper triangle, but for the phases among themselves."""
    p = others.shape[0]
    for a in range(first, p):
        target[others[a]] = source[a]
    begin = max(first, p)
    end, part = target[clocks + begin - p :], source[begin:]
    for a in range(part.shape[0]):
        end[a] = part[a]


@njit(cache=True, nogil=True)
def eliminate_both(M: Floats, rows: int, width: int) -> None:
    """`eliminate` for rows [S | T | ...] with T triangular from the right: what is zero in T is passed over."""
    for first in range(0, rows, 4):
        last = min(first + 4, rows)
        for m in range(first, last):
            front, back = M[m, m:rows], M[m, 2 * rows - 1 - m : width]
            for k in range(first, m):
                a = M[k, m:rows]
                fa = a[0]
                for i in range(rows - m):
                    front[i] -= fa * a[i]
                a, other = M[k, 2 * rows - 1 - k : width], M[m, 2 * rows - 1 - k : width]
                for i in range(a.shape[0]):
                    other[i] -= fa * a[i]
            # a comparison that says nothing is no comparison
            part = 1.0 / math.sqrt(front[0]) if front[0] > 0.0 else 0.0
            for i in range(rows - m):
                front[i] *= part
            for i in range(back.shape[0]):
                back[i] *= part
        if last - first < 4:
            return
        begin = 2 * rows - last
        length = width - begin
        for m in range(last, rows):
            row = M[m, m:rows]
            a, b, c, d = M[first, m:rows], M[first + 1, m:rows], M[first + 2, m:rows], M[first + 3, m:rows]
            fa, fb, fc, fd = a[0], b[0], c[0], d[0]
            for i in range(rows - m):
                row[i] = row[i] - fa * a[i] - fb * b[i] - fc * c[i] - fd * d[i]
            row = M[m, begin:width]
            a, b, c, d = (
                M[first, begin:width],
                M[first + 1, begin:width],
                M[first + 2, begin:width],
                M[first + 3, begin:width],
            )
            for i in range(length):
                row[i] = row[i] - fa * a[i] - fb * b[i] - fc * c[i] - fd * d[i]


@njit(cache=True, nogil=True)
def subtract_squares(M: Floats, rows: int, first: int, n: int, C: Floats) -> None:
    """C ← C − WᵀW, the upper triangle; W the columns first..first+n−1 of M, eight rows at a time."""
    last = first + n
    k = 0
    while k + 8 <= rows:
        for i in range(n):
            row, at = C[i, i:n], first + i
            a, b, c, d = M[k, at:last], M[k + 1, at:last], M[k + 2, at:last], M[k + 3, at:last]
            e, f, g, h = M[k + 4, at:last], M[k + 5, at:last], M[k + 6, at:last], M[k + 7, at:last]
            fa, fb, fc, fd, fe, ff, fg, fh = a[0], b[0], c[0], d[0], e[0], f[0], g[0], h[0]
            for j in range(n - i):
                row[j] = (
                    row[j]
                    - fa * a[j]
                    - fb * b[j]
                    - fc * c[j]
                    - fd * d[j]
                    - fe * e[j]
                    - ff * f[j]
                    - fg * g[j]
                    - fh * h[j]
                )
        k += 8
    while k < rows:
        for i in range(n):
            row, a = C[i, i:n], M[k, first + i : last]
            fa = a[0]
            for j in range(n - i):
                row[j] -= fa * a[j]
        k += 1


@njit(cache=True, nogil=True)
def add_products(M: Floats, rows: int, width: int, G: Floats) -> None:
    """G ← G + Tᵀ[T | ...] for M of `eliminate_both`; row i from the column of T that belongs to row i."""
    k = 0
    while k + 8 <= rows:
        for i in range(k + 8):
            first = 2 * rows - 1 - i
            row = G[i, rows - 1 - i : width - rows]
            a, b, c, d = M[k, first:width], M[k + 1, first:width], M[k + 2, first:width], M[k + 3, first:width]
            e, f, g, h = M[k + 4, first:width], M[k + 5, first:width], M[k + 6, first:width], M[k + 7, first:width]
            fa, fb, fc, fd, fe, ff, fg, fh = a[0], b[0], c[0], d[0], e[0], f[0], g[0], h[0]
            for j in range(width - first):
                row[j] = (
                    row[j]
                    + fa * a[j]
                    + fb * b[j]
                    + fc * c[j]
                    + fd * d[j]
                    + fe * e[j]
                    + ff * f[j]
                    + fg * g[j]
                    + fh * h[j]
                )
        k += 8
    while k < rows:
        for i in range(k + 1):
            first = 2 * rows - 1 - i
            row, a = G[i, rows - 1 - i : width - rows], M[k, first:width]
            fa = a[0]
            for j in range(width - first):
                row[j] += fa * a[j]
        k += 1


@njit(cache=True, nogil=True)
def spread_of(members: Flags, weights: Floats, R: Floats, P: Floats, along: Floats) -> float:
    """Fill along = (P_uu + R) w and give w'(P_uu + R)w: how far the mean of the members' errors may be off, s²."""
    clocks = weights.shape[0]
    for i in range(clocks):
        along[i] = 0.0
    for j in range(clocks):
        if members[j]:
            column, w = P[j], weights[j]
            for i in range(clocks):
                along[i] += w * column[i]
            along[j] += w * R[j]
    total = 0.0
    for j in range(clocks):
        if members[j]:
            total += weights[j] * along[j]
    return total


@njit(cache=True, nogil=True)
def judge(
    row: Floats,
    members: Flags,
    testable: Flags,
    shares: Floats,
    reject: float,
    x: Floats,
    R: Floats,
    P: Floats,
    weights: Floats,
    along: Floats,
    error: Floats,
    variance: Floats,
) -> float:
    """Find each testable clock's error against the mean of the members, leaving out the worst while one is too far.

    A member's error is e_i = ν_i − Σ w ν, with the variance A_ii − 2 (Aw)_i + w'Aw, A = P_uu + R: the correlation of a
    clock with the mean that it is part of is in it. Members beyond `reject` sigma lose their mark, one by one. Gives
    the variance of the mean.
    """
    clocks = row.shape[0]
    while True:
        total, mean = 0.0, 0.0
        for i in range(clocks):
            weights[i] = shares[i] if members[i] else 0.0
            total += weights[i]
        for i in range(clocks):
            if members[i]:
                weights[i] /= total
                mean += weights[i] * (row[i] - x[i])
        of_mean = spread_of(members, weights, R, P, along)
        worst, farthest = -1, reject
        count = 0
        for i in range(clocks):
            if not testable[i]:
                continue
            error[i] = (row[i] - x[i]) - mean
            spread = P[i, i] + R[i] - 2.0 * along[i] + of_mean
            variance[i] = spread if spread > 0.0 else 0.0  # of one clock against itself: nothing, but for rounding
            if not members[i]:
                continue
            count += 1
            ratio = abs(error[i]) / math.sqrt(variance[i]) if variance[i] > 0.0 else 0.0
            if ratio > farthest * TIE or (worst >= 0 and ratio * TIE > farthest and shares[i] * TIE < shares[worst]):
                worst, farthest = i, ratio
        if worst < 0 or count < 2:
            return of_mean
        members[worst] = False


@njit(cache=True, nogil=True)
def share_out(wanted: Floats, cap: float, weights: Floats) -> bool:
    """Weights of sum 1 in proportion to `wanted`, none above the cap; the surplus goes to the others. False: none."""
    clocks = wanted.shape[0]
    count = 0
    for i in range(clocks):
        weights[i] = 0.0
        if wanted[i] > 0.0:
            count += 1
    if count == 0:
        return False
    if cap >= 1.0:
        total = 0.0
        for i in range(clocks):
            total += wanted[i]
        for i in range(clocks):
            weights[i] = wanted[i] / total
        return True
    limit = cap if cap * count > 1.0 else 1.0 / count
    held = np.zeros(clocks, dtype=np.bool_)
    at_limit = 0
    while at_limit < count:
        total = 0.0
        for i in range(clocks):
            if wanted[i] > 0.0 and not held[i]:
                total += wanted[i]
        free = 1.0 - at_limit * limit
        again = False
        for i in range(clocks):
            if wanted[i] > 0.0 and not held[i]:
                weights[i] = free * (wanted[i] / total)
        for i in range(clocks):
            if wanted[i] > 0.0 and not held[i] and weights[i] > limit * TIE:
                weights[i] = limit
                held[i] = True
                at_limit += 1
                again = True
        if not again:
            return True
    return True


@njit(cache=True, nogil=True)
def take_phase(
    i: int, row: Floats, mean: float, anchors: Flags, weights: Floats, R: Floats, x: Floats, P: Floats
) -> None:
    """Start the phase of clock i at what its first reading says, with a wide variance that the correction narrows.

    Its error is that of the anchors' mean and a wide one of its own.
    """
    clocks, n = row.shape[0], P.shape[0]
    for j in range(n):
        P[i, j] = 0.0
    of_mean, channel = 0.0, R[i]
    for k in range(clocks):
        if anchors[k]:
            w = weights[k]
            channel += w * w * R[k]
            for j in range(n):
                P[i, j] += w * P[k, j]
    for k in range(clocks):
        if anchors[k]:
            of_mean += weights[k] * P[i, k]
    P[i, i] = of_mean + WIDE * channel
    for j in range(n):
        P[j, i] = P[i, j]
    x[i] = row[i] - mean


@njit(cache=True, nogil=True)
def take_rate(i: int, r: int, moved: float, since: float, variance: float, x: Floats, P: Floats) -> None:
    """Start the rate (coordinate r) of clock i at what it moved since its first reading, with a wide variance.

    variance: of the movement (s²). A rate error has stood since then, so it is in the phase too.
    """
    wide = WIDE * variance / (since * since)
    x[i] += moved
    x[r] += moved / since
    P[i, i] += wide * since * since
    P[i, r] += wide * since
    P[r, i] += wide * since
    P[r, r] += wide


@njit(cache=True, nogil=True)
def displace(
    i: int, pivot: int, clocks: int, order: int, moved: float, variance: float, x: Floats, P: Floats, common: Floats
) -> None:
    """Move the phase (order 0) or the rate (1) of clock i against all others, and doubt it by a variance.

    The pivot's own coordinate is zero by definition: what it does, all others do the other way.
    """
    first = order * clocks
    if i != pivot:
        x[first + i] += moved
        P[first + i, first + i] += variance
        return
    common[order] += moved
    for j in range(clocks):
        if j != pivot:
            x[first + j] -= moved
            for k in range(clocks):
                if k != pivot:
                    P[first + j, first + k] += variance


@njit(cache=True, nogil=True)
def absorb_step(
    i: int,
    pivot: int,
    clocks: int,
    epoch: int,
    error: float,
    variance: float,
    steps: int,
    x: Floats,
    P: Floats,
    common: Floats,
    counts: Counts,
    marks: Floats,
) -> tuple[int, float]:
    """Move clock i to where it is, for good: a step of its phase, or of its rate as well. Gives code and figure."""
    displace(i, pivot, clocks, 0, error, WIDE * variance, x, P, common)
    if abs(counts[i, STREAK]) < steps:
        counts[i, STREAK] = 0
        counts[i, BEYOND] = 0
        return PHASE_STEP, error
    slope = (error - marks[i, FIRST_ERROR]) / ((epoch - counts[i, STREAK_EPOCH]) / NS_PER_S)
    displace(i, pivot, clocks, 1, slope, slope * slope, x, P, common)
    counts[i, LEARNED] = 0
    marks[i, AGE_S] = 0.0
    counts[i, STREAK] = 0
    counts[i, BEYOND] = 0
    return RATE_STEP, slope


@njit(cache=True, nogil=True)
def doubt(
    i: int,
    pivot: int,
    clocks: int,
    epoch: int,
    error: float,
    variance: float,
    factor: float,
    reject: float,
    steps: int,
    noisy: int,
    x: Floats,
    P: Floats,
    common: Floats,
    counts: Counts,
    marks: Floats,
) -> tuple[int, float]:
    """What to make of a clock that was beyond the limit before this epoch; gives code and figure.

    Back where it was predicted: an outlier. Again where it was: a phase step. Further the same way, `steps` times: a
    rate step. Nothing of it, `noisy` times: its noise has changed. While nothing is decided it is left out.
    """
    sigma = math.sqrt(variance)
    if abs(error) <= reject * sigma:
        counts[i, STREAK] = 0
        counts[i, BEYOND] = 0
        return BACK, math.nan
    onward = error - marks[i, LAST_ERROR]
    counts[i, BEYOND] += 1
    marks[i, BEYOND_SQUARES] += factor * error * error / variance
    if abs(onward) <= 0.5 * abs(marks[i, LAST_ERROR]) / abs(counts[i, STREAK]):
        counts[i, STREAK] = 0
        return absorb_step(i, pivot, clocks, epoch, error, variance, steps, x, P, common, counts, marks)
    if onward * counts[i, STREAK] > 0.0:
        counts[i, STREAK] += 1 if counts[i, STREAK] > 0 else -1
        if abs(counts[i, STREAK]) >= steps:
            return absorb_step(i, pivot, clocks, epoch, error, variance, steps, x, P, common, counts, marks)
    else:
        begin_streak(i, epoch, error, counts, marks)
    marks[i, LAST_ERROR] = error
    if counts[i, BEYOND] >= noisy:
        marks[i, SPREAD] = marks[i, BEYOND_SQUARES] / counts[i, BEYOND]
        counts[i, SPREAD_COUNT] = SPREAD_ERRORS
        counts[i, STREAK] = 0
        absorb_step(i, pivot, clocks, epoch, error, variance, steps, x, P, common, counts, marks)
        counts[i, LEARNED] = 0
        return NOISE_STEP, math.nan
    return LEFT_OUT, math.nan


@njit(cache=True, nogil=True)
def begin_streak(i: int, epoch: int, error: float, counts: Counts, marks: Floats) -> None:
    """Note the first error of a streak beyond the limit."""
    counts[i, STREAK] = 1 if error > 0.0 else -1
    counts[i, STREAK_EPOCH] = epoch
    marks[i, FIRST_ERROR] = error
    marks[i, LAST_ERROR] = error


@njit(cache=True, nogil=True)
def learn_spread(i: int, square: float, memory: float, counts: Counts, marks: Floats) -> None:
    """The clock's mean square error in units of what was expected, after one more; clipped like AT1's."""
    count = counts[i, SPREAD_COUNT]
    usual = marks[i, SPREAD] if count >= 3 and marks[i, SPREAD] > 1.0 else 1.0
    square = min(square, CLIP * usual)
    kept = memory if memory < count else float(count)
    marks[i, SPREAD] = (square + kept * marks[i, SPREAD]) / (kept + 1.0)
    counts[i, SPREAD_COUNT] = count + 1


@njit(cache=True, nogil=True)
def choose_carriers(
    accepted: Flags, absorbed: Flags, carried: Flags, counts: Counts, hold: int, min_learned: int, carriers: Flags
) -> int:
    """Mark the clocks whose conditions move the scale at this epoch and give the rung of the ladder.

    3: clocks that have learned; 2: clocks with a rate, both without a long gap; 1: any with a rate; 0: nobody yet.
    A clock missing for a moment stays in the conditions: its corrections are those that its model makes of the
    others', and by leaving it out and in again noise would be added. One back from a long gap, or moved, is not.
    carried: who had phase and rate before this epoch.
    """
    clocks = accepted.shape[0]
    for rung in range(3, 0, -1):
        found = False
        for i in range(clocks):
            stands = carried[i] and not absorbed[i]
            near = counts[i, MISSED] <= hold if rung >= 2 else accepted[i]
            stands = stands and near
            if rung == 3:
                stands = stands and counts[i, LEARNED] >= min_learned
            carriers[i] = stands
            found = found or (stands and accepted[i])
        if found:
            return rung
    return 0


@njit(cache=True, nogil=True)
def dot(weights: Floats, after: Floats, before: Floats) -> float:
    """Σ w (after − before), in order."""
    total = 0.0
    for i in range(weights.shape[0]):
        if weights[i] > 0.0:
            total += weights[i] * (after[i] - before[i])
    return total


@njit(cache=True, nogil=True)
def advance_rows(
    epochs: Counts,
    X: Floats,
    q: Floats,
    R: Floats,
    phase_noise: Floats,
    stage_variance: Floats,
    stage_s: Floats,
    drift: Counts,
    stage: Counts,
    pivot: int,
    anchored: bool,
    reduce: float,
    reject: float,
    cap: float,
    memory_s: float,
    forget_ns: int,
    hold: int,
    pivot_epochs: int,
    min_learned: int,
    step_count: int,
    noise_count: int,
    when: Counts,
    x: Floats,
    P: Floats,
    common: Floats,
    counts: Counts,
    marks: Floats,
    out_x: Floats,
    out_y: Floats,
    out_weight: Floats,
    out_error: Floats,
    out_sigma: Floats,
    out_figure: Floats,
    out_offset: Floats,
    out_code: NDArray[np.int8],
) -> int:
    """Advance until the end, or until the pivot or the set of clocks must change; gives the number of rows done.

    when: the last epoch (ns of TAI) and the number of epochs so far. The state (when, x, P, common, counts, marks) is
    changed in place. A drift index or stage index of −1: the clock has none.
    """
    rows, clocks = X.shape
    n, stages = P.shape[0], stage_s.shape[0]
    M = np.empty((clocks, clocks + n + 3))
    numbers, others = np.empty(clocks, dtype=np.int64), np.empty(clocks, dtype=np.int64)
    C, G = np.empty((n, n)), np.empty((clocks + 1, clocks + n + 3))
    noise, stage_noise = np.empty((clocks, 6)), np.empty((clocks, stages, 2))
    left, gain = np.empty(stages), np.empty(stages)
    factor, shares, R_now = np.ones(clocks), np.zeros(clocks), np.empty(clocks)
    weights, along, wanted = np.empty(clocks), np.empty(clocks), np.empty(clocks)
    a, b = np.zeros(clocks), np.zeros(clocks)
    error, variance, moved = np.empty(clocks), np.empty(clocks), np.empty(clocks)
    before = np.empty(n)
    members, testable, accepted, absorbed, carried, carriers = (
        np.zeros(clocks, dtype=np.bool_),
        np.zeros(clocks, dtype=np.bool_),
        np.zeros(clocks, dtype=np.bool_),
        np.zeros(clocks, dtype=np.bool_),
        np.zeros(clocks, dtype=np.bool_),
        np.zeros(clocks, dtype=np.bool_),
    )
    drifting, flickering = np.flatnonzero(drift >= 0), np.flatnonzero(stage >= 0)
    tau_known = -1.0
    for t in range(rows):
        now = epochs[t]
        if must_change(now, X[t], pivot, forget_ns, pivot_epochs, counts):
            return t
        tau = (now - when[0]) / NS_PER_S if when[1] > 0 else 0.0
        row = X[t]
        for i in range(clocks):
            noisy = counts[i, SPREAD_COUNT] >= SPREAD_ERRORS and marks[i, SPREAD] > LEAST_SPREAD
            factor[i] = marks[i, SPREAD] if noisy else 1.0
            R_now[i] = factor[i] * R[i]
        if tau > 0.0:
            if tau != tau_known:
                transition(tau, q, stage_variance, stage_s, noise, left, gain, stage_noise)
                tau_known = tau
            d = common[2] + (x[drift[pivot]] if drift[pivot] >= 0 else 0.0)
            gained = tau * common[1] + 0.5 * tau * tau * d
            if stage[pivot] >= 0:
                for k in range(stages):
                    gained += gain[k] * x[stage[pivot] + k]
            common[0] += gained
            common[1] += tau * d
            predict_mean(tau, pivot, drift, stage, left, gain, x)
            predict_rows(tau, pivot, drift, stage, drifting, flickering, left, gain, P)
            transpose(P)  # (Φ P)ᵀ = P Φᵀ
            predict_rows(tau, pivot, drift, stage, drifting, flickering, left, gain, P)
            add_noise(pivot, anchored, drift, stage, noise, stage_noise, factor, P)
        # who is here, and who can be tested
        any_rated, some, nobody = False, False, True
        for i in range(clocks):
            nobody = nobody and counts[i, SEEN_COUNT] == 0
            out_x[t, i] = math.nan
            out_error[t, i] = math.nan
            out_sigma[t, i] = math.nan
            out_figure[t, i] = math.nan
            out_weight[t, i] = 0.0
            here = not math.isnan(row[i])
            out_code[t, i] = NO_SCALE if here else MISSING
            carried[i] = counts[i, RATED] > 0 and counts[i, SEEN_COUNT] > 0
            any_rated = any_rated or carried[i]
            testable[i] = here and carried[i]
            members[i] = testable[i] and counts[i, STREAK] == 0
            some = some or members[i]
            accepted[i] = False
            absorbed[i] = False
            moved[i] = 0.0
            if testable[i]:
                gaps = (now - counts[i, SEEN]) / NS_PER_S / tau
                shares[i] = 1.0 / (R_now[i] + factor[i] * noise[i, 0] * gaps * gaps)
        if any_rated and not some:
            for i in range(clocks):
                members[i] = testable[i]
                some = some or members[i]
        of_mean = 0.0
        if some:
            of_mean = judge(row, members, testable, shares, reject, x, R_now, P, weights, along, error, variance)
        for i in range(clocks):
            if not testable[i]:
                continue
            sigma = math.sqrt(variance[i]) if variance[i] > 0.0 else 0.0
            ratio = abs(error[i]) / sigma if sigma > 0.0 else 0.0
            out_error[t, i] = error[i]
            out_sigma[t, i] = sigma
            code, figure = OK, math.nan
            square = factor[i] * ratio * ratio
            if counts[i, STREAK] != 0:
                code, figure = doubt(
                    i,
                    pivot,
                    clocks,
                    now,
                    error[i],
                    variance[i],
                    factor[i],
                    reject,
                    step_count,
                    noise_count,
                    x,
                    P,
                    common,
                    counts,
                    marks,
                )
                absorbed[i] = code in (PHASE_STEP, RATE_STEP, NOISE_STEP)
                accepted[i] = absorbed[i] or code == BACK
            elif members[i]:
                accepted[i] = True
                if ratio > reduce:
                    part = (reject - ratio) / (reject - reduce)
                    part = part if part > 1e-3 else 1e-3
                    code, figure = REDUCED, ratio
                    R_now[i] += variance[i] * (1.0 / part - 1.0)
            else:
                code = LEFT_OUT
                counts[i, BEYOND] = 1
                marks[i, BEYOND_SQUARES] = square
                begin_streak(i, now, error[i], counts, marks)
            if sigma > 0.0 and (code in (OK, REDUCED, BACK) or counts[i, BEYOND] == 1):
                learn_spread(i, square, memory_s / tau, counts, marks)
            if code in (OK, REDUCED, BACK):
                counts[i, LEARNED] += 1
            out_code[t, i] = code
            out_figure[t, i] = figure
        # what the rest is measured against: those taken in, or the pivot while nobody has a rate
        total, mean = 0.0, 0.0
        for i in range(clocks):
            members[i] = accepted[i] and not absorbed[i]
            weights[i] = shares[i] if members[i] else 0.0
            total += weights[i]
        if total > 0.0:
            for i in range(clocks):
                if members[i]:
                    weights[i] /= total
                    mean += weights[i] * (row[i] - x[i])
        elif not any_rated and not math.isnan(row[pivot]):
            members[pivot] = True
            weights[pivot] = 1.0
            mean = row[pivot]
            accepted[pivot] = True
            total = 1.0
        starting = not any_rated and total > 0.0
        if total > 0.0:
            for i in range(clocks):
                if math.isnan(row[i]) or testable[i]:
                    continue
                accepted[i] = True
                out_code[t, i] = STARTING if starting else LEARNING
                out_figure[t, i] = 0.0
                if counts[i, SEEN_COUNT] == 0:
                    out_code[t, i] = STARTING if nobody else JOINED
                    if i != pivot:
                        take_phase(i, row, mean, members, weights, R_now, x, P)
                        if counts[i, RATED] == 0:
                            x[clocks + i] = -common[1]
                    continue
                since = (now - counts[i, SEEN]) / NS_PER_S
                if i != pivot:
                    moved[i] = (row[i] - mean) - x[i]
                    take_rate(
                        i, clocks + i, moved[i], since, R_now[i] + P[i, i] + noise[i, 0] + of_mean + R_now[pivot], x, P
                    )
        for i in range(n):
            before[i] = x[i]
        correct(row, accepted, R_now, pivot, numbers, others, x, P, M, C, G)
        # the common mode
        rung = choose_carriers(accepted, absorbed, carried, counts, hold, min_learned, carriers)
        if rung > 0:
            for i in range(clocks):
                part = 1.0
                if out_code[t, i] == REDUCED:
                    part = (reject - out_figure[t, i]) / (reject - reduce)
                wanted[i] = part / (factor[i] * phase_noise[i]) if carriers[i] else 0.0
            share_out(wanted, cap, a)
            common[0] -= dot(a, x[:clocks], before[:clocks])
            for i in range(clocks):
                wanted[i] = 0.0
                if carriers[i] and marks[i, AGE_S] > 0.0:
                    wanted[i] = 1.0 / (factor[i] * rate_noise(q[i], marks[i, AGE_S]))
            if share_out(wanted, cap, b):
                common[1] -= dot(b, x[clocks : 2 * clocks], before[clocks : 2 * clocks])
            if not anchored:
                for i in range(clocks):
                    wanted[i] = 0.0
                    if carriers[i] and marks[i, AGE_S] > 0.0:
                        wanted[i] = 1.0 / (factor[i] * drift_noise(q[i], marks[i, AGE_S]))
                if share_out(wanted, cap, b):
                    for i in range(clocks):
                        if b[i] > 0.0 and i != pivot:
                            common[2] -= b[i] * (x[drift[i]] - before[drift[i]])
        elif starting:
            if nobody:
                median_weights(x[:clocks], accepted, out_weight[t])
                common[0] = 0.0
                for i in range(clocks):
                    common[0] -= out_weight[t, i] * x[i]
            else:
                median_weights(moved, accepted, out_weight[t])
                common[1] = 0.0
                for i in range(clocks):
                    common[0] -= out_weight[t, i] * moved[i]
                    common[1] -= out_weight[t, i] * x[clocks + i]
        share = 0.0
        for i in range(clocks):
            if rung > 0 and accepted[i] and carriers[i]:
                share += a[i]
        mean, total = 0.0, 0.0
        for i in range(clocks):
            if accepted[i]:
                total += 1.0 / R_now[i]
                mean += (row[i] - x[i]) / R_now[i]
        mean = mean / total if total > 0.0 else math.nan
        out_offset[t] = common[0] - mean
        for i in range(clocks):
            rate = common[1] + x[clocks + i]
            if stage[i] >= 0:
                for k in range(stages):
                    rate += x[stage[i] + k]
            out_y[t, i] = rate
            if not math.isnan(row[i]):
                out_x[t, i] = common[0] + x[i] if accepted[i] else row[i] + out_offset[t]
            if not accepted[i]:
                counts[i, MISSED] += 1
                counts[i, CODE] = out_code[t, i]
                continue
            if rung > 0 and carriers[i]:
                out_weight[t, i] = a[i] / share
                if out_code[t, i] == OK and rung < 3:
                    out_code[t, i] = STARTING
                    out_figure[t, i] = counts[i, LEARNED]
                elif out_code[t, i] == OK and a[i] >= cap and cap < 1.0:
                    out_code[t, i] = AT_CAP
            elif out_code[t, i] == OK:
                out_code[t, i] = LEARNING
                out_figure[t, i] = counts[i, LEARNED]
            if counts[i, SEEN_COUNT] > 0:
                gap = (now - counts[i, SEEN]) / NS_PER_S
                if counts[i, MISSED] > hold and marks[i, AGE_S] > 0.0:
                    # what the rate may have walked in the gap stands for so much less time of learning
                    marks[i, AGE_S] /= 1.0 + marks[i, AGE_S] * q[i, 1] * gap / q[i, 0] if q[i, 0] > 0.0 else 1.0
                else:
                    marks[i, AGE_S] += gap
                counts[i, RATED] = 1
            counts[i, SEEN] = now
            counts[i, SEEN_COUNT] += 1
            counts[i, MISSED] = 0
            counts[i, CODE] = out_code[t, i]
        when[0] = now
        when[1] += 1
    return rows


@njit(cache=True, nogil=True)
def nominal_noise(interval_s: float, q: Floats, stage_variance: Floats, stage_s: Floats) -> Floats:
    """float64[n]: the phase variance that each clock's noise adds in an interval (s²); white FM: q1 times interval."""
    clocks, stages = q.shape[0], stage_s.shape[0]
    noise = np.empty((clocks, 6))
    transition(
        interval_s, q, stage_variance, stage_s, noise, np.empty(stages), np.empty(stages), np.empty((clocks, stages, 2))
    )
    return noise[:, 0].copy()


@njit(cache=True, nogil=True)
def must_change(now: int, row: Floats, pivot: int, forget_ns: int, pivot_epochs: int, counts: Counts) -> bool:
    """Whether the pivot has been away too long, or a clock so long that it is forgotten, while others are here."""
    clocks = row.shape[0]
    other, other_rated, nobody = False, False, True
    for i in range(clocks):
        nobody = nobody and counts[i, SEEN_COUNT] == 0
    for i in range(clocks):
        if i != pivot and (nobody or counts[i, SEEN_COUNT] > 0):
            other = other or not math.isnan(row[i])
            other_rated = other_rated or (counts[i, MISSED] == 0 and counts[i, RATED] > 0 and counts[i, STREAK] == 0)
    if (nobody or counts[pivot, RATED] == 0) and math.isnan(row[pivot]):
        return other
    if nobody:
        return False
    if not other_rated:
        return False
    if counts[pivot, MISSED] >= pivot_epochs:
        return True
    for i in range(clocks):
        if counts[i, SEEN_COUNT] > 0 and counts[i, MISSED] > 0 and now - counts[i, SEEN] > forget_ns:
            return True
    return False


@njit(cache=True, nogil=True)
def rate_noise(q: Floats, age_s: float) -> float:
    """How fast the knowledge of a rate changes: what it walks, and what is still learned of it (white FM: q1/t²)."""
    found = q[1] + q[0] / (age_s * age_s)
    return found if found > 1e-60 else 1e-60


@njit(cache=True, nogil=True)
def drift_noise(q: Floats, age_s: float) -> float:
    """The same of a drift: what it walks, and what is still learned of it (q2/t² + q1/t⁴)."""
    square = age_s * age_s
    found = q[2] + q[1] / square + q[0] / (square * square)
    return found if found > 1e-80 else 1e-80


@njit(cache=True, nogil=True)
def watch_rows(
    epochs: Counts,
    measured: Floats,
    x: Floats,
    y: Floats,
    seen: Counts,
    count: Counts,
    memory_s: float,
    out_y: Floats,
    out_error: Floats,
) -> None:
    """Follow clocks without weight: phase as measured, rate as a running mean over memory_s, error of the prediction.

    measured: float64[m, n] clock minus scale (s), NaN where missing. The state x, y, seen, count is changed in place.
    """
    for t in range(measured.shape[0]):
        for i in range(measured.shape[1]):
            out_error[t, i] = math.nan
            if not math.isnan(measured[t, i]):
                if count[i] > 0:
                    tau = (epochs[t] - seen[i]) / NS_PER_S
                    if count[i] > 1:
                        out_error[t, i] = measured[t, i] - (x[i] + y[i] * tau)
                    kept = memory_s / tau
                    if kept > count[i] - 1:
                        kept = float(count[i] - 1)
                    y[i] = ((measured[t, i] - x[i]) / tau + kept * y[i]) / (kept + 1.0)
                x[i] = measured[t, i]
                seen[i] = epochs[t]
                count[i] += 1
            out_y[t, i] = y[i]
