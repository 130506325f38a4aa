"""The address that was asked, on a socket bound to all of them: the reply must leave from it (ip(7), ipv6(7))."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.station.page.lean import lean

Words = NDArray[np.int64]

HEADER_BYTES = 16
# (level, type) as they stand in the second word: IPPROTO_IP, IP_PKTINFO; IPPROTO_IPV6, IPV6_PKTINFO
V4_KIND = 0 | 8 << 32
V6_KIND = 41 | 50 << 32
V4_BYTES, V6_BYTES = 28, 36
LOW = 0xFFFFFFFF
LINK_LOCAL_BITS, LINK_LOCAL = 0xC0FF, 0x80FE
"""fe80::/10 in the first two bytes of an address, as the host reads them."""


@lean
def find_control(controls: Words, k: int, length: int, kind: int, least: int) -> int:
    """The first word behind the header of the control message of this level and type in row k; −1: not there.

    It has `least` bytes or more, header included, all within the `length` that was received.
    """
    at = 0
    while 8 * at + HEADER_BYTES <= length:
        size = controls[k, at]
        if size < HEADER_BYTES or size > length - 8 * at:
            return -1
        if controls[k, at + 1] == kind and size >= least:
            return at + 2
        at += (size + 7) >> 3
    return -1


@lean
def answer_from_asked(controls: Words, k: int, length: int, sent: Words, j: int, at: int, family: int) -> int:
    """Write into row j of `sent`, from word `at` on, that the reply leaves from the address asked in row k.

    Gives the bytes written, 0 when the kernel did not say which it was. `family` 4 or 6.
    """
    if family == 4:
        found = find_control(controls, k, length, V4_KIND, V4_BYTES)
        if found < 0:
            return 0
        sent[j, at] = V4_BYTES
        sent[j, at + 1] = V4_KIND
        # struct in_pktinfo: interface 0 (routed as usual), the local address; the header's destination is not used
        sent[j, at + 2] = controls[k, found] & ~LOW
        sent[j, at + 3] = 0
        return (V4_BYTES + 7) & ~7
    found = find_control(controls, k, length, V6_KIND, V6_BYTES)
    if found < 0:
        return 0
    sent[j, at] = V6_BYTES
    sent[j, at + 1] = V6_KIND
    sent[j, at + 2] = controls[k, found]
    sent[j, at + 3] = controls[k, found + 1]
    # the interface matters to link-local addresses alone, and would bind others to the way they came
    local = controls[k, found] & LINK_LOCAL_BITS == LINK_LOCAL
    sent[j, at + 4] = controls[k, found + 2] & LOW if local else 0
    return (V6_BYTES + 7) & ~7
