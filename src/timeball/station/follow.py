"""Follow the ledger from its newest snapshot: the fold's state now, whatever was killed before.

Reads only what a signed checkpoint covers. Entries that nothing follows from are handed to whoever asked for their
type; readings with a bad signature are reported in words and move nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.batch import is_batch
from timeball.ledger.errors import BatchError
from timeball.station.ledger_reader import Entry, LedgerReader
from timeball.station.timekeeping import COLLECTOR, Decision, Timekeeping

Payload = dict[str, Any]


class Follower:
    """`keeper` is the fold through entry `next` − 1; `residual_s` the output − UTC(k) at its newest epoch (s)."""

    def __init__(self, state: Path) -> None:
        self.reader = LedgerReader(state)
        self.keeper = Timekeeping()
        self.next = 0
        self.residual_s = math.nan
        self.head_tai_ns = 0
        self.complaints: list[str] = []
        self.on_host: Callable[[Payload], None] | None = None
        self._begin()

    def _begin(self) -> None:
        """Start from the newest snapshot and the rules that held when it was taken; from nothing when there is none."""
        snapshot = self.reader.last("snapshot")
        if snapshot is None or snapshot.payload is None:
            return
        payload = canonical.decode(snapshot.payload)
        through = int(payload["memory"]["through"])
        config = self.reader.last("config", before=through)
        if config is None or config.payload is None:
            return
        self.keeper.take(config.index, config.envelope.by, "config", canonical.decode(config.payload))
        self.keeper = Timekeeping.from_snapshot(payload, self.keeper.rules)
        self.next = through + 1

    def take(self) -> Iterator[Decision]:
        """Fold every entry that is new since the last call and give what follows from each."""
        size = self.reader.size()
        if size <= self.next:
            return
        for entry in self.reader.entries(self.next, size):
            self.head_tai_ns = int(entry.envelope.time)
            yield from self._fold(entry)
            self.next = entry.index + 1

    def _fold(self, entry: Entry) -> list[Decision]:
        if entry.payload is None or entry.envelope.type not in ("config", "key", "readings"):
            return []
        payload = canonical.decode(entry.payload)
        if entry.envelope.type == "readings" and self._host(payload):
            return []
        try:
            decisions = self.keeper.take(entry.index, entry.envelope.by, entry.envelope.type, payload)
        except BatchError as error:
            self.complaints.append(f"entry {entry.index}: {error}")
            return []
        for decision in decisions:
            if decision.type == "scale":
                residual_fs = decision.payload["output"]["residual_fs"][-1]
                self.residual_s = int(residual_fs) / 1e15 if residual_fs is not None else math.nan
        return decisions

    def _host(self, payload: Payload) -> bool:
        """Readings of the host's counter decide nothing in the fold; they are for the page alone."""
        if not is_batch(payload) or payload["batch"].get("kind") != "host":
            return False
        if self.on_host is not None:
            self.on_host(payload["batch"])
        return True


__all__ = ["COLLECTOR", "Follower"]
