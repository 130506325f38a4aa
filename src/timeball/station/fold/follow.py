"""Follow the ledger from its newest snapshot: the fold's state now, whatever was killed before.

Reads only what a signed checkpoint covers, and believes an entry only on its own stream: snapshots and scale steps of
the timekeeper, readings that the collector's recorded key signed. What is not believed is reported in words and moves
nothing, neither the scale nor the clock page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.station.fold.batches import HOST, Batch, kind_of, parse_batch
from timeball.station.fold.memory import MemoryUnknown
from timeball.station.fold.rules import RulesUnknown
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, DECISIONS, INPUTS, STREAM, Decision, Timekeeping
from timeball.station.recording.ledger_reader import Entry, LedgerReader
from timeball.station.recording.newest import newest_entries, newest_entry

HOST_LOOK_BACK = 100
"""Entries before the snapshot among which readings of the host's counter are looked for, to know it at once."""
Payload = dict[str, Any]


class Follower:
    """`keeper` is the fold through entry `next` − 1; `residual_s` the output − UTC(k) at its newest epoch (s).

    `on_host` is given every believed batch of the host's counter, from a little before the snapshot on.
    """

    def __init__(self, state: Path, on_host: Callable[[Batch], None] | None = None) -> None:
        self.reader = LedgerReader(state)
        self.keeper = Timekeeping()
        self.next = 0
        self.residual_s = math.nan
        self.head_tai_ns = 0
        self.complaints: list[str] = []
        self.on_host = on_host
        self._begin()

    def take(self, most: int | None = None) -> Iterator[Decision]:
        """Fold what is new since the last call, `most` entries at most, and give what follows; exhaust the iterator."""
        size = self.reader.size()
        if most is not None:
            size = min(size, self.next + most)
        if size <= self.next:
            return
        for entry in self.reader.entries(self.next, size):
            self.head_tai_ns = int(entry.envelope.time)
            self.next = entry.index + 1
            yield from self._fold(entry)

    def take_complaints(self) -> list[str]:
        """What was not believed since the last call, a sentence each."""
        taken, self.complaints = self.complaints, []
        return taken

    def _begin(self) -> None:
        """Start from the newest snapshot and the rules that held when it was taken; from nothing when there is none."""
        for snapshot in newest_entries(self.reader, "snapshot", STREAM):
            if snapshot.envelope.version in DECISIONS["snapshot"] and self._resume(snapshot):
                return

    def _resume(self, snapshot: Entry) -> bool:
        keeper = Timekeeping()
        payload = canonical.decode(snapshot.payload or b"")
        try:
            memory = Timekeeping.from_snapshot(payload, None).memory
            through = memory.through
            for config in self.reader.entries(memory.config, memory.config + 1) if memory.config >= 0 else ():
                keeper.take_bytes(config.index, config.envelope.by, config.envelope.type, config.payload or b"")
            self.keeper = Timekeeping.from_snapshot(payload, keeper.rules)
        except (MemoryUnknown, RulesUnknown) as error:
            self.complaints.append(f"entry {snapshot.index}: this snapshot is of no use: {error}")
            return False
        self.next = through + 1
        self._look_back(through, snapshot.index)
        return True

    def config(self) -> Entry | None:
        """The newest `config` entry: one since the snapshot, or the one that the snapshot names."""
        newest = newest_entry(self.reader, "config", CONFIG, since=self.next)
        known = self.keeper.memory.config
        if newest is None and 0 <= known < self.reader.size():
            return next(self.reader.entries(known, known + 1))
        return newest

    def _look_back(self, through: int, snapshot: int) -> None:
        """What the snapshot does not hold: the residual of its epoch, and the latest of the host's counter."""
        scale = newest_entry(self.reader, "scale", STREAM, before=snapshot)
        if scale is not None:
            self._remember_residual(canonical.decode(scale.payload or b""))
        for entry in self.reader.entries(max(0, through - HOST_LOOK_BACK), through):
            if entry.envelope.type == "readings" and entry.envelope.by == COLLECTOR and entry.payload is not None:
                try:
                    self._host(self.keeper.verified_bytes(entry.payload))
                except BatchError as error:
                    self.complaints.append(f"entry {entry.index}: {error}")

    def _fold(self, entry: Entry) -> list[Decision]:
        kind, by, version = entry.envelope.type, entry.envelope.by, entry.envelope.version
        if entry.payload is None or (kind, by) not in INPUTS:
            return []
        if version not in INPUTS[kind, by]:
            self.complaints.append(f"entry {entry.index}: {kind} of version {version} is not known here")
            return []
        try:
            decisions = self._believe(entry, entry.payload)
        except (BatchError, RulesUnknown) as error:
            self.complaints.append(f"entry {entry.index}: {error}")
            return []
        for decision in decisions:
            if decision.type == "scale":
                self._remember_residual(decision.payload)
        return decisions

    def _believe(self, entry: Entry, payload: bytes) -> list[Decision]:
        envelope = entry.envelope
        if envelope.type != "readings":
            return self.keeper.take_bytes(entry.index, envelope.by, envelope.type, payload, envelope.time_ns)
        batch = self.keeper.verified_bytes(payload)
        return [] if self._host(batch) else self.keeper.take_readings(entry.index, batch, envelope.time_ns)

    def _remember_residual(self, scale: Payload) -> None:
        residual_fs = scale["output"]["residual_fs"][-1]
        self.residual_s = int(residual_fs) / 1e15 if residual_fs is not None else math.nan

    def _host(self, batch: Batch | Payload) -> bool:
        """Readings of the host's counter decide nothing in the fold; they are for the page alone."""
        if kind_of(batch) != HOST:
            return False
        if self.on_host is not None:
            self.on_host(batch if isinstance(batch, Batch) else parse_batch(batch))
        return True
