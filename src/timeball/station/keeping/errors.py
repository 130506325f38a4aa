"""What can stop the keeping of a ledger: a head seen elsewhere that this copy cannot extend, witnesses that are silent,
an archive that does not give back what it was given.
"""

from __future__ import annotations

from timeball.ledger.errors import EvidenceError, LedgerError


class WouldForkError(LedgerError):
    """A signed head is known elsewhere that this ledger does not reach or contradicts: signing on would be a fork.

    `size` is that head's, `ours` the number of entries here, `witness` who showed it.
    """

    def __init__(self, witness: str, size: int, ours: int, reason: str) -> None:
        self.witness = witness
        self.size = size
        self.ours = ours
        super().__init__(reason)


class WitnessesSilentError(LedgerError):
    """Too few witnesses answered to know that a copied or restored ledger is the newest one."""


class RestoreError(LedgerError):
    """A backup, a mirror or a key from which no state folder can be made."""


class ColdStorageError(EvidenceError):
    """Cold storage does not hold what it is said to hold, or cannot be read here. `file` is the part."""
