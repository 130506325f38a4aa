"""Interleaved mode in compiled loops: remember stamps, ask the kernel for the true ones, look them up."""

# mypy: no-warn-return-any

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.atomics import load_acquire, store_release
from timeball.station.page.lean import lean
from timeball.station.serving.buffers import (
    CONTROL_LENGTH,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
)
from timeball.station.serving.interleaved import (
    ASK_KIND,
    ASK_LENGTH,
    ERROR_CONTROL_WORDS,
    ERRORS,
    GIVEN,
    LONGEST_SENDING_NS,
    NUMBER,
    ORIGIN_TIMESTAMPING,
    PAIR,
    PENDING,
    SLOT_SHIFT,
    SLOTS,
    SPREAD,
    STAMPS_KIND,
    TX_SOFTWARE,
    V4_ERROR_KIND,
    V6_ERROR_KIND,
    WRITTEN,
    StampMemory,
)
from timeball.station.serving.kernels_pktinfo import find_control
from timeball.station.serving.kernels_wire import wire_time
from timeball.station.serving.libc import recvmmsg
from timeball.station.serving.settings import WORKER

Words = NDArray[np.int64]

# a header with a struct sock_extended_err, or with the first stamp of three
LEAST_BYTES = 32


@lean
def slot_of(given: int) -> int:
    """Where a receive stamp stands in its table."""
    return ((given * SPREAD) >> SLOT_SHIFT) & (SLOTS - 1)


@lean
def unused_stamp(tables: Words, worker: int, step: int, given: int) -> int:
    """`given`, or the next stamp by `step` that stands in no exchange of this loop's table."""
    for _ in range(4):
        if tables[worker, slot_of(given), 0] != given:
            break
        given += step
    return given


@lean
def remember(tables: Words, worker: int, given: int, transmit: int) -> None:
    """Keep the transmit stamp of the reply with this receive stamp; other loops may be looking."""
    address = tables.ctypes.data + 16 * (worker * SLOTS + slot_of(given))
    store_release(address, 0)
    store_release(address + 8, transmit)
    store_release(address, given)


@lean
def correct(tables: Words, worker: int, given: int, transmit: int) -> None:
    """Put the true transmit stamp in place, unless the exchange has been overwritten or used."""
    slot = slot_of(given)
    if tables[worker, slot, 0] == given:
        store_release(tables.ctypes.data + 16 * (worker * SLOTS + slot) + 8, transmit)


@lean
def recall(tables: Words, mask: int, given: int) -> int:
    """The transmit stamp that followed this receive stamp, once; 0 when it is not known (any more)."""
    worker = given & mask
    if worker >= tables.shape[0]:
        return 0
    address = tables.ctypes.data + 16 * (worker * SLOTS + slot_of(given))
    if load_acquire(address) != given:
        return 0
    transmit = load_acquire(address + 8)
    if load_acquire(address) != given:
        return 0
    store_release(address, 0)
    return transmit


@lean
def ask_for_stamp(memory: StampMemory, sent: Words, j: int, given: int, raw_ns: int, pair_ns: int) -> None:
    """Ask the kernel when row j of the batch leaves: its control message at the beginning of row j of `sent`."""
    sent[j, 0] = ASK_LENGTH
    sent[j, 1] = ASK_KIND
    sent[j, 2] = TX_SOFTWARE
    number = memory.next_number[0]
    at = number % PENDING
    memory.pending[at, NUMBER] = number + 1
    memory.pending[at, GIVEN] = given
    memory.pending[at, WRITTEN] = raw_ns
    memory.pending[at, PAIR] = pair_ns
    memory.next_number[0] = (number + 1) & 0xFFFFFFFF


@lean
def stamp_in(controls: Words, k: int, length: int) -> tuple[int, int]:
    """(number, REALTIME ns) of a transmit stamp in the control messages of row k; (−1, 0): there is none."""
    error = find_control(controls, k, length, V4_ERROR_KIND, LEAST_BYTES)
    if error < 0:
        error = find_control(controls, k, length, V6_ERROR_KIND, LEAST_BYTES)
    stamps = find_control(controls, k, length, STAMPS_KIND, LEAST_BYTES)
    if error < 0 or stamps < 0 or (controls[k, error] >> 32) & 0xFF != ORIGIN_TIMESTAMPING:
        return -1, 0
    if controls[k, error + 1] & 0xFFFFFFFF != 0:
        return -1, 0  # not SCM_TSTAMP_SND
    return (controls[k, error + 1] >> 32) & 0xFFFFFFFF, controls[k, stamps] * 1_000_000_000 + controls[k, stamps + 1]


@lean
def take_sent_stamps(descriptor: int, memory: StampMemory, timekeeper: Words, settings: Words, trusted: bool) -> int:
    """Read the error queue and put true transmit stamps in place; gives how many. Those not `trusted` are dropped.

    A stamp is carried over to RAW by the pair of its own batch, and believed when it lies a little behind the written.
    """
    taken = 0
    for _ in range(PENDING // ERRORS + 1):
        for k in range(ERRORS):
            memory.errors[k, CONTROL_LENGTH] = 8 * ERROR_CONTROL_WORDS
        received = recvmmsg(descriptor, memory.errors.ctypes.data, ERRORS, MSG_ERRQUEUE | MSG_DONTWAIT, 0)
        for k in range(received):
            number, stamp_ns = stamp_in(memory.controls, k, memory.errors[k, CONTROL_LENGTH])
            at = number % PENDING
            if number < 0 or memory.pending[at, NUMBER] != number + 1:
                continue
            memory.pending[at, NUMBER] = 0
            raw_ns = stamp_ns - memory.pending[at, PAIR]
            if trusted and 0 <= raw_ns - memory.pending[at, WRITTEN] <= LONGEST_SENDING_NS:
                correct(
                    memory.tables, settings[WORKER], memory.pending[at, GIVEN], wire_time(timekeeper, settings, raw_ns)
                )
                taken += 1
        if received < ERRORS:
            break
    return taken
