"""Against allantools where there are no gaps, and against plain numpy sums of the definitions where there are."""

from __future__ import annotations

import allantools
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from timeball import stability

FOUR = ("adev", "oadev", "mdev", "tdev")
values = st.floats(min_value=-1e-6, max_value=1e-6, allow_subnormal=False)
with_gaps = st.one_of(values, values, values, st.just(float("nan")))
records = hnp.arrays(np.float64, st.integers(8, 120), elements=values)  # allantools raises when all have n < 2
gapped = hnp.arrays(np.float64, st.integers(3, 90), elements=with_gaps)
intervals = st.sampled_from([0.1, 1.0, 60.0, 300.0])


def factors(points: int, name: str) -> list[int]:
    longest = points // 3 if name in ("mdev", "tdev") else (points - 1) // 2
    return [m for m in (1, 2, 3, 5, 7, 16, 25, 40) if m <= longest]


@pytest.mark.parametrize("name", FOUR)
@given(x=records, tau0_s=intervals)
@settings(max_examples=60, deadline=None)
def test_phase_as_allantools(name: str, x: np.ndarray, tau0_s: float) -> None:
    m = factors(x.size, name)
    taus, sigma, _, n = getattr(allantools, name)(x, rate=1 / tau0_s, taus=[k * tau0_s for k in m])
    found = getattr(stability, name)(x, tau0_s, m)
    ours = {round(tau / tau0_s): k for k, tau in enumerate(found.tau_s)}
    assert len(taus) >= sum(found.n > 1)  # allantools leaves out what has a single term
    for tau, theirs, terms in zip(taus, sigma, n, strict=True):
        k = ours[round(tau / tau0_s)]
        assert found.n[k] == terms
        # a sum that cancels altogether leaves rounding of x, whose size is 1e-6 here
        np.testing.assert_allclose(found.sigma[k], theirs, rtol=1e-9, atol=1e-20 * max(1.0, 1 / tau0_s))


@pytest.mark.parametrize("name", FOUR)
@given(y=records, tau0_s=intervals)
@settings(max_examples=40, deadline=None)
def test_frequency_as_the_phase_it_sums_to(name: str, y: np.ndarray, tau0_s: float) -> None:
    of_frequency = getattr(stability, name)(y, tau0_s, kind="frequency")
    of_phase = getattr(stability, name)(stability.phase_from_frequency(y, tau0_s), tau0_s)
    assert of_frequency.n.tolist() == of_phase.n.tolist()
    np.testing.assert_allclose(of_frequency.sigma, of_phase.sigma, rtol=1e-9, atol=1e-18)


def direct(name: str, x: np.ndarray, tau0_s: float, m: int) -> tuple[float, int]:
    """The definitions, one term at a time; a term that holds a NaN is NaN and is left out."""
    terms = []
    if name in ("adev", "oadev"):
        for i in range(0, x.size - 2 * m, m if name == "adev" else 1):
            terms.append(x[i + 2 * m] - 2 * x[i + m] + x[i])
    else:
        for j in range(x.size - 3 * m + 1):
            first, middle, last = (x[j + k * m : j + (k + 1) * m].mean() for k in range(3))
            terms.append(last - 2 * middle + first)
    used = np.array([d for d in terms if not np.isnan(d)])
    if used.size == 0:
        return float("nan"), 0
    tau_s = m * tau0_s
    sigma = float(np.sqrt(np.mean(used**2) / 2) / tau_s)
    return (sigma * tau_s / np.sqrt(3) if name == "tdev" else sigma), used.size


def direct_frequency(name: str, y: np.ndarray, m: int) -> tuple[float, int]:
    """The definitions on frequency itself (SP 1065, eq. 7, 10 and 14): a gap spoils each average that holds it."""
    terms = []
    if name in ("adev", "oadev"):
        for i in range(0, y.size - 2 * m + 1, m if name == "adev" else 1):
            terms.append(y[i + m : i + 2 * m].mean() - y[i : i + m].mean())
    else:
        for j in range(y.size - 3 * m + 2):
            inner = [y[i + m : i + 2 * m].mean() - y[i : i + m].mean() for i in range(j, j + m)]
            terms.append(np.mean(inner))
    used = np.array([d for d in terms if not np.isnan(d)])
    if used.size == 0:
        return float("nan"), 0
    sigma = float(np.sqrt(np.mean(used**2) / 2))
    return (sigma * m / np.sqrt(3) if name == "tdev" else sigma), used.size


@pytest.mark.parametrize("name", FOUR)
@given(x=gapped)
@settings(max_examples=60, deadline=None)
def test_phase_with_gaps_as_a_direct_sum(name: str, x: np.ndarray) -> None:
    m = factors(x.size, name)
    found = getattr(stability, name)(x, 10.0, m)
    for k, factor in enumerate(m):
        sigma, n = direct(name, x, 10.0, factor)
        assert found.n[k] == n
        np.testing.assert_allclose(found.sigma[k], sigma, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("name", FOUR)
@given(y=gapped)
@settings(max_examples=60, deadline=None)
def test_frequency_with_gaps_as_a_direct_sum(name: str, y: np.ndarray) -> None:
    m = factors(y.size + 1, name)
    found = getattr(stability, name)(y, 1.0, m, kind="frequency")
    for k, factor in enumerate(m):
        sigma, n = direct_frequency(name, y, factor)
        assert found.n[k] == n
        np.testing.assert_allclose(found.sigma[k], sigma, rtol=1e-9, atol=1e-20)


@given(x=gapped, scale=st.sampled_from([-3.0, 0.25, 1e3]))
@settings(max_examples=40, deadline=None)
def test_offset_and_rate_of_a_clock_do_not_show(x: np.ndarray, scale: float) -> None:
    """A constant phase and a constant frequency are no instability, and a factor on phase is a factor on sigma."""
    line = 2.0**-20 + np.arange(x.size) * 2.0**-24
    for name in FOUR:
        plain = getattr(stability, name)(x, 1.0)
        moved = getattr(stability, name)(scale * x + line, 1.0)
        assert plain.n.tolist() == moved.n.tolist()
        np.testing.assert_allclose(moved.sigma, abs(scale) * plain.sigma, rtol=1e-6, atol=1e-18)
