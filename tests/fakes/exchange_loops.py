"""A loop that shakes hands in a thread, over real sockets, for tests that attack it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from timeball.protocols.nts.exchange import Offer
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.station.nts.addresses import open_tcp_listener
from timeball.station.nts.authority import Issued, issue_certificate, make_authority
from timeball.station.nts.certificate import parse_certificate
from timeball.station.nts.counting import ENDS, Count, Counts
from timeball.station.nts.handshake import Service
from timeball.station.nts.keclient import exchange_keys
from timeball.station.nts.loop import ExchangeLoop
from timeball.station.nts.networks import NO_LIMITS, Limits
from timeball.station.nts.tls import server_context

PATIENCE_S = 30.0


class Running:
    """A loop in a thread: its port, its counts, the authority that clients trust."""

    def __init__(self, folder: Path, most: int, limit_s: float, limits: Limits = NO_LIMITS) -> None:
        now = datetime.now(UTC)
        self.authority = make_authority("Test", now)
        self.issued = issue_certificate(self.authority, ["localhost", "127.0.0.1"], now)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.authority.certificate)
        self.listener = open_tcp_listener("127.0.0.1:0", "nts.listen")
        self.listener.setblocking(False)
        self.port = int(self.listener.getsockname()[1])
        self.counts: Counts = memoryview(bytearray(8 * len(Count))).cast("q")
        self.loop = ExchangeLoop([self.listener], self.service(self.issued), self.counts, most, limit_s, limits)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def service(self, issued: Issued) -> Service:
        ring = KeyRing(CookieKey(7, bytes(range(32))))
        return Service(server_context(parse_certificate(issued.certificate, issued.key)), ring, Offer((15,), "", 123))

    def run(self) -> None:
        while not self.stop.is_set():
            self.loop.turn()
        self.loop.drain(1.0)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def exchange(self) -> None:
        assert len(exchange_keys("localhost", self.port, self.ca, (15,), PATIENCE_S).cookies) == 8

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, list(self.counts)
            time.sleep(0.01)

    def balanced(self) -> bool:
        return self.counts[Count.ACCEPTED] == sum(self.counts[end] for end in ENDS) + self.counts[Count.OPEN]


@contextmanager
def running(folder: Path, most: int = 100, limit_s: float = 30.0, limits: Limits = NO_LIMITS) -> Iterator[Running]:
    server = Running(folder, most, limit_s, limits)
    server.thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.thread.join(PATIENCE_S)
        server.listener.close()
    assert not server.thread.is_alive()
    assert server.counts[Count.OPEN] == 0
    assert server.balanced()
