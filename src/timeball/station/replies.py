"""Ask our own NTP server over the network, like any client, and compare its answer with the output signal.

offset = served time − the output's, by the four stamps of RFC 5905 section 8, where our two are the output's time as the
caller's own counter reads it at CLOCK_MONOTONIC_RAW; delay is the round trip. One question, one answer, no retries.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from timeball.station import hostclocks

TIMEOUT_S = 0.5


class ReplyUnusable(OSError):
    """No answer, or none that can be compared; one sentence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: served − output (s), round trip (s), and whether it claimed to be in sync."""

    address: str
    offset_s: float
    delay_s: float
    in_sync: bool


def ask(address: str, tai_of_raw: Callable[[int], int]) -> Reply:
    """Ask `host:port`; `tai_of_raw` gives the output's TAI (ns) at a reading of RAW. Raises `ReplyUnusable`."""
    raise ReplyUnusable(f"{address}: not asked")
