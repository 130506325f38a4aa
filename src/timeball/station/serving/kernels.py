"""Compiled loops of the server: datagrams in batches through libc's recvmmsg and sendmmsg (64-bit little-endian Linux).

Receive stamps come from the kernel, in REALTIME, and are carried over to RAW by a bracket RAW–REALTIME–RAW taken with
each batch; served time itself is computed from RAW and the clock page alone (page/kernels.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from timeball.protocols.ntp import kernels as ntp
from timeball.station.page.kernels import TRIES, pair_unchanged, read_pair, served_instant, sync_status
from timeball.station.page.pagelayout import (
    IN_SYNC,
    MAX_BOUND_S,
    NO_TIMEKEEPER_PAGE,
    OBSERVER_WORDS,
    TIMEKEEPER_WORDS,
    TK_LEAP_SIGN,
    TK_LEAP_TAI,
    TK_RAW,
    TK_REFID,
    TK_ROOT_DELAY,
    TK_STRATUM,
    TK_TAI_MINUS_UTC,
)
from timeball.station.serving.libc import clock_gettime, recvmmsg, sendmmsg

CLOCK_REALTIME = 0
CLOCK_MONOTONIC_RAW = 4
CLOCK_BOOTTIME = 7

BATCH = 32
REQUEST_BYTES = 128
NAME_BYTES = 32
CONTROL_WORDS = 8
MSG_WAITFORONE = 0x10000
# struct cmsghdr and a struct timespec behind it: length 32, then level SOL_SOCKET (1) and type SCM_TIMESTAMPNS (35)
STAMP_BYTES = 32
STAMP_KIND = 1 | 35 << 32

# struct mmsghdr in 64-bit words
NAME, NAME_LENGTH, VECTOR, VECTOR_LENGTH, CONTROL, CONTROL_LENGTH, FLAGS, LENGTH = range(8)
MESSAGE_WORDS = 8

# Counters of one socket, in the order of serverpage.ServerPage.
(
    REQUESTS,
    REPLIES,
    REPLIES_IN_SYNC,
    REPLIES_UNSYNCHRONISED,
    DROPPED_TOO_SHORT,
    DROPPED_WRONG_VERSION,
    DROPPED_WRONG_MODE,
    SEND_FAILURES,
    RAW_STAMPS,
    PAIR_MOVES,
    TORN_PAGES,
) = range(11)
COUNTERS = 11

# A kernel stamp older than this, or than the time since the queue was empty, was not made by the clock that it is
# compared with: REALTIME was stepped by less than the pair's own noise can show, or is not what the kernel stamps with.
OLDEST_STAMP_NS = 1_000_000_000
# A step of REALTIME may hide in stamps still queued: all are distrusted for as long as a full queue takes to drain.
DISTRUST_NS = 100_000_000
# The pair may move by a slew of 1 in 1000 and the reading's own noise; more was a step (or a slew as fast as one).
PAIR_NOISE_NS = 2_000
PAIR_SLEW_DIVISOR = 1_000
# Without a kernel stamp: the time from arrival to reading is unknown up to a wake-up and a drained queue.
RAW_STAMP_MARGIN_S = 1e-3
LONGEST_WAKE_UP_NS = 200_000
BRACKET_TRIES = 3
NARROW_BRACKET_NS = 2_000


@njit(cache=True, nogil=True)
def read_clock(clock: int, timespec: NDArray[np.int64]) -> int:
    """Read a clock in ns; `timespec` int64[2] is scratch."""
    clock_gettime(clock, timespec.ctypes.data)
    return timespec[0] * 1_000_000_000 + timespec[1]


@njit(cache=True, nogil=True)
def reading_cost_ns(readings: int) -> int:
    """The least positive difference of two successive readings of RAW: its resolution or its cost, the greater."""
    timespec = np.zeros(2, np.int64)
    least = 1_000_000
    before = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    for _ in range(readings):
        now = read_clock(CLOCK_MONOTONIC_RAW, timespec)
        if 0 < now - before < least:
            least = now - before
        before = now
    return least


@njit(cache=True, nogil=True)
def read_bracket(timespec: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """RAW–REALTIME–RAW: (first RAW, middle RAW, REALTIME, width), all ns; read again while it was interrupted."""
    first = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    before = first
    realtime = read_clock(CLOCK_REALTIME, timespec)
    after = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    for _ in range(BRACKET_TRIES):
        if after - before <= NARROW_BRACKET_NS:
            break
        before = read_clock(CLOCK_MONOTONIC_RAW, timespec)
        realtime = read_clock(CLOCK_REALTIME, timespec)
        after = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    return first, before + (after - before) // 2, realtime, after - before


@njit(cache=True, nogil=True)
def pair_moved(moved_ns: int, elapsed_ns: int, width_ns: int) -> bool:
    """Whether REALTIME − RAW changed by more between two brackets than a slew and their widths explain."""
    return abs(moved_ns) > PAIR_NOISE_NS + width_ns + elapsed_ns // PAIR_SLEW_DIVISOR


@njit(cache=True, nogil=True)
def oldest_stamp(raw_mid_ns: int, empty_ns: int, distrusted_until_ns: int) -> int:
    """How old a kernel stamp may be at `raw_mid_ns` if the queue was last known empty at `empty_ns`; −1 in distrust."""
    if raw_mid_ns < distrusted_until_ns:
        return -1
    since_ns = raw_mid_ns - empty_ns
    return min(OLDEST_STAMP_NS, since_ns + since_ns // PAIR_SLEW_DIVISOR + PAIR_NOISE_NS)


@njit(cache=True, nogil=True)
def receive_stamp(
    stamp_ns: int, realtime_ns: int, raw_mid_ns: int, raw_first_ns: int, oldest_ns: int, wake_up_ns: int
) -> tuple[int, bool]:
    """When a datagram arrived, in RAW ns, and whether its kernel stamp was used.

    `stamp_ns` the kernel's stamp in REALTIME (−1: none), read against the bracket (realtime_ns ↔ raw_mid_ns). With an
    age that is negative or above `oldest_ns` (−1: no trust in the pair at all), it is the first RAW reading after the
    call returned, less the usual wake-up.
    """
    age_ns = realtime_ns - stamp_ns
    if stamp_ns >= 0 and 0 <= age_ns <= oldest_ns:
        return raw_mid_ns - age_ns, True
    return raw_first_ns - wake_up_ns, False


@njit(cache=True, nogil=True)
def stamp_of(control: NDArray[np.int64], length: int) -> int:
    """The kernel's receive stamp (REALTIME ns) in the control words of a message, −1 when there is none."""
    if length < STAMP_BYTES or control[0] != STAMP_BYTES or control[1] != STAMP_KIND:
        return -1
    return control[2] * 1_000_000_000 + control[3]


@njit(cache=True, nogil=True)
def wire_time(timekeeper: NDArray[np.int64], raw_ns: int) -> tuple[int, int]:
    """Served UTC at `raw_ns` as an NTP timestamp (seconds, fraction)."""
    tai_ns, frac_fs, _ = served_instant(timekeeper, raw_ns)
    offset_s = timekeeper[TK_TAI_MINUS_UTC]
    leap_ns = timekeeper[TK_LEAP_TAI]
    sign = timekeeper[TK_LEAP_SIGN]
    if leap_ns != 0 and tai_ns >= leap_ns - (ntp.NS if sign > 0 else 0):
        offset_s += sign
    return ntp.ntp_timestamp(tai_ns, frac_fs, offset_s)


@njit(cache=True, nogil=True)
def answer(
    out: NDArray[np.uint8],
    request: NDArray[np.uint8],
    timekeeper: NDArray[np.int64],
    status: int,
    raw_receive_ns: int,
    raw_transmit_ns: int,
    margin_s: float,
    precision: int,
) -> None:
    """Write the reply to one request from the timekeeper's words: in sync if `status` says so, else leap 3, stratum 0.

    Without a timekeeper's page there is no time to give and the stamps are zero. The dispersion is the bound with the
    margin of the receive stamp and the counter's resolution, rounded up.
    """
    nothing = (0, 0)
    receive, transmit, reference = nothing, nothing, nothing
    if status != NO_TIMEKEEPER_PAGE:
        receive = wire_time(timekeeper, raw_receive_ns)
        transmit = wire_time(timekeeper, raw_transmit_ns)
        reference = wire_time(timekeeper, timekeeper[TK_RAW])
    if status != IN_SYNC:
        dispersion = ntp.short_format_up(MAX_BOUND_S)
        leap = ntp.LEAP_UNSYNCHRONISED
        ntp.write_reply(out, request, leap, 0, precision, 0, dispersion, ntp.KISS_INIT, nothing, receive, transmit)
        return
    tai_ns, _, bound_s = served_instant(timekeeper, raw_transmit_ns)
    leap = ntp.leap_indicator(tai_ns, timekeeper[TK_LEAP_TAI], timekeeper[TK_LEAP_SIGN])
    delay = ntp.short_format_up(timekeeper.view(np.float64)[TK_ROOT_DELAY])
    dispersion = ntp.short_format_up(bound_s + margin_s + 2.0**precision)
    stratum, refid = timekeeper[TK_STRATUM], timekeeper[TK_REFID]
    ntp.write_reply(out, request, leap, stratum, precision, delay, dispersion, refid, reference, receive, transmit)


class Buffers(NamedTuple):
    """The memory of one socket's batches; the kernel is given addresses into it.

    Its owner must hold it as long as the loop runs: compiled code gives an array back after its last use by name, and
    an address in another array is no such use.
    """

    requests: NDArray[np.uint8]
    replies: NDArray[np.uint8]
    names: NDArray[np.uint8]
    controls: NDArray[np.int64]
    vectors: NDArray[np.int64]
    incoming: NDArray[np.int64]
    outgoing: NDArray[np.int64]


def make_buffers() -> Buffers:
    """Buffers of BATCH datagrams: struct mmsghdr in `incoming` and `outgoing`, their iovecs in `vectors`."""
    buffers = Buffers(
        requests=np.zeros((BATCH, REQUEST_BYTES), np.uint8),
        replies=np.zeros((BATCH, ntp.PACKET_BYTES), np.uint8),
        names=np.zeros((BATCH, NAME_BYTES), np.uint8),
        controls=np.zeros((BATCH, CONTROL_WORDS), np.int64),
        vectors=np.zeros((2, BATCH, 2), np.int64),
        incoming=np.zeros((BATCH, MESSAGE_WORDS), np.int64),
        outgoing=np.zeros((BATCH, MESSAGE_WORDS), np.int64),
    )
    for way, messages, payloads in ((0, buffers.incoming, buffers.requests), (1, buffers.outgoing, buffers.replies)):
        for k in range(BATCH):
            messages[k, NAME] = buffers.names[k].ctypes.data
            messages[k, VECTOR] = buffers.vectors[way, k].ctypes.data
            messages[k, VECTOR_LENGTH] = 1
            buffers.vectors[way, k] = payloads[k].ctypes.data, payloads.shape[1]
    return buffers


@njit(cache=True, nogil=True)
def send_all(descriptor: int, messages: NDArray[np.int64], count: int, counters: NDArray[np.int64]) -> None:
    """Send messages[:count]; one the kernel refuses is counted and passed over."""
    done = 0
    while done < count:
        address = messages.ctypes.data + done * 8 * MESSAGE_WORDS
        sent = sendmmsg(descriptor, address, count - done, 0)
        if sent > 0:
            done += sent
            counters[REPLIES] += sent
        else:
            done += 1
            counters[SEND_FAILURES] += 1


@njit(cache=True, nogil=True)
def serve(
    descriptor: int,
    addresses: NDArray[np.int64],
    boot: NDArray[np.int64],
    stop: NDArray[np.int64],
    counters: NDArray[np.int64],
    buffers: Buffers,
    precision: int,
) -> None:
    """Answer NTP requests on a UDP socket with SO_TIMESTAMPNS and a receive timeout, until stop[0] is not 0.

    `addresses` int64[2] of the timekeeper's and the observer's page (0: absent; may change while this runs, mappings
    stay valid), `boot` int64[2], `counters` int64[COUNTERS] of this socket.

    Both leases are compared with RAW and BOOTTIME as read for each reply's own transmit stamp, and both pages must
    stand unchanged after that reading: no reply claims sync with a stamp later than the end of a lease.
    """
    requests, replies = buffers.requests, buffers.replies
    incoming, outgoing, controls = buffers.incoming, buffers.outgoing, buffers.controls
    timespec = np.zeros(2, np.int64)
    timekeeper = np.zeros(TIMEKEEPER_WORDS, np.int64)
    observer = np.zeros(OBSERVER_WORDS, np.int64)
    sequences = np.zeros(2, np.int64)
    _, last_raw, realtime, last_width = read_bracket(timespec)
    last_pair = realtime - last_raw
    distrusted_until = 0
    empty = last_raw - OLDEST_STAMP_NS
    wake_up = 0
    while stop[0] == 0:
        for k in range(BATCH):
            incoming[k, NAME_LENGTH] = NAME_BYTES
            incoming[k, CONTROL] = controls.ctypes.data + k * 8 * CONTROL_WORDS
            incoming[k, CONTROL_LENGTH] = 8 * CONTROL_WORDS
        received = recvmmsg(descriptor, incoming.ctypes.data, BATCH, MSG_WAITFORONE, 0)
        raw_first, raw_mid, realtime, width = read_bracket(timespec)
        moved = realtime - raw_mid - last_pair
        if pair_moved(moved, raw_mid - last_raw, (width + last_width) // 2):
            counters[PAIR_MOVES] += 1
            distrusted_until = raw_mid + DISTRUST_NS
        oldest = oldest_stamp(raw_mid, empty, distrusted_until)
        if received < BATCH:
            # the call found the queue empty, and it began after the bracket before it: what comes next is younger
            empty = last_raw
        last_pair, last_raw, last_width = realtime - raw_mid, raw_mid, width
        # what the pair moved may have been a step in miniature: it is added, not hidden
        kernel_margin_s = (width // 2 + abs(moved)) * 1e-9
        present = read_pair(addresses, boot, timekeeper, observer, sequences)
        count = 0
        for k in range(received):
            reason = ntp.classify(requests[k], incoming[k, LENGTH] & 0xFFFFFFFF)
            if reason == ntp.VERSION5:
                reason = ntp.WRONG_VERSION
            if ntp.TOO_SHORT <= reason <= ntp.WRONG_MODE:
                counters[DROPPED_TOO_SHORT + reason - ntp.TOO_SHORT] += 1
                continue
            counters[REQUESTS] += 1
            stamp = stamp_of(controls[k], incoming[k, CONTROL_LENGTH])
            raw_receive, used = receive_stamp(stamp, realtime, raw_mid, raw_first, oldest, wake_up)
            margin_s = kernel_margin_s
            if not used:
                margin_s = RAW_STAMP_MARGIN_S
                counters[RAW_STAMPS] += 1
            elif received == 1 and raw_first - raw_receive < LONGEST_WAKE_UP_NS:
                wake_up += (max(raw_first - raw_receive, 0) - wake_up) // 8
            raw_transmit = read_clock(CLOCK_MONOTONIC_RAW, timespec)
            boottime = read_clock(CLOCK_BOOTTIME, timespec)
            for _ in range(TRIES):
                if pair_unchanged(addresses, sequences):
                    break
                present = read_pair(addresses, boot, timekeeper, observer, sequences)
                raw_transmit = read_clock(CLOCK_MONOTONIC_RAW, timespec)
                boottime = read_clock(CLOCK_BOOTTIME, timespec)
            else:
                present = NO_TIMEKEEPER_PAGE
            status = present
            if present == IN_SYNC:
                status = sync_status(timekeeper, observer, raw_transmit, boottime)
            elif (addresses[0] != 0 and sequences[0] < 0) or (addresses[1] != 0 and sequences[1] < 0):
                counters[TORN_PAGES] += 1
            answer(replies[count], requests[k], timekeeper, status, raw_receive, raw_transmit, margin_s, precision)
            counters[REPLIES_IN_SYNC if status == IN_SYNC else REPLIES_UNSYNCHRONISED] += 1
            outgoing[count, NAME] = incoming[k, NAME]
            outgoing[count, NAME_LENGTH] = incoming[k, NAME_LENGTH]
            count += 1
        send_all(descriptor, outgoing, count, counters)
