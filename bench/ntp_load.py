"""A load generator for NTP servers, compiled: a window of outstanding requests kept full on one UDP socket.

Requests leave in bursts and the generator polls without sleeping: with small bursts and a blocking wait the two
processes fall into step and the pair measures wake-ups. The window stays below what a socket buffer of default size
holds. Each reply must carry the origin of a request of this run. The requests may come from as many addresses of
127.0.0.0/8 as wished (IP_PKTINFO), and may be any packet, as one of NTS, which then is sent again and again as it is.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.ntp.packet import NTP_MINUS_UNIX_S
from timeball.station.serving.libc import clock_gettime, recvmmsg, sendmmsg

WINDOW = 200
BURST = 32
ROOM = 1536
MSG_DONTWAIT = 0x40
CLOCK_REALTIME, CLOCK_MONOTONIC_RAW = 0, 4
SO_TIMESTAMPNS = 35
# Packets may be lost; the window is filled anew when nothing has come back for this long.
LOST_NS = 50_000_000
PLAIN = b"\x23" + bytes(47)
# struct mmsghdr in 64-bit words
NAME, NAME_LENGTH, VECTOR, VECTOR_LENGTH, CONTROL, CONTROL_LENGTH, FLAGS, LENGTH = range(8)
# cmsghdr (length 28, level IPPROTO_IP, type IP_PKTINFO), then in_pktinfo: interface, source, destination
PKTINFO_LENGTH, PKTINFO_KIND, PKTINFO_BYTES = 28, 0 | 8 << 32, 32

Words = NDArray[np.int64]


@dataclass(frozen=True)
class Load:
    """What one run saw: replies to its requests, packets that were none, requests never answered, in `seconds`."""

    replies: int
    strangers: int
    lost: int
    seconds: float

    @property
    def rate(self) -> float:
        """Replies a second."""
        return self.replies / self.seconds


class Batch(NamedTuple):
    """The memory of one direction: datagrams, their iovecs, control messages and struct mmsghdr."""

    bytes: NDArray[np.uint8]
    names: NDArray[np.uint8]
    vectors: Words
    controls: Words
    messages: Words


def make_batch(length: int) -> Batch:
    """Memory for BURST datagrams of up to `length` bytes."""
    batch = Batch(
        np.zeros((BURST, length), np.uint8),
        np.zeros((BURST, 32), np.uint8),
        np.zeros((BURST, 2), np.int64),
        np.zeros((BURST, 4), np.int64),
        np.zeros((BURST, 8), np.int64),
    )
    for k in range(BURST):
        batch.vectors[k] = batch.bytes[k].ctypes.data, length
        batch.messages[k, VECTOR] = batch.vectors[k].ctypes.data
        batch.messages[k, VECTOR_LENGTH] = 1
    return batch


@njit(cache=True, nogil=True)
def now_ns(clock: int, timespec: Words) -> int:
    """A clock in ns; `timespec` int64[2] is scratch."""
    clock_gettime(clock, timespec.ctypes.data)
    return timespec[0] * 1_000_000_000 + timespec[1]


@njit(cache=True, nogil=True)
def mark_requests(out: Batch, run: int, sent: int) -> None:
    """Write the number of the run and of each request where its transmit stamp stands."""
    for k in range(BURST):
        mark = run << 32 | (sent + k)
        for i in range(8):
            out.bytes[k, 40 + i] = (mark >> (56 - 8 * i)) & 0xFF


@njit(cache=True, nogil=True)
def spread_sources(out: Batch, sent: int, sources: int) -> None:
    """Let each request leave from another address: 127.64.0.0 and the `sources` - 1 after it, in turn."""
    for k in range(BURST):
        source = (sent + k) % sources
        out.controls[k, 2] = (127 | 64 << 8 | (source >> 8) << 16 | (source & 0xFF) << 24) << 32


@njit(cache=True, nogil=True)
def count_ours(out: Batch, back: Batch, received: int, compared: int) -> int:
    """How many datagrams are replies whose origin agrees with our requests in its first `compared` bytes."""
    ours = 0
    for k in range(received):
        agrees = back.bytes[k, 0] & 7 == 4
        for i in range(compared):
            agrees = agrees and back.bytes[k, 24 + i] == out.bytes[0, 40 + i]
        ours += agrees
    return ours


@njit(cache=True, nogil=True)
def load(
    descriptor: int, duration_ns: int, run: int, vary: bool, sources: int, out: Batch, back: Batch
) -> tuple[int, int, int, int]:
    """Ask as fast as answers come for `duration_ns`; (replies, strangers, lost, ns).

    `run` marks this run's requests where they may `vary` (bytes 40 to 47); `sources` up to 65 536, 0: our own address.
    """
    timespec = np.zeros(2, np.int64)
    start = now_ns(CLOCK_MONOTONIC_RAW, timespec)
    now = last = start
    sent = replies = strangers = lost = outstanding = 0
    compared = 4 if vary else 8
    while now - start < duration_ns:
        if outstanding <= WINDOW - BURST:
            if vary:
                mark_requests(out, run, sent)
            if sources:
                spread_sources(out, sent, sources)
            count = max(sendmmsg(descriptor, out.messages.ctypes.data, BURST, 0), 0)
            sent += count
            outstanding += count
        received = recvmmsg(descriptor, back.messages.ctypes.data, BURST, MSG_DONTWAIT, 0)
        now = now_ns(CLOCK_MONOTONIC_RAW, timespec)
        if received > 0:
            last = now
            ours = count_ours(out, back, received, compared)
            replies += ours
            outstanding -= ours
            strangers += received - ours
        elif now - last > LOST_NS:
            lost += outstanding
            outstanding = 0
            last = now
    return replies, strangers, lost, now - start


def run_load(port: int, duration_s: float, run: int, request: bytes = PLAIN, sources: int = 0) -> Load:
    """Load 127.0.0.1:`port` for a while. A request longer than the header is sent unchanged."""
    out, back = make_batch(len(request)), make_batch(ROOM)
    out.bytes[:] = np.frombuffer(request, np.uint8)
    server = np.frombuffer(struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), bytes((127, 0, 0, 1))), np.uint8)
    for k in range(BURST):
        out.names[k, :16] = server
        out.messages[k, NAME], out.messages[k, NAME_LENGTH] = out.names[k].ctypes.data, 16
        if sources:
            out.controls[k, :2] = PKTINFO_LENGTH, PKTINFO_KIND
            out.messages[k, CONTROL], out.messages[k, CONTROL_LENGTH] = out.controls[k].ctypes.data, PKTINFO_BYTES
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("0.0.0.0" if sources else "127.0.0.1", 0))
        vary = len(request) == len(PLAIN)
        replies, strangers, lost, ns = load(client.fileno(), int(duration_s * 1e9), run, vary, sources, out, back)
    return Load(replies, strangers, lost, ns / 1e9)


@njit(cache=True, nogil=True)
def exchange(descriptor: int, request: Batch, reply: Batch, timespec: Words) -> tuple[int, int]:
    """One request on a connected socket with SO_TIMESTAMPNS; (sent, arrived) in ns of REALTIME, arrived −1: no reply.

    Compiled, so that nothing but the system call lies between the reading of the clock and the sending.
    """
    reply.messages[0, CONTROL] = reply.controls.ctypes.data
    reply.messages[0, CONTROL_LENGTH] = 32
    sent = now_ns(CLOCK_REALTIME, timespec)
    for i in range(8):
        request.bytes[0, 40 + i] = (sent >> (56 - 8 * i)) & 0xFF
    sent = now_ns(CLOCK_REALTIME, timespec)
    sendmmsg(descriptor, request.messages.ctypes.data, 1, 0)
    if recvmmsg(descriptor, reply.messages.ctypes.data, 1, 0, 0) != 1:
        return sent, -1
    return sent, reply.controls[0, 2] * 1_000_000_000 + reply.controls[0, 3]


class Asker:
    """One client that asks a server of this host now and then; offsets against REALTIME."""

    def __init__(self, port: int) -> None:
        self._request, self._reply = make_batch(len(PLAIN)), make_batch(ROOM)
        self._request.bytes[:] = np.frombuffer(PLAIN, np.uint8)
        self._timespec = np.zeros(2, np.int64)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
        self._socket.connect(("127.0.0.1", port))

    def ask(self) -> tuple[float, float]:
        """(offset, delay) in µs: server minus host."""
        sent, arrived = exchange(self._socket.fileno(), self._request, self._reply, self._timespec)
        data = self._reply.bytes[0].tobytes()
        if arrived < 0 or data[24:32] != self._request.bytes[0, 40:48].tobytes():
            raise RuntimeError("no reply to this request")
        stamps = struct.unpack("!IIII", data[32:48])
        received, answered = ((s - NTP_MINUS_UNIX_S) * 10**9 + (f * 10**9 >> 32) for s, f in (stamps[:2], stamps[2:]))
        return (received + answered - sent - arrived) / 2e3, (arrived - sent - answered + received) / 1e3

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()
