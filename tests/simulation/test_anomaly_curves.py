"""Slow drifts and changes of noise in a drawn laboratory: the study of `bench/anomalies.py` on a small case."""

from __future__ import annotations

import pytest
from bench.anomaly_trials import LONG_DAYS, STEP_S, study

from timeball.simulation.drawn import DrawnLaboratory, draw_laboratory

SEED = 4012


@pytest.fixture(scope="module")
def laboratory() -> DrawnLaboratory:
    print(f"seed {SEED}")
    return draw_laboratory(SEED, 12, days=LONG_DAYS, step_s=STEP_S)


def test_a_slow_drift_is_found_once_it_is_large_enough(laboratory: DrawnLaboratory) -> None:
    trials = study(laboratory, SEED, {"drift": (0.1, 20.0)})
    assert [trial.told for trial in trials if trial.sigmas < 1.0] == [None] * 3
    large = [trial for trial in trials if trial.sigmas > 1.0]
    assert [trial.right for trial in large] == [True] * 3, [trial.told for trial in large]
    assert sum("drift" in trial.of_it for trial in large) >= 2


def test_louder_noise_is_called_noise(laboratory: DrawnLaboratory) -> None:
    trials = study(laboratory, SEED, {"variance": (1.0, 3.0)}, ("clock",) * 3)
    assert [trial.told for trial in trials if trial.sigmas == 1.0] == [None] * 3
    assert sum("variance" in trial.of_it for trial in trials if trial.sigmas == 3.0) >= 2
