"""The TCP side of the Roughtime server: a few hundred connections in one thread, many requests on each.

A connection is closed when no whole request came for `idle_s`, when what it sends is no sequence of packets, or when
its client has closed it. Memory is bounded: connections at once, what is read before a packet is whole, and replies not
yet taken, beyond which nothing more is read. A request that gets no answer over UDP gets none here.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Iterator, Sequence

from timeball.protocols.roughtime.message import HEADER_BYTES, MAGIC
from timeball.protocols.roughtime.server import LARGEST_REQUEST
from timeball.station.page.roughtimepage import (
    CONNECTIONS,
    CONNECTIONS_BROKEN,
    CONNECTIONS_IDLE,
    CONNECTIONS_REFUSED,
    REPLIES,
    SEND_FAILURES,
)
from timeball.station.timesigning.answering import Answering

MOST_CONNECTIONS = 256
READ_BYTES = 4096
UNTAKEN_BYTES = 1 << 16
ROUND_S = 0.2


class BrokenStream(Exception):
    """Bytes that are no sequence of packets."""


class Connection:
    """One client: what it sent of a packet that is not whole yet, and replies it has not taken."""

    def __init__(self, client: socket.socket, now_s: float) -> None:
        self.socket, self.since_s = client, now_s
        self.outgoing = bytearray()
        self.ended = False
        self._incoming = bytearray()

    def read(self) -> Iterator[bytes]:
        """Take what has come; gives the whole packets. Raises OSError, BrokenStream."""
        data = self.socket.recv(READ_BYTES)
        self.ended = not data
        self._incoming += data
        while len(self._incoming) >= HEADER_BYTES:
            length = HEADER_BYTES + int.from_bytes(self._incoming[8:HEADER_BYTES], "little")
            if self._incoming[:8] != MAGIC or length > LARGEST_REQUEST:
                raise BrokenStream
            if len(self._incoming) < length:
                return
            yield bytes(self._incoming[:length])
            del self._incoming[:length]

    def write(self) -> None:
        """Send what the client takes now. Raises OSError."""
        if self.outgoing:
            del self.outgoing[: self.socket.send(self.outgoing)]

    @property
    def events(self) -> int:
        """What to wait for: room to write while something is to be written, requests while there is room for more."""
        wanted = selectors.EVENT_WRITE if self.outgoing else 0
        if not self.ended and len(self.outgoing) < UNTAKEN_BYTES:
            wanted |= selectors.EVENT_READ
        return wanted


class StreamThread:
    """All listening TCP sockets of a server and the thread that answers on them."""

    def __init__(self, listeners: Sequence[socket.socket], answering: Answering, idle_s: float) -> None:
        self.answering = answering
        self._idle_s = idle_s
        self._selector = selectors.DefaultSelector()
        self._listeners = list(listeners)
        self._connections: set[Connection] = set()
        for listener in self._listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread and close all sockets."""
        self._stop.set()
        self._thread.join()
        for connection in list(self._connections):
            self._close(connection)
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._round()

    def _round(self) -> None:
        asked: list[tuple[Connection, bytes]] = []
        for key, events in self._selector.select(ROUND_S):
            if key.data is None:
                self._accept(key.fileobj)  # type: ignore[arg-type]
            else:
                asked += self._serve(key.data, events)
        batch = self.answering.host.batch
        for start in range(0, len(asked), batch):
            self._answer(asked[start : start + batch])
        self._close_idle()

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # gone before it was taken, or no descriptor is left
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            self.answering.counters[CONNECTIONS_REFUSED] += 1
            self._close(min(self._connections, key=lambda connection: connection.since_s))
        self.answering.counters[CONNECTIONS] += 1
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(client, time.monotonic())
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _serve(self, connection: Connection, events: int) -> list[tuple[Connection, bytes]]:
        packets: list[bytes] = []
        try:
            if events & selectors.EVENT_WRITE:
                connection.write()
            if events & selectors.EVENT_READ:
                packets.extend(connection.read())
        except BlockingIOError:
            return []
        except BrokenStream:
            self.answering.counters[CONNECTIONS_BROKEN] += 1
            self._close(connection)
            return []
        except OSError:
            self._close(connection)
            return []
        if packets:
            connection.since_s = time.monotonic()
        self._wait_for(connection)
        return [(connection, packet) for packet in packets]

    def _answer(self, asked: Sequence[tuple[Connection, bytes]]) -> None:
        replies = self.answering.answer([packet for _, packet in asked])
        for (connection, _), reply in zip(asked, replies, strict=True):
            if reply is None:
                continue
            if connection not in self._connections:
                self.answering.counters[SEND_FAILURES] += 1
                continue
            self.answering.counters[REPLIES] += 1
            connection.outgoing += reply
        for connection in {connection for connection, _ in asked}:
            if connection in self._connections:
                self._serve(connection, selectors.EVENT_WRITE)

    def _wait_for(self, connection: Connection) -> None:
        """Wait for what the connection can go on with; one that has ended is closed once its replies are taken."""
        self._selector.modify(connection.socket, connection.events or selectors.EVENT_WRITE, connection)

    def _close_idle(self) -> None:
        now_s = time.monotonic()
        for connection in list(self._connections):
            if connection.ended and not connection.outgoing:
                self._close(connection)
            elif now_s - connection.since_s > self._idle_s:
                self.answering.counters[CONNECTIONS_IDLE] += 1
                self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()
