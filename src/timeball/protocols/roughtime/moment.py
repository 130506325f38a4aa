"""The time a reply states: MIDP and RADI from served time and its bound, such that UTC lies strictly between them.

MIDP is the whole second that UTC counts, as POSIX clocks count it; the fraction that this leaves out is part of RADI
(RFC 10049, 5.2.5: UTC within (MIDP − RADI, MIDP + RADI), RADI at least 1, at least 3 without knowledge of leap
seconds). Around a leap second the count is ambiguous by one, and RADI wider by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NS = 1_000_000_000
LEAST_RADIUS_S = 1
LEAST_RADIUS_WITHOUT_LEAPS_S = 3
LEAP_MARGIN_S = 2.0
"""Beside the bound: how near a leap second counts as around it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a reply may state: `midpoint_s` Unix seconds, `radius_s` whole seconds."""

    midpoint_s: int
    radius_s: int


def moment_of(
    tai_ns: int, tai_minus_utc_s: int, bound_s: float, leap_tai_ns: int, leap_sign: int, leaps_known: bool
) -> Moment:
    """MIDP and RADI at TAI `tai_ns`, with `bound_s` the maximum of |UTC − served| there.

    `tai_minus_utc_s` as in force in the count; `leap_tai_ns` and `leap_sign` the next or last leap second as the clock
    page has it (0: none); `leaps_known` whether a valid table says that there is no other. ValueError for a bound that
    is not finite or negative, or a time before 1970.
    """
    if not 0.0 <= bound_s < 2**31:
        raise ValueError(f"no radius can be made of a bound of {bound_s} s")
    seconds, rest_ns = divmod(tai_ns - tai_minus_utc_s * NS, NS)
    if seconds < 0:
        raise ValueError("a time before 1970 cannot be stated")
    # strictly inside: a whole number above fraction + bound, whatever floats did to the sum
    radius_s = math.floor(math.nextafter(rest_ns / NS + bound_s, math.inf)) + 1
    if leap_tai_ns != 0 and leap_sign != 0 and near_leap(tai_ns, leap_tai_ns, bound_s):
        radius_s += 1
    return Moment(seconds, max(radius_s, LEAST_RADIUS_S if leaps_known else LEAST_RADIUS_WITHOUT_LEAPS_S))


def near_leap(tai_ns: int, leap_tai_ns: int, bound_s: float) -> bool:
    """Whether a leap second that ends at `leap_tai_ns` may be going on at `tai_ns`, give or take bound and margin."""
    margin_ns = math.ceil((bound_s + LEAP_MARGIN_S) * NS)
    return leap_tai_ns - NS - margin_ns <= tai_ns <= leap_tai_ns + margin_ns
