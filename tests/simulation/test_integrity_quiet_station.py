"""The default laboratory as a station watches it: nothing happens to its clocks, and nothing is told of them."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.algorithms import algorithm
from timeball.integrity.anomalies import Anomaly, DetectorState
from timeball.integrity.anomalies.live import advance_phases
from timeball.readings import phase_table
from timeball.simulation.defaults import default_laboratory
from timeball.station.configuration.settings import Config
from timeball.station.fold.parameters import AT1, detector_rules, parameters_of
from timeball.station.fold.running import first_learned
from timeball.station.fold.signals import only
from timeball.station.fold.watching import phases_read

GENESIS_NS = 1_790_000_000 * 10**9
CONFIG = Config()


def told_of_default_laboratory(seed: int, days: int, step_of_h3_s: float = 0.0) -> list[Anomaly]:
    """What is told in so many days; H3 steps in the middle of the last."""
    step_ns = round(CONFIG.ensemble.interval_s * 1e9)
    laboratory = default_laboratory(seed, GENESIS_NS, CONFIG.ensemble.interval_s)
    epochs = GENESIS_NS + step_ns * np.arange(1, days * 86400 * 10**9 // step_ns, dtype=np.int64)
    table = only(phase_table(laboratory.readings(epochs, [])), laboratory.world.names)
    table.x[epochs > epochs[-1] - 43200 * 10**9, table.clocks.index("H3")] += step_of_h3_s
    chosen = algorithm(AT1)
    _, steps = chosen.advance(chosen.state.empty(), parameters_of(AT1, CONFIG), table)
    begin = first_learned(steps)
    assert begin is not None
    x = phases_read(steps, table)[begin:]
    rules = detector_rules(CONFIG)
    return advance_phases(DetectorState.empty(), rules, epochs[begin:], table.clocks, x, {}, laboratory.reference)[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_told_of_quiet_clocks(seed: int) -> None:
    """Masers learned beside caesium clocks were once told to have grown quiet on the first, second and eighth day."""
    assert [each.words for each in told_of_default_laboratory(seed, days=10)] == []


def test_a_step_of_a_maser_is_told() -> None:
    told = told_of_default_laboratory(3, days=3, step_of_h3_s=100e-12)
    assert [(each.kind, each.clocks) for each in told] == [("phase step", ("H3",))]
