"""A leap second spread over hours: what a smearing address counts instead of UTC, and how it says so.

The smear has its middle at the leap second: with the default length it begins at noon UTC before and ends at noon UTC
after. In `length_ns` of its own count it takes one second more of SI time (or less, where a second is removed), and the
whole second is done exactly at its end.

Sign: the offset is added to the count of UTC as it was before the leap, TAI less the old TAI−UTC; a positive leap makes
it go from 0 to −1 s. On the wire a smeared address announces no leap, and says the difference from UTC in its reference
id, 254.x.y.z: 24 bits, signed, of 2⁻²² s (as ntpd does; NTPv5 has timescale 3).

Only + − × ÷ of integers and floats, in the order of the compiled twin (kernels_smear.py): equal on every machine.
"""

from __future__ import annotations

from enum import IntEnum

NS = 1_000_000_000
SECOND_FS = 10**15
DEFAULT_LENGTH_NS = 86_400 * NS
PARTS, PART = 3, 10**5
"""A fraction is taken in three digits of base 10⁵, so that no product leaves 63 bits."""
FIVE_TO_15 = 5**15
"""10¹⁵ without its twos: 2²³ units a second are 2⁸ in 5¹⁵ fs, which keeps the compiled twin within 63 bits."""
HALF_PI = 1.5707963267948966
SINE = tuple(
    sign / factorial
    for sign, factorial in (
        (1.0, 355687428096000.0),
        (-1.0, 1307674368000.0),
        (1.0, 6227020800.0),
        (-1.0, 39916800.0),
        (1.0, 362880.0),
        (-1.0, 5040.0),
        (1.0, 120.0),
        (-1.0, 6.0),
        (1.0, 1.0),
    )
)
"""The series of the sine to x¹⁷, highest power first: 10⁻¹⁹ of error up to π/4."""


class Shape(IntEnum):
    """How the offset grows: at one rate, or as half a cosine, whose rate begins and ends at zero."""

    LINEAR = 0
    COSINE = 1


def smear_interval(leap_tai_ns: int, leap_sign: int, length_ns: int = DEFAULT_LENGTH_NS) -> tuple[int, int]:
    """(begin, end) in TAI ns of the smear around the leap at `leap_tai_ns`, the UTC midnight that follows it."""
    half_ns = length_ns // 2
    return leap_tai_ns - leap_sign * NS - half_ns, leap_tai_ns + half_ns


def smeared_offset_fs(
    tai_ns: int, leap_tai_ns: int, leap_sign: int, shape: int = Shape.COSINE, length_ns: int = DEFAULT_LENGTH_NS
) -> int:
    """What the smeared count is ahead of the old count of UTC at `tai_ns`, in fs: 0 before, −`leap_sign` s after.

    `leap_tai_ns` 0 or `leap_sign` 0: no leap second is known, and the offset is 0. `length_ns` at most 86 400 s.
    """
    if leap_tai_ns == 0 or leap_sign == 0:
        return 0
    begin_ns, end_ns = smear_interval(leap_tai_ns, leap_sign, length_ns)
    if tai_ns <= begin_ns:
        return 0
    if tai_ns >= end_ns:
        return -leap_sign * SECOND_FS
    done_ns, whole_ns = tai_ns - begin_ns, end_ns - begin_ns
    if shape == Shape.LINEAR:
        return -leap_sign * _linear_fs(done_ns, whole_ns)
    # the second half is the first one upside down: both meet the whole second exactly
    if 2 * done_ns <= whole_ns:
        return -leap_sign * _cosine_fs(done_ns, whole_ns)
    return -leap_sign * (SECOND_FS - _cosine_fs(whole_ns - done_ns, whole_ns))


def _linear_fs(done_ns: int, whole_ns: int) -> int:
    """done ÷ whole of a second, in fs, rounded down: long division."""
    total_fs, rest = 0, done_ns
    for _ in range(PARTS):
        digit = rest * PART // whole_ns
        rest = rest * PART - digit * whole_ns
        total_fs = total_fs * PART + digit
    return total_fs


def _cosine_fs(done_ns: int, whole_ns: int) -> int:
    """(1 − cos(π done ÷ whole)) ÷ 2 of a second, in fs, for the first half: the square of a sine up to π/4."""
    x = HALF_PI * (float(done_ns) / float(whole_ns))
    square = x * x
    sine = 0.0
    for coefficient in SINE:
        sine = sine * square + coefficient
    sine *= x
    return int(sine * sine * 1e15)


def ahead_of_utc_fs(offset_fs: int, tai_ns: int, leap_tai_ns: int, leap_sign: int) -> int:
    """Smeared count less UTC at `tai_ns`, in fs, where UTC repeats 23:59:59 while 23:59:60 lasts.

    At most half a second in the middle of a smear, 0 before and after it.
    """
    counts_from_ns = leap_tai_ns - (NS if leap_sign > 0 else 0)
    if leap_tai_ns == 0 or tai_ns < counts_from_ns:
        return offset_fs
    return offset_fs + leap_sign * SECOND_FS


def smear_refid(ahead_fs: int) -> int:
    """The reference id 254.x.y.z that says how far a smeared reply is ahead of UTC: 2⁻²² s, rounded to the nearest."""
    units = (ahead_fs * 2**8 // FIVE_TO_15 + 1) // 2
    return 0xFE000000 | units & 0xFFFFFF


def refid_ahead_s(refid: int) -> float | None:
    """What a reference id of a smearing server says, in s; None for any other."""
    if refid >> 24 != 0xFE:
        return None
    return ((refid & 0xFFFFFF ^ 0x800000) - 0x800000) / 2**22
