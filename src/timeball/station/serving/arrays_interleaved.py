"""Interleaved mode without compiled code (RFC 9769): stamps kept, true ones asked for and put in place.

The rules and the tables are those of interleaved.py and kernels_interleaved.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from timeball.station.serving.arrays_wire import signed
from timeball.station.serving.buffers import CONTROL_LENGTH, MSG_DONTWAIT, MSG_ERRQUEUE
from timeball.station.serving.interleaved import (
    ASK_BYTES,
    ASK_KIND,
    ASK_LENGTH,
    ERROR_CONTROL_WORDS,
    ERRORS,
    LONGEST_SENDING_NS,
    ORIGIN_TIMESTAMPING,
    PENDING,
    SLOT_SHIFT,
    SPREAD,
    STAMPS_KIND,
    TX_SOFTWARE,
    V4_ERROR_KIND,
    V6_ERROR_KIND,
    StampMemory,
)

Words = NDArray[np.int64]

HEADER_BYTES = 16
GIVEN_AT, SENT_AT = 0, 1
RECEIVE_MANY = ctypes.CDLL(None, use_errno=True).recvmmsg
RECEIVE_MANY.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


class KeptStamps:
    """One loop's look at the tables of stamps that all loops share (interleaved.StampMemory).

    Stamps are 64-bit words, unsigned; it is what protocols.ntp.server calls Interleaved.
    """

    def __init__(self, tables: Words, worker: int, mask: int) -> None:
        self._tables, self._own, self._mask = tables, tables[worker], mask

    def unused(self, receive: int) -> int:
        """`receive`, or the next stamp of this loop that stands in no exchange kept."""
        for _ in range(4):
            if self._own[slot_of(receive), GIVEN_AT] != signed(receive):
                break
            receive = (receive + self._mask + 1) % 2**64
        return receive

    def remember(self, receive: int, transmit: int) -> None:
        """Keep what a reply carried."""
        row = self._own[slot_of(receive)]
        row[GIVEN_AT] = 0
        row[SENT_AT] = signed(transmit)
        row[GIVEN_AT] = signed(receive)

    def correct(self, receive: int, transmit: int) -> None:
        """Put the true transmit stamp in place, unless the exchange has been overwritten or used."""
        row = self._own[slot_of(receive)]
        if row[GIVEN_AT] == signed(receive):
            row[SENT_AT] = signed(transmit)

    def transmit_of(self, receive: int) -> int | None:
        """The transmit stamp that followed this receive stamp, once; None when it is not known (any more)."""
        worker, given = receive & self._mask, signed(receive)
        if worker >= len(self._tables):
            return None
        row = self._tables[worker, slot_of(receive)]
        if row[GIVEN_AT] != given:
            return None
        transmit = int(row[SENT_AT])
        if row[GIVEN_AT] != given or transmit == 0:
            return None
        row[GIVEN_AT] = 0
        return transmit % 2**64


def slot_of(receive: int) -> int:
    """Where a receive stamp stands in its table: kernels_interleaved.slot_of."""
    return (receive * SPREAD) % 2**64 >> SLOT_SHIFT


class SentStamps:
    """The true transmit stamps of one socket, from its error queue."""

    def __init__(self, memory: StampMemory, kept: KeptStamps) -> None:
        self._memory, self._kept = memory, kept
        self._awaited: dict[int, tuple[int, int, int]] = {}
        self._next = 0

    def ask(self, sent: Words, j: int, receive: int, raw_ns: int, pair_ns: int) -> int:
        """Ask the kernel when row j of the batch leaves; gives the bytes of control messages written."""
        sent[j, :3] = ASK_LENGTH, ASK_KIND, TX_SOFTWARE
        self._awaited[self._next] = receive, raw_ns, pair_ns
        self._next = (self._next + 1) % 2**32
        while len(self._awaited) > PENDING:
            self._awaited.pop(next(iter(self._awaited)))
        return ASK_BYTES

    def number_anew(self) -> None:
        """The kernel counts from 0 again, and none is expected."""
        self._awaited.clear()
        self._next = 0

    def take(self, descriptor: int, stamp_at: Callable[[int], int] | None) -> int:
        """Read the error queue; gives how many true stamps were put in place.

        `stamp_at` makes a timestamp of a reading of RAW; None while stamps are not believed, which drops them.
        """
        taken, errors = 0, self._memory.errors
        for _ in range(PENDING // ERRORS + 1):
            errors[:, CONTROL_LENGTH] = 8 * ERROR_CONTROL_WORDS
            received = RECEIVE_MANY(descriptor, errors.ctypes.data, ERRORS, MSG_ERRQUEUE | MSG_DONTWAIT, None)
            for k in range(max(received, 0)):
                number, stamp_ns = stamp_in(self._memory.controls[k].tolist(), int(errors[k, CONTROL_LENGTH]))
                receive, written_ns, pair_ns = self._awaited.pop(number, (0, 0, 0))
                raw_ns = stamp_ns - pair_ns
                if stamp_at is not None and written_ns and 0 <= raw_ns - written_ns <= LONGEST_SENDING_NS:
                    self._kept.correct(receive, stamp_at(raw_ns))
                    taken += 1
            if received < ERRORS:
                break
        return taken


def find_control(words: list[int], length: int, kind: int) -> int:
    """The first word behind the header of the control message of this level and type; −1: not there."""
    at = 0
    while 8 * at + HEADER_BYTES <= length and at + 2 <= len(words):
        size = words[at]
        if size < HEADER_BYTES:
            return -1
        if words[at + 1] == kind:
            return at + 2
        at += (size + 7) >> 3
    return -1


def stamp_in(words: list[int], length: int) -> tuple[int, int]:
    """(number, REALTIME ns) of a transmit stamp among the control messages of an error; (−1, 0): there is none."""
    error = find_control(words, length, V4_ERROR_KIND)
    if error < 0:
        error = find_control(words, length, V6_ERROR_KIND)
    stamps = find_control(words, length, STAMPS_KIND)
    if error < 0 or stamps < 0 or words[error] >> 32 & 0xFF != ORIGIN_TIMESTAMPING:
        return -1, 0
    if words[error + 1] & 0xFFFFFFFF != 0:
        return -1, 0  # not SCM_TSTAMP_SND
    return words[error + 1] >> 32 & 0xFFFFFFFF, words[stamps] * 1_000_000_000 + words[stamps + 1]
