"""Many servers asked at once, once each, against served time as the clock page gives it.

Offset: server minus served time (s), both as counts of UTC that repeat 23:59:59 at a leap second, so that neither side
is a second off there. Plain NTP without authentication: what a look is worth rests on how many servers agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from timeball.instants import LeapTable
from timeball.protocols.ntp.client import Manner
from timeball.protocols.ntp.clientevents import Demobilised, Discarded, Kissed, Measured, Missed, Unsynchronised
from timeball.protocols.ntp.measurement import Measurement
from timeball.protocols.ntp.smear import refid_ahead_s
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.ntpasking import Asker, split_address
from timeball.station.observing.replies import counted_offset_ns

AT_ONCE = 32
TIMEOUT_NS = 10**9
FARTHEST_S = 1e9
"""A server that is off by more is off by this: the figure must fit into femtoseconds."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one server said: its offset (s), or why there is none."""

    server: str
    offset_s: float | None
    why: str = ""


def ask_pool(servers: Sequence[str], served_tai: Callable[[int], int], leaps: LeapTable) -> list[Told]:
    """Ask each of `servers` (host:port) once; `served_tai` gives served TAI (ns) at a reading of RAW."""
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, max(1, len(servers)))) as asking:
        return list(asking.map(lambda server: ask_one(server, served_tai, leaps), servers))


def ask_one(server: str, served_tai: Callable[[int], int], leaps: LeapTable) -> Told:
    """Ask `host:port` once."""
    asker = Asker(*split_address(server), Manner(timeout_ns=TIMEOUT_NS))
    why = ""
    try:
        while True:
            for event in asker.step(hostclocks.raw_ns() + TIMEOUT_NS):
                match event:
                    case Measured(measurement=measurement):
                        if refid_ahead_s(measurement.packet.refid) is not None:
                            return Told(server, None, "smears a leap second")
                        return Told(server, offset_s(measurement, served_tai, leaps))
                    case Unsynchronised(kiss=kiss):
                        return Told(server, None, f"not in sync {kiss}".strip())
                    case Kissed(code=code) | Demobilised(code=code):
                        return Told(server, None, f"refuses ({code})")
                    case Missed():
                        return Told(server, None, why or asker.trouble or "no answer")
                    case Discarded(why=words):
                        why = words
    finally:
        asker.close()


def offset_s(measured: Measurement, served_tai: Callable[[int], int], leaps: LeapTable) -> float:
    """The server's count of UTC minus ours (s)."""
    ours = 0
    for raw_ns in (measured.sent_ns, measured.received_ns):
        tai_ns = served_tai(raw_ns)
        ours += tai_ns - counted_offset_ns(tai_ns, leaps)
    return max(-FARTHEST_S, min((measured.arrived_ns + measured.left_ns - ours) / 2e9, FARTHEST_S))
