"""What bench/under_attack.py sends, compiled: a flood that waits for nothing, packets of any bytes, replies recorded.

Everything is bounded in time and number, and goes to the loopback alone.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.ntp_load import (
    BURST,
    CLOCK_MONOTONIC_RAW,
    CONTROL,
    CONTROL_LENGTH,
    LENGTH,
    MSG_DONTWAIT,
    NAME,
    NAME_LENGTH,
    PKTINFO_BYTES,
    PKTINFO_KIND,
    PKTINFO_LENGTH,
    PLAIN,
    ROOM,
    WINDOW,
    Batch,
    make_batch,
    mark_requests,
    now_ns,
    spread_sources,
)
from timeball.station.serving.libc import recvmmsg, sendmmsg

LONGEST = 1024
# A mark in the stamps of a fuzzed packet tells its own length, so that a reply can be held against its request.
MAGIC = 0x5A5A
SETTLE_NS = 300_000_000

Words = NDArray[np.int64]


class Fuzzed(NamedTuple):
    """What came of a row of fuzzed packets."""

    sent: int
    replies: int
    longer: int
    wrong: int


@njit(cache=True, nogil=True)
def flood(descriptor: int, duration_ns: int, sources: int, out: Batch) -> int:
    """Send plain requests without waiting for anything; how many the kernel took."""
    timespec = np.zeros(2, np.int64)
    start = now_ns(CLOCK_MONOTONIC_RAW, timespec)
    sent = 0
    while now_ns(CLOCK_MONOTONIC_RAW, timespec) - start < duration_ns:
        mark_requests(out, 1, sent)
        spread_sources(out, sent, sources)
        sent += max(sendmmsg(descriptor, out.messages.ctypes.data, BURST, 0), 0)
    return sent


def run_flood(port: int, duration_s: float, sources: int) -> float:
    """Flood 127.0.0.1:`port` for a while; packets sent a second."""
    out = make_batch(len(PLAIN))
    out.bytes[:] = np.frombuffer(PLAIN, np.uint8)
    address(out, port)
    for k in range(BURST):
        out.controls[k, :2] = PKTINFO_LENGTH, PKTINFO_KIND
        out.messages[k, CONTROL], out.messages[k, CONTROL_LENGTH] = out.controls[k].ctypes.data, PKTINFO_BYTES
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("0.0.0.0", 0))
        return flood(client.fileno(), int(duration_s * 1e9), sources, out) / duration_s


def address(out: Batch, port: int) -> None:
    """Send every message of the batch to 127.0.0.1:`port`."""
    server = np.frombuffer(struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), bytes((127, 0, 0, 1))), np.uint8)
    for k in range(BURST):
        out.names[k, :16] = server
        out.messages[k, NAME], out.messages[k, NAME_LENGTH] = out.names[k].ctypes.data, 16


@njit(cache=True, nogil=True)
def next_random(state: int) -> int:
    """A step of xorshift64 (Marsaglia 2003) on the bits of an int64."""
    state ^= state << 13
    state ^= (state >> 7) & 0x01FFFFFFFFFFFFFF
    state ^= state << 17
    return state


@njit(cache=True, nogil=True)
def make_fuzzed(packet: NDArray[np.uint8], templates: NDArray[np.uint8], lengths: Words, state: int) -> tuple[int, int]:
    """Write one packet; (its length, the new state). A template cut, lengthened, spoilt, or bytes at random."""
    state = next_random(state)
    which = (state >> 3) & 0xFF
    length = (state >> 20) & (LONGEST - 1)
    if which < 200:
        template = which % lengths.size
        if which & 64:
            length = lengths[template]
        packet[:LONGEST] = templates[template, :LONGEST]
        for _ in range((state >> 40) & 7):
            state = next_random(state)
            at = (state >> 5) % max(length, 1)
            packet[at] = (state >> 30) & 0xFF
    else:
        for i in range(0, length, 8):
            state = next_random(state)
            for j in range(min(8, length - i)):
                packet[i + j] = (state >> (8 * j)) & 0xFF
    for field in (32, 40):
        for i in range(8):
            if field + i < length:
                mark = MAGIC << 16 | length
                packet[field + i] = (mark >> (24 - 8 * i)) & 0xFF if i < 4 else packet[field + i]
    return length, state


@njit(cache=True, nogil=True)
def fuzz(
    descriptor: int, count: int, seed: int, templates: NDArray[np.uint8], lengths: Words, out: Batch, back: Batch
) -> tuple[int, int, int, int]:
    """Send `count` fuzzed packets, and hold every reply against its request: (sent, replies, longer, wrong)."""
    timespec = np.zeros(2, np.int64)
    state = seed
    sent = replies = longer = wrong = 0
    last = now_ns(CLOCK_MONOTONIC_RAW, timespec)
    while sent < count or now_ns(CLOCK_MONOTONIC_RAW, timespec) - last < SETTLE_NS:
        if sent < count:
            for k in range(BURST):
                length, state = make_fuzzed(out.bytes[k], templates, lengths, state)
                out.vectors[k, 1] = length
            sent += max(sendmmsg(descriptor, out.messages.ctypes.data, BURST, 0), 0)
            last = now_ns(CLOCK_MONOTONIC_RAW, timespec)
        received = recvmmsg(descriptor, back.messages.ctypes.data, BURST, MSG_DONTWAIT, 0)
        for k in range(received):
            replies += 1
            reply = back.bytes[k]
            length = back.messages[k, LENGTH] & 0xFFFFFFFF
            mark = np.int64(reply[24]) << 8 | np.int64(reply[25])
            asked = np.int64(reply[26]) << 8 | np.int64(reply[27])
            mode = np.int64(reply[0]) & 7
            wrong += length < 48 or mark != MAGIC or mode != 4
            longer += length > asked
    return sent, replies, longer, wrong


def run_fuzz(port: int, count: int, seed: int, templates: list[bytes]) -> Fuzzed:
    """Send packets made from `templates` (whole requests) to 127.0.0.1:`port`."""
    room = np.zeros((len(templates), LONGEST), np.uint8)
    for row, template in zip(room, templates, strict=True):
        row[: len(template)] = np.frombuffer(template, np.uint8)
    lengths = np.array([len(template) for template in templates], np.int64)
    out, back = make_batch(LONGEST), make_batch(ROOM)
    address(out, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        return Fuzzed(*fuzz(client.fileno(), count, seed, room, lengths, out, back))


@njit(cache=True, nogil=True)
def record(descriptor: int, out: Batch, back: Batch, stamps: Words, claims: NDArray[np.bool_]) -> int:
    """Ask until `stamps` int64[n] is full: each reply's transmit stamp without its top bit, and whether it claims sync.

    Gives how many replies came; fewer than n when none came for a second.
    """
    timespec = np.zeros(2, np.int64)
    last = now_ns(CLOCK_MONOTONIC_RAW, timespec)
    done = outstanding = sent = 0
    while done < stamps.size and now_ns(CLOCK_MONOTONIC_RAW, timespec) - last < 1_000_000_000:
        if outstanding <= WINDOW - BURST:
            mark_requests(out, 1, sent)
            count = max(sendmmsg(descriptor, out.messages.ctypes.data, BURST, 0), 0)
            sent += count
            outstanding += count
        received = recvmmsg(descriptor, back.messages.ctypes.data, BURST, MSG_DONTWAIT, 0)
        if received > 0:
            last = now_ns(CLOCK_MONOTONIC_RAW, timespec)
            outstanding -= received
        for k in range(min(max(received, 0), stamps.size - done)):
            reply = back.bytes[k]
            stamp = np.int64(0)
            for i in range(8):
                stamp = stamp << 8 | np.int64(reply[40 + i]) if i else np.int64(reply[40]) & 0x7F
            stamps[done] = stamp
            claims[done] = reply[0] >> 6 != 3 or reply[1] != 0
            done += 1
    return done


def run_record(port: int, replies: int) -> tuple[Words, NDArray[np.bool_]]:
    """The transmit stamps (NTP timestamps without their top bit) and claims of `replies` replies."""
    out, back = make_batch(len(PLAIN)), make_batch(ROOM)
    out.bytes[:] = np.frombuffer(PLAIN, np.uint8)
    address(out, port)
    stamps, claims = np.zeros(replies, np.int64), np.zeros(replies, np.bool_)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        done = record(client.fileno(), out, back, stamps, claims)
    return stamps[:done], claims[:done]
