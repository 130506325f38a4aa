"""What can be wrong with observations of which a link is asked."""

from __future__ import annotations


class TransferError(ValueError):
    """No link can be made of what was given."""


class NoLinkError(TransferError):
    """Nothing is left to compare; ``reasons`` counts the tracks or sessions left out, by reason."""

    def __init__(self, words: str, reasons: dict[str, int]) -> None:
        told = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
        super().__init__(f"{words}: {told}" if told else words)
        self.reasons = reasons


class CalibrationError(TransferError):
    """A table of calibrations that cannot be read, or that says something impossible."""
