"""Replay: recompute every scale step and steer from the recorded readings alone, and compare with what was recorded.

Recorded decisions are taken out and made again by the same fold that made them; `comparing` says when two are the same.
What was erased, or is of a version this software does not know, is "cannot check", never "agrees": where readings are
gone, the fold goes on from the next recorded snapshot, and what lies between is said to be unchecked.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.station.fold.comparing import ReplayError, compare_decisions
from timeball.station.fold.memory import MemoryUnknown
from timeball.station.fold.rules import Rules, RulesUnknown
from timeball.station.fold.timekeeping import CONFIG, DECISIONS, INPUTS, STREAM, Decision, Timekeeping, UpgradeMissing
from timeball.station.recording.ledger_reader import Entry, LedgerReader

__all__ = ["Replay", "ReplayError", "ReplayReport", "replay"]

Payload = dict[str, Any]
_ENCODER = msgspec.json.Encoder(order="sorted")


class ReplayReport(msgspec.Struct):
    """What a replay compared: entries read, decisions by type that agree, decisions that follow and are not recorded
    yet, decisions that could not be checked, and why, in words.
    """

    entries: int = 0
    agreed: dict[str, int] = {}
    pending: int = 0
    unchecked: int = 0
    cannot_check: list[str] = []


class Replay:
    """Feed entries in their order; raises `ReplayError` at the first decision that does not follow."""

    def __init__(self) -> None:
        self.keeper = Timekeeping()
        self.expected: deque[Decision] = deque()
        self.agreed: Counter[str] = Counter()
        self.cannot_check: list[str] = []
        self.entries = 0
        self.unchecked = 0
        self._rules: list[tuple[int, Rules | None]] = []
        self._lost = False
        self._lost_at = -1
        self._waiting: list[Entry] = []

    def take(self, entry: Entry) -> None:
        """One entry of the ledger."""
        self.entries += 1
        kind, by = entry.envelope.type, entry.envelope.by
        if by == STREAM:
            self._decided(entry)
        elif kind in DECISIONS:
            raise ReplayError(entry.index, f"a {kind} is recorded by stream {by}; only {STREAM} decides")
        elif (kind, by) in INPUTS:
            self._input(entry)

    def report(self) -> ReplayReport:
        """What was compared so far."""
        return ReplayReport(self.entries, dict(self.agreed), len(self.expected), self.unchecked, self.cannot_check)

    def _input(self, entry: Entry) -> None:
        kind, by, version = entry.envelope.type, entry.envelope.by, entry.envelope.version
        if entry.payload is None:
            self._lose_input(entry, f"the payload of this {kind} entry was erased")
        elif version not in INPUTS[kind, by]:
            self._lose_input(entry, f"{kind} of version {version} is not known here")
        else:
            if self._lost:
                self._waiting.append(entry)
            if not self._lost or by == CONFIG:
                self._feed(entry, entry.payload)

    def _lose_input(self, entry: Entry, why: str) -> None:
        self._lose(entry, why)
        self._lost_at = entry.index
        if entry.envelope.by == CONFIG:
            # whatever rules come next, what announced them may have been in this entry
            self.keeper.rules = None
        if entry.envelope.type == "config":
            self._rules.append((entry.index, None))

    def _feed(self, entry: Entry, payload: bytes) -> None:
        try:
            envelope = entry.envelope
            self.expected.extend(
                self.keeper.take_bytes(entry.index, envelope.by, envelope.type, payload, envelope.time_ns)
            )
        except BatchError as error:
            self.cannot_check.append(f"entry {entry.index}: {error}; this entry moved nothing")
        except UpgradeMissing as error:
            raise ReplayError(entry.index, str(error)) from error
        except RulesUnknown as error:
            self.cannot_check.append(f"entry {entry.index}: {error}")
        if entry.envelope.type == "config":
            self._rules.append((entry.index, self.keeper.rules))

    def _decided(self, entry: Entry) -> None:
        kind, version = entry.envelope.type, entry.envelope.version
        if self._rules and self.keeper.rules is None and not (self._lost or self.expected):
            # unknown rules that only rest in the ledger change nothing; a decision made by them leads elsewhere
            self._lose(entry, f"this {kind} was decided by rules that are not known here")
        if entry.payload is None:
            self._skip(entry, f"the payload of this {kind} entry was erased")
        elif version not in DECISIONS.get(kind, (1,)):
            self._skip(entry, f"{kind} of version {version} is not known here")
        elif self.expected or not self._lost:
            self._compare(entry, entry.payload)
        elif kind != "snapshot" or not self._resume(entry.index, canonical.decode(entry.payload)):
            self.unchecked += 1

    def _skip(self, entry: Entry, why: str) -> None:
        """A decision that cannot be compared; the fold, which does not need it, goes on."""
        self.unchecked += 1
        self.cannot_check.append(f"entry {entry.index}: {why}")
        if self.expected:
            self.expected.popleft()

    def _lose(self, entry: Entry, why: str) -> None:
        """What follows from here on is not known, up to a snapshot."""
        self.cannot_check.append(f"entry {entry.index}: {why}: decisions up to the next snapshot cannot be checked")
        self._lost = True

    def _resume(self, index: int, payload: Payload) -> bool:
        """Go on from a snapshot as it is recorded, with what was read after the readings it rests on."""
        try:
            through = Timekeeping.from_snapshot(payload, None).memory.through
            rules = next((rules for at, rules in reversed(self._rules) if at < through), None)
            if rules is None or through < self._lost_at:
                return False
            self.keeper = Timekeeping.from_snapshot(payload, rules)
        except MemoryUnknown as error:
            self.cannot_check.append(f"entry {index}: {error}")
            return False
        self.unchecked += 1
        self.cannot_check.append(f"entry {index}: this snapshot is taken as recorded, and replayed from here on")
        self._lost, waiting, self._waiting = False, self._waiting, []
        for entry in waiting:
            if entry.index > through and entry.payload is not None:
                self._feed(entry, entry.payload)
        return True

    def _compare(self, entry: Entry, recorded: bytes) -> None:
        kind, seq = entry.envelope.type, entry.envelope.seq
        if not self.expected:
            raise ReplayError(entry.index, f"a {kind} is recorded that follows from no readings before it")
        decision = self.expected.popleft()
        if (decision.type, decision.seq) != (kind, seq):
            raise ReplayError(
                entry.index,
                f"{kind} number {seq} is recorded, {decision.type} number {decision.seq} follows from the readings",
            )
        if entry.envelope.version != decision.version:
            said = f"{kind} of version {entry.envelope.version} is recorded, one of version {decision.version} follows"
            raise ReplayError(entry.index, said)
        # nearly always the same bytes, and the fold gives nothing that is not canonical; where they differ, another
        # machine's last femtosecond may be the reason
        if _ENCODER.encode(decision.payload) != recorded:
            compare_decisions(entry.index, canonical.decode(recorded), decision)
        self.agreed[kind] += 1


def replay(state: Path, progress: Callable[[int, int], None] | None = None) -> ReplayReport:
    """Replay a whole ledger from its first entry; `progress` gets (entries done, entries in all).

    Raises `ReplayError`, and `EvidenceError` where bytes do not lead to the signed head.
    """
    reader, run = LedgerReader(state), Replay()
    size = reader.size()
    for entry in reader.entries(0, size):
        run.take(entry)
        if progress is not None and (entry.index % 256 == 0 or entry.index == size - 1):
            progress(entry.index + 1, size)
    return run.report()
