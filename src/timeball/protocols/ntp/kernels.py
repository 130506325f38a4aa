"""Compiled NTP: classify a request and write its 48-byte reply, without leaving the server's loop.

The same bytes as packet.py gives, bit for bit; packet.py says what they mean. A timestamp is passed as two int64,
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
KISS_RATE = 0x52415445
KISS_DENY = 0x44454E59
KISS_RSTR = 0x52535452
LARGEST_POLL = 17
MARK_VERSION5 = (0x4E, 0x54, 0x50, 0x35, 0x44, 0x52, 0x46, 0x54)
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


@njit(cache=True, nogil=True)
def write_kiss(out: NDArray[np.uint8], request: NDArray[np.uint8], code: int, least_poll: int) -> None:
    """Write the kiss of death for a request of versions 1 to 4 into out[0:48], as kiss.build_kiss."""
    out[:48] = 0
    out[0] = (LEAP_UNSYNCHRONISED << 6) | (np.int64(request[0]) & 0x38) | MODE_SERVER
    out[2] = request[2]
    if code == KISS_RATE:
        asked = int((np.int64(request[2]) ^ 0x80) - 0x80)
        out[2] = min(max(asked, least_poll), LARGEST_POLL) & 0xFF
    write_u32(out, 12, code)
    for i in range(8):
        out[24 + i] = request[40 + i]
        out[32 + i] = request[40 + i]
        out[40 + i] = request[40 + i]


@njit(cache=True, nogil=True)
def asks_for_version5(request: NDArray[np.uint8]) -> bool:
    """Whether a request of version 4 carries the mark of version5.UPGRADE where its reference stamp would stand."""
    if np.int64(request[0]) & 0x38 != 0x20 or request[16] != MARK_VERSION5[0]:
        return False
    differs = 0
    for i in range(8):
        differs |= int(request[16 + i]) ^ MARK_VERSION5[i]
    return differs == 0
