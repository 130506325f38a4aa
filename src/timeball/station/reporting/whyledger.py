"""The audit of one clock from a ledger: what `scale` entries recorded of it, and the anomalies that name it.

Only entries under the signed head are read, each payload checked against its digest. Nothing is computed again:
`timeball replay` does that. Of a Kalman scale, whose phases are estimates, the readings that made it are read as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from timeball.ensemble.algorithms import ALGORITHMS, algorithm
from timeball.ensemble.codes import NOT_COUNTED
from timeball.ensemble.errors import EnsembleError
from timeball.ledger import canonical
from timeball.readings import FloatArray, PhaseTable
from timeball.station.fold.rules import Rules, rules_from_payload
from timeball.station.fold.tables import table_of
from timeball.station.fold.timekeeping import CONFIG, STREAM
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.reporting.why import ESTIMATES, Audit, as_read

SLACK_NS = 86400 * 10**9
"""An epoch is recorded so long after it at most: the computed past is recorded by the day."""
Payload = dict[str, Any]
Row = tuple[int, Payload, int]
"""An epoch (ns of TAI), the scale entry's payload that it stands in, and its row there."""


def audit_of_ledger(state: Path, clock: str, at: int | None, span_s: float) -> tuple[Audit, Rules]:
    """The last `span_s` before `at` (ns of TAI; None: the newest epoch), and the rules that hold.

    Of a span in which another algorithm took over only what came after is told. Raises ``EnsembleError`` when there is
    nothing of the clock.
    """
    reader = LedgerReader(state)
    size = reader.size()
    newest = newest_entry(reader, "scale", STREAM)
    config = newest_entry(reader, "config", CONFIG)
    if newest is None or config is None or config.payload is None:
        raise EnsembleError("this ledger has no scale")
    until = at if at is not None else int(canonical.decode(newest.payload or b"")["epochs"][-1])
    begin = _index_at(reader, size, until - int(span_s * 1e9))
    end = _index_at(reader, size, until + SLACK_NS)
    rows: list[Row] = []
    notes: list[tuple[int, str]] = []
    for kind, payload in _decisions(reader, begin, end):
        if kind == "scale":
            if int(payload["epochs"][0]) > until:
                break
            if rows and payload["algorithm"] != rows[-1][1]["algorithm"]:
                rows.clear()
            kept = [(int(epoch), payload, i) for i, epoch in enumerate(payload["epochs"]) if int(epoch) <= until]
            rows += [row for row in kept if row[0] > until - span_s * 1e9]
        elif clock in payload["clocks"] and int(payload["found"]) <= until:
            notes.append((int(payload["epoch"]), str(payload["words"])))
    audit = _audit(clock, rows, notes)
    return _with_readings(audit, reader, rows), rules_from_payload(canonical.decode(config.payload))


def key_of(name: str) -> str:
    """The key of an algorithm as entries call it."""
    return next(key for key in ALGORITHMS if algorithm(key).name == name)


def _decisions(reader: LedgerReader, begin: int, end: int) -> Iterator[tuple[str, Payload]]:
    for entry in reader.entries(begin, end):
        if entry.envelope.by == STREAM and entry.envelope.type in ("scale", "anomaly") and entry.payload is not None:
            yield entry.envelope.type, canonical.decode(entry.payload)


def _index_at(reader: LedgerReader, size: int, time_ns: int) -> int:
    """The first entry recorded at `time_ns` or later, by halving: times never go back."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        (_, envelope), *_ = reader.envelopes(middle, middle + 1)
        low, high = (middle + 1, high) if envelope.time_ns < time_ns else (low, middle)
    return low


def _audit(clock: str, rows: list[Row], notes: list[tuple[int, str]]) -> Audit:
    names = tuple(sorted({name for _, payload, _ in rows for name in payload["clocks"]}))
    if clock not in names:
        known = f"; there are {', '.join(names)}" if names else ""
        raise EnsembleError(f"nothing of clock {clock} is recorded before the moment that is asked about{known}")
    rows = [row for row in rows if clock in row[1]["clocks"]]
    x, weights = np.full((len(rows), len(names)), np.nan), np.zeros((len(rows), len(names)))
    for at, (_, payload, i) in enumerate(rows):
        places = [names.index(name) for name in payload["clocks"]]
        weights[at, places] = [float(weight) for weight in payload["weights"][i]]
        x[at, places] = [np.nan if x_fs is None else int(x_fs) / 1e15 for x_fs in payload["x_fs"][i]]
    mine = [(payload, i, payload["clocks"].index(clock)) for _, payload, i in rows]
    errors = [payload["errors_fs"][i][j] for payload, i, j in mine]
    epochs = np.array([epoch for epoch, _, _ in rows], np.int64)
    return Audit(
        str(rows[-1][1]["algorithm"]),
        clock,
        epochs,
        x[:, names.index(clock)],
        x[:, names.index(clock)],
        weights[:, names.index(clock)],
        np.array([np.nan if error is None else int(error) / 1e15 for error in errors]),
        np.array([payload["codes"][i][j] for payload, i, j in mine], np.int64),
        [payload["reasons"].get(payload["epochs"][i], {}).get(clock, "") for payload, i, _ in mine],
        names,
        weights,
        PhaseTable(epochs, names, x, np.full(len(epochs), -1, np.int32), "TA(k)"),
        notes,
    )


def _with_readings(audit: Audit, reader: LedgerReader, rows: list[Row]) -> Audit:
    """The audit with the readings in place of phases that are estimates; NaN where they were erased."""
    if audit.algorithm != ESTIMATES:
        return audit
    counted = audit.weights.copy()
    for at, (_, payload, i) in enumerate(row for row in rows if audit.clock in row[1]["clocks"]):
        places = [audit.names.index(name) for name in payload["clocks"]]
        counted[at, places] = np.where(np.isin(payload["codes"][i], NOT_COUNTED), 0.0, counted[at, places])
    x = _readings(audit, reader, [int(payload["readings"]) for _, payload, _ in rows])
    readings = PhaseTable(audit.epochs, audit.names, x, audit.table.pivot, audit.table.reference)
    return replace(audit, read=as_read(readings, audit.table.x, counted, audit.names, audit.clock), table=readings)


def _readings(audit: Audit, reader: LedgerReader, indices: list[int]) -> FloatArray:
    """What was read of every clock at the epochs of an audit, float64[m, n] (s), from the entries of readings."""
    at = {epoch: place for place, epoch in enumerate(audit.epochs.tolist())}
    x = np.full((len(at), len(audit.names)), np.nan)
    for index in dict.fromkeys(indices):
        [entry] = reader.entries(index, index + 1)
        if entry.payload is None:
            continue
        table = table_of(canonical.decode(entry.payload)["batch"])
        columns = [(audit.names.index(name), j) for j, name in enumerate(table.clocks) if name in audit.names]
        known = [(at[epoch], row) for row, epoch in enumerate(table.epochs.tolist()) if epoch in at]
        for place, row in known:
            x[place, [ours for ours, _ in columns]] = table.x[row, [theirs for _, theirs in columns]]
    return x
