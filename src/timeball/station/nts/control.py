"""What the keyexchange process tells its workers: the whole of what they hand out, each time any of it has changed.

One message a change, over a socket pair that keeps messages apart. A key or certificate reaches a worker here and
nowhere else, after it is on the disk. The other end closed means: finish what you are at, and end.
"""

from __future__ import annotations

import socket

import msgspec

from timeball.protocols.nts.exchange import Offer
from timeball.protocols.nts.keyring import KeyRing
from timeball.station.nts.certificate import parse_certificate
from timeball.station.nts.handshake import Service
from timeball.station.nts.keyfile import StoredKey
from timeball.station.nts.tls import server_context

LONGEST_MESSAGE = 1 << 17


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What workers hand out: the certificate's chain and key (PEM), the cookie key to seal with, and the offer."""

    chain: bytes
    key: bytes
    current: StoredKey
    aeads: tuple[int, ...]
    server: str
    port: int

    def __repr__(self) -> str:
        return f"Orders({self.current!r})"


def channel() -> tuple[socket.socket, socket.socket]:
    """Both ends: the first for the keyexchange process, the second for the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def send_orders(end: socket.socket, orders: Orders) -> None:
    """Tell a worker. Raises OSError when it is gone or has not listened for long."""
    end.send(msgspec.json.encode(orders), socket.MSG_NOSIGNAL)


def receive_orders(end: socket.socket) -> Orders | None:
    """The newest orders that have come. Raises BlockingIOError without any; None when the other end is closed."""
    newest: Orders | None = None
    while True:
        try:
            data = end.recv(LONGEST_MESSAGE)
        except BlockingIOError:
            if newest is None:
                raise
            return newest
        if not data:
            return None
        newest = msgspec.json.decode(data, type=Orders)


def service_of(orders: Orders) -> Service:
    """What a connection is served with. Raises CertificateError, SSL.Error; both were tried before it was ordered."""
    return Service(
        server_context(parse_certificate(orders.chain, orders.key)),
        KeyRing(orders.current.cookie_key()),
        Offer(orders.aeads, orders.server, orders.port),
    )
