"""The witness as a process: its folder and keys, its socket, and its main loop.

The loop answers HTTP in the main thread; each further part of a witness brings routes, or work for a thread of its own,
or both. A connection lives for a bounded time, so nobody holds one by being slow. It runs alone on its folder, and
needs no station.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.routing import BaseRoute

from timeball.ledger.cosignature import Cosigner
from timeball.ledger.note import NoteKey
from timeball.station.recording.filesystem import OSFileSystem
from timeball.station.web import end_on_signals, make_server
from timeball.station.witnessing.app import create_app, witness_routes
from timeball.station.witnessing.heads import Heads

CONNECTION_S = 12.0
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


def serve(heads: Heads, listener: socket.socket, parts: Sequence[Part] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then let every part end. Must run in the main thread."""
    routes = [*(route for part in parts for route in part.routes), *witness_routes(heads)]
    stop = threading.Event()
    threads = [threading.Thread(target=_work, args=(part.work, stop), daemon=True) for part in parts if part.work]
    end_on_signals()
    for thread in threads:
        thread.start()
    try:
        make_server(create_app(routes), CONNECTION_S).run(sockets=[listener])
    finally:
        stop.set()
        for thread in threads:
            thread.join(_LAST_WORDS_S)


def _work(work: Callable[[threading.Event], None], stop: threading.Event) -> None:
    try:
        work(stop)
    except Exception:
        log.exception("a part of the witness has ended; it goes on cosigning")
