"""Addresses host:port of TCP services: taken apart, and listened on."""

from __future__ import annotations

import errno
import socket
import time

from timeball.station.supervision.process import CannotStartError

BACKLOG = 4096
TAKEN_PATIENCE_S = 3.0
"""An earlier process that is just ending may hold the address for so long."""


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` as (host, port). Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def open_tcp_listener(address: str, setting: str) -> socket.socket:
    """A listening socket on `host:port`; accepted ones send at once (TCP_NODELAY). Raises CannotStartError in words."""
    deadline = time.monotonic() + TAKEN_PATIENCE_S
    while True:
        try:
            return _listen(*split_address(address))
        except (OSError, ValueError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            if not taken or time.monotonic() >= deadline:
                words = error.strerror if isinstance(error, OSError) else str(error)
                raise CannotStartError(f"cannot listen on {address}: {words}; change {setting} or free it") from error
        time.sleep(0.05)


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
