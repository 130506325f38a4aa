"""Simulated clocks lie on the theory: each noise alone, every named model, at two steps, within confidence limits.

The estimator is allantools', which nobody here wrote. The limits come from the scatter of independent clocks, so they
hold for every noise without a formula for degrees of freedom; one percent of the variance is left for the Markov stages
that stand for flicker and for the high-frequency end of the flicker PM formula.
"""

import allantools
import numpy as np
import pytest

from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.noise import noise_of, simulate_phase

SEED = 20261122
CLOCKS = 40
STEPS = 4096
FACTORS = [1, 2, 4, 16, 64, 256]
SIGMAS = 4.5
SYSTEMATIC = 0.01

PURE = [
    ClockModel("white-pm", wpm=1e-12),
    ClockModel("flicker-pm", fpm=1e-12),
    ClockModel("white-fm", wfm=1e-12),
    ClockModel("flicker-fm", ffm=1e-12),
    ClockModel("random-walk-fm", rwfm=1e-12),
]


def avar_of_many(model: ClockModel, tau0_s: float, phases=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean AVAR of many clocks, its standard error, and τ."""
    rng = np.random.default_rng(SEED)
    if phases is None:
        phases = [simulate_phase(model, STEPS, tau0_s, rng) for _ in range(CLOCKS)]
    taus = np.array(FACTORS) * tau0_s
    variances = np.array([allantools.oadev(x, rate=1.0 / tau0_s, data_type="phase", taus=taus)[1] ** 2 for x in phases])
    return variances.mean(axis=0), variances.std(axis=0, ddof=1) / np.sqrt(len(phases)), taus


def assert_on_theory(model: ClockModel, tau0_s: float, phases=None) -> None:
    mean, error, taus = avar_of_many(model, tau0_s, phases)
    theory = model.theory_adev(taus) ** 2
    ratio, limit = mean / theory, SIGMAS * error / theory + SYSTEMATIC
    said = f"seed {SEED}, {model.name}, τ0 {tau0_s} s: AVAR/theory {ratio}, limits ± {limit}"
    assert np.all(np.abs(ratio - 1.0) < limit), said
    # The limits themselves have to be worth something: 6 % of the deviation at the first four τ.
    assert np.all(limit[:4] < 0.12), said


@pytest.mark.parametrize("tau0_s", [1.0, 60.0])
@pytest.mark.parametrize("model", [*PURE, *MODELS.values()], ids=lambda model: model.name)
def test_adev_lies_on_the_theory(model, tau0_s):
    assert_on_theory(model, tau0_s)


def test_a_model_that_is_wrong_by_a_tenth_is_noticed():
    rng = np.random.default_rng(SEED)
    louder = ClockModel("louder", wfm=1.1e-12)
    phases = [simulate_phase(louder, STEPS, 1.0, rng) for _ in range(CLOCKS)]
    with pytest.raises(AssertionError):
        assert_on_theory(ClockModel("stated", wfm=1e-12), 1.0, phases)


def test_drift_alone_is_exact():
    x = simulate_phase(ClockModel("drift", drift=3e-15), 1000, 10.0, np.random.default_rng(SEED))
    taus, deviations, _, _ = allantools.oadev(x, rate=0.1, data_type="phase", taus=[10.0, 100.0, 1000.0])
    assert deviations == pytest.approx(3e-15 * taus / np.sqrt(2.0), rel=1e-9)


@pytest.mark.parametrize("model", [MODELS["active-maser"], MODELS["rubidium"]], ids=lambda model: model.name)
def test_noise_in_runs_of_any_length_is_one_noise(model):
    """Runs that carry their state give the same ADEV as one long run: no seam at the joints."""
    rng = np.random.default_rng(SEED)
    noise = noise_of(noises_of(model), 60.0)
    phases = []
    for _ in range(CLOCKS):
        state, parts = noise.start(rng), []
        for length in [1, 7, 64, 1024, 3000]:
            part, state = noise.run(state, length, rng)
            parts.append(part)
        phases.append(np.concatenate(parts))
    assert_on_theory(noises_of(model), 60.0, phases)


def test_a_longer_step_is_the_same_clock_seen_less_often():
    """Every sixtieth point of a clock stepped each second and a clock stepped each minute agree with one theory."""
    model = noises_of(MODELS["active-maser"])
    rng = np.random.default_rng(SEED)
    phases = [simulate_phase(model, STEPS * 60, 1.0, rng)[::60] for _ in range(6)]
    mean, _, taus = avar_of_many(model, 60.0, phases)
    ratio = mean / model.theory_adev(taus) ** 2
    assert np.all(np.abs(ratio[:4] - 1.0) < 0.12), f"seed {SEED}: {ratio}"


def test_real_caesium_clock_is_no_worse_than_its_model(shared):
    """A real 5071A against a maser (allantools' data, 1 s): its data-sheet model is an upper limit, and no wild one."""
    x = np.loadtxt(shared("allantools-tests/tests/Cs5071A/5071A_phase.txt.gz"))
    taus, deviations, _, _ = allantools.oadev(x, rate=1.0, data_type="phase", taus=[1000.0, 4000.0, 16000.0])
    ratio = deviations / MODELS["5071A"].theory_adev(taus)
    assert np.all(ratio < 1.0), ratio
    assert np.all(ratio > 0.2), ratio


def noises_of(model: ClockModel) -> ClockModel:
    """The model with its noises alone."""
    return ClockModel(model.name, model.wpm, model.fpm, model.wfm, model.ffm, model.rwfm)
