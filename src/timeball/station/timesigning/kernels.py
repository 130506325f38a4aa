"""Compiled batches of the Roughtime server: datagrams in by recvmmsg, read and hashed into trees; replies out.

Between the two calls Python makes one signature a version. `receive` gives one tree a version; `compose` writes the
replies from templates; `send` sends them. Arrays are one socket's own and are held by their owner (`Buffers`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.roughtime import kernels as roughtime
from timeball.protocols.roughtime.message import HASH_BYTES
from timeball.protocols.roughtime.replies import longest_reply
from timeball.protocols.roughtime.server import LARGEST_REQUEST
from timeball.station.page.kernels import read_pair, served_instant, sync_status
from timeball.station.page.pagelayout import IN_SYNC, TK_LEAP_SIGN, TK_LEAP_TAI, TK_TAI_MINUS_UTC
from timeball.station.page.roughtimepage import DROPPED, PACKETS, REPLIES, SEND_FAILURES
from timeball.station.serving.libc import clock_gettime, recvmmsg, sendmmsg

CLOCK_MONOTONIC_RAW = 4
CLOCK_BOOTTIME = 7
MSG_WAITFORONE = 0x10000
NAME_BYTES = 32
# struct mmsghdr in 64-bit words
NAME, NAME_LENGTH, VECTOR, VECTOR_LENGTH, CONTROL, CONTROL_LENGTH, FLAGS, LENGTH = range(8)
MESSAGE_WORDS = 8
# Before a packet stands the zero byte of its leaf; of one that is too long, four bytes more than the longest are taken.
LEAD = 8
TAKEN_BYTES = LARGEST_REQUEST + 4
ROW_BYTES = LEAD + TAKEN_BYTES
# What is known of a request: index of its version (−1: no answer), of its leaf, where its nonce stands.
ASKED_VERSION, ASKED_LEAF, ASKED_NONCE = range(3)


class Buffers(NamedTuple):
    """The memory of one socket's batches; the kernel is given addresses into it.

    `requests` uint8[batch · ROW_BYTES], `replies` uint8[batch, longest], `nodes` uint8[versions, 2·batch + 24, 32],
    `asked` int64[batch, 3], `leaves` int64[versions] how many of each version, `roots` uint8[versions, 32].
    """

    requests: NDArray[np.uint8]
    replies: NDArray[np.uint8]
    nodes: NDArray[np.uint8]
    asked: NDArray[np.int64]
    leaves: NDArray[np.int64]
    roots: NDArray[np.uint8]
    scratch: NDArray[np.uint8]
    names: NDArray[np.uint8]
    vectors: NDArray[np.int64]
    incoming: NDArray[np.int64]
    outgoing: NDArray[np.int64]


def make_buffers(batch: int, versions: int) -> Buffers:
    """Buffers of `batch` datagrams: struct mmsghdr in `incoming` and `outgoing`, their iovecs in `vectors`."""
    buffers = Buffers(
        requests=np.zeros(batch * ROW_BYTES, np.uint8),
        replies=np.zeros((batch, longest_reply(batch, versions)), np.uint8),
        nodes=np.zeros((versions, 2 * batch + 24, HASH_BYTES), np.uint8),
        asked=np.zeros((batch, 3), np.int64),
        leaves=np.zeros(versions, np.int64),
        roots=np.zeros((versions, HASH_BYTES), np.uint8),
        scratch=np.zeros(roughtime.SCRATCH_BYTES, np.uint8),
        names=np.zeros((batch, NAME_BYTES), np.uint8),
        vectors=np.zeros((2, batch, 2), np.int64),
        incoming=np.zeros((batch, MESSAGE_WORDS), np.int64),
        outgoing=np.zeros((batch, MESSAGE_WORDS), np.int64),
    )
    first = buffers.requests.ctypes.data + LEAD
    for k in range(batch):
        buffers.vectors[0, k] = first + k * ROW_BYTES, TAKEN_BYTES
        buffers.vectors[1, k, 0] = buffers.replies[k].ctypes.data
        for way, messages in enumerate((buffers.incoming, buffers.outgoing)):
            messages[k, NAME] = buffers.names[k].ctypes.data
            messages[k, VECTOR] = buffers.vectors[way, k].ctypes.data
            messages[k, VECTOR_LENGTH] = 1
    return buffers


@njit(cache=True, nogil=True)
def receive(
    descriptor: int,
    buffers: Buffers,
    srv: NDArray[np.uint8],
    versions: NDArray[np.int64],
    least: int,
    counters: NDArray[np.int64],
) -> int:
    """Take a batch of datagrams from a UDP socket, waiting for the first; read each, and grow a tree a version.

    `srv`, `versions`, `least` as roughtime.read_request; `counters` int64[COUNTERS]. Gives the datagrams taken, 0 when
    the wait ended without one.
    """
    incoming, asked = buffers.incoming, buffers.asked
    batch = asked.shape[0]
    for k in range(batch):
        incoming[k, NAME_LENGTH] = NAME_BYTES
    buffers.leaves[:] = 0
    received = 0
    if descriptor >= 0:
        received = max(recvmmsg(descriptor, incoming.ctypes.data, batch, MSG_WAITFORONE, 0), 0)
    found = np.zeros(2, np.int64)
    for k in range(received):
        counters[PACKETS] += 1
        at, length = k * ROW_BYTES + LEAD, incoming[k, LENGTH] & 0xFFFFFFFF
        asked[k, ASKED_VERSION] = -1
        reason = roughtime.read_request(buffers.requests, at, length, srv, versions, least, found)
        if reason != roughtime.ANSWERED:
            counters[DROPPED + reason - 1] += 1
            continue
        version = found[roughtime.VERSION_FOUND]
        leaf = buffers.leaves[version]
        roughtime.hash_leaf(buffers.scratch, buffers.requests, at, length, buffers.nodes[version], leaf)
        asked[k, ASKED_VERSION], asked[k, ASKED_LEAF] = version, leaf
        asked[k, ASKED_NONCE] = found[roughtime.NONCE_FOUND]
        buffers.leaves[version] = leaf + 1
    for version in range(versions.size):
        leaves = buffers.leaves[version]
        if leaves > 0:
            row = roughtime.grow_tree(buffers.scratch, buffers.nodes[version], leaves)
            buffers.roots[version, :] = buffers.nodes[version, row]
    return received


@njit(cache=True, nogil=True)
def compose(buffers: Buffers, received: int, templates: NDArray[np.uint8], lengths: NDArray[np.int64]) -> int:
    """Write the reply to each request that was understood; gives how many, in the order of arrival.

    `templates` uint8[versions, n] and their `lengths` int64[versions], as server.reply_template.
    """
    count = 0
    for k in range(received):
        version = buffers.asked[k, ASKED_VERSION]
        if version < 0:
            continue
        leaf, nonce, leaves = buffers.asked[k, ASKED_LEAF], buffers.asked[k, ASKED_NONCE], buffers.leaves[version]
        roughtime.fill_reply(
            buffers.replies[count],
            templates[version],
            lengths[version],
            buffers.requests,
            nonce,
            buffers.nodes[version],
            leaves,
            leaf,
        )
        buffers.vectors[1, count, 1] = lengths[version]
        buffers.outgoing[count, NAME] = buffers.incoming[k, NAME]
        buffers.outgoing[count, NAME_LENGTH] = buffers.incoming[k, NAME_LENGTH]
        count += 1
    return count


@njit(cache=True, nogil=True)
def send(descriptor: int, buffers: Buffers, count: int, counters: NDArray[np.int64]) -> None:
    """Send `count` replies; one the kernel refuses is counted and passed over."""
    done = 0
    while done < count:
        address = buffers.outgoing.ctypes.data + done * 8 * MESSAGE_WORDS
        sent = sendmmsg(descriptor, address, count - done, 0)
        if sent > 0:
            done += sent
            counters[REPLIES] += sent
        else:
            done += 1
            counters[SEND_FAILURES] += 1


@njit(cache=True, nogil=True)
def reply(
    descriptor: int,
    buffers: Buffers,
    received: int,
    templates: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> None:
    """`compose` and `send` in one call."""
    send(descriptor, buffers, compose(buffers, received, templates, lengths), counters)


@njit(cache=True, nogil=True)
def read_clock(
    addresses: NDArray[np.int64],
    boot: NDArray[np.int64],
    timekeeper: NDArray[np.int64],
    observer: NDArray[np.int64],
    served: NDArray[np.int64],
) -> float:
    """Served time now from both pages, as SigningClock in plain Python: the bound in s, NaN while not in sync.

    Into int64[2] `served`: TAI in ns, and TAI − UTC in s as in force in the count. The counters are read before the
    pages: a lease that was withdrawn before that is seen to be.
    """
    timespec, sequences = np.zeros(2, np.int64), np.zeros(2, np.int64)
    clock_gettime(CLOCK_MONOTONIC_RAW, timespec.ctypes.data)
    raw = timespec[0] * 1_000_000_000 + timespec[1]
    clock_gettime(CLOCK_BOOTTIME, timespec.ctypes.data)
    boottime = timespec[0] * 1_000_000_000 + timespec[1]
    if read_pair(addresses, boot, timekeeper, observer, sequences) != IN_SYNC:
        return np.nan
    if sync_status(timekeeper, observer, raw, boottime) != IN_SYNC:
        return np.nan
    tai_ns, _, bound_s = served_instant(timekeeper, raw)
    offset_s = timekeeper[TK_TAI_MINUS_UTC]
    leap_ns, sign = timekeeper[TK_LEAP_TAI], timekeeper[TK_LEAP_SIGN]
    if leap_ns != 0 and tai_ns >= leap_ns - (1_000_000_000 if sign > 0 else 0):
        offset_s += sign
    served[0], served[1] = tai_ns, offset_s
    return bound_s
