"""Replies in compiled loops, a 64-bit word at a time: the same bytes as protocols.ntp.packet.build_reply.

What all replies of one reading of the clocks have in common stands in a head, int64[HEAD_WORDS]; a reply is that, with
the words of its request and its receive stamp. A timestamp is one word, seconds above and the fraction below, in the
host's order until it is written.
"""

# mypy: no-warn-return-any

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp import kernels as ntp
from timeball.protocols.ntp.kernels_smear import smear_refid, smeared_offset_fs
from timeball.station.page.kernels import served_instant
from timeball.station.page.lean import lean
from timeball.station.page.pagelayout import (
    IN_SYNC,
    MAX_BOUND_S,
    NO_TIMEKEEPER_PAGE,
    TK_LEAP_SIGN,
    TK_LEAP_TAI,
    TK_RAW,
    TK_REFID,
    TK_ROOT_DELAY,
    TK_STRATUM,
    TK_TAI_MINUS_UTC,
)
from timeball.station.serving.bitwise import swap_bytes
from timeball.station.serving.settings import PRECISION, SMEAR_NS, SMEAR_SHAPE, SMEARED, STAMP_MASK, WORKER
from timeball.station.serving.stamping import RAW_STAMP_MARGIN_S

Words = NDArray[np.int64]

# The head: status of served time and the instant it is of, then words of the reply, then the reading behind the
# instant. The second word says the dispersion, once with the margin of a kernel stamp and once without one.
STATUS, RAW_TRANSMIT, FIRST, SECOND, SECOND_RAW, REFERENCE, TRANSMIT, RAW_READ = range(8)
HEAD_WORDS = 8
# Words of a packet.
ORIGIN, RECEIVE, SENT = 3, 4, 5

FROM_REQUEST = (0x38 << 56) | (0xFF << 40)
"""Version and poll exponent in the first word: the request's own."""
KISS_BITS = ntp.LEAP_UNSYNCHRONISED << 6 | ntp.MODE_SERVER
LARGEST_POLL = 17
FS_PER_NS = 1_000_000


@lean
def stamp_word(tai_ns: int, frac_fs: int, tai_minus_utc_s: int) -> int:
    """An NTP timestamp in one word."""
    seconds, fraction = ntp.ntp_timestamp(tai_ns, frac_fs, tai_minus_utc_s)
    return (seconds << 32) | fraction


@lean
def wire_time(timekeeper: Words, settings: Words, raw_ns: int) -> int:
    """What the clock of this address counts at `raw_ns` of RAW, as an NTP timestamp: UTC, or UTC smeared."""
    tai_ns, frac_fs, _ = served_instant(timekeeper, raw_ns)
    offset_s = timekeeper[TK_TAI_MINUS_UTC]
    leap_ns = timekeeper[TK_LEAP_TAI]
    sign = timekeeper[TK_LEAP_SIGN]
    if leap_ns == 0:
        return stamp_word(tai_ns, frac_fs, offset_s)
    if settings[SMEARED] != 0:
        total_fs = frac_fs + smeared_offset_fs(tai_ns, leap_ns, sign, settings[SMEAR_SHAPE], settings[SMEAR_NS])
        carry_ns = total_fs // FS_PER_NS
        return stamp_word(tai_ns + carry_ns, total_fs - carry_ns * FS_PER_NS, offset_s)
    if tai_ns >= leap_ns - (ntp.NS if sign > 0 else 0):
        offset_s += sign
    return stamp_word(tai_ns, frac_fs, offset_s)


@lean
def receive_word(timekeeper: Words, settings: Words, status: int, raw_ns: int) -> int:
    """The receive stamp, with the loop's number in its lowest bits where several loops answer; 0 without a page."""
    if status == NO_TIMEKEEPER_PAGE:
        return 0
    return wire_time(timekeeper, settings, raw_ns) & ~settings[STAMP_MASK] | settings[WORKER]


@lean
def leap_and_refid(timekeeper: Words, settings: Words, tai_ns: int) -> tuple[int, int]:
    """What is announced: the leap indicator, or on a smearing address none and how far it is from UTC meanwhile."""
    leap_ns, sign = timekeeper[TK_LEAP_TAI], timekeeper[TK_LEAP_SIGN]
    if settings[SMEARED] == 0:
        return ntp.leap_indicator(tai_ns, leap_ns, sign), timekeeper[TK_REFID]
    half_ns = settings[SMEAR_NS] // 2
    if leap_ns == 0 or sign == 0 or not leap_ns - sign * ntp.NS - half_ns < tai_ns < leap_ns + half_ns:
        return 0, timekeeper[TK_REFID]
    offset_fs = smeared_offset_fs(tai_ns, leap_ns, sign, settings[SMEAR_SHAPE], settings[SMEAR_NS])
    return 0, smear_refid(offset_fs, tai_ns, leap_ns, sign)


@lean
def fill_head(
    head: Words, timekeeper: Words, settings: Words, status: int, raw_transmit_ns: int, margin_s: float
) -> None:
    """The head of replies with the transmit stamp `raw_transmit_ns`: in sync if `status` says so, else unsynchronised.

    Without a timekeeper's page there is no time to give and the stamps are zero. The dispersion is the bound with the
    margin of the receive stamp and the counter's resolution, rounded up.
    """
    precision = settings[PRECISION]
    head[STATUS] = status
    head[RAW_TRANSMIT] = raw_transmit_ns
    head[TRANSMIT] = 0
    head[REFERENCE] = 0
    if status != NO_TIMEKEEPER_PAGE:
        head[TRANSMIT] = wire_time(timekeeper, settings, raw_transmit_ns)
        head[REFERENCE] = wire_time(timekeeper, settings, timekeeper[TK_RAW])
    first = (precision & 0xFF) << 32
    if status != IN_SYNC:
        head[REFERENCE] = 0
        head[FIRST] = first | KISS_BITS << 56
        head[SECOND] = ntp.short_format_up(MAX_BOUND_S) << 32 | ntp.KISS_INIT
        head[SECOND_RAW] = head[SECOND]
        return
    tai_ns, _, bound_s = served_instant(timekeeper, raw_transmit_ns)
    leap, refid = leap_and_refid(timekeeper, settings, tai_ns)
    delay = ntp.short_format_up(timekeeper.view(np.float64)[TK_ROOT_DELAY])
    head[FIRST] = first | (leap << 6 | ntp.MODE_SERVER) << 56 | timekeeper[TK_STRATUM] << 48 | delay
    resolution_s = 2.0**precision
    head[SECOND] = ntp.short_format_up(bound_s + margin_s + resolution_s) << 32 | refid
    head[SECOND_RAW] = ntp.short_format_up(bound_s + RAW_STAMP_MARGIN_S + resolution_s) << 32 | refid


@lean
def write_reply(
    out: Words, j: int, request: Words, k: int, head: Words, second: int, receive: int, transmit: int, origin: int
) -> None:
    """Write the 48 bytes of row j of `out` for row k of `request`; `origin` is the word of the request to give back."""
    out[j, 0] = swap_bytes(head[FIRST]) | request[k, 0] & swap_bytes(FROM_REQUEST)
    out[j, 1] = swap_bytes(second)
    out[j, 2] = swap_bytes(head[REFERENCE])
    out[j, 3] = request[k, origin]
    out[j, 4] = swap_bytes(receive)
    out[j, 5] = swap_bytes(transmit)


@lean
def write_kiss(out: Words, j: int, request: Words, k: int, code: int, least_poll: int) -> None:
    """Write a kiss of death as protocols.ntp.kiss.build_kiss; `least_poll` −128 where the poll is not to be raised."""
    asked = swap_bytes(request[k, 0])
    poll = (asked >> 40) & 0xFF
    if least_poll > -128:
        poll = min(max(poll - ((poll & 0x80) << 1), least_poll), LARGEST_POLL) & 0xFF
    out[j, 0] = swap_bytes(KISS_BITS << 56 | asked & (0x38 << 56) | poll << 40)
    out[j, 1] = swap_bytes(code)
    out[j, 2] = 0
    for i in range(3, 6):
        out[j, i] = request[k, SENT]
