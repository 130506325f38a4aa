"""The loop of one process that shakes hands: sockets that never block, a deadline each, a bounded number at once.

When there are too many the oldest gives way: one that means it needs two round trips, one that was opened to hold a
place needs for ever. Before that the oldest of its own network does, so that one network alone never holds all places,
and a network that comes too often is sent away. The loop reads the monotonic clock and no other, and ends when it is
told to.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from timeball.protocols.nts.exchange import COOKIES
from timeball.station.nts.counting import Count, Counts
from timeball.station.nts.handshake import Handshake, Service
from timeball.station.nts.networks import NO_LIMITS, Limits, Rates, network_of
from timeball.station.nts.tls import PIECE

ACCEPT_AT_ONCE = 16
PAUSE_S = 0.1
"""Without a descriptor for another connection nothing is accepted for so long."""
LONGEST_WAIT_S = 0.2


class Connection:
    """A client's socket, what it is at, and what could not be sent yet."""

    __slots__ = ("deadline", "handshake", "network", "socket", "unsent")

    def __init__(self, client: socket.socket, handshake: Handshake, deadline: float, network: bytes) -> None:
        self.socket, self.handshake, self.deadline, self.network = client, handshake, deadline, network
        self.unsent = b""


class ExchangeLoop:
    """Accepts on `listeners` (non-blocking, listening) and counts in `counts` int64[columns], one row of the workers'.

    `most` connections at once, each over after `limit_s`; `limits` are those of one network. `service` may be replaced
    while it runs: a connection keeps the one it began with.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        service: Service,
        counts: Counts,
        most: int,
        limit_s: float,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.service = service
        self._counts, self._most, self._limit_s = counts, most, limit_s
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._connections: dict[int, Connection] = {}
        self._limits, self._rates = limits, Rates(limits)
        self._of_network: dict[bytes, dict[int, Connection]] = {}
        """The open connections of each network, the oldest first; no network without one."""
        self._poll = select.epoll()
        self._accept_again: float | None = None
        self._listen(select.EPOLLIN | select.EPOLLEXCLUSIVE)
        counts[Count.OPEN] = 0

    def watch(self, descriptor: int) -> None:
        """Make `turn` return early when there is something to read here."""
        self._poll.register(descriptor, select.EPOLLIN)

    def turn(self) -> None:
        """Wait for something to happen, but not for long, and do what is to be done."""
        for descriptor, events in self._poll.poll(LONGEST_WAIT_S if not self._connections else self._patience()):
            if descriptor in self._listeners:
                self._accept(self._listeners[descriptor])
            elif descriptor in self._connections:
                self._serve(self._connections[descriptor], events)
        now = time.monotonic()
        self._expire(now)
        if self._accept_again is not None and now >= self._accept_again:
            self._listen(select.EPOLLIN | select.EPOLLEXCLUSIVE)
            self._accept_again = None

    def drain(self, patience_s: float) -> None:
        """Accept nobody any more, and give those who are here some time to finish."""
        self._unlisten()
        self._accept_again = None
        deadline = time.monotonic() + patience_s
        while self._connections and time.monotonic() < deadline:
            self.turn()
        for connection in list(self._connections.values()):
            self._end(connection, Count.TIMED_OUT)

    def _patience(self) -> float:
        first = next(iter(self._connections.values()))
        return min(LONGEST_WAIT_S, max(0.0, first.deadline - time.monotonic()))

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                client, address = listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # gone before it was taken
            except OSError:
                self._counts[Count.ACCEPT_FAILURES] += 1
                self._unlisten()
                self._accept_again = time.monotonic() + PAUSE_S
                return
            self._open(client, network_of(address[0]))

    def _open(self, client: socket.socket, network: bytes) -> None:
        self._counts[Count.ACCEPTED] += 1
        now = time.monotonic()
        if not self._rates.take(network, now):
            self._counts[Count.LIMITED] += 1
            client.close()
            return
        self._make_room(network)
        client.setblocking(False)
        connection = Connection(client, Handshake(self.service), now + self._limit_s, network)
        self._connections[client.fileno()] = connection
        self._of_network.setdefault(network, {})[client.fileno()] = connection
        self._counts[Count.OPEN] = len(self._connections)
        self._poll.register(client.fileno(), select.EPOLLIN)
        self._receive(connection)  # the hello is mostly there (TCP_DEFER_ACCEPT)

    def _make_room(self, network: bytes) -> None:
        neighbours = self._of_network.get(network, {})
        if 0 < self._limits.connections <= len(neighbours):
            self._end(next(iter(neighbours.values())), Count.CROWDED)
        elif len(self._connections) >= self._most:
            self._end(next(iter(self._connections.values())), Count.EVICTED)

    def _serve(self, connection: Connection, events: int) -> None:
        if events & select.EPOLLOUT and not self._send(connection, b""):
            return
        if events & ~select.EPOLLOUT:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        if connection.unsent:
            return  # it does not read what it asked for; nothing more is done for it before that
        try:
            data = connection.socket.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(connection, Count.HUNG_UP)
            return
        self._send(connection, connection.handshake.receive(data))

    def _send(self, connection: Connection, data: bytes) -> bool:
        """Send what is due; false when that was the end of the connection."""
        rest = connection.unsent + data
        sent = 0
        if rest:
            try:
                sent = connection.socket.send(rest, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass
            except OSError:
                self._end(connection, connection.handshake.end or Count.HUNG_UP)
                return False
        if bool(connection.unsent) != (sent < len(rest)):
            self._poll.modify(connection.socket.fileno(), select.EPOLLOUT if sent < len(rest) else select.EPOLLIN)
        connection.unsent = rest[sent:]
        if connection.handshake.end is not None and not connection.unsent:
            self._end(connection, connection.handshake.end)
            return False
        return True

    def _expire(self, now: float) -> None:
        while self._connections:
            connection = next(iter(self._connections.values()))  # the oldest: all have the same time
            if connection.deadline > now:
                return
            if connection.handshake.end is None:
                with suppress(OSError):
                    connection.socket.send(connection.unsent + connection.handshake.expire(), socket.MSG_NOSIGNAL)
            self._end(connection, Count.TIMED_OUT)

    def _end(self, connection: Connection, end: Count) -> None:
        self._counts[end] += 1
        if end is Count.AGREED:
            self._counts[Count.COOKIES] += COOKIES
        del self._connections[connection.socket.fileno()]
        neighbours = self._of_network[connection.network]
        del neighbours[connection.socket.fileno()]
        if not neighbours:
            del self._of_network[connection.network]
        self._counts[Count.OPEN] = len(self._connections)
        connection.socket.close()  # which takes it from the poll

    def _listen(self, events: int) -> None:
        for descriptor in self._listeners:
            self._poll.register(descriptor, events)

    def _unlisten(self) -> None:
        for descriptor in self._listeners:
            with suppress(FileNotFoundError):
                self._poll.unregister(descriptor)
