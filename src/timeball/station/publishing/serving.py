"""Running the served ledger as a process of its own: a listener, a server, and a clean end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from timeball.station.witnessing.daemon import listen_on

__all__ = ["listen_on", "serve"]
MAX_CONNECTIONS = 256
CONNECTION_S = 300.0


class BoundedConnection(H11Protocol):
    """HTTP/1.1 on a connection that lives long enough for a large bundle on a slow line, and no longer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to count."""
        super().connection_made(transport)
        # asyncio does this only for sockets made with their protocol named; without it each answer waits 40 ms
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.call_later(CONNECTION_S, transport.abort)


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT. Must run in the main thread."""
    # uvicorn handles both while it serves and raises them again afterwards: stopping on request is a clean end
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.Server(
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
    ).run(sockets=[listener])
