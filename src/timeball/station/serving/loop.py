"""Everything one loop works on, in arrays that outlive its calls: compiled code and Python see the same memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.pagelayout import OBSERVER_WORDS, TIMEKEEPER_WORDS
from timeball.station.serving.access import AccessTable
from timeball.station.serving.buffers import BATCH, Buffers
from timeball.station.serving.counters import COUNTERS
from timeball.station.serving.interleaved import StampMemory
from timeball.station.serving.limiter import Limiter

Words = NDArray[np.int64]

# What a loop remembers from batch to batch, int64[STATE_WORDS]: the last bracket, until when stamps are distrusted,
# since when the queue has not been empty, the usual wake-up, how many rows the last call filled, whether transmit
# stamps are awaited, until when (RAW) nothing is done by hand while there is much to do, and the usual time from the
# reading of a lone reply's transmit stamp to its sending: of a plain one, and of one that is sealed.
(
    STARTED,
    LAST_RAW,
    LAST_PAIR,
    LAST_WIDTH,
    DISTRUSTED_UNTIL,
    EMPTY,
    WAKE_UP,
    LAST_RECEIVED,
    AWAITED,
    HAND_FREE_AT,
    LEAD,
    SEALED_LEAD,
) = range(12)
STATE_WORDS = 16
HEAD_WORDS = 8

# One datagram left to Python: its row, what it is (protocols.ntp.reasons.Reason), when it arrived in RAW ns, and
# whether that was the kernel's stamp.
ROW, KIND, ARRIVED, STAMPED = range(4)
HAND = 8
"""So many of a batch at most are left to Python."""


class Texts(NamedTuple):
    """Requests and replies by rows: their bytes, and the same as words."""

    requests: NDArray[np.uint8]
    replies: NDArray[np.uint8]
    request_words: Words
    reply_words: Words


class Posts(NamedTuple):
    """What recvmmsg and sendmmsg are given, without the payloads (buffers.py)."""

    incoming: Words
    outgoing: Words
    controls: Words
    sent_controls: Words
    vectors: Words


class Clock(NamedTuple):
    """The pages as read last with their sequences, the head of replies, and room for a clock reading."""

    timekeeper: Words
    observer: Words
    sequences: Words
    head: Words
    timespec: Words


class Screening(NamedTuple):
    """Who asked: socket addresses, and what access list and limits say of them."""

    names: Words
    codes: Words
    places: Words


class Loop(NamedTuple):
    """One socket's loop. `settings` are its own; `access`, `limiter` and the tables of `memory` all loops share.

    In parts that functions take as a whole: compiled code pays for every array that it is given.
    """

    texts: Texts
    posts: Posts
    clock: Clock
    screening: Screening
    access: AccessTable
    limiter: Limiter
    memory: StampMemory
    settings: Words
    counters: Words
    state: Words
    hand: Words


def make_loop(settings: Words, buffers: Buffers, access: AccessTable, limiter: Limiter, memory: StampMemory) -> Loop:
    """A loop that has not run yet."""
    return Loop(
        texts=Texts(buffers.requests, buffers.replies, buffers.request_words, buffers.reply_words),
        posts=Posts(buffers.incoming, buffers.outgoing, buffers.controls, buffers.sent_controls, buffers.vectors),
        clock=Clock(
            timekeeper=np.zeros(TIMEKEEPER_WORDS, np.int64),
            observer=np.zeros(OBSERVER_WORDS, np.int64),
            sequences=np.zeros(2, np.int64),
            head=np.zeros(HEAD_WORDS, np.int64),
            timespec=np.zeros(2, np.int64),
        ),
        screening=Screening(buffers.names, np.zeros(BATCH, np.int64), np.zeros((BATCH, 4), np.int64)),
        access=access,
        limiter=limiter,
        memory=memory,
        settings=settings,
        counters=np.zeros(COUNTERS, np.int64),
        state=np.zeros(STATE_WORDS, np.int64),
        hand=np.zeros((HAND, 4), np.int64),
    )
