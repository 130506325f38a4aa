"""Ask our own NTP server over the network, like any client, and compare its answer with the output signal.

offset = served time − the output's, by the four stamps of RFC 5905 section 8; our two are the output's time as the
caller's own counter reads it at CLOCK_MONOTONIC_RAW; delay is the round trip. One question, one answer, no retries.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.protocols.ntp.packet import NTPError
from timeball.station.instruments.ntpclient import exchange
from timeball.station.serving.access import OBSERVER_V4, OBSERVER_V6

SOURCES: dict[int, str] = {socket.AF_INET: OBSERVER_V4, socket.AF_INET6: OBSERVER_V6}
"""Addresses of its own, which the server answers whatever its access list and its limits say."""


class ReplyUnusable(OSError):
    """No answer, or none that is NTP; one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: whether it claimed sync, and if so served − output, round trip and root distance (s)."""

    address: str
    in_sync: bool
    offset_s: float = 0.0
    delay_s: float = 0.0
    root_distance_s: float = 0.0


def ask(address: str, tai_of_raw: Callable[[int], int], leaps: LeapTable) -> Answer:
    """Ask `host:port`; `tai_of_raw` gives the output's TAI (ns) at a reading of RAW. Raises `ReplyUnusable`."""
    try:
        asked = exchange(address, sources=SOURCES)
    except (OSError, NTPError) as error:
        raise ReplyUnusable(f"{address} did not answer as it should: {error}") from error
    if not asked.reply.in_sync:
        return Answer(address, in_sync=False)
    sent, received = tai_of_raw(asked.sent_raw_ns), tai_of_raw(asked.received_raw_ns)
    ours_twice = sent - counted_offset_ns(sent, leaps) + received - counted_offset_ns(received, leaps)
    offset_s = (sum(asked.stamps()) - ours_twice) / 2e9
    return Answer(address, True, offset_s, asked.delay_s(), asked.reply.root_distance_s)


def counted_offset_ns(tai_ns: int, leaps: LeapTable) -> int:
    """TAI − UTC (ns) where UTC counts no 61st second: it repeats 23:59:59 (`clockpage.tai_minus_utc_at` says why)."""
    leap = leaps.next_leap(tai_ns)
    if leap is not None and leap.step_s > 0 and tai_ns >= leap.tai_ns - NS_PER_SECOND:
        return leap.tai_minus_utc_s * NS_PER_SECOND
    return leaps.tai_minus_utc(tai_ns) * NS_PER_SECOND
