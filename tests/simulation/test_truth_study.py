"""The study of bench/truth.py in small: one drawn laboratory of two months, and the covariance over short years."""

from __future__ import annotations

import numpy as np
import pytest
from bench.truth import (
    ALGOS,
    AT1,
    BEST,
    FITTED,
    HINDSIGHT,
    SEEDS,
    TOLD,
    TRUE,
    WALKS,
    Study,
    covariance_by_year,
    study,
    table_of,
    tau_words,
    theory,
    told,
    true_rules,
)
from msgspec.structs import replace

from timeball.ensemble.noise import ClockNoise
from timeball.simulation.drawn import draw_laboratory

SEED = 9003  # not of the study
READ = f"{FITTED}, while {BEST} was read"


@pytest.fixture(scope="module")
def small() -> Study:
    print("seed", SEED)
    return study([SEED], days=60.0)


def test_every_scale_stands_beside_the_truth(small: Study) -> None:
    assert set(small.sigma) >= {TRUE, FITTED, AT1, ALGOS, BEST, HINDSIGHT, READ, TOLD, WALKS}
    for sigma in small.sigma.values():
        assert sigma.shape == (1, len(small.taus_s))
        assert (sigma > 0).all()
        assert (sigma < 1e-12).all()
    assert len(table_of(small).splitlines()) == 1 + len(small.taus_s)


def test_fitted_coefficients_serve_as_well_as_true_ones(small: Study) -> None:
    """Of one laboratory with a sixth of the record; the study itself asks for 1.15 of twenty."""
    ratio, low, high = small.ratio(FITTED, TRUE)
    assert (ratio[small.taus_s <= 86400] < 1.25).all()
    assert (ratio < 2.0).all()
    assert low.tolist() == ratio.tolist() == high.tolist(), "one laboratory has no spread"


def test_with_the_random_walks_told_the_rest_is_as_good_as_true(small: Study) -> None:
    """What the fit does not find in a short record is the walk of the clocks that anchor the drift, and that alone."""
    ratio, _, _ = small.ratio(WALKS, TRUE)
    assert (ratio < 1.25).all()


def test_what_is_told_and_what_is_not() -> None:
    laboratory = draw_laboratory(SEED, 8, days=3.0)
    fitted = true_rules(laboratory)
    names = list(fitted.noise_by_clock)
    wrong = {name: ClockNoise(wfm=1e-12, rwfm=1e-15, drifts=False) for name in names}
    rules = told(laboratory, replace(fitted, noise_by_clock=wrong), "drifts", "rwfm")
    assert {each.wfm for each in rules.noise_by_clock.values()} == {1e-12}
    assert [rules.noise_by_clock[name].rwfm for name in names] == [laboratory.noise[name].rwfm for name in names]
    drifting = {name for name in names if rules.noise_by_clock[name].drifts}
    assert drifting == {name for name in names if not laboratory.kinds[name].startswith("5071A")}
    assert drifting


def test_the_scale_is_better_than_the_best_clock(small: Study) -> None:
    ratio, _, _ = small.ratio(READ, BEST)
    assert (ratio[small.taus_s <= 2 * 86400] < 1.0).all()
    assert (small.sigma[HINDSIGHT] > 0).all()


def test_a_ratio_and_its_bounds() -> None:
    """Twenty laboratories that differ by powers of ten: each counts alike, and the level does not matter."""
    rng = np.random.default_rng(5)
    level = 10.0 ** rng.uniform(-16, -12, (20, 1))
    spread = np.exp(0.1 * rng.normal(size=(20, 3)))
    made = Study(
        tuple(range(20)), (8,) * 20, np.array([3600.0, 7200.0, 86400.0]), {"a": 2 * level * spread, "b": level}
    )
    ratio, low, high = made.ratio("a", "b")
    assert ratio == pytest.approx(2.0, rel=0.08)
    assert (low < ratio).all()
    assert (ratio < high).all()
    assert high / low == pytest.approx(np.exp(2 * 1.96 * 0.1 / np.sqrt(20)), rel=0.4)
    assert made.pooled("b") == pytest.approx(np.exp(np.log(level).mean()))


def test_theory_is_what_a_long_record_shows() -> None:
    laboratory = draw_laboratory(SEED, 8, days=200.0, outages=0.0)
    from timeball.stability import oadev

    for column, name in enumerate(laboratory.clocks):
        found = oadev(laboratory.truth[:, column], laboratory.step_s, [1, 4, 24]).sigma
        assert found == pytest.approx(theory(laboratory, name, np.array([1, 4, 24]) * laboratory.step_s), rel=0.15)


def test_the_covariance_does_not_grow() -> None:
    spread = covariance_by_year(SEED, 6, years=4, days=60.0)
    assert np.isfinite(spread).all()
    assert spread[-1] <= 1.1 * spread[1]


def test_the_seeds_of_the_study_are_its_own() -> None:
    assert len(SEEDS) == len(set(SEEDS)) == 20
    assert SEED not in SEEDS


def test_words_for_tau() -> None:
    assert [tau_words(tau_s) for tau_s in (3600.0, 57600.0, 86400.0, 2592000.0)] == ["1 h", "16 h", "1 d", "30 d"]
