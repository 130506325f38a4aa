"""Long records: sums over a million points keep their digits, the moving sums of MDEV above all.

The oracle works in whole numbers: phases are integers (femtoseconds, say), so window sums are exact in int64 and only
the sum of their squares is rounded, in extended precision.
"""

from __future__ import annotations

from collections.abc import Callable

import allantools
import numpy as np
import pytest

from timeball import stability
from timeball.stability import kernels, kernels_theo, kernels_total, kernels_windows

POINTS = 1_000_000


def whole_phases(kind: str) -> np.ndarray:
    """Phases in whole numbers below 2⁵³, so that float64 holds them exactly; the seed is printed."""
    seed = 20090401
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    white = rng.integers(-1000, 1001, POINTS)
    if kind == "white phase":
        return white + 10**12
    if kind == "white frequency":
        return np.cumsum(white) + 10**12
    return np.cumsum(np.cumsum(white // 20))


def exact(x: np.ndarray, m: int) -> tuple[np.longdouble, np.longdouble]:
    """OADEV and MDEV at τ₀ = 1; cumulative sums may wrap modulo 2⁶⁴, their differences are right all the same."""
    second = x[2 * m :] - 2 * x[m:-m] + x[: -2 * m]
    prefix = np.concatenate(([0], np.cumsum(second)))
    windows = (prefix[m:] - prefix[:-m]).astype(np.longdouble)
    overlapping = np.sqrt(np.mean(second.astype(np.longdouble) ** 2) / 2) / m
    return overlapping, np.sqrt(np.mean(windows**2) / 2) / np.longdouble(m) ** 2


@pytest.mark.parametrize("kind", ["white phase", "white frequency", "random walk frequency"])
def test_a_million_points_lose_no_digits(kind: str) -> None:
    whole = whole_phases(kind)
    x = whole.astype(np.float64)
    assert np.array_equal(x.astype(np.int64), whole)
    factors = [1, 2, 64, 1024, 32768]
    overlapping, modified = stability.oadev(x, 1.0, factors), stability.mdev(x, 1.0, factors)
    for k, m in enumerate(factors):
        oadev, mdev = exact(whole, m)
        assert abs(overlapping.sigma[k] / oadev - 1) < 1e-14
        _, theirs, _, _ = allantools.mdev(x, rate=1.0, taus=[m])
        ours_error, their_error = abs(modified.sigma[k] / mdev - 1), abs(theirs[0] / mdev - 1)
        assert ours_error < 1e-13
        assert ours_error <= max(their_error, 1e-14), (
            f"m={m}: {float(ours_error):.1e}, allantools {float(their_error):.1e}"
        )


def test_a_large_offset_and_rate_cost_nothing() -> None:
    whole = whole_phases("white frequency")
    tilted = whole + 10**15 + 7 * 10**8 * np.arange(POINTS)
    assert tilted.max() < 2**53
    for deviation in (stability.oadev, stability.mdev):
        plain = deviation(whole.astype(np.float64), 1.0, [1, 100, 10000]).sigma
        np.testing.assert_allclose(deviation(tilted.astype(np.float64), 1.0, [1, 100, 10000]).sigma, plain, rtol=1e-13)
    for deviation in (stability.totdev, stability.mtotdev, stability.htotdev, stability.theo1, stability.pdev):
        plain = deviation(whole[:2000].astype(np.float64), 1.0).sigma
        np.testing.assert_allclose(deviation(tilted[:2000].astype(np.float64), 1.0).sigma, plain, rtol=1e-13)


@pytest.mark.parametrize("extra", [-1, 0, 1, 2, 700])
@pytest.mark.parametrize("tiles", [1, 4, 5])
def test_the_moving_sum_is_right_at_the_seams(tiles: int, extra: int) -> None:
    """Tiles of TILE windows, anew every RENEWAL: the number of windows just below, at and above these."""
    rng = np.random.default_rng(tiles)
    for m in (1, 3, 1100):
        windows = tiles * kernels_windows.TILE + extra
        x = rng.integers(-1000, 1001, windows + 3 * m - 1)
        _, expected = exact(x, m)
        found = stability.mdev(x, 1.0, [m])
        assert found.n.tolist() == [windows]
        assert found.sigma[0] == pytest.approx(float(expected), rel=1e-14)


def plain(kernel: Callable[..., object]) -> Callable[..., object]:
    """Without the compiler; with it off kernels are plain functions already."""
    return getattr(kernel, "py_func", kernel)


def test_the_kernels_give_the_same_bits_without_the_compiler() -> None:
    x = np.random.default_rng(8).standard_normal(2500)
    x[[700, 701, 1900]] = np.nan
    whole = np.zeros(1, dtype=np.int64), np.array([x.size], dtype=np.int64)
    clean = np.array([0, 702, 1901], dtype=np.int64), np.array([700, 1900, 2500], dtype=np.int64)
    short = np.array([0, 702], dtype=np.int64), np.array([140, 850], dtype=np.int64)
    for order in (1, 2, 3):
        results = []
        for kernel in (kernels.sum_differences, plain(kernels.sum_differences)):
            total, used = np.zeros(2), np.zeros(2, dtype=np.int64)
            kernel(x, *whole, np.array([1, 7]), order, total, used)
            results.append((total.tolist(), used.tolist()))
        assert results[0] == results[1]
    for kernel, arguments in (
        (kernels_windows.sum_moving_windows, (*clean, 7)),
        (kernels_windows.sum_parabolic, (*clean, 7)),
        (kernels_total.sum_reflected, (*whole, 140, True)),
        (kernels_total.sum_reflected, (*clean, 300, False)),
        (kernels_total.sum_mirrored, (*short, 3, True, kernels_total.plan_mirrors(3))),
        (kernels_total.sum_mirrored, (*short, 4, False, kernels_total.plan_mirrors(4))),
        (kernels_theo.sum_theo, (*short, 10)),
        (kernels_theo.sum_theo, (*short, 16)),
    ):
        assert kernel(x, *arguments) == plain(kernel)(x, *arguments)
