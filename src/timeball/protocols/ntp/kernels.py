"""Compiled NTP: classify a request and write its 48-byte reply, without leaving the server's loop.

The same bytes as ntp.py gives, bit for bit; ntp.py says what they mean. A timestamp is passed as two int64, seconds and
fraction of 2⁻³² s, because an int64 cannot hold the 64 unsigned bits of the wire.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

PACKET_BYTES = 48
NTP_MINUS_UNIX_S = 2_208_988_800
NS = 1_000_000_000

# What a datagram turned out to be; ntp.Request has the same numbers.
REQUEST = 0
TOO_SHORT = 1
WRONG_VERSION = 2
WRONG_MODE = 3

MODE_CLIENT = 3
MODE_SERVER = 4
LEAP_UNSYNCHRONISED = 3
KISS_INIT = 0x494E4954
OLDEST_VERSION = 1
NEWEST_VERSION = 4


@njit(cache=True, nogil=True)
def classify(packet: NDArray[np.uint8], length: int) -> int:
    """REQUEST for a client request that gets an answer, else why not; `packet` uint8[n] holds `length` bytes of it."""
    if length < PACKET_BYTES:
        return TOO_SHORT
    version = (np.int64(packet[0]) >> 3) & 7
    if version < OLDEST_VERSION or version > NEWEST_VERSION:
        return WRONG_VERSION
    if np.int64(packet[0]) & 7 != MODE_CLIENT:
        return WRONG_MODE
    return REQUEST


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
    """Leap indicator 0, 1 or 2 at `tai_ns`, as ntp.leap_indicator."""
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


@njit(cache=True, nogil=True)
def write_u32(out: NDArray[np.uint8], at: int, value: int) -> None:
    """Write the low 32 bits of `value` big-endian."""
    out[at] = (value >> 24) & 0xFF
    out[at + 1] = (value >> 16) & 0xFF
    out[at + 2] = (value >> 8) & 0xFF
    out[at + 3] = value & 0xFF


@njit(cache=True, nogil=True)
def write_reply(
    out: NDArray[np.uint8],
    request: NDArray[np.uint8],
    leap: int,
    stratum: int,
    precision: int,
    root_delay: int,
    root_dispersion: int,
    refid: int,
    reference: tuple[int, int],
    receive: tuple[int, int],
    transmit: tuple[int, int],
) -> None:
    """Write the mode 4 reply into out[0:48]: version and poll of the request, its transmit stamp as origin."""
    out[0] = (leap << 6) | (np.int64(request[0]) & 0x38) | MODE_SERVER
    out[1] = stratum
    out[2] = request[2]
    out[3] = precision & 0xFF
    write_u32(out, 4, root_delay)
    write_u32(out, 8, root_dispersion)
    write_u32(out, 12, refid)
    write_u32(out, 16, reference[0])
    write_u32(out, 20, reference[1])
    for i in range(8):
        out[24 + i] = request[40 + i]
    write_u32(out, 32, receive[0])
    write_u32(out, 36, receive[1])
    write_u32(out, 40, transmit[0])
    write_u32(out, 44, transmit[1])
