"""Degrees of freedom and biases of the total and Theo deviations: fits to simulations, there is no closed form.

Sources: NIST SP 1065 (Riley 2008), tables 7 (TOTDEV), 8 (MTOT, TTOT), 9 (Theo1) and 11 (bias of MTOT); Howe et al.
2000/2005 (Hadamard total). alpha as in `covariance`. The bias of MTOT is that of SP 1065 turned round: only so does its
own worked example come out (0.2067 → 0.2419 at τ₀ for white FM, a variance ratio of 0.73).
"""

from __future__ import annotations

import math

TOTAL = {0: (1.5, 0.0), -1: (1.17, 0.22), -2: (0.93, 0.36)}
MODIFIED_TOTAL = {2: (1.9, 2.1), 1: (1.2, 1.4), 0: (1.1, 1.2), -1: (0.85, 0.5), -2: (0.75, 0.31)}
HADAMARD_TOTAL = {0: (0.559, 1.004), -1: (0.868, 1.14), -2: (0.938, 1.696), -3: (0.974, 2.554), -4: (1.276, 3.149)}

# White and flicker PM are ours, by algebra on the terms of TOTDEV, and from simulated records for the Hadamard total:
# the tables have noises of frequency only.
TOTAL_BIAS = {2: -4.0 / 3.0, 1: -0.88, -1: 1.0 / (3.0 * math.log(2.0)), -2: 0.75}
MODIFIED_TOTAL_BIAS = {2: 0.94, 1: 0.83, 0: 0.73, -1: 0.70, -2: 0.69}
HADAMARD_TOTAL_BIAS = {2: 0.38, 1: 0.26, 0: -0.005, -1: -0.149, -2: -0.229, -3: -0.283, -4: -0.321}
# a, b, c of AVAR / Theo1 = a + b / m^c
THEO1_BIAS = {
    2: (0.09, 0.74, 0.4),
    1: (0.14, 0.82, 0.3),
    0: (1.0, 0.0, 0.0),
    -1: (1.87, -1.05, 0.79),
    -2: (2.70, -1.53, 0.85),
}


# How well TheoBR knows its own ratio, as degrees of freedom: ours, from simulated records of 256 to 4096 points. The
# ratio rests on the longest averages of the record, so it hardly gets better with a longer one.
RATIO_FREEDOM = {2: 1000.0, 1: 90.0, 0: 23.0, -1: 28.0, -2: 28.0}


def total(key: str, ratio: float, alpha: int) -> float | None:
    """EDF of TOTDEV, MTOT, TTOT or HTOT at T/τ = ratio; None for a noise that the tables do not have."""
    if key == "htotdev":
        if alpha not in HADAMARD_TOTAL:
            return None
        b0, b1 = HADAMARD_TOTAL[alpha]
        return max(ratio / (b0 + b1 / ratio), 1.0)
    table = TOTAL if key == "totdev" else MODIFIED_TOTAL
    if alpha not in table:
        return None
    b, c = table[alpha]
    return max(b * ratio - c, 1.0)


def total_of_phase_noise(plain: float, points: int, m: int, alpha: int) -> float:
    """EDF of TOTDEV of so many phases under white or flicker PM, `plain` that of OADEV: ours, by algebra on the terms.

    The terms near an end all hold its phase twice, and so hang together: the second part under white PM. The fit is
    within 15 % of the algebra for τ up to half of the record.
    """
    ratio = (points - 1) / m
    if alpha == 2:
        return 1.0 / (35.0 / 18.0 / points / (1.0 + 0.7 / ratio) + 8.0 / 9.0 / (ratio + 4.0 / 3.0) ** 2)
    return min(plain, 3.6 * ratio)


def theo1(points: int, m: int, alpha: int) -> float:
    """EDF of Theo1 at averaging factor m (τ = 0.75 m τ₀) of a record of so many phases; NaN for alpha below −2."""
    n, r = float(points), 0.75 * m
    if alpha == 2:
        edf = 0.86 * (n + 1.0) * (n - 4.0 / 3.0 * r) / (n - r) * r / (r + 1.14)
    elif alpha == 1:
        edf = (4.798 * n * n - 6.374 * n * r + 12.387 * r) / (math.sqrt(r + 36.6) * (n - r)) * r / (r + 0.3)
    elif alpha == 0:
        edf = ((4.1 * n + 0.8) / r - (3.1 * n + 6.5) / n) * r**1.5 / (r**1.5 + 5.2)
    elif alpha == -1:
        edf = (2.0 * n * n - 1.3 * n * r - 3.5 * r) / (n * r) * r**3 / (r**3 + 2.3)
    elif alpha == -2:
        part = 4.4 * n - 1.0
        edf = (4.4 * n - 2.0) / (2.9 * r) * (part * part - 8.6 * r * part + 11.4 * r * r) / (4.4 * n - 3.0) ** 2
    else:
        return float("nan")
    # at the very end of a record the fits leave their ground; one value is never less than one degree of freedom
    return max(edf, 1.0)


def theo_without_bias(points: int, m: int, alpha: int) -> float:
    """EDF of TheoBR: that of Theo1 (NIST SP 1065 takes no other), and that of the ratio that removes its bias."""
    return 1.0 / (1.0 / theo1(points, m, alpha) + 1.0 / RATIO_FREEDOM.get(alpha, math.nan))


def variance_bias(key: str, alpha: int, m: int, ratio: float) -> float:
    """E[estimate²] over the variance that it estimates, at T/τ = ratio; 1 for a deviation or noise without bias."""
    if key == "totdev":
        return 1.0 - TOTAL_BIAS.get(alpha, 0.0) / ratio
    if key in ("mtotdev", "ttotdev"):
        # at m = 1 too: the ends are reflected whatever m is
        return MODIFIED_TOTAL_BIAS.get(alpha, 1.0)
    if key == "htotdev" and m > 1:
        return 1.0 + HADAMARD_TOTAL_BIAS.get(alpha, 0.0)
    if key == "theo1" and alpha in THEO1_BIAS:
        a, b, c = THEO1_BIAS[alpha]
        return 1.0 / (a + b * math.exp(-c * math.log(m)))
    return 1.0
