"""The record of a report, computed from files of clock comparisons: for laboratories that keep files and no ledger.

Sign: clocks minus TA(k); UTC − UTC(k). Nothing is read here: tables and points come in. The signal of UTC(k) is
measured like a clock and carries nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from timeball.ensemble.algorithms import algorithm
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.steps import Steps
from timeball.formats.bulletin import LabPoints
from timeball.formats.steers import RecordedSteer
from timeball.integrity.anomalies import AnomalyError, find_in_record
from timeball.integrity.anomalies import Record as Anomalies
from timeball.readings import PhaseTable
from timeball.station.bulletin.record import Event, Points, Record, SteerLine
from timeball.station.fold.signals import against_scale, only
from timeball.station.fold.watching import phases_read


def record_of_table(table: PhaseTable, key: str, laboratory: str, source: str, utck: str | None = None) -> Record:
    """Compute the scale of a table with the algorithm of a key and tell what became of every clock.

    utck: the column that is UTC(k), if there is one. Raises ``EnsembleError`` for fewer than two clocks.
    """
    members = [name for name in table.clocks if name != utck]
    carriers = only(table, members)
    if int(np.isfinite(carriers.x).any(axis=0).sum()) < 2:
        raise EnsembleError(f"a scale needs at least two clocks with readings, here is {len(members)}")
    chosen = algorithm(key)
    steps = chosen.run(carriers, None).steps
    signal = against_scale(steps, table, utck) if utck is not None else np.empty(0)
    return Record(
        laboratory=laboratory,
        source=source,
        algorithm=chosen.name,
        epochs=steps.epochs,
        clocks=steps.clocks,
        x=steps.x,
        weight=steps.weight,
        code=steps.code,
        utck_minus_ta=signal,
        events=tuple(_events(steps, carriers)),
    )


def with_points(record: Record, points: Mapping[str, LabPoints]) -> Record:
    """The record with published points of UTC − UTC(k) by origin; an origin without points is left out."""
    added = {
        origin: Points(each.epochs, each.values_s, each.u_s) for origin, each in points.items() if len(each.epochs)
    }
    return replace(record, points={**record.points, **added})


def with_steers(record: Record, steers: Sequence[RecordedSteer]) -> Record:
    """The record with a list of steers; rates count from that before the first."""
    lines, rate = [], 0.0
    for steer in steers:
        rate += steer.change
        lines.append(SteerLine(steer.epoch, rate, steer.remark, steer.change))
    return replace(record, steers=(*record.steers, *lines))


def _events(steps: Steps, carriers: PhaseTable) -> list[Event]:
    """What the detectors find in the whole record; nothing in one that is too short for them."""
    record = Anomalies(steps.epochs, carriers.clocks, phases_read(steps, carriers), {}, carriers.reference)
    try:
        found = find_in_record(record)
    except AnomalyError:
        return []
    return [
        Event(each.epoch, ", ".join(each.clocks), f"{each.kind}{_blamed(each.origin)}", each.words) for each in found
    ]


def _blamed(origin: str) -> str:
    return "" if origin == "clock" else f", {origin}"
