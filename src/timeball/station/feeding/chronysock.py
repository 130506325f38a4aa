"""A chronyd on this host as an output: samples true − system for its SOCK reference clock.

chronyd makes the socket when it starts. It may not be there yet, or be gone for a restart: then the turn is lost and
the next one tries again, by name, so that a new chronyd is found. Nothing is sent while sync may not be claimed: then
chronyd finds its source unreachable by itself, as it would a GNSS receiver that lost its antenna.

The system clock is read between two readings of RAW, so it does not matter how chronyd moves it meanwhile.
"""

from __future__ import annotations

import socket

from timeball.protocols.chrony.errors import SampleError
from timeball.protocols.chrony.sock import Sample, build_sample
from timeball.station.configuration.outputs import ChronySock
from timeball.station.feeding.base import WIDEST_NS, outcome_of
from timeball.station.feeding.served import ClockView, Served
from timeball.station.hosttime import hostclocks
from timeball.station.page.feedpage import CHRONY_SOCK, Outcome


class ChronySockFeed:
    """Sends to one socket."""

    kind = CHRONY_SOCK
    rate = 0.0
    steps = 0
    clock_class = 0

    def __init__(self, settings: ChronySock) -> None:
        self.name = f"chronyd at {settings.path}"
        self.every_s = settings.every_s
        self._path = settings.path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def turn(self, view: ClockView) -> tuple[Outcome, Served, float | None]:
        """One sample; the offset is UTC − system clock."""
        pair = hostclocks.bracket()
        served = view.at(pair.raw_ns)
        if not served.in_sync:
            return Outcome.WITHHELD, served, None
        if served.at_a_leap:
            return Outcome.AT_A_LEAP, served, None
        if pair.width_ns > WIDEST_NS:
            return Outcome.INTERRUPTED, served, None
        offset_s = served.utc_minus_s(pair.realtime_ns)
        return self._send(Sample(pair.realtime_ns, offset_s, served.leap_sign)), served, offset_s

    def close(self) -> None:
        """Close our end."""
        self._socket.close()

    def _send(self, sample: Sample) -> Outcome:
        try:
            self._socket.sendto(build_sample(sample), self._path)
        except OSError as error:
            return outcome_of(error)
        except SampleError:  # an offset of more than a century: chronyd would not take it
            return Outcome.FAILED
        return Outcome.GIVEN
