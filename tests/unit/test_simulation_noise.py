"""The sampled laws behind the noises, against their definitions, and the compiled loop against the uncompiled one."""

import numpy as np
import pytest

from timeball.simulation.kernels import run_noise
from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.noise import RATIO, noise_of

SEED = 1139


@pytest.mark.parametrize("kind", sorted(MODELS))
@pytest.mark.parametrize("step_s", [1.0, 60.0, 3600.0])
def test_a_step_keeps_the_stationary_law_of_every_stage(kind, step_s):
    """What a stage forgets in a step is what it is given back: its variance neither grows nor fades."""
    noise = noise_of(MODELS[kind], step_s)
    p = len(noise.phase_stages)
    for stages, initial in (
        (noise.phase_stages, noise.initial_s[2 : 2 + p]),
        (noise.rate_stages, noise.initial_s[2 + p :]),
    ):
        if len(stages):
            kept = stages[:, 0] ** 2 * initial**2 + stages[:, 1] ** 2
            assert kept == pytest.approx(initial**2, rel=1e-9)


def test_two_short_steps_gain_the_variance_of_one_long_step():
    """Phase gained over a step by flicker FM: the same law in one step as in two of half its length."""
    model = ClockModel("flicker", ffm=1e-13)
    rng = np.random.default_rng(SEED)
    gained = []
    for step_s, points in ((60.0, 2), (30.0, 3)):
        noise = noise_of(model, step_s)
        x = np.array([noise.run(noise.start(rng), points, rng)[0] for _ in range(20_000)])
        gained.append(x[:, -1] - x[:, 0])
    ratio = gained[0].var() / gained[1].var()
    # The long step lacks nothing: stages reach from well below a step to thirty years in both.
    assert ratio == pytest.approx(1.0, abs=5.0 * np.sqrt(4.0 / 20_000) + 0.01)


def test_markov_stages_make_the_flicker_spectrum():
    """Σ 4 s² T / (1 + (2π f T)²) is h/f to half a percent, in the middle of the stages."""
    noise = noise_of(ClockModel("flicker", ffm=1e-13), 1.0)
    stages = noise.rate_stages
    constant_s = -1.0 / np.log(stages[:, 0][stages[:, 0] > 1e-15])
    sigma = noise.initial_s[-1]
    f = np.logspace(-6, -3, 200)
    spectrum = (4 * sigma**2 * constant_s / (1 + (2 * np.pi * f[:, None] * constant_s) ** 2)).sum(axis=1)
    h = (1e-13) ** 2 / (2 * np.log(2))
    assert np.diff(np.log(constant_s)) == pytest.approx(np.log(RATIO), rel=1e-3)
    assert spectrum * f == pytest.approx(h, rel=5e-3)


def test_the_compiled_loop_is_the_loop_as_written():
    noise = noise_of(MODELS["active-maser"], 60.0)
    normals = np.random.default_rng(SEED).standard_normal((200, noise.columns))
    results = []
    for loop in (run_noise, run_noise.py_func):
        state, out = noise.start(np.random.default_rng(SEED)), np.empty(200)
        levels = (noise.white_phase_s, noise.white_increment_s, noise.walk)
        loop(normals, state, *levels, noise.phase_stages, noise.rate_stages, noise.step_s, out)
        results.append((out.tobytes(), state.tobytes()))
    assert results[0] == results[1]


def test_a_run_leaves_the_state_it_was_given_as_it_was():
    noise = noise_of(MODELS["ocxo"], 1.0)
    state = noise.start(np.random.default_rng(SEED))
    before = state.copy()
    noise.run(state, 10, np.random.default_rng(SEED))
    assert np.array_equal(state, before)


@pytest.mark.parametrize("step_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_step_of_no_length_is_refused(step_s):
    with pytest.raises(ValueError, match="not a positive time"):
        noise_of(MODELS["ocxo"], step_s)
