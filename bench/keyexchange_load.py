"""A client of the NTS key exchange as load: many handshakes at once on one thread, each answer checked to hold cookies.

It does not verify certificates, because what is measured is the server; it offers what chronyd and browsers offer first
(X25519), and asks for AEAD 15.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from OpenSSL import SSL, _util

from timeball.protocols.nts.asking import build_request, parse_response
from timeball.protocols.nts.exchange import ALPN
from timeball.station.nts.tls import PIECE, take_output

AT_ONCE = 32


class _Client:
    """One connection."""

    def __init__(self, port: int, context: SSL.Context) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        self.asked, self.data = False, b""
        self.go_on()

    def go_on(self) -> bool:
        """Do what can be done; true when the cookies are here."""
        try:
            if not self.asked:
                self.tls.do_handshake()
                self.tls.send(build_request((15,)))
                self.asked = True
            while True:
                self.data += self.tls.recv(PIECE)
        except SSL.WantReadError:
            output = take_output(self.tls)
            if output:
                self.socket.send(output)
            return False
        except SSL.ZeroReturnError:
            return len(parse_response(self.data, (15,)).cookies) == 8

    def receive(self) -> bool:
        """Take what came; true at the end."""
        data = self.socket.recv(PIECE)
        if not data:
            raise RuntimeError("the server hung up without cookies")
        self.tls.bio_write(data)
        return self.go_on()


def load_context() -> SSL.Context:
    """TLS 1.3 with the protocol of NTS, nobody's certificate verified."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_alpn_protos([ALPN])
    context.set_verify(SSL.VERIFY_NONE)
    # as chronyd's GnuTLS: a hybrid key share would have one of the servers do more than the other
    _util.lib.SSL_CTX_set1_curves_list(context._context, b"X25519:P-256")
    return context


def run_handshakes(port: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> tuple[int, float]:
    """Shake hands for so long; (exchanges that ended with eight cookies, seconds they took)."""
    context, poll = load_context(), select.epoll()
    clients: dict[int, _Client] = {}

    def begin() -> None:
        client = _Client(port, context)
        clients[client.socket.fileno()] = client
        poll.register(client.socket.fileno(), select.EPOLLIN)

    done, started = 0, clock()
    for _ in range(AT_ONCE):
        begin()
    while clients:
        for descriptor, _ in poll.poll(5.0):
            if not clients[descriptor].receive():
                continue
            clients.pop(descriptor).socket.close()
            done += 1
            if clock() - started < seconds:
                begin()
    poll.close()
    return done, clock() - started
