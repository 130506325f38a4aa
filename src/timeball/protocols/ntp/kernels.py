"""Compiled NTP: classify a request, and the numbers of its reply, without leaving the server's loop.

The same numbers as packet.py and extensions.py give; those say what they mean. A timestamp is passed as two int64,
seconds and fraction of 2⁻³² s, because an int64 cannot hold the 64 unsigned bits of the wire.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

PACKET_BYTES = 48
NTP_MINUS_UNIX_S = 2_208_988_800
NS = 1_000_000_000

# What a datagram turned out to be: the numbers of reasons.Reason.
BASIC, TOO_SHORT, WRONG_VERSION, WRONG_MODE, MALFORMED_FIELDS, MALFORMED_MAC, TOO_LONG, NTS, MAC, VERSION5 = range(10)

MODE_CLIENT = 3
MODE_SERVER = 4
LEAP_UNSYNCHRONISED = 3
KISS_INIT = 0x494E4954
OLDEST_VERSION = 1
NEWEST_VERSION = 5
FIELDS_VERSION = 4
LONGEST_BYTES = 1280
NTS_COOKIE = 0x0204
NTS_AUTHENTICATOR = 0x0404


@njit(cache=True, nogil=True)
def classify(packet: NDArray[np.uint8], length: int) -> int:
    """What a datagram of `length` bytes is, as extensions.classify_request; `packet` uint8[n] holds its beginning.

    One longer than `packet` is TOO_LONG. A plain request of 48 bytes costs three comparisons.
    """
    if length < PACKET_BYTES:
        return TOO_SHORT
    version = (np.int64(packet[0]) >> 3) & 7
    if version < OLDEST_VERSION or version > NEWEST_VERSION:
        return WRONG_VERSION
    if np.int64(packet[0]) & 7 != MODE_CLIENT:
        return WRONG_MODE
    if length > PACKET_BYTES:
        if length > LONGEST_BYTES or length > packet.size:
            return TOO_LONG
        if version <= FIELDS_VERSION:
            return kind_of_fields(packet, length, int(version))
    return VERSION5 if version == NEWEST_VERSION else BASIC


@njit(cache=True, nogil=True)
def read_u16(packet: NDArray[np.uint8], at: int) -> int:
    """Two bytes, big-endian."""
    return int((np.int64(packet[at]) << 8) | np.int64(packet[at + 1]))


@njit(cache=True, nogil=True)
def kind_of_fields(packet: NDArray[np.uint8], length: int, version: int) -> int:
    """What stands behind the header of a client's request: extensions.parse_fields, without keeping any of it."""
    kind = BASIC
    at = PACKET_BYTES
    while at < length:
        left = length - at
        if left in (20, 24):
            return NTS if kind == NTS else MAC
        if left < 16 or version < FIELDS_VERSION:
            return MALFORMED_MAC
        field_bytes = read_u16(packet, at + 2)
        if field_bytes & 3 or field_bytes < 16 or field_bytes > left:
            return MALFORMED_FIELDS
        if field_bytes == left and field_bytes < 28:
            return MALFORMED_FIELDS
        if read_u16(packet, at) in (NTS_COOKIE, NTS_AUTHENTICATOR):
            kind = NTS
        at += field_bytes
    return kind


@njit(cache=True, nogil=True)
def ntp_timestamp(tai_ns: int, frac_fs: int, tai_minus_utc_s: int) -> tuple[int, int]:
    """(seconds modulo 2³², fraction in 2⁻³² s, rounded down) of TAI `tai_ns` + `frac_fs` in the count of UTC."""
    seconds = tai_ns // NS
    ns = tai_ns - seconds * NS
    # ns and fs apart: their product with 2³² must not leave 63 bits
    fraction = (ns << 32) // NS
    rest = (ns << 32) - fraction * NS
    fraction += (rest * 1_000_000 + (frac_fs << 32)) // 1_000_000_000_000_000
    return (seconds - tai_minus_utc_s + NTP_MINUS_UNIX_S) & 0xFFFFFFFF, fraction


@njit(cache=True, nogil=True)
def leap_indicator(tai_ns: int, leap_tai_ns: int, leap_sign: int) -> int:
    """Leap indicator 0, 1 or 2 at `tai_ns`, as packet.leap_indicator."""
    if leap_tai_ns == 0 or leap_sign == 0:
        return 0
    day_begins_ns = leap_tai_ns - (86_400 + leap_sign) * NS
    count_changes_ns = leap_tai_ns - (NS if leap_sign > 0 else 0)
    if tai_ns < day_begins_ns or tai_ns >= count_changes_ns:
        return 0
    return 1 if leap_sign > 0 else 2


@njit(cache=True, nogil=True)
def short_format_up(value_s: float) -> int:
    """A time in NTP short format (2⁻¹⁶ s), rounded up; what does not fit, and NaN, is the largest value."""
    if not value_s < 65536.0:
        return 0xFFFFFFFF
    if value_s <= 0.0:
        return 0
    return min(math.ceil(value_s * 65536.0), 0xFFFFFFFF)
