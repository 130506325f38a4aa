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
# stamps are awaited, until when (RAW) the hands owe rest, the usual time from the reading of a lone reply's transmit
# stamp to its sending: of a plain one, and of one that is sealed, and when (RAW) a batch was full last.
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
    LOADED_AT,
) = range(13)
STATE_WORDS = 16
HEAD_WORDS = 8

# One datagram left to Python: its row, what it is (protocols.ntp.reasons.Reason), when it arrived in RAW ns, whether
# that was the kernel's stamp, and by how many ns such a stamp may then be off.
ROW, KIND, ARRIVED, STAMPED, MARGIN = range(5)
HAND = 8
"""So many of a batch at most are left to Python."""
HAND_LOADED, HAND_RESTING = 2, 1
"""So many where more waits, because what comes meanwhile must fit the socket's queue; and where the hands are tired."""
LOADED = 16
"""A batch of so many means that there is more to do than this loop can just now."""
REST = 3
"""For each turn the hands owe so many times as long of rest: a quarter of the time is theirs."""
OWED_NS = 10_000_000
"""So much rest may be owed before they are tired: some clients that come at once are answered all the same."""


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


def room_for_hands(state: Words, received: int, raw_mid_ns: int) -> int:
    """How many of a batch of `received` may be left to Python at `raw_mid_ns`; told once a batch or more often.

    A flood that fills batches gets a quarter of the time. One that does not, and that the loop has time for, is
    answered one datagram at a time: whoever else is in the queue waits for one of them.
    """
    if received >= LOADED:
        state[LOADED_AT] = raw_mid_ns
    tired = state[HAND_FREE_AT] - raw_mid_ns > OWED_NS
    if raw_mid_ns - state[LOADED_AT] < OWED_NS:
        return 0 if tired else HAND_LOADED
    return HAND_RESTING if tired else HAND


def tire_hands(state: Words, began_ns: int, now_ns: int) -> None:
    """The hands were busy from `began_ns` to `now_ns` (RAW); what they owe is bounded, so that a flood is soon past."""
    owed_ns = max(int(state[HAND_FREE_AT]), began_ns) + (1 + REST) * (now_ns - began_ns)
    state[HAND_FREE_AT] = min(owed_ns, now_ns + 2 * OWED_NS)


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
        hand=np.zeros((HAND, 5), np.int64),
    )
