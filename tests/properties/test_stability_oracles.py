"""Against allantools, on records without gaps; and what does not change a deviation, or only its scale."""

from __future__ import annotations

import allantools
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from timeball import stability
from timeball.stability import DEVIATIONS

PLAIN = ("adev", "oadev", "mdev", "tdev", "hdev", "ohdev", "totdev", "pdev", "tierms", "mtie")
SLOW = ("mtotdev", "ttotdev", "htotdev", "theo1")  # in allantools: seconds for a thousand points
# Not these two: what they are the ratio of may be rounding alone.
SUMS = [name for name in DEVIATIONS if name not in ("theobr", "theoh")]
values = st.floats(min_value=-1e-6, max_value=1e-6, allow_subnormal=False)
with_gaps = st.one_of(values, values, values, st.just(float("nan")))
records = hnp.arrays(np.float64, st.integers(9, 120), elements=values)  # allantools raises when all have n < 2
short = hnp.arrays(np.float64, st.integers(14, 40), elements=values)
gapped = hnp.arrays(np.float64, st.integers(19, 90), elements=with_gaps)
intervals = st.sampled_from([0.1, 1.0, 60.0, 300.0])


def factors(points: int, name: str) -> list[int]:
    wanted = (10, 12, 16, 26) if name == "theo1" else (1, 2, 3, 5, 7, 16, 25, 40)
    return [m for m in wanted if DEVIATIONS[name].span(m) <= points]


def compare(name: str, x: np.ndarray, tau0_s: float) -> None:
    m = factors(x.size, name)
    function = getattr(allantools, name)
    taus, sigma, _, n = function(x, rate=1 / tau0_s, taus=[k * tau0_s for k in m])
    found = getattr(stability, name)(x, tau0_s, m)
    np.testing.assert_allclose(found.tau_s, DEVIATIONS[name].tau_ratio * found.m * tau0_s, rtol=1e-15)
    ours = {int(factor): k for k, factor in enumerate(found.m)}
    assert len(taus) >= sum(found.n > 1)  # allantools leaves out what has a single term
    # a sum that cancels altogether leaves rounding of x, whose size is 1e-6 here
    size = 1e-20 * (1.0 if DEVIATIONS[name].unit == "s" else max(1.0, 1 / tau0_s))
    for tau, theirs, terms in zip(taus, sigma, n, strict=True):
        k = ours[round(tau / tau0_s)]
        assert found.n[k] == terms
        np.testing.assert_allclose(found.sigma[k], theirs, rtol=1e-9, atol=size)


@pytest.mark.parametrize("name", PLAIN)
@given(x=records, tau0_s=intervals)
@settings(max_examples=20, deadline=None)
def test_phase_as_allantools(name: str, x: np.ndarray, tau0_s: float) -> None:
    compare(name, x, tau0_s)


@pytest.mark.parametrize("name", SLOW)
@given(x=short, tau0_s=intervals)
@settings(max_examples=10, deadline=None)
def test_phase_as_allantools_where_it_is_slow(name: str, x: np.ndarray, tau0_s: float) -> None:
    compare(name, x, tau0_s)


@pytest.mark.parametrize("name", SUMS)
@given(y=hnp.arrays(np.float64, st.integers(17, 80), elements=values), tau0_s=intervals)
@settings(max_examples=12, deadline=None)
def test_frequency_as_the_phase_it_sums_to(name: str, y: np.ndarray, tau0_s: float) -> None:
    of_frequency = getattr(stability, name)(y, tau0_s, kind="frequency")
    of_phase = getattr(stability, name)(stability.phase_from_frequency(y, tau0_s), tau0_s)
    assert of_frequency.n.tolist() == of_phase.n.tolist()
    np.testing.assert_allclose(of_frequency.sigma, of_phase.sigma, rtol=1e-7, atol=1e-18 * tau0_s)


@given(x=gapped, scale=st.sampled_from([-3.0, 0.25, 1e3]))
@settings(max_examples=40, deadline=None)
def test_offset_and_rate_of_a_clock_do_not_show(x: np.ndarray, scale: float) -> None:
    """A constant phase and a constant frequency are no instability, and a factor on phase is a factor on sigma.

    A constant frequency is an error of time all the same: it shows in TIE rms and MTIE.
    """
    line = 2.0**-20 + np.arange(x.size) * 2.0**-24
    for name in SUMS:
        plain = getattr(stability, name)(x, 1.0)
        moved = getattr(stability, name)(scale * x + (line[0] if name in ("tierms", "mtie") else line), 1.0)
        assert plain.n.tolist() == moved.n.tolist()
        np.testing.assert_allclose(moved.sigma, abs(scale) * plain.sigma, rtol=1e-6, atol=1e-18)


@pytest.mark.parametrize("name", ["theobr", "theoh"])
def test_the_bias_is_the_same_however_the_record_is_given(name: str) -> None:
    y = np.random.default_rng(6).standard_normal(300)
    function = getattr(stability, name)
    plain = function(y, 10.0, kind="frequency")
    x = stability.phase_from_frequency(y, 10.0)
    for scale, line in ((1.0, 0.0), (-3.0, 1e3 + 5.0 * np.arange(301.0))):
        moved = function(scale * x + line, 10.0)
        assert moved.n.tolist() == plain.n.tolist()
        np.testing.assert_allclose(moved.sigma, abs(scale) * plain.sigma, rtol=1e-9)
    still = function(np.full(50, 3.0), 1.0)
    assert still.n.min() > 0
    assert not still.sigma.any()
