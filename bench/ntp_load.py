"""A load generator for NTP servers, compiled: a window of outstanding requests kept full on one connected UDP socket.

Requests leave in bursts and the generator polls without sleeping: with small bursts and a blocking wait the two
processes fall into step and the pair measures wake-ups. The window stays below what a socket buffer of default size
holds. Every reply's origin must be of this run's requests.
"""

from __future__ import annotations

import socket
import struct

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.station.serving import kernels
from timeball.station.serving.libc import recvmmsg, sendmmsg

WINDOW = 200
BURST = 32
MSG_DONTWAIT = 0x40
# Packets may be lost; the window is filled anew when nothing has come back for this long.
LOST_NS = 50_000_000


@njit(cache=True, nogil=True)
def load(descriptor: int, duration_ns: int, run: int, buffers: kernels.Buffers) -> tuple[int, int, int]:
    """Ask as fast as answers come for `duration_ns`; (replies, strangers, lost). `run` marks this run's requests."""
    out, back = buffers.replies, buffers.requests
    outgoing, incoming = buffers.outgoing, buffers.incoming
    for k in range(BURST):
        outgoing[k, kernels.NAME] = 0
        outgoing[k, kernels.NAME_LENGTH] = 0
        incoming[k, kernels.CONTROL] = 0
        incoming[k, kernels.CONTROL_LENGTH] = 0
        out[k, :] = 0
        out[k, 0] = 0x23
    timespec = np.zeros(2, np.int64)
    start = kernels.read_clock(kernels.CLOCK_MONOTONIC_RAW, timespec)
    now = last = start
    sent = replies = strangers = lost = outstanding = 0
    while now - start < duration_ns:
        if outstanding <= WINDOW - BURST:
            for k in range(BURST):
                kernels.ntp.write_u32(out[k], 40, run)
                kernels.ntp.write_u32(out[k], 44, sent + k)
            count = max(sendmmsg(descriptor, outgoing.ctypes.data, BURST, 0), 0)
            sent += count
            outstanding += count
        for k in range(BURST):
            incoming[k, kernels.NAME_LENGTH] = kernels.NAME_BYTES
        received = recvmmsg(descriptor, incoming.ctypes.data, BURST, MSG_DONTWAIT, 0)
        now = kernels.read_clock(kernels.CLOCK_MONOTONIC_RAW, timespec)
        if received > 0:
            last = now
        elif now - last > LOST_NS:
            lost += outstanding
            outstanding = 0
            last = now
        for k in range(received):
            mark = np.int64(back[k, 24]) << 24 | np.int64(back[k, 25]) << 16 | np.int64(back[k, 26]) << 8 | back[k, 27]
            if mark == run and back[k, 0] & 7 == 4:
                replies += 1
                outstanding -= 1
            else:
                strangers += 1
    return replies, strangers, lost


def rate(port: int, duration_s: float, run: int) -> float:
    """Replies a second from 127.0.0.1:`port`; RuntimeError when some were not to our requests."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        replies, strangers, _ = load(client.fileno(), int(duration_s * 1e9), run, kernels.make_buffers())
    if strangers:
        raise RuntimeError(f"{strangers} replies answer no request of this run")
    return replies / duration_s


def exchange(client: socket.socket, realtime_ns: NDArray[np.int64]) -> tuple[float, float]:
    """Ask once on a connected socket with SO_TIMESTAMPNS; (offset, delay) in µs against REALTIME. Scratch int64[2]."""
    sent = kernels.read_clock(kernels.CLOCK_REALTIME, realtime_ns)
    client.send(b"\x23" + bytes(39) + struct.pack("!q", sent))
    data, ancillary, _, _ = client.recvmsg(64, 64)
    seconds, ns = struct.unpack("qq", ancillary[0][2])
    if struct.unpack("!q", data[24:32]) != (sent,):
        raise RuntimeError("a reply to another request")
    stamps = struct.unpack("!IIII", data[32:48])
    unix_ns = [(stamps[i] - kernels.ntp.NTP_MINUS_UNIX_S) * 10**9 + (stamps[i + 1] * 10**9 >> 32) for i in (0, 2)]
    arrived = seconds * 10**9 + ns
    return (sum(unix_ns) - sent - arrived) / 2e3, (arrived - sent - unix_ns[1] + unix_ns[0]) / 1e3
