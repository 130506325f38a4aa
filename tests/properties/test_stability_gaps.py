"""Records with gaps, against sums of the definitions that take one term at a time and leave out those with a NaN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from timeball import stability
from timeball.stability import DEVIATIONS

NAMES = [name for name in DEVIATIONS if name not in ("theobr", "theoh")]
values = st.floats(min_value=-1e-6, max_value=1e-6, allow_subnormal=False)
# now and then: a window without a gap must be likely enough to be tested
with_gaps = st.one_of(*[values] * 15, st.just(float("nan")))
gapped = hnp.arrays(np.float64, st.integers(11, 64), elements=with_gaps)


def factors(points: int, name: str) -> list[int]:
    wanted = (10, 12, 20) if name == "theo1" else (1, 2, 3, 4, 7, 16, 25, 40)
    return [m for m in wanted if DEVIATIONS[name].span(m) <= points]


def differences(x: np.ndarray, m: int, weights: list[int], step: int) -> Iterator[float]:
    for i in range(0, x.size - (len(weights) - 1) * m, step):
        yield sum(w * x[i + k * m] for k, w in enumerate(weights)) ** 2


def total(x: np.ndarray, m: int) -> Iterator[float]:
    """SP 1065, eq. 25: between the outermost values there are, past them by inverted reflection."""
    there = np.flatnonzero(~np.isnan(x))
    if there.size == 0 or there[-1] - there[0] < m:
        return
    first, last = there[0], there[-1]

    def extended(i: int) -> float:
        if i < first:
            return 2 * x[first] - x[2 * first - i]
        return 2 * x[last] - x[2 * last - i] if i > last else x[i]

    for i in range(first + 1, last):
        yield (extended(i - m) - 2 * x[i] + extended(i + m)) ** 2


def mirrored(z: np.ndarray, m: int) -> Iterator[float]:
    """SP 1065, eq. 27: each stretch of 3m without its half-average slope, mirrored; the mean of its 6m squares."""
    for i in range(z.size - 3 * m + 1):
        part = z[i : i + 3 * m]
        half = 3 * m // 2
        slope = (part[-half:].mean() - part[:half].mean()) / (3 * m - half)
        level = part - slope * np.arange(3 * m)
        long = np.concatenate((level[::-1], level, level[::-1]))
        means = np.convolve(long, np.full(m, 1 / m), "valid")
        yield float(np.mean((means[: 6 * m] - 2 * means[m : 7 * m] + means[2 * m : 8 * m]) ** 2))


def theo(x: np.ndarray, m: int) -> Iterator[float]:
    """SP 1065, eq. 30, each pair by itself; a gap anywhere in the window spoils all its pairs."""
    for i in range(x.size - m):
        whole = np.nan if np.isnan(x[i : i + m + 1]).any() else 1.0
        for k in range(1, m // 2 + 1):
            yield whole * ((x[i] - x[i + k]) + (x[i + m] - x[i + m - k])) ** 2 / k


def parabolic(x: np.ndarray, m: int) -> Iterator[float]:
    """Vernotte et al. 2016, eq. 15; the last of the 2m + 1 points has no weight."""
    weights = (m - 1) / 2 - np.arange(m)
    for i in range(x.size - 2 * m):
        yield float((weights * (x[i : i + m] - x[i + m : i + 2 * m])).sum() + 0 * x[i + 2 * m]) ** 2


def averages(x: np.ndarray, m: int) -> np.ndarray:
    return np.array([x[i : i + m].mean() for i in range(x.size - m + 1)])


def squares(name: str, x: np.ndarray, m: int) -> Iterator[float]:
    """Terms whose mean is the variance at τ₀ = 1 s; a term that holds a NaN is NaN."""
    second, third = [1, -2, 1], [-1, 3, -3, 1]
    if (name, m) in (("htotdev", 1), ("pdev", 1)):
        name = {"htotdev": "ohdev", "pdev": "oadev"}[name]
    terms, scale = {
        "adev": lambda: (differences(x, m, second, m), 1 / (2 * m**2)),
        "oadev": lambda: (differences(x, m, second, 1), 1 / (2 * m**2)),
        "mdev": lambda: (differences(averages(x, m), m, second, 1), 1 / (2 * m**2)),
        "tdev": lambda: (differences(averages(x, m), m, second, 1), 1 / 6),
        "hdev": lambda: (differences(x, m, third, m), 1 / (6 * m**2)),
        "ohdev": lambda: (differences(x, m, third, 1), 1 / (6 * m**2)),
        "totdev": lambda: (total(x, m), 1 / (2 * m**2)),
        "mtotdev": lambda: (mirrored(x, m), 1 / (2 * m**2)),
        "ttotdev": lambda: (mirrored(x, m), 1 / 6),
        "htotdev": lambda: (mirrored(np.diff(x), m), 1 / 6),
        "theo1": lambda: (theo(x, m), (m // 2) / (0.75 * m**2)),
        "pdev": lambda: (parabolic(x, m), 72 / m**6),
        "tierms": lambda: (differences(x, m, [1, -1], 1), 1.0),
    }[name]()
    return (scale * term for term in terms)


def direct(name: str, pieces: list[np.ndarray], m: int) -> tuple[float, int]:
    """One value from the pieces of a record, each on the grid of the whole with NaN outside."""
    if name == "mtie":
        windows = [x[i : i + m + 1] for x in pieces for i in range(x.size - m)]
        ranges = [np.nanmax(w) - np.nanmin(w) for w in windows if (~np.isnan(w)).sum() >= 2]
        return max(ranges, default=float("nan")), len(ranges)
    used = np.array([d for x in pieces for d in squares(name, x, m) if not np.isnan(d)])
    if used.size == 0:
        return float("nan"), 0
    return float(np.sqrt(used.mean())), used.size


def stretches(y: np.ndarray) -> list[np.ndarray]:
    """The phase of each run of frequencies without a gap, on the grid of the record."""
    present = np.concatenate(([False], ~np.isnan(y), [False]))
    edges = np.flatnonzero(np.diff(present.astype(int)))
    pieces = []
    for start, stop in zip(edges[0::2], edges[1::2], strict=True):
        x = np.full(y.size + 1, np.nan)
        x[start : stop + 1] = np.concatenate(([0.0], np.cumsum(y[start:stop])))
        pieces.append(x)
    return pieces


@pytest.mark.parametrize("name", NAMES)
@given(x=gapped)
@settings(max_examples=12, deadline=None)
def test_phase_with_gaps_as_a_direct_sum(name: str, x: np.ndarray) -> None:
    m = factors(x.size, name)
    found = getattr(stability, name)(x, 1.0, m)
    for k, factor in enumerate(m):
        sigma, n = direct(name, [x], factor)
        assert found.n[k] == n
        np.testing.assert_allclose(found.sigma[k], sigma, rtol=1e-8, atol=1e-20)


# the time deviations have the terms of the modified ones, as the records of phase show
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("tdev", "ttotdev")])
@given(y=gapped)
@settings(max_examples=12, deadline=None)
def test_frequency_with_gaps_as_a_direct_sum(name: str, y: np.ndarray) -> None:
    m = factors(y.size + 1, name)
    found = getattr(stability, name)(y, 1.0, m, kind="frequency")
    # a window of MTIE lies inside its stretch, where the points of a phase record may be missing from it
    pieces = [x[~np.isnan(x)] if name == "mtie" else x for x in stretches(y)]
    for k, factor in enumerate(m):
        sigma, n = direct(name, pieces, factor)
        assert found.n[k] == n
        np.testing.assert_allclose(found.sigma[k], sigma, rtol=1e-8, atol=1e-19)


@given(x=hnp.arrays(np.float64, st.integers(19, 70), elements=with_gaps))
@settings(max_examples=12, deadline=None)
def test_theobr_is_theo1_by_the_mean_ratio_of_the_allan_variance_to_it(x: np.ndarray) -> None:
    """SP 1065, eq. 31, over what the gaps have left of the ratios."""
    ratios = []
    for i in range(x.size // 6 - 2):
        allan, theo = direct("oadev", [x], 9 + 3 * i)[0], direct("theo1", [x], 12 + 4 * i)[0]
        if theo < 1e-12:
            return  # rounding, or nothing at all
        if not np.isnan(allan + theo):
            ratios.append((allan / theo) ** 2)
    m = [k for k in (10, 16, 30) if k < x.size]
    found = stability.theobr(x, 1.0, m)
    for k, factor in enumerate(m):
        sigma, n = direct("theo1", [x], factor)
        if not ratios:
            assert found.n[k] == 0
            assert np.isnan(found.sigma[k])
        elif n:
            assert found.n[k] == n
            assert found.sigma[k] == pytest.approx(sigma * np.sqrt(np.mean(ratios)), rel=1e-8)


def test_theoh_is_the_allan_deviation_up_to_a_tenth_and_theobr_beyond() -> None:
    x = np.cumsum(np.random.default_rng(4).standard_normal(401))
    x[[100, 250]] = np.nan
    found = stability.theoh(x, 2.0, "octave")
    assert found.m.tolist() == [1, 2, 4, 8, 16, 32, 64, 128]  # gaps leave no window of 257
    assert found.tau_s.tolist() == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 96.0, 192.0]
    np.testing.assert_array_equal(found.sigma[:6], stability.oadev(x, 2.0, [1, 2, 4, 8, 16, 32]).sigma)
    np.testing.assert_array_equal(found.sigma[6:], stability.theobr(x, 2.0, [64, 128]).sigma)
    one_by_one = stability.theoh(x, 2.0, [40, 42, 256])
    assert one_by_one.tau_s.tolist() == [80.0, 63.0, 384.0]
    assert one_by_one.n[2] == 0
    with pytest.raises(stability.FactorError, match=r"even averaging factors of at least 10, not \[41\]"):
        stability.theoh(x, 2.0, [40, 41])
