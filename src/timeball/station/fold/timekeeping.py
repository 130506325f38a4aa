"""The fold at the heart of the station: recorded readings in, scale steps and steers out, the same for everyone.

`Timekeeping` is a pure function of the ledger: the live timekeeper, the history of the simulated laboratory and
`timeball replay` feed it the same entries and get the same decisions, bit for bit. x_i is clock i minus TA(k);
s = UTC(k) − TA(k); the output's residual is x_OUT − s. It appends nothing, applies nothing and reads no clock.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import msgspec

from timeball.ensemble.at1 import AT1State, AT1Steps, StateError, advance
from timeball.ledger import canonical
from timeball.ledger.batch import read_signed, verify_batch
from timeball.ledger.errors import BatchError, NoteError
from timeball.ledger.note import Verifier, parse_vkey
from timeball.readings import EpochArray, FloatArray, PhaseTable
from timeball.station.fold.batches import COMPARISON, Batch, kind_of, read_plain
from timeball.station.fold.memory import Memory, MemoryUnknown, UTCPoint, paper_of, paper_payload
from timeball.station.fold.rules import Rules, RulesUnknown, rules_from_payload
from timeball.station.fold.signals import against_scale, later_than, only
from timeball.station.fold.steers import steer
from timeball.station.fold.tables import table_of
from timeball.steering.paper import PaperOffset

__all__ = ["COLLECTOR", "STREAM", "VERSION", "Decision", "Timekeeping", "paper_of"]

STREAM = "timekeeping"
COLLECTOR = "collector"
CONFIG = "config"
VERSION = 1
Payload = dict[str, Any]


class Decision(msgspec.Struct, frozen=True):
    """One entry to be: its type and payload; every decision of the fold has the next number of the stream."""

    seq: int
    type: str
    payload: Payload
    version: int = VERSION


class Timekeeping:
    """Fold readings into TA(k), UTC(k) and orders for the output; see the module's docstring for the signs."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules
        self.at1 = AT1State.empty()
        self.memory = Memory()

    @classmethod
    def from_snapshot(cls, payload: Payload, rules: Rules | None) -> Timekeeping:
        """Continue from the payload of a `snapshot` entry, exactly where it was taken.

        Raises `MemoryUnknown` for a payload of another form.
        """
        keeper = cls(rules)
        try:
            keeper.at1 = AT1State.from_payload(payload["at1"])
            keeper.memory = Memory.from_payload(payload["memory"])
        except (StateError, KeyError, TypeError, AttributeError) as error:
            raise MemoryUnknown(f"this is no snapshot of the fold: {error}") from error
        return keeper

    def take(self, index: int, by: str, kind: str, payload: Payload) -> list[Decision]:
        """One entry of the ledger, in its order: what follows from it. Entries that decide nothing are passed over.

        Raises `BatchError` for readings that the collector's recorded key did not sign, or a key that is none; they
        move nothing. Raises `RulesUnknown` for rules of another version; nothing is decided until known ones follow.
        """
        if kind == "config" and by == CONFIG:
            self.memory.config = index
            self._take_rules(payload)
        elif kind == "key" and by == COLLECTOR:
            self._take_key(payload)
        elif kind == "readings" and by == COLLECTOR:
            return self.take_readings(index, self.verified(payload))
        return []

    def take_bytes(self, index: int, by: str, kind: str, payload: bytes) -> list[Decision]:
        """`take` with the payload's canonical bytes as they are stored, and sooner for it."""
        if kind == "readings" and by == COLLECTOR:
            return self.take_readings(index, self.verified_bytes(payload))
        return self.take(index, by, kind, canonical.decode(payload))

    def verified(self, payload: Payload) -> Payload:
        """The batch of a readings entry, when the collector's recorded key signed it; raises `BatchError`."""
        if not self.memory.collector:
            raise BatchError("no key of the collector is recorded before its readings")
        if not isinstance(payload, dict):
            raise BatchError("a signed batch is an object")
        return verify_batch(payload, _key(self.memory.collector))

    def verified_bytes(self, payload: bytes) -> Batch | Payload:
        """`verified` for canonical bytes; gives a `Batch` at once where it is as this software writes them."""
        if self.memory.collector:
            signed = read_signed(payload, _key(self.memory.collector))
            batch = read_plain(signed) if signed is not None else None
            if batch is not None:
                return batch
        return self.verified(canonical.decode(payload))

    def take_readings(self, index: int, batch: Batch | Payload) -> list[Decision]:
        """One batch (entry `index`) becomes a scale entry, perhaps a steer, perhaps a snapshot.

        Raises `BatchError` for a malformed one, which moves nothing.
        """
        if self.rules is None or kind_of(batch) != COMPARISON:
            return []
        table = later_than(table_of(batch), self.at1.epoch)
        self.memory.through = index
        if not len(table.epochs):
            return []
        self.at1, steps = advance(self.at1, self.rules.at1, only(table, self.rules.measured))
        decisions = [self._decision("scale", self._scale(self.rules, index, steps, table))]
        steered = steer(self.rules, self.memory, index, steps)
        if steered is not None:
            decisions.append(self._decision("steer", steered))
        self.memory.scales += 1
        if self.memory.scales % self.rules.snapshot_every == 0:
            decisions.append(self._snapshot())
        return decisions

    def residual(self, x_output_s: float, epoch: int) -> float:
        """Output minus UTC(k) (s); see `Memory.residual`."""
        return self.memory.residual(x_output_s, epoch)

    def utck_minus_utc(self, epoch: int) -> tuple[float, float, float]:
        """Offset (s), rate, and the offset's standard uncertainty (s) of UTC(k) − UTC; see `Memory`."""
        return self.memory.utck_minus_utc(epoch)

    def _take_rules(self, payload: Payload) -> None:
        try:
            self.rules = rules_from_payload(payload)
        except RulesUnknown:
            self.rules = None
            raise

    def _take_key(self, payload: Payload) -> None:
        """The collector's stream names the key it signs with; a payload that names none changes nothing."""
        if not isinstance(payload, dict) or payload.get("name") != COLLECTOR:
            return
        try:
            self.memory.collector = parse_vkey(str(payload.get("vkey"))).vkey
        except NoteError as error:
            raise BatchError(f"key of the collector: {error}") from error

    def _decision(self, kind: str, payload: Payload) -> Decision:
        self.memory.emitted += 1
        return Decision(self.memory.emitted, kind, payload)

    def _scale(self, rules: Rules, index: int, steps: AT1Steps, table: PhaseTable) -> Payload:
        """The payload of a `scale` entry; `paper` is UTC(k) − TA(k) as it held at these epochs."""
        epochs: list[int] = steps.epochs.tolist()
        output = against_scale(steps, table, rules.output.clock)
        utc = against_scale(steps, table, rules.steering.utc)
        self._start_paper(steps.epochs, output)
        seen = [UTCPoint(epoch, x) for epoch, x in zip(epochs, utc.tolist(), strict=True) if not math.isnan(x)]
        self.memory.remember_utc(seen, epochs[-1] - int(rules.steering.window_s * 1e9))
        residuals = [self.residual(x, epoch) for epoch, x in zip(epochs, output.tolist(), strict=True)]
        return {
            "readings": index,
            **steps.to_payload(),
            "rates": [repr(y) for y in steps.y[-1].tolist()],
            "paper": paper_payload(self.memory.paper),
            "output": {"residual_fs": [_femtoseconds(residual) for residual in residuals]},
            "utc": {
                "epochs": [str(point.epoch) for point in seen],
                "utck_minus_utc_fs": [_femtoseconds(-self.residual(point.x_s, point.epoch)) for point in seen],
            },
        }

    def _start_paper(self, epochs: EpochArray, output: FloatArray) -> None:
        """UTC(k) begins where the output signal is, with the rate of TA(k)."""
        if self.memory.paper is None:
            for epoch, x in zip(epochs.tolist(), output.tolist(), strict=True):
                if not math.isnan(x):
                    self.memory.paper = PaperOffset(epoch, x, 0.0)
                    return

    def _snapshot(self) -> Decision:
        decision = self._decision("snapshot", {})
        payload = {"at1": self.at1.to_payload(), "memory": self.memory.to_payload()}
        return msgspec.structs.replace(decision, payload=payload)


@lru_cache(maxsize=16)
def _key(vkey: str) -> Verifier:
    return parse_vkey(vkey)


def _femtoseconds(x_s: float) -> str | None:
    return str(round(x_s * 1e15)) if not math.isnan(x_s) else None
