"""The compiled loop of one socket, with Python's hands for what it leaves over. Importing this loads the compiler."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.page import kernels as page_kernels
from timeball.station.serving import kernels
from timeball.station.serving.access import build_access
from timeball.station.serving.buffers import LENGTH, make_buffers
from timeball.station.serving.byhand import Hands, rest
from timeball.station.serving.interleaved import make_memory, make_tables
from timeball.station.serving.kernels_stamps import reading_cost_ns
from timeball.station.serving.limiter import make_limiter, make_rules
from timeball.station.serving.loop import Loop, make_loop
from timeball.station.serving.sealing import Sealing, resolve_calls, why_not_compiled
from timeball.station.serving.settings import NTS_BY_HAND, SETTINGS, WILDCARD

Words = NDArray[np.int64]

READINGS = 2000
SEED_BYTES = 32


def run_loop(descriptor: int, addresses: Words, boot: Words, stop: Words, loop: Loop, hands: Hands) -> None:
    """Answer on a socket until stop[0] is not 0; with stop[1] the loop comes out for new cookie keys."""
    sealing = Sealing(by_hand=bool(loop.settings[NTS_BY_HAND]))
    stop[1] = 1
    while stop[0] == 0:
        if stop[1] != 0:
            stop[1] = 0
            sealing.take(hands.keys())
        left = kernels.serve(descriptor, addresses, boot, stop, loop, sealing.ring, sealing.work)
        if left:
            answer_by_hand(descriptor, loop, hands, left)
    sealing.close()


def answer_by_hand(descriptor: int, loop: Loop, hands: Hands, left: int) -> None:
    """Answer what the loop has left in `hand`, before it goes round again."""
    began_ns = raw_ns()
    ready = 0
    for row, _, arrived_ns, stamped, margin_ns in loop.hand[:left].tolist():
        length = int(loop.posts.incoming[row, LENGTH]) & 0xFFFFFFFF
        datagram = loop.texts.requests[row, :length].tobytes()
        reply = hands.answer(datagram, arrived_ns, margin_ns if stamped else None)
        if reply is not None:
            loop.texts.reply_words.view(np.uint8)[ready, : len(reply)] = np.frombuffer(reply, np.uint8)
            kernels.address_reply(loop.posts, int(loop.settings[WILDCARD]), row, ready, len(reply), 0)
            ready += 1
    kernels.send_all(descriptor, loop.posts.outgoing, ready, loop.counters)
    rest(loop.state, began_ns)


def measured_cost_ns() -> int:
    """What a reading of RAW costs, or its resolution."""
    return reading_cost_ns(READINGS, np.zeros(2, np.int64))


def nts_by_hand(log: logging.Logger) -> bool:
    """Whether NTS is left to Python, and said so."""
    return why_not_compiled(log)


def warm() -> None:
    """Compile the server's loop into the cache: it is called stopped, on no socket."""
    resolve_calls()
    reading_cost_ns(10, np.zeros(2, np.int64))
    words, stop = np.zeros(2, np.int64), np.ones(2, np.int64)
    limiter = make_limiter(1, make_rules(0, 1, 0, 1, 0), bytes(SEED_BYTES))
    settings = np.zeros(SETTINGS, np.int64)
    loop = make_loop(settings, make_buffers(), build_access([], [], []), limiter, make_memory(make_tables(1)))
    sealing = Sealing(by_hand=True)
    kernels.serve(-1, words, words, stop, loop, sealing.ring, sealing.work)
    kernels.send_all(-1, loop.posts.outgoing, 0, loop.counters)
    kernels.address_reply(loop.posts, 0, 0, 0, 0, 0)
    page = np.zeros(64, np.int64)
    page_kernels.write_page(page.ctypes.data, words)
    page_kernels.read_page(page.ctypes.data, words)
