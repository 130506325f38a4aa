"""The detectors, live: the next steps of a scale in, the anomalies told by them out.

Sign: phases are clock minus scale. What it does not do: look at a clock's weight or at what the scale's algorithm
decided; only the clocks' own phases count, in whole femtoseconds as the ledger records them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from timeball.ensemble.steps import FS_PER_S, Steps
from timeball.integrity.anomalies import kernels
from timeball.integrity.anomalies.anomaly import Anomaly
from timeball.integrity.anomalies.findings import Group, to_anomaly
from timeball.integrity.anomalies.rules import AnomalyError, AnomalyRules
from timeball.integrity.anomalies.state import DetectorState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
LEAST_ROOM = 64


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
    return advance_phases(state, rules, steps.epochs, steps.clocks, steps.x, links or {}, reference)


def advance_phases(
    state: DetectorState,
    rules: AnomalyRules,
    epochs: IntArray,
    clocks: Sequence[str],
    x_s: FloatArray,
    links: Mapping[str, str],
    reference: str | None,
    *,
    outside: bool = False,
) -> tuple[DetectorState, list[Anomaly]]:
    """`advance_detectors` for phases float64[m, n] (s) against anything the clocks have in common.

    outside: the phases are against the reference, which is none of the clocks, and each clock is judged by them
    alone; then a step that all clocks have in common is the reference's.
    """
    _check_order(state, epochs)
    names = tuple(sorted({*state.clocks, *clocks}))
    groups = group_rows(names, links, reference, outside=outside)
    after = state.with_names(names, [group.name for group in groups if group.link], rules.levels)
    if not len(epochs):
        return after, []
    after.start = int(epochs[0]) if after.start is None else after.start
    after.epoch = int(epochs[-1])
    interval_ns = round(rules.interval_s * 1e9)
    index = (epochs.astype(np.int64) - after.start + interval_ns // 2) // interval_ns
    phases = np.full((len(epochs), len(names)), np.nan)
    phases[:, [names.index(name) for name in clocks]] = np.rint(x_s * FS_PER_S)
    member = np.array([[name in group.clocks and group.told for name in names] for group in groups], dtype=np.bool_)
    found = np.zeros((LEAST_ROOM + 4 * len(names) + len(epochs), kernels.COLUMNS))
    filled = kernels.advance_cells(
        index,
        phases,
        member.reshape(len(groups), len(names)),
        outside,
        after.ring,
        after.cell,
        after.mean,
        after.square,
        after.count,
        after.alarm,
        np.array(rules.thresholds()),
        float(rules.min_freedom),
        rules.memory,
        float(rules.variance_threshold),
        after.noise_sum,
        after.noise_count,
        found,
    )
    anomalies = [to_anomaly(row, groups, rules, after.start, epochs) for row in found[:filled].tolist()]
    for anomaly in anomalies:
        places = [names.index(name) for name in anomaly.clocks]
        after.held[places] = np.maximum(after.held[places], anomaly.readmit)
    return after, anomalies


def group_rows(names: Sequence[str], links: Mapping[str, str], reference: str | None, *, outside: bool) -> list[Group]:
    """What can be blamed: every clock, then every link by name, and last an outside reference.

    A link that carries every clock but the reference cannot be told from the reference, and is not told.
    """
    rows = [Group(name, (name,), "reference" if name == reference else "clock", link=False) for name in names]
    carried = {link: tuple(name for name in names if links.get(name) == link) for link in sorted(set(links.values()))}
    everyone = {name for name in names if name != reference}
    rest = [name for name in carried if name != reference or not outside]
    rows += [Group(name, carried[name], "link", link=True, told=set(carried[name]) != everyone) for name in rest]
    if outside:
        rows.append(Group(reference or "reference", tuple(names), "reference", link=True))
        rows[len(names) :] = sorted(rows[len(names) :], key=lambda group: group.name)
    return rows


def _check_order(state: DetectorState, epochs: IntArray) -> None:
    if len(epochs) and state.epoch is not None and int(epochs[0]) <= state.epoch:
        raise AnomalyError(f"epoch {int(epochs[0])} ns of TAI is not after {state.epoch}, which is done already")
    late = np.flatnonzero(np.diff(epochs) <= 0)
    if late.size:
        raise AnomalyError(f"epoch {int(epochs[late[0] + 1])} ns of TAI stands after {int(epochs[late[0]])}")
