"""The witness as a process: its folder and keys, its socket, and its main loop.

The loop answers HTTP in the main thread; each further part of a witness brings routes, or work for a thread of its own,
or both. A connection lives for a bounded time, so nobody holds one by being slow. It runs alone on its folder, and
needs no station.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.routing import BaseRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from timeball.ledger.cosignature import Cosigner
from timeball.ledger.note import NoteKey
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.witnessing.app import create_app, witness_routes
from timeball.station.witnessing.heads import Heads

CONNECTION_S = 12.0
MAX_CONNECTIONS = 256
_LAST_WORDS_S = 5.0

log = logging.getLogger("witness")


@dataclass(frozen=True)
class Part:
    """What a witness does beside cosigning: routes it answers, and work that ends when the event is set."""

    routes: Sequence[BaseRoute] = ()
    work: Callable[[threading.Event], None] | None = field(default=None)


@contextmanager
def open_heads(state: Path, logs: Sequence[NoteKey], cosigners: Sequence[Cosigner]) -> Iterator[Heads]:
    """Open a witness's folder for as long as the context lasts; errors as `Heads`."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    fs = OSFileSystem(state)
    try:
        heads = Heads(fs, logs, cosigners, posix_s)
    except BaseException:
        fs.close()
        raise
    try:
        yield heads
    finally:
        heads.close()


def posix_s() -> int:
    """The host's clock in whole POSIX seconds."""
    return int(time.time())


def listen_on(address: str) -> socket.socket:
    """Bind and listen on `host:port` (an IPv6 address in brackets); raises ValueError or OSError."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"an address is host:port, not {address!r}")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=128)


def serve(heads: Heads, listener: socket.socket, parts: Sequence[Part] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then let every part end. Must run in the main thread."""
    routes = [*(route for part in parts for route in part.routes), *witness_routes(heads)]
    stop = threading.Event()
    threads = [threading.Thread(target=_work, args=(part.work, stop), daemon=True) for part in parts if part.work]
    # uvicorn handles both while it serves and raises them again afterwards: stopping on request is a clean end
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    for thread in threads:
        thread.start()
    try:
        make_server(routes).run(sockets=[listener])
    finally:
        stop.set()
        for thread in threads:
            thread.join(_LAST_WORDS_S)


def make_server(routes: Sequence[BaseRoute]) -> uvicorn.Server:
    """A server of these routes with the limits of a public witness."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(routes),
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


class BoundedConnection(H11Protocol):
    """HTTP/1.1 on a connection that lives for `CONNECTION_S` at most, however slowly the other side talks."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to count."""
        super().connection_made(transport)
        self.loop.call_later(CONNECTION_S, transport.abort)


def _work(work: Callable[[threading.Event], None], stop: threading.Event) -> None:
    try:
        work(stop)
    except Exception:
        log.exception("a part of the witness has ended; it goes on cosigning")
