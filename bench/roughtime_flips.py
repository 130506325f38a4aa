"""Roughtime while the leases flip at random: not one reply may be signed after a withdrawal that its server could see.

A reply tells no time finer than a second, so each is held against the moments of its own request: asked after a
withdrawal was in place and answered before anything was granted again, it was signed in between. Timekeeper's and
observer's lease are taken back, or run out, one by one or together.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import Figure, Skip
from bench.ntp_servers import LEASE_NS, HostClock
from bench.roughtime import our_server
from bench.roughtime_load import (
    BURST,
    CLOCK_MONOTONIC_RAW,
    MSG_DONTWAIT,
    REPLY_BYTES,
    ask_for_room,
    make_messages,
    write_u32,
)
from timeball.protocols.roughtime.client import build_request
from timeball.protocols.roughtime.kernels import load_u32
from timeball.protocols.roughtime.message import NONCE_BYTES
from timeball.protocols.roughtime.replies import NONCE_AT
from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.page.pagefile import PageReader
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.serving.libc import clock_gettime, recvmmsg, sendmmsg

ROOM = "under_attack"
ASKED = {"compiled": 1_000_000, "plain": 200_000}
FLIP_S = 0.006
# Requests of a withdrawn time get no reply: more are sent when nothing has come for so long.
QUIET_NS, SETTLE_NS = 2_000_000, 300_000_000
RUN = 0x52544D

Bytes = NDArray[np.uint8]
Words = NDArray[np.int64]


def figures() -> Iterator[Figure | Skip]:
    """Give, for both ways of answering, the replies signed while time was withdrawn."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield Skip("Roughtime replies signed while withdrawn", "needs two cores: one for the server, one for who asks")
        return
    for loop, asked in ASKED.items():
        with ExitStack() as stack:
            state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(os.sched_setaffinity, 0, set(cores))
            yield flipped(state, loop, asked, cores)


def flipped(state: Path, loop: str, asked: int, cores: list[int]) -> Figure:
    """Ask so often while the leases flip, and count the lies."""
    (state / "run").mkdir()
    clock = HostClock(state)
    with our_server(state, loop, cores[1], clock) as (_, generator):
        os.sched_setaffinity(0, {cores[0]})
        flips = Flips(clock)
        flips.start()
        sent, got = ask_all(generator.port, asked)
        spans = flips.stop()
        page = PageReader(roughtime_page(state), RoughtimePage).read()
    lies = int(signed_within(sent, got, spans).sum())
    replies, refused = int((got > 0).sum()), int(signed_within(sent, sent + QUIET_NS, spans).sum())
    dropped = 0 if page is None else page.dropped_unsynchronised
    words = f"{asked} asked, {replies} replies, {refused} asked well inside one of {len(spans)} withdrawals"
    good = lies == 0 and min(replies, refused, dropped) > asked // 100
    return Figure(f"Roughtime replies signed while withdrawn, {loop} ({words})", ROOM, lies, "", None, None, "0", good)


class Flips:
    """A thread that takes the leases back, or lets them run out, and grants them again."""

    def __init__(self, clock: HostClock) -> None:
        self._clock, self._stop = clock, threading.Event()
        self._spans: list[tuple[int, int]] = []
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to flip."""
        self._thread.start()

    def stop(self) -> Words:
        """Stop; int64[n, 2]: RAW when a withdrawal was in place, and when the next grant began."""
        self._stop.set()
        self._thread.join()
        return np.array(self._spans, np.int64)

    def _run(self) -> None:
        chance = random.Random(1)
        while not self._stop.is_set():
            # below zero: taken back at once; above: runs out by itself
            short_ns = int(chance.uniform(-0.5, 0.5) * FLIP_S * 1e9)
            leases = chance.choice(((short_ns, LEASE_NS), (LEASE_NS, short_ns), (short_ns, short_ns)))
            end_ns = self._clock.grant(*leases)
            begun_ns = max(end_ns, raw_ns())
            time.sleep(max(begun_ns - raw_ns(), 0) / 1e9 + chance.random() * FLIP_S)
            self._spans.append((begun_ns, raw_ns()))
            self._clock.renew()
            time.sleep(chance.random() * FLIP_S)


def signed_within(sent: Words, got: Words, spans: Words) -> NDArray[np.bool_]:
    """Which requests were sent after a span began and answered (`got` > 0) before it ended."""
    at = np.searchsorted(spans[:, 0], sent, side="left") - 1
    inside: NDArray[np.bool_] = (got > 0) & (at >= 0) & (got < spans[np.maximum(at, 0), 1])
    return inside


@njit(cache=True, nogil=True)
def ask(
    descriptor: int, nonce_at: int, requests: Bytes, replies: Bytes, messages: Words, sent: Words, got: Words
) -> int:
    """Send a request for each place of int64[n] `sent` and `got`, a burst at a time; gives the replies to none of them.

    Written are RAW before a request was sent, and after its reply had come (0: none has).
    """
    timespec = np.zeros(2, np.int64)
    clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
    now = last = timespec[0] * 1_000_000_000 + timespec[1]
    done = outstanding = strangers = 0
    while done + BURST <= sent.size or now - last < SETTLE_NS:
        if done + BURST <= sent.size and (outstanding <= 0 or now - last > QUIET_NS):
            for k in range(BURST):
                write_u32(requests[k], nonce_at, RUN)
                write_u32(requests[k], nonce_at + 4, done + k)
            clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
            last = timespec[0] * 1_000_000_000 + timespec[1]
            outstanding = max(sendmmsg(descriptor, messages[0].ctypes.data, BURST, 0), 0)
            sent[done : done + outstanding] = last
            done += outstanding
        received = recvmmsg(descriptor, messages[1].ctypes.data, BURST, MSG_DONTWAIT, 0)
        clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
        now = timespec[0] * 1_000_000_000 + timespec[1]
        for k in range(received):
            place = load_u32(replies[k], NONCE_AT + 4)
            if load_u32(replies[k], NONCE_AT) != RUN or place >= done or got[place] != 0:
                strangers += 1
            else:
                got[place], last = now, now
                outstanding -= 1
    return strangers


def ask_all(port: int, count: int) -> tuple[Words, Words]:
    """When each of about `count` requests left, and when its reply came or 0. RuntimeError for replies to none."""
    request, nonce = build_request(bytes(NONCE_BYTES), (1,)), b"\xa5" * NONCE_BYTES
    nonce_at = build_request(nonce, (1,)).index(nonce)
    requests, replies = np.tile(np.frombuffer(request, np.uint8), (BURST, 1)), np.zeros((BURST, REPLY_BYTES), np.uint8)
    _vectors, messages = make_messages(requests, replies)
    sent, got = np.zeros((2, count), np.int64)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        ask_for_room(client)
        client.connect(("127.0.0.1", port))
        strangers = ask(client.fileno(), nonce_at, requests, replies, messages, sent, got)
    if strangers:
        raise RuntimeError(f"{strangers} replies answer none of the requests")
    return sent, got
