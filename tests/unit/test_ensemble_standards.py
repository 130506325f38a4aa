"""The rate of a scale from reports of frequency standards: weights, what reports share, noise in the gaps, steering."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import numpy as np
import pytest

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.noise import ClockNoise
from timeball.ensemble.standards import EAL_NOISE, Correction, chi2_tail, estimate_rate, mean_correction, weighted_mean
from timeball.ensemble.standards_noise import laboratory_of, report_covariance, scale_covariance, transition_of
from timeball.formats import PSFSReport

QUIET = ClockNoise(wfm=1e-22)
DAY_S = 86_400.0
ROOT = Path(__file__).resolve().parents[2]


def report(name: str, start: float, end: float, d: float, u_a: float, u_b: float = 0.0, **more: float) -> PSFSReport:
    parts = {"u_lab": 0.0, "u_tai": 0.0, "u_srep": 0.0} | more
    u = math.sqrt(u_a**2 + u_b**2 + parts["u_lab"] ** 2 + parts["u_tai"] ** 2)
    return PSFSReport(name, start, end, d, u_a, u_b, parts["u_lab"], parts["u_tai"], u, parts["u_srep"])


@pytest.mark.parametrize("noise", [ClockNoise(wfm=3e-13), ClockNoise(ffm=2e-16), ClockNoise(rwfm=1e-19), EAL_NOISE])
@pytest.mark.parametrize("days", [1.0, 5.0, 30.0])
def test_the_covariance_of_adjacent_means_is_twice_the_allan_variance(noise: ClockNoise, days: float) -> None:
    found = scale_covariance([(61000.0, 61000.0 + days)], (61000.0 + days, 61000.0 + 2 * days), noise)[0, 0]
    assert found == pytest.approx(2 * noise.avar(days * DAY_S), rel=1e-9)


def test_the_covariance_of_the_interval_itself_is_nothing_and_any_is_positive() -> None:
    intervals = [(61000.0, 61030.0), (61010.0, 61020.0), (61030.0, 61060.0), (60700.0, 60705.0)]
    covariance = scale_covariance(intervals, intervals[0], EAL_NOISE)
    assert np.abs(covariance[0]).max() < 1e-6 * covariance[1, 1]
    assert np.linalg.eigvalsh(covariance).min() > -1e-9 * covariance[1, 1]


def test_random_run_noise_is_refused() -> None:
    with pytest.raises(EnsembleError, match="remove its drift"):
        estimate_rate([report("A-1", 61000, 61030, 0.0, 1e-16)], 61000, 61030, ClockNoise(rrfm=1e-25))


def test_independent_reports_of_the_same_days_are_weighed_by_their_uncertainties() -> None:
    reports = [report("A-1", 61000, 61030, 1e-16, 1e-16), report("B-1", 61000, 61030, 4e-16, 2e-16)]
    found = estimate_rate(reports, 61000, 61030, QUIET)
    assert found.weights == pytest.approx([0.8, 0.2])
    assert (found.d, found.u) == (pytest.approx(1.6e-16), pytest.approx(math.sqrt(0.8) * 1e-16))
    assert (found.mean_d, found.mean_u) == (pytest.approx(found.d), pytest.approx(found.u))
    assert (found.chi2, found.degrees, found.y) == (pytest.approx(9 / 5), 1, -found.d)


def test_the_recommended_frequency_counts_in_the_weight_and_is_shared_by_one_transition() -> None:
    strontium = [report(f"{lab}-Sr1", 61000, 61030, 0.0, 1e-17, u_srep=2e-16) for lab in ("A", "B", "C")]
    assert estimate_rate(strontium, 61000, 61030, QUIET).u > 2e-16
    mixed = [strontium[0], report("B-Yb1", 61000, 61030, 0.0, 1e-17, u_srep=2e-16)]
    assert estimate_rate(mixed, 61000, 61030, QUIET).u == pytest.approx(math.hypot(1e-17, 2e-16) / math.sqrt(2))
    fountain = report("A-CsF1", 61000, 61030, 0.0, 2e-16)
    weights = estimate_rate([fountain, strontium[0]], 61000, 61030, QUIET).weights
    assert weights[0] == pytest.approx((4e-32 + 1e-34) / (8e-32 + 1e-34))


def test_repeating_a_standard_does_not_get_below_its_systematic_uncertainty() -> None:
    reports = [report("A-CsF1", 60700 + 30 * k, 60730 + 30 * k, 0.0, 1e-17, 2e-16) for k in range(12)]
    assert estimate_rate(reports, 60700, 61060, QUIET).u > 2e-16


def test_what_reports_share_by_their_days() -> None:
    same = [report("A-1", 61000, 61020, 0.0, 1.0), report("A-1", 61010, 61030, 0.0, 1.0)]
    assert report_covariance(same)[0, 1] == 0.5
    links = [report("A-1", 61000, 61020, 0.0, 0.0, u_tai=1.0), report("A-2", 61020, 61040, 0.0, 0.0, u_tai=1.0)]
    assert report_covariance(links)[0, 1] == -0.5  # the phase where one ends and the other begins
    assert report_covariance([links[0], report("B-2", 61020, 61040, 0.0, 0.0, u_tai=1.0)])[0, 1] == 0.0


def test_noise_in_the_gap_takes_weight_from_reports_far_away() -> None:
    near, far = report("A-1", 61000, 61030, 0.0, 3e-16), report("B-1", 60640, 60670, 5e-16, 3e-16)
    quiet, noisy = (
        estimate_rate([near, far], 61000, 61030, noise) for noise in (QUIET, ClockNoise(wfm=4e-13, rwfm=3e-19))
    )
    assert quiet.weights == pytest.approx([0.5, 0.5])
    assert noisy.weights[0] > 0.8
    assert math.isnan(estimate_rate([far], 61000, 61030).mean_d)


def test_an_interval_without_a_report_is_bridged_with_more_uncertainty() -> None:
    reports = [report("A-1", 61000, 61030, 1e-16, 1e-16), report("A-2", 61090, 61120, 3e-16, 1e-16)]
    inside, between = (estimate_rate(reports, start, start + 30) for start in (61000, 61045))
    assert between.d == pytest.approx(2e-16)
    assert between.u > inside.u


def test_each_report_stands_against_the_others() -> None:
    reports = [
        report(f"{lab}-1", 61000 + 20 * k, 61030 + 20 * k, k * 1e-16, 1e-16 * (k + 1)) for k, lab in enumerate("ABCD")
    ]
    found = estimate_rate(reports, 61000, 61060)
    for k, one in enumerate(reports):
        others = estimate_rate([each for each in reports if each is not one], one.start_mjd, one.end_mjd)
        assert found.off[k] == pytest.approx(one.d - others.d)
        assert found.u_off[k] == pytest.approx(math.hypot(one.u, others.u))
    alone = estimate_rate(reports[:1], 61000, 61030)
    assert (alone.degrees, math.isnan(alone.off[0])) == (0, True)


def test_known_steering_is_no_change_of_the_free_scale() -> None:
    corrections = [Correction(61000, 61030, 0.0), Correction(61030, 61060, 5e-16)]
    # the free scale has y = 2e-16 throughout: steered by −5e-16 from 61030 on, so that d = −y jumps up
    reports = [report("A-1", 61000, 61030, -2e-16, 1e-16), report("B-1", 61030, 61060, 3e-16, 1e-16)]
    after = estimate_rate(reports, 61030, 61060, QUIET, corrections)
    assert after.d == pytest.approx(3e-16)
    assert after.chi2 == pytest.approx(0.0, abs=1e-9)
    assert estimate_rate(reports, 61000, 61060, QUIET, corrections).d == pytest.approx(0.5e-16)
    assert estimate_rate(reports, 61030, 61060, QUIET).chi2 > 10


def test_steering_that_leaves_a_part_open_or_contradicts_itself_is_refused() -> None:
    known = [Correction(61000, 61030, 1e-15), Correction(61030, 61060, 2e-15)]
    assert mean_correction(known, 61015, 61045) == pytest.approx(1.5e-15)
    assert mean_correction([*known, known[0]], 61000, 61010) == pytest.approx(1e-15)
    with pytest.raises(EnsembleError, match="MJD 61060"):
        mean_correction(known, 61015, 61065)
    with pytest.raises(EnsembleError, match="MJD 60990"):
        mean_correction(known, 60990, 61010)
    with pytest.raises(EnsembleError, match="two steering corrections hold at MJD 61020"):
        mean_correction([*known, Correction(61020, 61040, 3e-15)], 61000, 61010)


def test_what_cannot_be_weighed_is_refused() -> None:
    with pytest.raises(EnsembleError, match="needs a report"):
        estimate_rate([], 61000, 61030)
    with pytest.raises(EnsembleError, match="not empty"):
        estimate_rate([report("A-1", 61000, 61030, 0.0, 1e-16)], 61030, 61030)
    twice = [report("A-1", 61000, 61030, d, 0.0, 1e-16) for d in (0.0, 1e-16)]
    with pytest.raises(EnsembleError, match="share all"):
        estimate_rate(twice, 61000, 61030, QUIET)


def test_names_tell_laboratory_and_transition() -> None:
    names = ("SYRTE-FORb", "NICT-Sr1", "IT-Yb1", "SYRTE-SrB", "PTB-CSF2", "SYRTE-FO2", "NIM5", "SU-CsFO2")
    assert [transition_of(name) for name in names] == ["Rb", "Sr", "Yb", "Sr", "", "", "", ""]
    assert [laboratory_of(name) for name in names[:2]] == ["SYRTE", "NICT"]


def test_the_plain_mean_takes_reports_by_their_middle() -> None:
    reports = [report("A-1", 61000, 61030, 1e-16, 1e-16), report("B-1", 61020, 61060, 9e-16, 1e-16)]
    assert weighted_mean(reports, 61000, 61030) == (pytest.approx(1e-16), pytest.approx(1e-16))


def test_simulated_years_are_covered_at_the_stated_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study of `bench/bulletins.py` with another seed, cut down."""
    monkeypatch.syspath_prepend(str(ROOT))
    study = importlib.import_module("bench.bulletins")
    seed, count = 20_261_123, 200
    print("seed", seed)
    rng = np.random.default_rng(seed)
    years = [study.simulated_year(rng) for _ in range(count)]
    scores = [(year.found.d - year.true_d) / year.found.u for year in years]
    off = np.concatenate([year.found.off / year.found.u_off for year in years])
    degrees = sum(year.found.degrees for year in years)
    # 4 standard deviations of each figure; a year's own residuals are correlated, so its reports count as one
    assert np.mean(np.abs(scores) < 1.96) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / count))
    assert np.std(scores) == pytest.approx(1.0, abs=4 / math.sqrt(2 * count))
    assert sum(year.found.chi2 for year in years) == pytest.approx(degrees, abs=4 * math.sqrt(2 * degrees))
    assert np.std(off) == pytest.approx(1.0, abs=4 / math.sqrt(2 * count))


@pytest.mark.parametrize(
    ("chi2", "degrees", "tail"),  # tables of the chi² distribution
    [(3.8414588, 1, 0.05), (5.9914645, 2, 0.05), (7.8147279, 3, 0.05), (18.307038, 10, 0.05), (24.724970, 11, 0.01)],
)
def test_the_tail_of_chi2(chi2: float, degrees: int, tail: float) -> None:
    assert chi2_tail(chi2, degrees) == pytest.approx(tail, rel=1e-6)
    assert chi2_tail(0.0, degrees) == 1.0
    assert math.isnan(chi2_tail(chi2, 0))


def test_neither_the_order_of_reports_nor_the_origin_of_time_nor_a_useless_report_matters() -> None:
    reports = [
        report(f"{lab}-1", 61000 + 15 * k, 61025 + 15 * k, k * 1e-16, 2e-16, 1e-16) for k, lab in enumerate("ABCB")
    ]
    found = estimate_rate(reports, 61000, 61060)
    turned = estimate_rate(reports[::-1], 61000, 61060)
    later = [report(each.standard, each.start_mjd + 7, each.end_mjd + 7, each.d, 2e-16, 1e-16) for each in reports]
    useless = [*reports, report("D-1", 61000, 61030, 1e-12, 1e-9)]
    for other in (turned, estimate_rate(later, 61007, 61067), estimate_rate(useless, 61000, 61060)):
        assert other.d == pytest.approx(found.d, rel=1e-6)
        assert other.u == pytest.approx(found.u, rel=1e-6)
    assert turned.weights[::-1] == pytest.approx(found.weights)
    raised = [report(each.standard, each.start_mjd, each.end_mjd, each.d + 5e-15, 2e-16, 1e-16) for each in reports]
    assert estimate_rate(raised, 61000, 61060).d == pytest.approx(found.d + 5e-15)
