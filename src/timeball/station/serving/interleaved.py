"""What interleaved mode remembers (RFC 9769): which transmit stamp followed which receive stamp, in fixed memory.

Every loop has a table of its own and looks into all of them: the lowest bits of the receive stamps that a loop gives
out are its number. Kept are only exchanges whose request carried an origin, as those of clients that ask for
interleaved mode do; the true transmit stamp comes from the socket's error queue (SO_TIMESTAMPING, software) and takes
the place of the one that the reply carried. A client whose stamps have been overwritten is answered in basic mode.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.station.serving.buffers import CONTROL, CONTROL_LENGTH, MESSAGE_WORDS

Words = NDArray[np.int64]

SLOTS = 8192
PER_BATCH = 16
"""So many true stamps are asked for in a batch at most: each costs as much as a reply."""
PENDING = 64
ERRORS = 16
ERROR_CONTROL_WORDS = 32

SO_TIMESTAMPING = 37
TX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY, OPT_RX_FILTER = 1 << 1, 1 << 4, 1 << 7, 1 << 11, 1 << 17
FLAGS = SOFTWARE | OPT_ID | OPT_TSONLY
# struct cmsghdr with a 32-bit word behind it: ask for a transmit stamp of this datagram (24 bytes with padding)
ASK_LENGTH, ASK_KIND, ASK_BYTES = 20, 1 | SO_TIMESTAMPING << 32, 24

# words of a pending stamp: its number at the kernel + 1, the receive stamp it belongs to, RAW when the reply was
# written, and REALTIME − RAW of that batch
NUMBER, GIVEN, WRITTEN, PAIR = range(4)

# (level, type) of what an error queue tells: SOL_SOCKET SCM_TIMESTAMPING, IPPROTO_IP IP_RECVERR, IPPROTO_IPV6
# IPV6_RECVERR; then the origin SO_EE_ORIGIN_TIMESTAMPING in struct sock_extended_err
STAMPS_KIND = 1 | 37 << 32
V4_ERROR_KIND = 0 | 11 << 32
V6_ERROR_KIND = 41 | 25 << 32
ORIGIN_TIMESTAMPING = 4
# A true stamp lies this far behind the written one at most; more, or before it, was not made by the same clock.
LONGEST_SENDING_NS = 10_000_000
SPREAD = -7046029254386353131
SLOT_SHIFT = 64 - 13


class StampMemory(NamedTuple):
    """`tables` int64[loops, SLOTS, 2] of (receive, transmit), shared; the rest is one loop's own.

    `pending` int64[PENDING, 4]; `next_number` int64[1] is what the kernel will call the next stamp asked for; `errors`
    are struct mmsghdr for the error queue with their `controls`.
    """

    tables: Words
    pending: Words
    next_number: Words
    errors: Words
    controls: Words


def make_tables(loops: int) -> Words:
    """Empty tables for so many loops."""
    return np.zeros((loops, SLOTS, 2), np.int64)


def make_memory(tables: Words) -> StampMemory:
    """One loop's view of the tables, and what it needs to read the error queue."""
    memory = StampMemory(
        tables,
        np.zeros((PENDING, 4), np.int64),
        np.zeros(1, np.int64),
        np.zeros((ERRORS, MESSAGE_WORDS), np.int64),
        np.zeros((ERRORS, ERROR_CONTROL_WORDS), np.int64),
    )
    for k in range(ERRORS):
        memory.errors[k, CONTROL] = memory.controls[k].ctypes.data
        memory.errors[k, CONTROL_LENGTH] = 8 * ERROR_CONTROL_WORDS
    return memory


def stamp_mask(loops: int) -> int:
    """The lowest bits of a receive stamp that hold a loop's number; each is worth 0.2 ns."""
    return (1 << (loops - 1).bit_length()) - 1


def report_transmit_stamps(listener: socket.socket) -> None:
    """Let the error queue of this socket tell transmit stamps that are asked for. Where it cannot, none ever come."""
    for flags in (FLAGS | OPT_RX_FILTER, FLAGS):
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, struct.pack("=I", flags))
            return
