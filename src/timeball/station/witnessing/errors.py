"""What can go wrong between a log and its witnesses, as seen by whoever asks a witness."""

from __future__ import annotations


class WitnessError(Exception):
    """A witness did not do what was asked. `url` is the witness's."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"witness {url}: {reason}")


class WitnessUnreachable(WitnessError, ConnectionError):
    """No answer in time, or one that no witness gives; asking again later is safe."""


class WitnessRefused(WitnessError):
    """The witness answered with another status than 200; `size` is the one it holds, told with 409 (else None)."""

    def __init__(self, url: str, status: int, words: str, size: int | None = None) -> None:
        self.status = status
        self.words = words
        self.size = size
        super().__init__(url, f"refused with status {status}: {words}")


class ForkFound(WitnessError):
    """The witness shows a head that our log's key has signed and that our log does not extend: `note` proves it."""

    def __init__(self, url: str, reason: str, note: bytes) -> None:
        self.note = note
        super().__init__(url, reason)
