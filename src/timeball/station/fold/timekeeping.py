"""The fold at the heart of the station: recorded readings in, scale steps and steers out, the same for everyone.

`Timekeeping` is a pure function of the ledger: the live timekeeper, the history of the simulated laboratory and
`timeball replay` feed it the same entries and get the same decisions, bit for bit. x_i is clock i minus TA(k);
s = UTC(k) − TA(k); the output's residual is x_OUT − s. It appends nothing, applies nothing and reads no clock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from timeball.ensemble.algorithms import State
from timeball.ensemble.errors import StateError
from timeball.integrity.anomalies.rules import AnomalyError
from timeball.integrity.anomalies.state import DetectorState
from timeball.ledger import canonical
from timeball.ledger.batch import read_signed, verify_batch
from timeball.ledger.errors import BatchError, NoteError
from timeball.ledger.note import Verifier, parse_vkey
from timeball.readings import PhaseTable
from timeball.station.fold import streams
from timeball.station.fold.batches import COMPARISON, Batch, kind_of, read_plain
from timeball.station.fold.doubts import Seen, accept, judge
from timeball.station.fold.instructions import INSTRUCTION, OPERATOR, TakeBack, mark_take_back, parse_instruction
from timeball.station.fold.memory import WITNESS_STATES, Memory, MemoryUnknown, Witnessed
from timeball.station.fold.parameters import AT1, KALMAN
from timeball.station.fold.published import keep, new_points, parse_bulletin
from timeball.station.fold.rules import Rules, RulesUnknown, rules_from_payload
from timeball.station.fold.running import States, advance_all, begin_anew, states_of, states_payload, take_over
from timeball.station.fold.scales import beside_payload, scale_payload
from timeball.station.fold.signals import later_than, only
from timeball.station.fold.steers import steer
from timeball.station.fold.tables import table_of
from timeball.station.fold.versions import INSTRUCTIONS, SINCE
from timeball.station.fold.watching import watch

STREAM = streams.STREAM
COLLECTOR = "collector"
CONFIG = "config"
WITNESS = "witness"
INPUTS = {
    ("config", CONFIG): (1, 2, 3, 4),
    ("upgrade", CONFIG): (1,),
    ("key", COLLECTOR): (1,),
    ("readings", COLLECTOR): (1,),
    ("bulletin", COLLECTOR): (1,),
    ("witnessing", WITNESS): (1,),
    (INSTRUCTION, OPERATOR): (1,),
}
"""What the fold takes: type and stream, and the versions of the entry that this software knows."""
DECISIONS = {"scale": (1,), "beside": (1,), "anomaly": (1,), "steer": (1,), "snapshot": (1, 2, 3, 4), "doubt": (1,)}
"""What it decides, and the versions known; a snapshot has the version that first had all its members."""
VERSION = 1
SNAPSHOT_OF_MANY = 3
"""Version of a snapshot that holds the state of another algorithm than AT1, or that of the detectors."""
DETECTORS = "anomalies"
DOUBT = "doubt"
FARTHEST_NS = 2**62
Payload = dict[str, Any]


class UpgradeMissing(RulesUnknown):
    """Rules of another version than before, which no `upgrade` entry announced."""


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
        self.states: States = {}
        self.detectors: DetectorState | None = None
        self.memory = Memory()

    @classmethod
    def from_snapshot(cls, payload: Payload, rules: Rules | None) -> Timekeeping:
        """Continue from the payload of a `snapshot` entry, exactly where it was taken.

        Raises `MemoryUnknown` for a payload of another form.
        """
        keeper = cls(rules)
        try:
            keeper.states = states_of(payload)
            keeper.memory = Memory.from_payload(payload["memory"])
            if DETECTORS in payload:
                keeper.detectors = DetectorState.from_payload(payload[DETECTORS])
            if keeper.memory.carrying not in keeper.states:
                raise StateError(f"no state of {keeper.memory.carrying}, which carries the scale")
        except (StateError, AnomalyError, KeyError, TypeError, AttributeError) as error:
            raise MemoryUnknown(f"this is no snapshot of the fold: {error}") from error
        return keeper

    @property
    def scale(self) -> State | None:
        """The state of the algorithm that carries TA(k); None before the first readings."""
        return self.states.get(self.memory.carrying)

    @property
    def epoch(self) -> int | None:
        """The newest epoch of TA(k) (TAI ns)."""
        return self.scale.epoch if self.scale is not None else None

    def take(self, index: int, by: str, kind: str, payload: Payload, time_ns: int | None = None) -> list[Decision]:
        """One entry of the ledger, in its order: what follows from it. Entries that decide nothing are passed over.

        `time_ns` is the time in its envelope (TAI), None when it is not asked about. Raises `BatchError` for readings
        that the collector's recorded key did not sign, or another entry that does not say what it should; it moves
        nothing. Raises `RulesUnknown` for rules of another version, `UpgradeMissing` for rules that nobody announced:
        nothing is decided until known ones follow.
        """
        if kind == "config" and by == CONFIG:
            self.memory.config = index
            self._take_rules(payload)
        elif kind == "upgrade" and by == CONFIG:
            self._take_upgrade(payload)
        elif kind == "key" and by == COLLECTOR:
            self._take_key(payload)
        elif kind == "witnessing" and by == WITNESS:
            self._take_witnessing(index, payload, time_ns)
        elif kind == "bulletin" and by == COLLECTOR:
            return self._take_bulletin(index, payload, time_ns)
        elif kind == INSTRUCTION and by == OPERATOR:
            return self._take_instruction(index, payload, time_ns)
        elif kind == "readings" and by == COLLECTOR:
            return self.take_readings(index, self.verified(payload), time_ns)
        return []

    def take_bytes(self, index: int, by: str, kind: str, payload: bytes, time_ns: int | None = None) -> list[Decision]:
        """`take` with the payload's canonical bytes as they are stored, and sooner for it."""
        if kind == "readings" and by == COLLECTOR:
            return self.take_readings(index, self.verified_bytes(payload), time_ns)
        return self.take(index, by, kind, canonical.decode(payload), time_ns)

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

    def take_readings(self, index: int, batch: Batch | Payload, time_ns: int | None = None) -> list[Decision]:
        """One batch (entry `index`) becomes a scale entry, perhaps a steer, perhaps a snapshot.

        Raises `BatchError` for a malformed one, or one ahead of its time, which moves nothing.
        """
        if self.rules is None or kind_of(batch) != COMPARISON:
            return []
        table = table_of(batch)
        _refuse_unheard_of(table)
        if time_ns is not None and self.rules.ahead_s is not None:
            _refuse_ahead(table, time_ns, self.rules.ahead_s)
        table = later_than(table, self.epoch)
        self.memory.through = index
        if not len(table.epochs):
            return []
        decisions = self._step(self.rules, index, table, time_ns)
        self.memory.scales += 1
        if self.memory.scales % self._snapshot_every(self.rules) == 0:
            decisions.append(self._snapshot())
        return decisions

    def _step(self, rules: Rules, index: int, table: PhaseTable, time_ns: int | None) -> list[Decision]:
        """What every algorithm says of these readings, and what is steered by the one that carries TA(k)."""
        if not self.states or rules.parameters(self.memory.carrying) is None:
            begin_anew(self.memory, rules)
        carrier = self.memory.carrying
        measured = only(table, rules.measured)
        self.states, every = advance_all(self.states, rules, carrier, measured)
        steps = every.pop(carrier)
        payload = scale_payload(rules, self.memory, index, steps, table)
        over = take_over(self.memory, rules, {carrier: steps, **every})
        decisions = [self._decision("scale", payload if over is None else {**payload, "takeover": over})]
        decisions += [self._decision("beside", beside_payload(index, other, steps)) for other in every.values()]
        self.detectors, found = watch(self.detectors, rules, index, steps, measured)
        decisions += [self._decision("anomaly", anomaly) for anomaly in found]
        steered = steer(rules, self.memory, index, steps if over is None else every[rules.algorithm], time_ns)
        if steered is not None:
            decisions.append(self._decision("steer", steered))
        return decisions

    def _snapshot_every(self, rules: Rules) -> int:
        """Scale entries between two snapshots; a state that grows with the square of the clocks is written more rarely.

        So a snapshot weighs no more than the scale entries since the one before, one epoch each.
        """
        kalman = self.states.get(KALMAN)
        return rules.snapshot_every if kalman is None else max(rules.snapshot_every, 6 * len(kalman.clocks))

    def residual(self, x_output_s: float, epoch: int) -> float:
        """Output minus UTC(k) (s); see `Memory.residual`."""
        return self.memory.residual(x_output_s, epoch)

    def utck_minus_utc(self, epoch: int) -> tuple[float, float, float]:
        """Offset (s), rate, and the offset's standard uncertainty (s) of UTC(k) − UTC; see `Memory`."""
        return self.memory.utck_minus_utc(epoch)

    def _take_rules(self, payload: Payload) -> None:
        before, self.rules = self.rules, None
        after = rules_from_payload(payload)
        if before is not None and after.version not in (before.version, self.memory.upgrade):
            raise UpgradeMissing(
                f"rules of version {after.version} follow those of version {before.version}, and no `upgrade` says so"
            )
        self.rules, self.memory.upgrade = after, None
        if before is None or after.interval_s != before.interval_s:
            # the detectors count cells of this length from their start
            self.detectors = None
        if after.version < SINCE["steering.law"]:
            # nothing that a snapshot for older software could not hold
            self.memory.published = self.memory.rates = None
        if after.version < INSTRUCTIONS:
            self.memory.doubted = self.memory.undo = self.memory.take_back = None

    def _take_upgrade(self, payload: Payload) -> None:
        """Rules of another version are announced; they hold from the `config` entry on that brings them."""
        said = (payload.get("from"), payload.get("to")) if isinstance(payload, dict) else (None, None)
        if self.rules is not None and (said[0] != self.rules.version or type(said[1]) is not int):
            raise BatchError(f"upgrade from {said[0]} to {said[1]}, but rules of version {self.rules.version} hold")
        self.memory.upgrade = said[1] if type(said[1]) is int else None

    def _take_witnessing(self, index: int, payload: Payload, time_ns: int | None) -> None:
        state = payload.get("state") if isinstance(payload, dict) else None
        if state not in WITNESS_STATES:
            raise BatchError(f"witnessing: the state is {state!r}, not {' or '.join(WITNESS_STATES)}")
        self.memory.witness = Witnessed(str(state), index, time_ns)

    def _take_bulletin(self, index: int, payload: Payload, time_ns: int | None) -> list[Decision]:
        """Rules that have no law for bulletins pass them over; before version 4 nobody doubts them."""
        if self.rules is None or self.rules.version < SINCE["steering.law"]:
            return []
        bulletin = parse_bulletin(self.verified(payload))
        known_ns = time_ns if time_ns is not None else self.epoch
        if known_ns is None:
            return []
        law = self.rules.steering
        points = new_points(self.memory, bulletin, law.laboratory, known_ns)
        if self.rules.version < INSTRUCTIONS or law.bulletin_sigmas == 0.0:
            keep(self.memory, points)
            return []
        return [self._decision(DOUBT, told) for told in judge(self.memory, law, Seen(points, index, known_ns))]

    def _take_instruction(self, index: int, payload: Payload, time_ns: int | None) -> list[Decision]:
        if self.rules is None or self.rules.version < INSTRUCTIONS:
            return []
        asked = parse_instruction(payload)
        if isinstance(asked, TakeBack):
            mark_take_back(self.memory, index, asked)
            return []
        known_ns = time_ns if time_ns is not None else self.epoch or 0
        return [self._decision(DOUBT, told) for told in accept(self.memory, asked.entry, known_ns, index)]

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

    def _snapshot(self) -> Decision:
        decision = self._decision("snapshot", {})
        payload = {**states_payload(self.states), "memory": self.memory.to_payload()}
        plain = set(self.states) == {AT1} and self.detectors is None
        if self.detectors is not None:
            payload[DETECTORS] = self.detectors.to_payload()
        return msgspec.structs.replace(
            decision,
            payload=payload,
            version=self.memory.version if plain else max(SNAPSHOT_OF_MANY, self.memory.version),
        )


def _refuse_unheard_of(table: PhaseTable) -> None:
    """Raise `BatchError` for epochs more than 146 years from 1970: between two of them int64 has no difference."""
    far = [int(epoch) for epoch in table.epochs.tolist() if not -FARTHEST_NS < epoch < FARTHEST_NS]
    if far:
        raise BatchError(f"epoch {far[0]} ns of TAI is of no year that a clock was read in")


def _refuse_ahead(table: PhaseTable, time_ns: int, ahead_s: float) -> None:
    """Raise `BatchError` when an epoch had not come yet when the entry was recorded."""
    newest = int(table.epochs.max()) if len(table.epochs) else time_ns
    if newest - time_ns > ahead_s * 1e9:
        raise BatchError(
            f"epoch {newest} ns of TAI is {(newest - time_ns) / 1e9:.0f} s later than the entry that reports it"
        )


@lru_cache(maxsize=16)
def _key(vkey: str) -> Verifier:
    return parse_vkey(vkey)
