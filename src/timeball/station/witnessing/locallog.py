"""Our own log as its submitter sees it: the newest signed head, proofs between two sizes, roots of earlier sizes.

Reads only; every call opens what it needs, so several threads may ask. What it gives has been under the log's signed
head, but a proof is checked by whoever gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import make_consistency_proof, range_root
from timeball.ledger.note import Verifier, parse_vkey
from timeball.station.paths import ledger_dir


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head of our log and the note that signs it."""

    checkpoint: Checkpoint
    note: bytes

    @property
    def size(self) -> int:
        """Entries under it."""
        return self.checkpoint.size


class LocalLog:
    """The log below a station's state folder; it may not exist yet."""

    def __init__(self, state: Path) -> None:
        self._folder = ledger_dir(state)
        self._verifier: Verifier | None = None

    def verifier(self) -> Verifier | None:
        """The log's key, None before the recorder has made it; raises EvidenceError."""
        if self._verifier is None and (data := self._read("log.vkey")) is not None:
            try:
                self._verifier = parse_vkey(data.decode("utf-8", "replace"))
            except LedgerError as error:
                raise EvidenceError("ledger/log.vkey", str(error)) from error
        return self._verifier

    def newest(self) -> SignedHead | None:
        """The newest head, verified; None before the log exists. Raises EvidenceError."""
        verifier, data = self.verifier(), self._read("checkpoint")
        if verifier is None or data is None:
            return None
        try:
            return SignedHead(open_checkpoint(data, verifier), data)
        except LedgerError as error:
            raise EvidenceError("ledger/checkpoint", str(error)) from error

    def proof(self, old: int, new: int) -> list[bytes]:
        """Consistency proof from `old` to `new` entries, empty when it needs none; raises EvidenceError."""
        return make_consistency_proof(old, new, TiledLog(self._read, new).node) if 0 < old < new else []

    def root(self, size: int, newest: int) -> bytes:
        """Root of the first `size` entries, from the tiles of a head of `newest` entries; raises EvidenceError."""
        return range_root(0, size, TiledLog(self._read, newest).node)

    def _read(self, path: str) -> bytes | None:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
