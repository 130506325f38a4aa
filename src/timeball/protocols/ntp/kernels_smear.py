"""Compiled twin of smear.py: the same offset to the femtosecond, by the same operations in the same order."""

from __future__ import annotations

from numba import njit

from timeball.protocols.ntp.smear import FIVE_TO_15, HALF_PI, NS, PART, PARTS, SECOND_FS, SINE

LINEAR = 0
COSINE = 1


@njit(cache=True, nogil=True)
def smeared_offset_fs(tai_ns: int, leap_tai_ns: int, leap_sign: int, shape: int, length_ns: int) -> int:
    """What the smeared count is ahead of the old count of UTC, in fs; as smear.smeared_offset_fs."""
    if leap_tai_ns == 0 or leap_sign == 0:
        return 0
    half_ns = length_ns // 2
    begin_ns = leap_tai_ns - leap_sign * NS - half_ns
    end_ns = leap_tai_ns + half_ns
    if tai_ns <= begin_ns:
        return 0
    if tai_ns >= end_ns:
        return -leap_sign * SECOND_FS
    done_ns = tai_ns - begin_ns
    whole_ns = end_ns - begin_ns
    if shape == LINEAR:
        total_fs = 0
        rest = done_ns
        for _ in range(PARTS):
            digit = rest * PART // whole_ns
            rest = rest * PART - digit * whole_ns
            total_fs = total_fs * PART + digit
        return -leap_sign * total_fs
    first_half = 2 * done_ns <= whole_ns
    x = HALF_PI * (float(done_ns if first_half else whole_ns - done_ns) / float(whole_ns))
    square = x * x
    sine = 0.0
    for coefficient in SINE:
        sine = sine * square + coefficient
    sine *= x
    cosine_fs = int(sine * sine * 1e15)
    return -leap_sign * (cosine_fs if first_half else SECOND_FS - cosine_fs)


@njit(cache=True, nogil=True)
def smear_refid(offset_fs: int, tai_ns: int, leap_tai_ns: int, leap_sign: int) -> int:
    """The reference id 254.x.y.z of a reply with this offset: smear.ahead_of_utc_fs and smear.smear_refid in one."""
    ahead_fs = offset_fs
    if leap_tai_ns != 0 and tai_ns >= leap_tai_ns - (NS if leap_sign > 0 else 0):
        ahead_fs += leap_sign * SECOND_FS
    units = (ahead_fs * 2**8 // FIVE_TO_15 + 1) // 2
    return 0xFE000000 | units & 0xFFFFFF
