"""An HTTP exchange that ends in time as a whole, however slowly the other side talks: connecting, TLS, and the answer.

Looking up a name is not bounded: the system's resolver has its own patience.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import SplitResult


class Deadline:
    """Shuts a socket down when the whole exchange takes longer: a timeout of a socket counts anew with each byte.

    `over` says that it did. An exchange that fails closes the socket; one that ends well leaves it open.
    """

    def __init__(self, timeout_s: float) -> None:
        self.over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(timeout_s, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if kind is not None and self._socket is not None:
            self._socket.close()

    def watch(self, connected: socket.socket) -> socket.socket:
        """Bound what is done with this socket from now on; gives it back."""
        self._socket = connected
        if self.over:
            self._hang_up()
        return connected

    def _hang_up(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):
                # not a TLS socket's own shutdown, which would pull the session from under its reader
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def connect(
    deadline: Deadline, parts: SplitResult, timeout_s: float, context: ssl.SSLContext | None = None
) -> http.client.HTTPConnection:
    """A connection to the host of a URL, its TLS handshake included, watched by `deadline`; raises OSError.

    `context` is the TLS context (the system's trust anchors by default).
    """
    host = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port)
    connection.sock = deadline.watch(socket.create_connection((host, connection.port), timeout_s))
    if parts.scheme == "https":
        context = ssl.create_default_context() if context is None else context
        wrapped = context.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
        connection.sock = deadline.watch(wrapped)
        wrapped.do_handshake()
    return connection
