"""A counter that writes one line of text a reading, over a serial port, TCP or a pty (grammar: `lineparse`).

A line without an epoch is stamped with the whole second of TAI in which it arrived: counters measure the pulses of a
second and report within it. The first line after opening may be the end of one whose start nobody saw (1.5e-8 is then
5e-8), so it is thrown away. A port that vanishes is opened again, for as long as it takes. Sign: x_a − x_b.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import serial

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.station.configuration.settings import LineInstrument
from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.instruments.base import FEMTOSECONDS_PER_S, Faults, Sample
from timeball.station.instruments.lineparse import LineError, parse_line

LONGEST_LINE = 4096
REOPEN_NS = 500_000_000
CONNECT_LIMIT_S = 2.0


class _Port(Protocol):
    def fileno(self) -> int: ...

    def close(self) -> None: ...


class LineCounter:
    """One counter on one port; `tai_now` gives TAI (ns) for lines that carry no epoch of their own."""

    whole_epochs = False

    def __init__(self, settings: LineInstrument, tai_now: Callable[[], int], leaps: LeapTable) -> None:
        self.name = f"line {settings.port}"
        self.faults = Faults()
        self._settings = settings
        self.tai_now = tai_now
        self._leaps = leaps
        self._port: _Port | None = None
        self._buffer = b""
        self._first = True
        self._retry_at = 0

    def open(self) -> None:
        """Try the port once; one that is not there yet is tried again while reading."""
        self._try_open(CONNECT_LIMIT_S)

    def close(self) -> None:
        """Close the port."""
        if self._port is not None:
            with suppress(OSError):
                self._port.close()
        self._port = None

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Wait for at least one line, but not beyond `until_raw_ns`; gives all that have come."""
        samples: list[Sample] = []
        while not samples:
            left_s = (until_raw_ns - raw_ns()) / 1e9
            if left_s <= 0:
                break
            if self._port is None and not self._reopen(left_s):
                continue
            samples += self._take(self._receive(left_s))
        return samples

    def _reopen(self, left_s: float) -> bool:
        """Open again, but not in a busy loop; false while there is still no port."""
        wait_s = (self._retry_at - raw_ns()) / 1e9
        if wait_s > 0:
            select.select([], [], [], min(wait_s, left_s))
            return False
        self._try_open(min(left_s, CONNECT_LIMIT_S))
        return self._port is not None

    def _try_open(self, limit_s: float) -> None:
        self._buffer, self._first = b"", True
        self._retry_at = raw_ns() + REOPEN_NS
        try:
            self._port = _open_port(self._settings, limit_s)
            if self._settings.start_command:
                os.write(self._port.fileno(), self._settings.start_command.encode() + b"\r\n")
        except (OSError, ValueError) as error:  # pyserial's own error is an OSError
            self.close()
            self.faults.add(f"{self.name}: cannot open: {error}")

    def _receive(self, left_s: float) -> bytes:
        """What the port has, after waiting for it; a port that has gone is closed and gives nothing."""
        assert self._port is not None
        try:
            ready, _, _ = select.select([self._port.fileno()], [], [], left_s)
            if not ready:
                return b""
            data = os.read(self._port.fileno(), 4096)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            data = b""
            self.faults.add(f"{self.name}: {error}")
        if not data:
            self.faults.add(f"{self.name}: the other side has gone; opening again")
            self.close()
        return data

    def _take(self, data: bytes) -> list[Sample]:
        """Cut what has come into lines; a torn end waits for its rest."""
        *lines, self._buffer = (self._buffer + data).replace(b"\r", b"\n").split(b"\n")
        if len(self._buffer) > LONGEST_LINE:
            self.faults.add(f"{self.name}: {len(self._buffer)} bytes without an end of line thrown away")
            self._buffer, self._first = b"", True
        if lines and self._first:
            self._first, lines = False, lines[1:]
        return [sample for line in lines if (sample := self._sample(line)) is not None]

    def _sample(self, line: bytes) -> Sample | None:
        settings = self._settings
        try:
            parsed = parse_line(line.decode("utf-8", "replace"), settings.unit_s, self._leaps)
        except LineError as error:
            self.faults.add(f"{self.name}: {error}")
            return None
        if parsed is None:
            return None
        epoch = parsed.epoch if parsed.epoch is not None else self.tai_now() // NS_PER_SECOND * NS_PER_SECOND
        u_fs = None if settings.u_s is None else round(settings.u_s * FEMTOSECONDS_PER_S)
        return Sample(epoch, settings.a, settings.b, parsed.x_fs, u_fs)


def _open_port(settings: LineInstrument, limit_s: float) -> _Port:
    """A connected socket for tcp://host:port, else a serial port or pty; raises OSError or ValueError."""
    if settings.port.startswith("tcp://"):
        host, _, port = settings.port.removeprefix("tcp://").rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=limit_s)
        connection.setblocking(False)
        return connection
    return serial.Serial(settings.port, settings.baud, timeout=0, exclusive=True)
