"""The named models against the figures of the data sheets they stand for."""

import numpy as np
import pytest

from timeball.simulation.models import MODELS, ClockModel

# kind, τ (s), greatest ADEV, least ADEV: data sheets give upper limits; half of one is still that clock.
FIGURES = [
    ("5071A", 100.0, 2.71e-12, 1.3e-12),
    ("5071A", 10_000.0, 2.75e-13, 1.3e-13),
    ("5071A-high-performance", 100.0, 8.6e-13, 4e-13),
    ("5071A-high-performance", 10_000.0, 8.6e-14, 4e-14),
    ("5071A-high-performance", 432_000.0, 2e-14, 5e-15),
    ("active-maser", 1.0, 1.5e-13, 8e-14),
    ("active-maser", 100.0, 7e-15, 2e-15),
    ("active-maser", 10_000.0, 2e-15, 5e-16),
    ("passive-maser", 1.0, 1e-12, 4e-13),
    ("passive-maser", 86_400.0, 6e-15, 2e-15),
    ("rubidium", 1.0, 2e-11, 5e-12),
    ("rubidium", 100.0, 2e-12, 5e-13),
    ("ocxo", 1.0, 1e-12, 5e-13),
]


@pytest.mark.parametrize(("kind", "tau_s", "greatest", "least"), FIGURES)
def test_model_matches_the_data_sheet(kind, tau_s, greatest, least):
    assert least < float(MODELS[kind].theory_adev(tau_s)) <= greatest


def test_six_models_known_by_their_own_names():
    assert set(MODELS) == {
        "5071A",
        "5071A-high-performance",
        "active-maser",
        "passive-maser",
        "rubidium",
        "ocxo",
    }
    assert all(MODELS[name].name == name for name in MODELS)


@pytest.mark.parametrize("noise", ["wpm", "fpm", "wfm", "ffm", "rwfm"])
def test_a_coefficient_is_the_adev_at_one_second(noise):
    assert float(ClockModel("one", **{noise: 3e-12}).theory_adev(1.0)) == pytest.approx(3e-12, rel=1e-12)


@pytest.mark.parametrize(
    ("noise", "slope"), [("wpm", -1.0), ("wfm", -0.5), ("ffm", 0.0), ("rwfm", 0.5), ("drift", 1.0)]
)
def test_slopes_of_the_power_laws(noise, slope):
    low, high = ClockModel("one", **{noise: 1e-12}).theory_adev([10.0, 1000.0])
    assert np.log10(high / low) / 2.0 == pytest.approx(slope, abs=1e-12)


def test_flicker_pm_falls_a_little_slower_than_white_pm():
    low, high = ClockModel("one", fpm=1e-12).theory_adev([10.0, 1000.0])
    assert -1.0 < np.log10(high / low) / 2.0 < -0.8


def test_parts_add_as_squares():
    both = ClockModel("both", wfm=3e-12, ffm=4e-12)
    assert float(both.theory_adev(1.0)) == pytest.approx(5e-12, rel=1e-12)


def test_every_model_has_a_best_averaging_time():
    """The rate filter of the ensemble takes τ_min from here: it must exist and lie inside a year."""
    taus = np.logspace(0, 8, 400)
    for model in MODELS.values():
        best = taus[np.argmin(model.theory_adev(taus))]
        assert best < 366 * 86_400.0, (model.name, best)
