"""An association and its sockets: asks when it is due, waits for the reply, and lets the association judge.

Each request goes out of a port of its own (RFC 9109). Stamps are the kernel's, on CLOCK_MONOTONIC_RAW. Whoever owns
the asker takes the events and exchanges keys; a network that refuses is no error here, but `trouble` in words.
"""

from __future__ import annotations

import secrets
import socket
from typing import NamedTuple

from timeball.protocols.ntp.client import Association, Manner
from timeball.protocols.ntp.clientauth import Authentication, NoAuthentication
from timeball.protocols.ntp.clientevents import Event, Missed
from timeball.protocols.ntp.measurement import Stamps
from timeball.station.configuration.section import port_fits
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.kernelstamps import StampedSocket
from timeball.station.hosttime.waiting import wait_until_raw


class Where(NamedTuple):
    """A resolved address."""

    family: int
    address: object


def split_address(address: str, port: int | None = None) -> tuple[str, int]:
    """Host and port of `host:port`, `[v6]:port`, and, where a default port is given, of a host or address alone.

    Raises ValueError with the text.
    """
    host, colon, digits = address.rpartition(":")
    bare = not colon or digits.endswith("]") or (":" in host and not host.startswith("["))
    if bare and port is not None:
        host, digits = address, str(port)
    if not host or not port_fits(digits):
        raise ValueError(f"{address!r} is no host:port with a port between 1 and 65535")
    return host.strip("[]"), int(digits)


def resolve(host: str, port: int) -> Where:
    """The first address of a host. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    return Where(family, address)


class Asker:
    """One server, asked as its association says. `trouble`: what the network said last, empty when nothing."""

    def __init__(
        self, host: str, port: int, manner: Manner, authentication: Authentication | None = None, start_ns: int = 0
    ) -> None:
        self.host, self.port = host, port
        self.trouble = ""
        self.address = ""
        self.kernel_stamps = (0, 0, 0)
        """Replies that came, those whose leaving the kernel had stamped, and those whose coming."""
        self.association = Association(
            manner, secrets.token_bytes, authentication or NoAuthentication(), start_ns or hostclocks.raw_ns()
        )
        self._where: Where | None = None
        self._socket: StampedSocket | None = None

    def step(self, until_raw_ns: int) -> list[Event]:
        """Send what is due, wait for its reply or the next timer, not beyond RAW `until_raw_ns`; what came of it."""
        datagram = self.association.to_send(hostclocks.raw_ns())
        if datagram is not None:
            self._send(datagram)
        timer = self.association.next_timer()
        self._wait(until_raw_ns if timer is None else min(timer, until_raw_ns))
        return self._events()

    def close(self) -> None:
        """Let go of the port."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _events(self) -> list[Event]:
        events = []
        while (event := self.association.next_event()) is not None:
            if isinstance(event, Missed):
                self._where = None  # a name may stand for another address by now
            events.append(event)
        return events

    def _send(self, datagram: bytes) -> None:
        self.close()
        try:
            if self._where is None:
                self._where = resolve(self.host, self.port)
                self.address = str(self._where.address[0])  # type: ignore[index]
            self._socket = StampedSocket(*self._where)
            self._socket.send(datagram)
            self.trouble = ""
        except OSError as error:
            self._fail(error)

    def _wait(self, until_raw_ns: int) -> None:
        if self._socket is None:
            wait_until_raw(until_raw_ns)
            return
        try:
            came = self._socket.receive(until_raw_ns)
        except OSError as error:
            self._fail(error)
            return
        if came is not None:
            replies, sent, received = self.kernel_stamps
            self.kernel_stamps = (replies + 1, sent + came.kernel_sent, received + came.kernel_received)
            stamps = Stamps(came.sent_raw_ns, came.received_raw_ns, came.width_ns)
            self.association.receive(came.data, stamps, hostclocks.raw_ns())

    def _fail(self, error: OSError) -> None:
        """The exchange is over; whoever made this up had to know our port, and has won one exchange."""
        self.trouble = error.strerror or str(error)
        self.close()
        self.association.lost(hostclocks.raw_ns())
