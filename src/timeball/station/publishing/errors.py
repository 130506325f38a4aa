"""What can go wrong between a log that is served and whoever follows it."""

from __future__ import annotations

from pathlib import Path

from timeball.ledger.errors import LedgerError


class SourceUnreachable(ConnectionError):
    """The server did not answer in time, or answered what no log answers; asking again later is safe."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"{url}: {reason}")


class SourceDenied(PermissionError):
    """The server refused the token."""


class HeadContradiction(LedgerError):
    """A signed head that does not extend the one the mirror holds; the mirror stays as it was.

    `evidence` is the folder that keeps both heads and the hashes that show it.
    """

    def __init__(self, reason: str, evidence: Path) -> None:
        self.reason = reason
        self.evidence = evidence
        super().__init__(f"{reason}; evidence kept in {evidence}")


class EntryContradiction(LedgerError):
    """An entry under a signed head that no recorder writes; the mirror stays as it was.

    `evidence` is the folder that keeps the head, the bundle and its tile.
    """

    def __init__(self, index: int, reason: str, evidence: Path) -> None:
        self.index = index
        self.reason = reason
        self.evidence = evidence
        super().__init__(f"entry {index}: {reason}; evidence kept in {evidence}")
