"""The detectors of anomalies on the steps of TA(k): which clocks are watched, and what an `anomaly` entry says.

The output is steered and so not watched; a clock without weight is. What is watched are phases as they were read, never
as an algorithm filtered them. What is found changes no weight: the algorithms judge each epoch by themselves. Pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies import DetectorState
from timeball.integrity.anomalies.live import advance_phases
from timeball.readings import FloatArray, PhaseTable
from timeball.station.fold.rules import Rules
from timeball.station.fold.running import first_learned

Payload = dict[str, Any]


def watch(
    state: DetectorState | None, rules: Rules, index: int, steps: Steps, table: PhaseTable
) -> tuple[DetectorState | None, list[Payload]]:
    """The detectors after these epochs, and the payload of an `anomaly` entry for each that they tell of.

    None while the rules ask for no detectors, and until the scale itself has learned a clock: what it does before would
    be told of the clocks.
    """
    begin = 0 if state is not None else first_learned(steps)
    if rules.anomalies is None or begin is None:
        return None, []
    watched = [at for at, name in enumerate(table.clocks) if name != rules.output.clock]
    after, found = advance_phases(
        state if state is not None else DetectorState.empty(),
        rules.anomalies,
        table.epochs[begin:],
        [table.clocks[at] for at in watched],
        phases_read(steps, table)[begin:, watched],
        rules.links,
        rules.reference or None,
    )
    return after, [{"readings": index, **anomaly.to_payload()} for anomaly in found]


def phases_read(steps: Steps, table: PhaseTable) -> FloatArray:
    """Phases as read against TA(k) (s, float64[m, n] by the table's clocks); NaN where there is no scale.

    What was read is told against a pivot; pivot minus TA(k) is the mean over the clocks that carried it, by weight.
    """
    total, weight = np.zeros(len(table.epochs)), np.zeros(len(table.epochs))
    for at, name in enumerate(table.clocks):
        there = steps.clocks.index(name)
        apart = table.x[:, at] - steps.x[:, there]
        # one clock after the other, so that the sum has one order on every machine
        share = np.where(np.isnan(apart), 0.0, steps.weight[:, there])
        total = total + np.where(share > 0.0, share * apart, 0.0)
        weight = weight + share
    with np.errstate(divide="ignore", invalid="ignore"):
        phases: FloatArray = table.x - (total / weight)[:, None]
    return phases
