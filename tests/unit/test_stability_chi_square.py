"""Quantiles of chi-square: against published tables, and against scipy where it is."""

from __future__ import annotations

import math

import pytest

from timeball.stability.chi_square import ConfidenceError, chi_square_quantile, gamma_below

# Abramowitz and Stegun, table 26.8 (there: the probability to exceed).
PRINTED = [
    (0.025, 1, "0.00098"),
    (0.975, 3, "9.34840"),
    (0.05, 10, "3.94030"),
    (0.5, 30, "29.33603"),
    (0.995, 100, "140.16949"),
]


@pytest.mark.parametrize(("p", "edf", "printed"), PRINTED)
def test_the_printed_tables(p: float, edf: int, printed: str) -> None:
    assert f"{chi_square_quantile(p, edf):.5f}" == printed


def test_two_degrees_are_an_exponential_law() -> None:
    for p in (1e-9, 0.1, 0.9, 1 - 1e-9):
        assert chi_square_quantile(p, 2.0) == pytest.approx(-2.0 * math.log1p(-p), rel=1e-7 if p > 0.99 else 1e-13)


@pytest.mark.parametrize("edf", [0.01, 0.3, 1.0, 1.7, 7.3, 146.177, 1999.5, 19_999.0, 20_001.0, 1e6])
@pytest.mark.parametrize("p", [0.0005, 0.025, 0.1585, 0.5, 0.8415, 0.975, 0.9995])
def test_scipy_agrees(p: float, edf: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = float(stats.chi2.ppf(p, edf))
    if expected > 1e-290:
        assert chi_square_quantile(p, edf) == pytest.approx(expected, rel=1e-11)


def test_the_quantile_turns_the_probability_round() -> None:
    for edf in (0.2, 1.3, 40.0, 900.0):
        for p in (0.01, 0.4, 0.99):
            assert gamma_below(edf / 2.0, chi_square_quantile(p, edf) / 2.0) == pytest.approx(p, rel=1e-12)
    assert gamma_below(3.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("p", "edf"), [(0.0, 1.0), (1.0, 1.0), (math.nan, 1.0), (0.5, 0.0), (0.5, math.nan), (0.5, math.inf)]
)
def test_what_has_no_quantile_is_refused(p: float, edf: float) -> None:
    with pytest.raises(ConfidenceError):
        chi_square_quantile(p, edf)
