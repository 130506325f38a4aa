"""Asking Roughtime servers over UDP and TCP: one request out, one reply back. What it proves is the caller's matter."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from timeball.protocols.roughtime.message import HEADER_BYTES, MAGIC
from timeball.protocols.roughtime.serverlist import Address

MOST_REPLY_BYTES = 4096


def ask(address: Address, request: bytes, timeout_s: float) -> bytes:
    """The bytes that came back. Raises OSError: TimeoutError when nothing came in time."""
    kind = socket.SOCK_DGRAM if address.protocol == "udp" else socket.SOCK_STREAM
    family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=kind)[0]
    end_s = time.monotonic() + timeout_s
    with socket.socket(family, kind, protocol) as client:
        client.settimeout(timeout_s)
        client.connect(place)
        client.sendall(request)
        if kind == socket.SOCK_DGRAM:
            return client.recv(MOST_REPLY_BYTES)
        return _whole_packet(client, end_s)


def _whole_packet(client: socket.socket, end_s: float) -> bytes:
    """One packet of a stream; what is no packet is given as far as it came."""
    data = b""
    while len(data) < HEADER_BYTES or len(data) < _length(data):
        client.settimeout(max(end_s - time.monotonic(), 1e-3))
        more = client.recv(MOST_REPLY_BYTES)
        data += more
        if not more or len(data) > MOST_REPLY_BYTES or data[:8] != MAGIC[: len(data[:8])]:
            break
    return data


def _length(data: bytes) -> int:
    return HEADER_BYTES + int.from_bytes(data[8:HEADER_BYTES], "little")


def ask_until(address: Address, request: bytes, timeout_s: float, tries: int, wait: Callable[[int], None]) -> bytes:
    """`ask`, up to `tries` times; `wait` is called with the failures so far before each further one. Raises OSError."""
    for failures in range(1, tries):
        try:
            return ask(address, request, timeout_s)
        except OSError:
            wait(failures)
    return ask(address, request, timeout_s)
