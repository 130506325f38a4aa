"""The detectors of anomalies on the steps of TA(k): which clocks are watched, and what an `anomaly` entry says.

The output is steered and so not watched; a clock without weight is. What is found changes no weight: the algorithms
judge each epoch by themselves. Pure.
"""

from __future__ import annotations

from typing import Any

from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies import DetectorState
from timeball.integrity.anomalies.live import advance_phases
from timeball.station.fold.rules import Rules
from timeball.station.fold.running import first_learned

Payload = dict[str, Any]


def watch(
    state: DetectorState | None, rules: Rules, index: int, steps: Steps
) -> tuple[DetectorState | None, list[Payload]]:
    """The detectors after these epochs, and the payload of an `anomaly` entry for each that they tell of.

    None while the rules ask for no detectors, and until the scale itself has learned a clock: what it does before would
    be told of the clocks.
    """
    begin = 0 if state is not None else first_learned(steps)
    if rules.anomalies is None or begin is None:
        return None, []
    watched = [at for at, name in enumerate(steps.clocks) if name != rules.output.clock]
    after, found = advance_phases(
        state if state is not None else DetectorState.empty(),
        rules.anomalies,
        steps.epochs[begin:],
        [steps.clocks[at] for at in watched],
        steps.x[begin:, watched],
        rules.links,
        rules.reference or None,
    )
    return after, [{"readings": index, **anomaly.to_payload()} for anomaly in found]
