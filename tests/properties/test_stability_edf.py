"""Degrees of freedom against linear algebra: of n Gaussian terms with covariance C, edf = tr(C)²/tr(C²), exactly.

The terms are written out as rows of weights on the phases, noise as a matrix on white noise; nothing of the room is
used. White PM must agree to the last digits, with gaps and without. White FM agrees when phases are points; Greenhall
and Riley average them over τ₀, which the room follows and which matters at small m only.
"""

from __future__ import annotations

from math import comb

import allantools.ci
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.stability import covariance, edf
from timeball.stability.edf import DIFFERENCES, degrees_of_freedom
from timeball.stability.edf_tables import variance_bias
from timeball.stability.records import frequency_record, phase_record

POINTS = 96
KEYS = [*DIFFERENCES, "pdev"]


def rows(key: str, points: int, m: int) -> np.ndarray:
    """Every term of a deviation as weights of the phases."""
    if key == "pdev" and m > 1:
        ramp = (m - 1) / 2 - np.arange(m)
        pattern, step = np.concatenate((ramp, -ramp)), 1
        starts = range(points - 2 * m)
    else:
        form = DIFFERENCES["oadev" if key == "pdev" else key]
        pattern = np.zeros(form.order * m + 1)
        pattern[::m] = [(-1) ** k * comb(form.order, k) for k in range(form.order + 1)]
        if form.modified:
            pattern = np.convolve(pattern, np.ones(m))
        step = 1 if form.overlapping else m
        starts = range(0, points - pattern.size + 1, step)
    terms = np.zeros((len(starts), points))
    for row, start in enumerate(starts):
        terms[row, start : start + pattern.size] = pattern
    return terms


def by_algebra(terms: np.ndarray, alpha: int) -> float:
    noise = np.eye(terms.shape[1]) if alpha == 2 else np.tril(np.ones((terms.shape[1],) * 2))
    c = terms @ noise
    c = c @ c.T
    return float(np.trace(c) ** 2 / np.sum(c * c))


@settings(max_examples=16)
@given(st.sampled_from(KEYS), st.integers(1, 23), st.sets(st.integers(0, POINTS - 1), max_size=6))
def test_white_phase_is_exact_with_every_pattern_of_gaps(key: str, m: int, missing: set[int]) -> None:
    x = np.zeros(POINTS)
    gone = sorted(missing)
    x[gone] = np.nan
    terms = rows(key, POINTS, m)
    if key in ("mdev", "tdev", "pdev"):
        # their terms need every point from the first to the last
        whole = [not any(np.flatnonzero(term)[0] <= g <= np.flatnonzero(term)[-1] for g in gone) for term in terms]
        if key == "pdev" and m > 1:
            whole = [not any(start <= g < start + 2 * m for g in gone) for start in range(len(terms))]
        terms = terms[np.array(whole, dtype=bool)]
    else:
        terms = terms[~np.any(terms[:, gone] != 0.0, axis=1)] if gone else terms
    found = degrees_of_freedom(key, phase_record(x), m, 2)
    if len(terms) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(by_algebra(terms, 2), rel=1e-9)


@pytest.mark.parametrize("key", ["adev", "oadev", "hdev", "ohdev"])
def test_white_frequency_of_sampled_phases_is_exact(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covariance, "POINT", 0)
    for m in (2, 7, 20):
        expected = by_algebra(rows(key, POINTS, m), 0)
        assert degrees_of_freedom(key, phase_record(np.zeros(POINTS)), m, 0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("m", [2, 8, 16, 24])
def test_the_total_deviation_of_white_phase(m: int) -> None:
    """Its terms at the ends hold the end's phase twice: the bias is exact, the degrees of freedom are held to 15 %."""
    extended = np.zeros((3 * POINTS - 4, POINTS))
    extended[POINTS - 2 : 2 * POINTS - 2] = np.eye(POINTS)
    for j in range(1, POINTS - 1):
        extended[POINTS - 2 - j, [0, j]] += 2.0, -1.0
        extended[2 * POINTS - 3 + j, [POINTS - 1, POINTS - 1 - j]] += 2.0, -1.0
    inner = np.arange(POINTS - 1, 2 * POINTS - 3)
    terms = extended[inner - m] - 2.0 * extended[inner] + extended[inner + m]
    assert degrees_of_freedom("totdev", phase_record(np.zeros(POINTS)), m, 2) == pytest.approx(
        by_algebra(terms, 2), rel=0.15
    )
    ratio = float(np.mean(np.sum(terms**2, axis=1))) / 6.0
    assert variance_bias("totdev", 2, m, (POINTS - 1) / m) == pytest.approx(ratio, rel=0.02)


def test_missing_frequencies_cut_what_reaches_across() -> None:
    y = np.zeros(POINTS - 1)
    y[[30, 31]] = np.nan
    terms = rows("oadev", POINTS, 4)
    kept = [start + 8 <= 30 or start >= 32 for start in range(len(terms))]
    expected = by_algebra(terms[np.array(kept)], 2)
    assert degrees_of_freedom("oadev", frequency_record(y, 1.0), 4, 2) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("key", "d", "overlapping", "modified"), [
    ("adev", 2, False, False), ("oadev", 2, True, False), ("mdev", 2, True, True),
    ("hdev", 3, False, False), ("ohdev", 3, True, False),
])  # fmt: skip
def test_allantools_agrees_as_far_as_its_tables_go(key: str, d: int, overlapping: bool, modified: bool) -> None:
    """Where it sums, the sums agree to 1e-3 (it stops one lag earlier); where it takes fitted tables, to 2.5 %."""
    for alpha in range(2, -3 if d == 2 else -4, -1):
        for points, m in ((1000, 1), (1001, 10), (1001, 100), (100_000, 1000), (100_000, 20_000)):
            try:
                theirs = allantools.ci.edf_greenhall(alpha, d, m, points, overlapping, modified)
            except (NotImplementedError, IndexError, AssertionError):
                continue  # fewer averages than it has a formula for
            ours = degrees_of_freedom(key, phase_record(np.zeros(points)), m, alpha)
            assert ours == pytest.approx(theirs, rel=0.005 if m <= 10 else 0.025), (alpha, points, m)


def test_thinned_lags_give_what_all_lags_give(monkeypatch: pytest.MonkeyPatch) -> None:
    record = phase_record(np.zeros(20_000))
    cases = [(key, m, alpha) for key in ("oadev", "mdev", "ohdev") for m in (300, 3000) for alpha in (1, 0, -1, -2)]
    thin = [degrees_of_freedom(key, record, m, alpha) for key, m, alpha in cases]
    monkeypatch.setattr(edf, "EVERY_LAG", 10**9)
    every = [degrees_of_freedom(key, record, m, alpha) for key, m, alpha in cases]
    np.testing.assert_allclose(thin, every, rtol=1e-3)


def test_where_there_is_no_law_there_is_no_number() -> None:
    record = phase_record(np.zeros(100))
    assert np.isnan(degrees_of_freedom("mtie", record, 4, 0))
    assert np.isnan(degrees_of_freedom("tierms", record, 4, -1))
    assert np.isnan(degrees_of_freedom("oadev", record, 4, -3))
    assert np.isnan(degrees_of_freedom("oadev", record, 50, 0))
    assert np.isfinite(degrees_of_freedom("ohdev", record, 4, -4))
