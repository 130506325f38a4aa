"""Replay: recompute every scale step and steer from the recorded readings alone, and compare with what was recorded.

Recorded decisions are taken out and made again by the same fold that made them. Decisions must be equal exactly, phases
to 1 fs. A payload that was erased, or of a version this software does not know, is "cannot check", never "agrees".
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from timeball.ensemble.at1 import ReplayMismatch, compare_payloads
from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.station.ledger_reader import Entry, LedgerReader
from timeball.station.timekeeping import STREAM, VERSION, Decision, Timekeeping


class ReplayError(ValueError):
    """The recorded decisions do not follow from the recorded readings; one sentence says which and where."""


class ReplayReport(msgspec.Struct):
    """What a replay compared: entries read, decisions by type that agree, and what it could not check, in words."""

    entries: int = 0
    agreed: dict[str, int] = {}
    pending: int = 0
    cannot_check: list[str] = []


class Replay:
    """Feed entries in their order; raises `ReplayError` at the first decision that does not follow."""

    def __init__(self) -> None:
        self.keeper = Timekeeping()
        self.expected: deque[Decision] = deque()
        self.agreed: Counter[str] = Counter()
        self.cannot_check: list[str] = []
        self.entries = 0

    def take(self, entry: Entry) -> None:
        """One entry of the ledger."""
        self.entries += 1
        kind, by = entry.envelope.type, entry.envelope.by
        decided = by == STREAM
        if not decided and kind not in ("config", "key", "readings"):
            return
        if entry.payload is None:
            self.cannot_check.append(f"entry {entry.index}: the payload of this {kind} entry was erased")
            if decided and self.expected:
                self.expected.popleft()
            return
        payload = canonical.decode(entry.payload)
        if decided:
            self._compare(entry, payload)
            return
        try:
            self.expected.extend(self.keeper.take(entry.index, by, kind, payload))
        except BatchError as error:
            self.cannot_check.append(f"entry {entry.index}: {error}; these readings moved nothing")

    def _compare(self, entry: Entry, recorded: dict[str, Any]) -> None:
        kind = entry.envelope.type
        if entry.envelope.version != VERSION:
            self.cannot_check.append(
                f"entry {entry.index}: {kind} of version {entry.envelope.version} is not known here"
            )
            if self.expected:
                self.expected.popleft()
            return
        if not self.expected:
            raise ReplayError(f"entry {entry.index}: a {kind} is recorded that follows from no readings before it")
        decision = self.expected.popleft()
        if (decision.type, decision.seq) != (kind, entry.envelope.seq):
            raise ReplayError(
                f"entry {entry.index}: {kind} number {entry.envelope.seq} is recorded, "
                f"{decision.type} number {decision.seq} follows from the readings"
            )
        compare_decisions(entry.index, recorded, decision)
        self.agreed[kind] += 1

    def report(self) -> ReplayReport:
        """What was compared so far."""
        return ReplayReport(self.entries, dict(self.agreed), len(self.expected), self.cannot_check)


def compare_decisions(index: int, recorded: dict[str, Any], decision: Decision) -> None:
    """Raise `ReplayError` unless recorded is recomputed: phases of a scale to 1 fs, all else exactly."""
    if decision.type == "scale":
        try:
            compare_payloads(recorded, decision.payload)
        except ReplayMismatch as mismatch:
            raise ReplayError(f"entry {index}: {mismatch}") from mismatch
    for field in sorted(set(recorded) | set(decision.payload)):
        if decision.type == "scale" and field in ("x_fs", "errors_fs"):
            continue
        if recorded.get(field) != decision.payload.get(field):
            raise ReplayError(
                f"entry {index}: field {field} of the {decision.type} is recorded as {_short(recorded.get(field))}, "
                f"but {_short(decision.payload.get(field))} follows from the readings"
            )


def replay(state: Path, progress: Callable[[int, int], None] | None = None) -> ReplayReport:
    """Replay a whole ledger from its first entry; `progress` gets (entries done, entries in all)."""
    reader, run = LedgerReader(state), Replay()
    size = reader.size()
    for entry in reader.entries(0, size):
        run.take(entry)
        if progress is not None and entry.index % 256 == 0:
            progress(entry.index, size)
    return run.report()


def _short(value: object) -> str:
    text = canonical.encode(value).decode() if value is not None else "nothing"
    return text if len(text) <= 120 else text[:117] + "..."
