"""Statements of a process on a stream of its own: leases, what was served, verdicts.

A statement that cannot be recorded now (the recorder is down, the disk is full) is said again later, if it is still
true then; nothing waits for it, and no statement moves time.
"""

from __future__ import annotations

import time
from typing import Any

from timeball.station.recording.recorder_client import LedgerFull, RecorderClient, RecorderUnavailable
from timeball.station.supervision.process import Process

QUICK_S = 2.0
Payload = dict[str, Any]


class Say:
    """Appends payloads of one type on one stream, numbered after what the recorder has."""

    def __init__(self, process: Process, stream: str, kind: str, version: int = 1) -> None:
        self.process, self.kind, self.version = process, kind, version
        self.recorder = RecorderClient(process.state, stream, timeout_s=QUICK_S)
        self.seq: int | None = None
        self.last: Payload | None = None
        self.last_said = float("-inf")

    def now(self, payload: Payload, patience_s: float = 0.0) -> bool:
        """Record a statement; true when it is durable. Tries for `patience_s` seconds, at least once."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                if self.seq is None:
                    self.seq = self.recorder.next_seq()
                self.recorder.append(self.kind, self.version, payload, self.seq)
                self.seq += 1
            except (RecorderUnavailable, LedgerFull) as error:
                self.seq = None
                if time.monotonic() >= deadline or self.process.sleep(0.2):
                    self.process.log.warning("not recorded: %s: %s", self.kind, error)
                    return False
            else:
                self.last, self.last_said = payload, time.monotonic()
                return True

    def on_change(self, payload: Payload) -> None:
        """Record a statement when it differs from the last one recorded."""
        if payload != self.last:
            self.now(payload)

    def every(self, interval_s: float, payload: Payload) -> None:
        """Record a statement when the last one is older than `interval_s`."""
        if time.monotonic() - self.last_said >= interval_s:
            self.now(payload)
