"""What is dropped or refused, and from which address a reply leaves: one datagram at a time, as kernels.py does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.kiss import DENY, RATE, RSTR, build_kiss
from timeball.protocols.ntp.reasons import Reason
from timeball.station.serving import counters as count
from timeball.station.serving.access import DENIED
from timeball.station.serving.arrays_interleaved import find_control
from timeball.station.serving.arrays_screen import LIMITED, TOLD
from timeball.station.serving.settings import LEAST_POLL, TELL

Words = NDArray[np.int64]

# (level, type): IPPROTO_IP, IP_PKTINFO; IPPROTO_IPV6, IPV6_PKTINFO
V4_PKTINFO, V6_PKTINFO = 0 | 8 << 32, 41 | 50 << 32
DROPPED = {
    Reason.TOO_SHORT: count.DROPPED_TOO_SHORT,
    Reason.WRONG_VERSION: count.DROPPED_WRONG_VERSION,
    Reason.WRONG_MODE: count.DROPPED_WRONG_MODE,
    Reason.MALFORMED_FIELDS: count.DROPPED_MALFORMED_FIELDS,
    Reason.MALFORMED_MAC: count.DROPPED_MALFORMED_MAC,
    Reason.TOO_LONG: count.DROPPED_TOO_LONG,
}


def refusal(datagram: bytes, kind: Reason, code: int, settings: Words, counters: Words) -> bytes | None:
    """The kiss of death that tells a refusal, None where it is silent; counted. As kernels.refuse."""
    may_tell = kind in (Reason.BASIC, Reason.NTS, Reason.MAC)
    if code & LIMITED:
        told = may_tell and code & TOLD
        counters[count.KISSES_RATE if told else count.DROPPED_LIMITED] += 1
        return build_kiss(datagram, RATE, int(settings[LEAST_POLL])) if told else None
    if not may_tell or not settings[TELL]:
        counters[count.DROPPED_DENIED] += 1
        return None
    counters[count.KISSES_DENY if code & DENIED else count.KISSES_RSTR] += 1
    return build_kiss(datagram, DENY if code & DENIED else RSTR)


def leaving_from(words: list[int], length: int, family: int) -> list[int]:
    """The control message by which a reply leaves from the address asked: kernels_pktinfo.answer_from_asked."""
    found = find_control(words, length, V4_PKTINFO if family == 4 else V6_PKTINFO)
    if found < 0:
        return []
    if family == 4:
        return [28, V4_PKTINFO, words[found] & ~0xFFFFFFFF, 0]
    # the interface matters to link-local addresses alone, and would bind others to the way they came
    local = words[found] & 0xC0FF == 0x80FE
    return [36, V6_PKTINFO, words[found], words[found + 1], words[found + 2] & 0xFFFFFFFF if local else 0]
