"""What can go wrong with the store and the recorder, as seen by whoever wants something recorded."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot do what was asked."""


class StoreDamagedError(StoreError):
    """What is on the disk contradicts its signed head, its key or itself. Nothing was overwritten."""


class StoreLockedError(StoreError):
    """Another process writes this ledger."""


class LedgerFull(StoreError):
    """The disk is full: nothing new is recorded until there is space; what was acknowledged stays."""


class StoreFailedError(LedgerFull):
    """The disk refuses to write or sync for another reason than space; what follows is the same, so is the type."""


class EntryRefusedError(StoreError):
    """The entry itself cannot stand in the ledger: its type, version, payload or `supersedes`."""


class SequenceRefusedError(StoreError):
    """A sequence number that does not follow; `expected` is the next one of the stream."""

    def __init__(self, stream: str, seq: int, expected: int, reason: str) -> None:
        self.stream = stream
        self.seq = seq
        self.expected = expected
        self.reason = reason
        super().__init__(f"stream {stream}: sequence number {seq} {reason}; the next is {expected}")


class RecorderUnavailable(StoreError):
    """The recorder did not answer in time; whether the entry was recorded is unknown, and asking again is safe."""
