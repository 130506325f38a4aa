"""What a ptp4l on this host is told of the clock that it serves: its class, accuracy, and TAI − UTC.

Said over ptp4l's Unix socket when it changes, and again now and then, for a ptp4l that was started anew. While sync may
not be claimed, or the clock does not follow yet, that is class 248 with no traceability: then a better clock in the
network, or another grandmaster, takes over by PTP's own rules. An answer is read at the next turn; none is no obstacle.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from timeball.protocols.ptp import management as ptp
from timeball.station.feeding.served import Served

AGAIN_AFTER_TURNS = 10


def settings_of(served: Served, error_s: float | None) -> ptp.GrandmasterSettings:
    """What may be said of a PTP clock that is `error_s` from served time (None: not known to follow it)."""
    vouched = served.in_sync and error_s is not None and not served.simulated
    traceable = ptp.TIME_TRACEABLE | ptp.FREQUENCY_TRACEABLE if vouched else 0
    known = ptp.UTC_VALID if served.in_sync else 0
    leap = {1: ptp.LEAP_61, -1: ptp.LEAP_59}.get(served.leap_sign, 0) if served.in_sync else 0
    return ptp.GrandmasterSettings(
        clock_class=ptp.LOCKED if vouched else ptp.DEFAULT,
        accuracy=ptp.accuracy_of(served.bound_s + error_s) if served.in_sync and error_s is not None else 0xFE,
        tai_minus_utc_s=served.tai_minus_utc_s,
        flags=ptp.PTP_TIMESCALE | known | traceable | leap,
        time_source=ptp.ATOMIC_CLOCK if vouched else ptp.INTERNAL_OSCILLATOR,
    )


class Announcer:
    """Tells one ptp4l; `clock_class` is what it last confirmed (0: nothing yet)."""

    def __init__(self, path: str, domain: int, own: Path) -> None:
        self.clock_class = 0
        self._path = path
        self._domain = domain
        self._own = own
        self._sequence = 0
        self._told: ptp.GrandmasterSettings | None = None
        self._turns = 0
        own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            own.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(own))

    def tell(self, settings: ptp.GrandmasterSettings) -> None:
        """Say it if it is new, was not confirmed, or was said long ago."""
        self._listen()
        self._turns += 1
        new = settings != self._told
        if not new and self.clock_class == settings.clock_class and self._turns < AGAIN_AFTER_TURNS:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._turns = 0
        self.clock_class = 0 if new else self.clock_class
        message = ptp.build_settings(settings, self._sequence, self._domain, (os.getpid() & 0x7FFF) + 1)
        try:
            self._socket.sendto(message, self._path)
            self._told = settings
        except OSError:
            self.clock_class, self._told = 0, None

    def close(self) -> None:
        """Close our end and take it away."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self._own.unlink()

    def _listen(self) -> None:
        while True:
            try:
                data = self._socket.recv(ptp.LONGEST)
            except OSError:
                return
            with contextlib.suppress(ptp.ManagementError):
                self.clock_class = ptp.parse_settings(data, self._sequence).clock_class
