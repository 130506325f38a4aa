"""HTTP for outsiders: a listener, a server with bounded connections, and a clean end on SIGTERM or SIGINT.

It knows no addresses and no pages; whoever serves brings an application. The console, which only its own host reaches,
does without.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 256


def listen_on(address: str) -> socket.socket:
    """Bind and listen on `host:port` (an IPv6 address in brackets); raises ValueError or OSError."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"an address is host:port, not {address!r}")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=128)


def make_server(app: Starlette, connection_s: float) -> uvicorn.Server:
    """A server whose connections live for `connection_s` at most, however slowly the other side talks."""

    class BoundedConnection(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # asyncio does this only for sockets made with their protocol named; without it each answer waits 40 ms
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.end = self.loop.call_later(connection_s, transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            # else each short connection would be held in memory for as long as a slow one may last
            self.end.cancel()
            super().connection_lost(exc)

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedConnection,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
    )


def end_on_signals() -> None:
    """Stopping on request is a clean end: uvicorn handles both signals while it serves and raises them afterwards."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


def serve(app: Starlette, listener: socket.socket, connection_s: float) -> None:
    """Serve until SIGTERM or SIGINT. Must run in the main thread."""
    end_on_signals()
    make_server(app, connection_s).run(sockets=[listener])
