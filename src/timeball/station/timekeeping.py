"""The fold at the heart of the station: recorded readings in, scale steps and steers out, the same for everyone.

`Timekeeping` is a pure function of the ledger: the live timekeeper, the history of the simulated laboratory and
`timeball replay` feed it the same entries and get the same decisions, bit for bit. x_i is clock i minus TA(k);
s = UTC(k) − TA(k); the output's residual is x_OUT − s. It appends nothing, applies nothing and reads no clock.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from timeball.ensemble.at1 import AT1State, AT1Steps, advance
from timeball.ledger.batch import verify_batch
from timeball.ledger.errors import BatchError
from timeball.ledger.note import parse_vkey
from timeball.readings import EpochArray, FloatArray, PhaseTable, phase_table
from timeball.station.batches import readings_of
from timeball.station.rules import Rules, rules_from_payload, without_floats
from timeball.steering.envelope import Envelope
from timeball.steering.offset import fit_offset
from timeball.steering.paper import PaperOffset
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.propose import SteerProposal, propose_steer

STREAM = "timekeeping"
COLLECTOR = "collector"
VERSION = 1
LEAST_POINTS = 24
"""Readings of UTC before the first steer: a day of hourly ones."""


class Decision(msgspec.Struct, frozen=True):
    """One entry to be: its type and payload; every decision of the fold has the next number of the stream."""

    seq: int
    type: str
    payload: dict[str, Any]
    version: int = VERSION


class Command(msgspec.Struct, frozen=True):
    """What the stepper was last ordered: its number and the rate of the output against its source."""

    id: int = 0
    rate: float = 0.0


class UTCPoint(msgspec.Struct, frozen=True, array_like=True):
    """UTC − TA(k) (s) at an epoch (TAI ns), as read over the link."""

    epoch: int
    x_s: float


class Memory(msgspec.Struct):
    """Everything the fold remembers between two batches, apart from the ensemble's own state."""

    emitted: int = 0
    through: int = -1
    scales: int = 0
    paper: PaperOffset | None = None
    points: list[UTCPoint] = msgspec.field(default_factory=list)
    steered: int | None = None
    tracked: int | None = None
    command: Command = Command()
    collector: str = ""


class Timekeeping:
    """Fold readings into TA(k), UTC(k) and orders for the output; see the module's docstring for the signs."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules
        self.at1 = AT1State.empty()
        self.memory = Memory()

    @classmethod
    def from_snapshot(cls, payload: dict[str, Any], rules: Rules) -> Timekeeping:
        """Continue from the payload of a `snapshot` entry, exactly where it was taken."""
        keeper = cls(rules)
        keeper.at1 = AT1State.from_payload(payload["at1"])
        keeper.memory = msgspec.convert(payload["memory"], Memory, strict=False)
        return keeper

    def take(self, index: int, by: str, kind: str, payload: dict[str, Any]) -> list[Decision]:
        """One entry of the ledger, in its order: what follows from it. Entries that decide nothing are passed over.

        Raises `BatchError` for readings that the collector's recorded key did not sign; they move nothing.
        """
        if kind == "config":
            self.rules = rules_from_payload(payload)
        elif kind == "key" and by == COLLECTOR and payload["name"] == COLLECTOR:
            self.memory.collector = payload["vkey"]
        elif kind == "readings" and by == COLLECTOR:
            if not self.memory.collector:
                raise BatchError("no key of the collector is recorded before its readings")
            return self.take_readings(index, verify_batch(payload, parse_vkey(self.memory.collector)))
        return []

    def take_readings(self, index: int, batch: dict[str, Any]) -> list[Decision]:
        """One batch (entry `index`) becomes a scale entry, perhaps a steer, perhaps a snapshot."""
        self.memory.through = index
        if self.rules is None or batch["kind"] != "comparison":
            return []
        table = self._new_epochs(phase_table(readings_of(batch), None))
        if not len(table.epochs):
            return []
        self.at1, steps = advance(self.at1, self.rules.at1, without(table, self.rules.steering.utc))
        decisions = [self._decision("scale", self._scale_payload(index, steps, table))]
        steer = self._steer(index, steps)
        if steer is not None:
            decisions.append(self._decision("steer", steer))
        self.memory.scales += 1
        if self.memory.scales % self.rules.snapshot_every == 0:
            decisions.append(self._snapshot())
        return decisions

    def residual(self, x_output_s: float, epoch: int) -> float:
        """Output minus UTC(k) (s): what the signal does that neither TA(k) nor the steers explain."""
        return x_output_s - self.memory.paper.at(epoch) if self.memory.paper is not None else float("nan")

    def utck_minus_utc(self, epoch: int) -> tuple[float, float, float]:
        """Offset (s), rate, and the offset's standard uncertainty (s) of UTC(k) − UTC; NaN before a day of points."""
        points, paper = self.memory.points, self.memory.paper
        if paper is None or len(points) < LEAST_POINTS:
            return float("nan"), float("nan"), float("nan")
        epochs = np.array([point.epoch for point in points], np.int64)
        x_s, y, u_s, _ = fit_offset(epochs, np.array([point.x_s for point in points]), epoch)
        return paper.at(epoch) - x_s, paper.rate_at(epoch) - y, u_s

    def _new_epochs(self, table: PhaseTable) -> PhaseTable:
        """Only what is later than the scale: a batch that arrives again, or late, never turns the scale back."""
        if self.at1.epoch is None:
            return table
        later = table.epochs > self.at1.epoch
        return replace(table, epochs=table.epochs[later], x=table.x[later])

    def _decision(self, kind: str, payload: dict[str, Any]) -> Decision:
        self.memory.emitted += 1
        return Decision(self.memory.emitted, kind, payload)

    def _scale_payload(self, index: int, steps: AT1Steps, table: PhaseTable) -> dict[str, Any]:
        assert self.rules is not None
        output = _against_scale(steps, table, self.rules.output.clock)
        utc = _against_scale(steps, table, self.rules.steering.utc)
        self._start_paper(steps.epochs, output)
        self._remember_utc(steps.epochs, utc)
        residuals = [self.residual(float(x), int(epoch)) for epoch, x in zip(steps.epochs, output, strict=True)]
        seen = [(int(epoch), float(x)) for epoch, x in zip(steps.epochs, utc, strict=True) if not math.isnan(x)]
        return {
            "readings": index,
            **steps.to_payload(),
            "rates": [_text(float(y)) for y in steps.y[-1]],
            "paper": self._paper_payload(),
            "output": {"residual_fs": [_femtoseconds(residual) for residual in residuals]},
            "utc": {
                "epochs": [str(epoch) for epoch, _ in seen],
                "utck_minus_utc_fs": [_femtoseconds(-self.residual(x, epoch)) for epoch, x in seen],
            },
        }

    def _paper_payload(self) -> dict[str, Any] | None:
        """UTC(k) − TA(k) as it holds from this step on, so that a reader need not fold the steers."""
        if self.memory.paper is None:
            return None
        return big_epochs(without_floats(msgspec.to_builtins(self.memory.paper)), "epoch", "change")

    def _start_paper(self, epochs: EpochArray, output: FloatArray) -> None:
        """UTC(k) begins where the output signal is, with the rate of TA(k)."""
        if self.memory.paper is None:
            for epoch, x in zip(epochs, output, strict=True):
                if not math.isnan(x):
                    self.memory.paper = PaperOffset(int(epoch), float(x), 0.0)
                    return

    def _remember_utc(self, epochs: EpochArray, utc: FloatArray) -> None:
        assert self.rules is not None
        self.memory.points += [
            UTCPoint(int(epoch), float(x)) for epoch, x in zip(epochs, utc, strict=True) if not math.isnan(x)
        ]
        oldest = int(epochs[-1]) - int(self.rules.steering.window_s * 1e9)
        self.memory.points = [point for point in self.memory.points if point.epoch >= oldest]

    def _steer(self, index: int, steps: AT1Steps) -> dict[str, Any] | None:
        """The paper steer when its day has come, and the order that makes the output follow UTC(k)."""
        assert self.rules is not None
        law, memory, now = self.rules.steering, self.memory, int(steps.epochs[-1])
        if not law.enabled or memory.paper is None or not _due(memory.tracked, now, law.tracking_interval_s):
            return None
        change = now + int(self.rules.interval_s * 1e9)
        payload: dict[str, Any] = {
            "readings": index,
            "epoch": str(now),
            "paper": None,
            "estimate": None,
            "commands": [],
        }
        words = []
        if _due(memory.steered, now, law.interval_s) and len(memory.points) >= LEAST_POINTS:
            proposal = self._propose(now)
            memory.paper, memory.steered = memory.paper.steered(change, proposal.rate), now
            payload["paper"] = {"epoch": str(change), "rate": _text(proposal.rate)}
            payload["estimate"] = {"x_s": _text(proposal.x_s), "y": _text(proposal.y), "limited": proposal.limited}
            words.append(proposal.why)
        words.append(self._track(payload, steps, change))
        memory.tracked = now
        return {**payload, "why": "; ".join(words)}

    def _propose(self, now: int) -> SteerProposal:
        assert self.rules is not None
        assert self.memory.paper is not None
        law = self.rules.steering
        x_s, y, _ = self.utck_minus_utc(now)
        envelope = Envelope(law.max_rate_change, law.max_rate, law.max_phase_per_day_s)
        placement = PolePlacement(law.interval_s, law.time_constant_s)
        return propose_steer(x_s, y, self.memory.paper.rate_at(now), placement, envelope)

    def _track(self, payload: dict[str, Any], steps: AT1Steps, change: int) -> str:
        """Order the rate that brings the output onto UTC(k), or say in words why not; `payload` gets the command."""
        assert self.rules is not None
        assert self.memory.paper is not None
        output, source = self.rules.output, _place(steps.clocks, self.rules.output.source)
        place = _place(steps.clocks, output.clock)
        x = float(steps.x[-1, place]) if place is not None else float("nan")
        residual = self.residual(x, int(steps.epochs[-1]))
        if source is None or math.isnan(residual):
            return "no order: the output or its source was not measured at this epoch"
        if abs(residual) > output.residual_limit_s:
            return (
                f"no order: the output is {residual * 1e9:.2f} ns from TA(k) + steers, "
                f"more than the limit of {output.residual_limit_s * 1e9:.2f} ns"
            )
        rate = self.memory.paper.rate_at(change) - float(steps.y[-1, source])
        rate = rate - residual / self.rules.steering.tracking_time_constant_s
        self.memory.command = Command(self.memory.command.id + 1, rate)
        payload["commands"] = [
            {"id": self.memory.command.id, "epoch": str(change), "rate": _text(rate), "phase_step_fs": "0"}
        ]
        return f"the output follows UTC(k): residual {residual * 1e9:.3f} ns, rate {rate:.3e} against {output.source}"

    def _snapshot(self) -> Decision:
        decision = self._decision("snapshot", {})
        memory = big_epochs(without_floats(msgspec.to_builtins(self.memory)), "steered", "tracked")
        memory["paper"] = self._paper_payload()
        memory["points"] = [[str(point.epoch), repr(point.x_s)] for point in self.memory.points]
        return msgspec.structs.replace(decision, payload={"at1": self.at1.to_payload(), "memory": memory})


def paper_of(payload: dict[str, Any] | None) -> PaperOffset | None:
    """The paper offset of a scale entry's payload."""
    return msgspec.convert(payload, PaperOffset, strict=False) if payload is not None else None


def big_epochs(payload: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The payload with the named epochs as decimal strings: they exceed 2⁵³."""
    return {key: str(value) if key in keys and value is not None else value for key, value in payload.items()}


def without(table: PhaseTable, clock: str) -> PhaseTable:
    """The table without one column: the link to UTC is read for steering and is no clock of the laboratory."""
    places = [place for place, name in enumerate(table.clocks) if name != clock]
    return replace(table, clocks=tuple(table.clocks[place] for place in places), x=table.x[:, places])


def _against_scale(steps: AT1Steps, table: PhaseTable, signal: str) -> FloatArray:
    """x of a signal against TA(k) (s, float64[m]) through the first clock read with it; NaN where there is none."""
    x = np.full(len(table.epochs), np.nan)
    place = _place(table.clocks, signal)
    if place is None:
        return x
    for name in (name for name in table.clocks if name != signal and name in steps.clocks):
        through = table.x[:, place] - table.x[:, table.clocks.index(name)] + steps.x[:, steps.clocks.index(name)]
        x = np.where(np.isnan(x), through, x)
    return x


def _place(clocks: tuple[str, ...], name: str) -> int | None:
    return clocks.index(name) if name in clocks else None


def _due(last: int | None, now: int, interval_s: float) -> bool:
    return last is None or now - last >= int(interval_s * 1e9)


def _text(value: float) -> str:
    return repr(value)


def _femtoseconds(x_s: float) -> str | None:
    return str(round(x_s * 1e15)) if not math.isnan(x_s) else None
