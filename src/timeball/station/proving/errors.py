"""What can be wrong with a proof of served time, by what it means for whoever asked."""

from __future__ import annotations

from timeball.ledger.errors import LedgerError


class StatementError(LedgerError):
    """A proof file whose parts do not hold, or do not belong together; `place` says which part."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class TimestampError(StatementError):
    """A time-stamp token (RFC 3161) that is malformed, of another document, or does not verify."""


class NothingServedError(ValueError):
    """No statement of the station surrounds the moment: there is nothing to prove."""


class UnreachableError(OSError):
    """A ledger or a time-stamp authority that did not answer."""
