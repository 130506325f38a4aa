"""What can be wrong with bytes that claim to come from or go to a chronyd."""

from __future__ import annotations


class ChronyError(ValueError):
    """Bytes that are not what they should be; one sentence."""


class SampleError(ChronyError):
    """A datagram that a SOCK reference clock would not take."""


class ReplyError(ChronyError):
    """A reply that is no reply to what was asked: too short, of another version, command or sequence."""


class LayoutError(ReplyError):
    """A reply in good form whose report has a layout that is not known here."""


class RefusedError(ChronyError):
    """chronyd understood the request and did not do it; `status` is its code."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)
