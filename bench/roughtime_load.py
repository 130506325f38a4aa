"""A load generator for Roughtime servers, compiled: a window of outstanding requests kept full on one UDP socket.

As in ntp_load.py: requests leave in bursts and the generator polls without sleeping. Every request has a nonce of its
own; every reply must carry one of this run, and of a sample the whole reply is kept to be verified afterwards. A packet
of 1036 bytes counts 2304 in a socket's buffer: one of default size holds 92 of the window's 160, so more is asked for.
"""

from __future__ import annotations

import socket

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.roughtime.client import build_request, verify_reply
from timeball.protocols.roughtime.kernels import load_u32
from timeball.protocols.roughtime.message import NONC, NONCE_BYTES, parse_message, parse_packet
from timeball.protocols.roughtime.replies import NONCE_AT
from timeball.station.serving.libc import clock_gettime, recvmmsg, sendmmsg

WINDOW = 160
BURST = 32
BUFFER_BYTES = 1 << 22
REPLY_BYTES = 1152
KEPT = 2048
MSG_DONTWAIT = 0x40
CLOCK_MONOTONIC_RAW = 4
LOST_NS = 50_000_000
VECTOR, VECTOR_LENGTH, LENGTH, MESSAGE_WORDS = 2, 3, 7, 8

Bytes = NDArray[np.uint8]
Words = NDArray[np.int64]


@njit(cache=True, nogil=True)
def write_u32(out: Bytes, at: int, value: int) -> None:
    """Write the low 32 bits of `value`, lowest byte first."""
    for i in range(4):
        out[at + i] = (value >> (8 * i)) & 0xFF


@njit(cache=True, nogil=True)
def load(
    descriptor: int,
    duration_ns: int,
    run: int,
    nonce_at: int,
    mark_at: int,
    requests: Bytes,
    replies: Bytes,
    messages: Words,
    kept: Bytes,
) -> tuple[int, int, int, int]:
    """Ask as fast as answers come for `duration_ns`; (replies, strangers, lost, replies kept).

    `requests` uint8[BURST, n] whose nonces, at `nonce_at`, begin with `run` and a count, in replies at `mark_at`.
    `replies` uint8[BURST, m], `messages` the mmsghdrs of both ways, `kept` uint8[KEPT, m].
    """
    timespec = np.zeros(2, np.int64)
    clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
    start = timespec[0] * 1_000_000_000 + timespec[1]
    now = last = start
    sent = got = strangers = lost = outstanding = taken = 0
    while now - start < duration_ns:
        while outstanding <= WINDOW - BURST:
            for k in range(BURST):
                write_u32(requests[k], nonce_at, run)
                write_u32(requests[k], nonce_at + 4, sent + k)
            count = max(sendmmsg(descriptor, messages[0].ctypes.data, BURST, 0), 0)
            sent += count
            outstanding += count
        received = recvmmsg(descriptor, messages[1].ctypes.data, BURST, MSG_DONTWAIT, 0)
        clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
        now = timespec[0] * 1_000_000_000 + timespec[1]
        if received > 0:
            last = now
        elif now - last > LOST_NS:
            lost += outstanding
            outstanding = 0
            last = now
        for k in range(received):
            if load_u32(replies[k], mark_at) != run:
                strangers += 1
                continue
            got += 1
            outstanding -= 1
            if got % 97 == 0 and taken < KEPT:
                kept[taken] = replies[k]
                taken += 1
    return got, strangers, lost, taken


def ask_for_room(wanted: socket.socket) -> None:
    """Ask for a receive buffer that holds a whole window, whatever the system's default is."""
    wanted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)


def make_messages(requests: Bytes, replies: Bytes) -> tuple[Words, Words]:
    """The iovecs of BURST requests and replies, and struct mmsghdr int64[2, BURST, 8] of both, which point there."""
    vectors, messages = np.zeros((2, BURST, 2), np.int64), np.zeros((2, BURST, MESSAGE_WORDS), np.int64)
    for way, rows in enumerate((requests, replies)):
        for k in range(BURST):
            vectors[way, k] = rows[k].ctypes.data, rows.shape[1]
            messages[way, k, VECTOR] = vectors[way, k].ctypes.data
            messages[way, k, VECTOR_LENGTH] = 1
    return vectors, messages


class Generator:
    """Requests to one server with one long-term key, in one version; `echoes`: they come back as they are."""

    def __init__(self, port: int, public_key: bytes, version: int, *, echoes: bool = False) -> None:
        self.port, self._key, self._echoes = port, public_key, echoes
        self._request = build_request(bytes(NONCE_BYTES), (version,), public_key)
        nonce = b"\xa5" * NONCE_BYTES
        self._nonce_at = build_request(nonce, (version,), public_key).index(nonce)
        self._mark_at = self._nonce_at if echoes else NONCE_AT
        self._requests = np.tile(np.frombuffer(self._request, np.uint8), (BURST, 1))
        self._replies = np.zeros((BURST, REPLY_BYTES), np.uint8)
        self._vectors, self._messages = make_messages(self._requests, self._replies)

    def rate(self, duration_s: float, run: int) -> tuple[float, int]:
        """(replies a second, replies looked at); RuntimeError when a reply is a stranger's or does not verify."""
        kept = np.zeros((KEPT, REPLY_BYTES), np.uint8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            ask_for_room(client)
            client.connect(("127.0.0.1", self.port))
            arrays = (self._requests, self._replies, self._messages, kept)
            length_ns, mark_at = int(duration_s * 1e9), self._mark_at
            got, strangers, _, taken = load(client.fileno(), length_ns, run, self._nonce_at, mark_at, *arrays)
        if strangers:
            raise RuntimeError(f"{strangers} replies answer no request of this run")
        for row in kept[: 0 if self._echoes else taken]:
            self._verify(row.tobytes())
        return got / duration_s, taken

    def _verify(self, row: bytes) -> None:
        reply = row[: 12 + int.from_bytes(row[8:12], "little")]
        nonce = parse_message(parse_packet(reply))[NONC]
        before, after = self._request[: self._nonce_at], self._request[self._nonce_at + NONCE_BYTES :]
        verify_reply(before + nonce + after, reply, self._key)
