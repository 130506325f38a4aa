"""A connection to a running chronyd for its command protocol: its Unix socket, or UDP on port 323.

A reply counts when it comes from where we asked and repeats the command and the random sequence number; anything else
is read past until the time is up, a bounded number of times. Only what reads is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType

from timeball.protocols.chrony.candm import LONGEST_REPLY, Command, Reply, build_request, parse_reply
from timeball.protocols.chrony.errors import ReplyError

PORT = 323
USUAL_SOCKET = "/run/chrony/chronyd.sock"
TIMEOUT_S = 0.5
ATTEMPTS = 3
STRAY_REPLIES = 64


class ChronydUnreachableError(ConnectionError):
    """No chronyd answered there."""


class Chronyd:
    """A connection to one chronyd: `place` the path of its socket, or HOST:PORT. Raises ChronydUnreachableError."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._own: Path | None = None
        self._folder: str | None = None
        self._sequence = secrets.randbits(32)
        try:
            self._socket = self._open_unix(place) if place.startswith("/") else _open_udp(place)
        except (OSError, ValueError) as error:
            self._remove_own()
            raise ChronydUnreachableError(f"no chronyd at {place}: {words_of(error)}") from error

    def __enter__(self) -> Chronyd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._remove_own()

    def ask(self, command: Command, body: bytes = b"") -> Reply:
        """The reply to one request. Raises ChronydUnreachableError, RefusedError, ReplyError."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        why = "it does not answer"
        for attempt in range(ATTEMPTS):
            try:
                self._socket.send(build_request(command, self._sequence, body, attempt))
                reply = self._listen(command, time.monotonic() + TIMEOUT_S * 2**attempt)
            except OSError as error:
                why = words_of(error)
                continue
            if reply is not None:
                return reply
        raise ChronydUnreachableError(f"no chronyd at {self.place}: {why}")

    def _listen(self, command: Command, deadline: float) -> Reply | None:
        for _ in range(STRAY_REPLIES):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._socket.settimeout(left_s)
            try:
                data = self._socket.recv(LONGEST_REPLY + 1)
            except TimeoutError:
                return None
            with contextlib.suppress(ReplyError):
                return parse_reply(data, command, self._sequence)
        return None

    def _open_unix(self, path: str) -> socket.socket:
        """A socket with a name of its own beside chronyd's, or in a folder of its own where that may not be written."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"timeball.{os.getpid()}.{secrets.token_hex(4)}.sock"
        try:
            client.bind(own := os.path.join(os.path.dirname(path), name))
        except OSError:
            self._folder = tempfile.mkdtemp(prefix="timeball-")
            Path(self._folder).chmod(0o711)
            client.bind(own := os.path.join(self._folder, name))
        self._own = Path(own)
        self._own.chmod(0o666)  # chronyd answers as the user it has become
        client.connect(path)
        return client

    def _remove_own(self) -> None:
        with contextlib.suppress(OSError):
            if self._own is not None:
                self._own.unlink()
            if self._folder is not None:
                Path(self._folder).rmdir()


def words_of(error: OSError | ValueError) -> str:
    """What went wrong, without the kernel's number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def usual_place() -> str:
    """Where chronyc looks: the Unix socket where it may be used, else loopback."""
    return USUAL_SOCKET if os.access(USUAL_SOCKET, os.W_OK) else f"127.0.0.1:{PORT}"


def _open_udp(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    client = socket.socket(family, kind, protocol)
    client.connect(address)
    return client
