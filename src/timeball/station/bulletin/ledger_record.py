"""The record of a report, read from a ledger: what was decided and recorded, nothing computed again.

Only entries under the signed head are read, each payload checked against its digest, and each type is believed on its
own stream alone. Sign: clocks minus TA(k); UTC − UTC(k).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from timeball.ensemble.codes import NOISE_STEP, PHASE_STEP, RATE_STEP
from timeball.ensemble.steps import CODES
from timeball.ledger import canonical
from timeball.station.bulletin.record import (
    CIRCULAR_T,
    LINK,
    UTCR,
    Event,
    FloatArray,
    Points,
    Record,
    ReportError,
    SteerLine,
)
from timeball.station.fold.memory import paper_of
from timeball.station.fold.published import parse_bulletin
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, STREAM
from timeball.station.recording.ledger_reader import Entry, LedgerReader

FS_PER_S = 1e15
STEPS = (PHASE_STEP, RATE_STEP, NOISE_STEP)
NAMES = {"circular-t": CIRCULAR_T, "utcr": UTCR}
Payload = dict[str, Any]


def record_of_ledger(state: Path) -> Record:
    """Read the ledger of a state folder.

    Raises ``ReportError`` when no scale is recorded, and ``EvidenceError`` where bytes do not lead to the signed head.
    """
    reader = LedgerReader(state)
    reading = _Reading()
    for entry in reader.entries():
        reading.take(entry)
    head = reader.checkpoint()
    if head is None or not reading.epochs:
        raise ReportError(f"{state}: no step of a scale is recorded in this ledger")
    root = head.root.hex()
    return reading.record(f"ledger {head.origin}: {head.size} entries under the signed head {root[:16]}…{root[-4:]}")


class _Reading:
    """Entries as they come, rows as dictionaries: clocks may join and leave."""

    def __init__(self) -> None:
        self.config: Payload = {}
        self.detects = False
        self.published: dict[str, dict[int, tuple[float, float]]] = {CIRCULAR_T: {}, UTCR: {}}
        self.algorithm = ""
        self.epochs: list[int] = []
        self.rows: list[tuple[tuple[str, ...], FloatArray, FloatArray, list[int]]] = []
        self.utck_minus_ta: list[float] = []
        self.utc: list[tuple[int, float]] = []
        self.steers: list[SteerLine] = []
        self.events: list[Event] = []

    def take(self, entry: Entry) -> None:
        """One entry; what is erased or of no concern is passed over."""
        by, kind = entry.envelope.by, entry.envelope.type
        taker = {
            (STREAM, "scale"): self._scale,
            (STREAM, "steer"): self._steer,
            (STREAM, "anomaly"): self._anomaly,
            (COLLECTOR, "bulletin"): self._bulletin,
            (CONFIG, "config"): self._config,
        }
        take = taker.get((by, kind))
        if take is not None and entry.payload is not None:
            take(canonical.decode(entry.payload))

    def _config(self, payload: Payload) -> None:
        self.config = payload["config"]
        self.detects = payload["rules"].get("anomalies") is not None

    def _scale(self, payload: Payload) -> None:
        self.algorithm = payload["algorithm"]
        names = tuple(payload["clocks"])
        x, weight = _seconds(payload["x_fs"]), np.array(payload["weights"], dtype=np.float64)
        paper = paper_of(payload["paper"])
        for place, epoch in enumerate(map(int, payload["epochs"])):
            self.epochs.append(epoch)
            self.rows.append((names, x[place], weight[place], payload["codes"][place]))
            self.utck_minus_ta.append(paper.at(epoch) if paper is not None else np.nan)
        utc = payload["utc"]
        pairs = zip(utc["epochs"], utc["utck_minus_utc_fs"], strict=True)
        self.utc += [(int(epoch), -int(x_fs) / FS_PER_S) for epoch, x_fs in pairs if x_fs is not None]
        if not self.detects:
            self._steps(payload)

    def _anomaly(self, payload: Payload) -> None:
        where = payload.get("link") or ", ".join(payload["clocks"])
        origin = "" if payload["origin"] == "clock" else f", {payload['origin']}"
        self.events.append(Event(int(payload["epoch"]), where, f"{payload['kind']}{origin}", payload["words"]))

    def _bulletin(self, payload: Payload) -> None:
        """A row of the BIPM's: for a date given twice the later bulletin stands."""
        bulletin = parse_bulletin(payload["batch"])
        if bulletin.laboratory == self.config.get("station", {}).get("name"):
            u_s = float("nan") if bulletin.u_fs is None else int(bulletin.u_fs) / FS_PER_S
            values = zip(bulletin.epochs, bulletin.utc_minus_utck_fs, strict=True)
            self.published[NAMES[bulletin.kind]].update({int(epoch): (int(x) / FS_PER_S, u_s) for epoch, x in values})

    def _steps(self, payload: Payload) -> None:
        """The steps that the algorithm absorbed, where no detectors look for them; its own words are recorded."""
        rows = {epoch: place for place, epoch in enumerate(payload["epochs"])}
        for epoch, words in payload["reasons"].items():
            for name, why in words.items():
                code = payload["codes"][rows[epoch]][payload["clocks"].index(name)]
                if code in STEPS:
                    self.events.append(Event(int(epoch), name, CODES[code], why))

    def _steer(self, payload: Payload) -> None:
        if payload["paper"] is not None:
            epoch, rate = int(payload["paper"]["epoch"]), float(payload["paper"]["rate"])
            change = rate - self.steers[-1].rate if self.steers else math.nan
            self.steers.append(SteerLine(epoch, rate, payload["why"], change))

    def record(self, source: str) -> Record:
        """Everything read, as arrays in the order of time."""
        station, output = self.config.get("station", {}), self.config.get("output", {})
        steering = self.config.get("steering", {})
        kinds = {clock["name"]: clock["kind"] for clock in self.config.get("clock", [])}
        signals = tuple(filter(None, (output.get("clock"), steering.get("utc"))))
        names = tuple(sorted({name for row in self.rows for name in row[0]}))
        x, weight, code = self._arrays(names)
        link_u = float(self.config.get("simulation", {}).get("utc_noise_s", "nan")) if self._simulated() else np.nan
        utc = sorted(self.utc)
        points = {LINK: _points({epoch: (value, link_u) for epoch, value in utc})}
        points |= {origin: _points(found) for origin, found in self.published.items() if found}
        return Record(
            laboratory=station.get("name", "?"),
            source=source,
            algorithm=self.algorithm,
            epochs=np.array(self.epochs, np.int64),
            clocks=names,
            x=x,
            weight=weight,
            code=code,
            simulated=self._simulated(),
            kinds=kinds,
            signals=signals,
            utck_minus_ta=np.array(self.utck_minus_ta),
            points=points,
            steers=tuple(self.steers),
            events=tuple(self.events),
        )

    def _simulated(self) -> bool:
        return any(each.get("kind") == "simulated" for each in self.config.get("instrument", []))

    def _arrays(self, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray, Any]:
        place_of = {name: place for place, name in enumerate(names)}
        x = np.full((len(self.rows), len(names)), np.nan)
        weight, code = np.zeros(x.shape), np.full(x.shape, 2, np.int8)  # 2: missing
        columns: dict[tuple[str, ...], list[int]] = {}
        for row, (clocks, x_row, weight_row, code_row) in enumerate(self.rows):
            places = columns.setdefault(clocks, [place_of[name] for name in clocks])
            x[row, places], weight[row, places], code[row, places] = x_row, weight_row, code_row
        return x, weight, code


def _points(found: dict[int, tuple[float, float]]) -> Points:
    epochs = sorted(found)
    columns = np.array([found[epoch] for epoch in epochs], np.float64).reshape(len(epochs), 2)
    return Points(np.array(epochs, np.int64), columns[:, 0].copy(), columns[:, 1].copy())


def _seconds(rows: list[list[str | None]]) -> FloatArray:
    return np.array([[np.nan if text is None else int(text) / FS_PER_S for text in row] for row in rows])
