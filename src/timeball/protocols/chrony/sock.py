"""The datagram of chronyd's SOCK reference clock, which gpsd writes and ntpd-rs takes as well.

40 bytes in native byte order on 64-bit Linux: struct timeval of the measurement on the system clock, double offset, int
pulse, int leap, padding, magic. Sign: `offset_s` = true time − system clock, positive while the system clock is slow.

It opens no socket. A receiver drops what has another length or magic without a word, so both are checked here.
Source: chrony.conf(5), directive refclock, driver SOCK; chrony's refclock_sock.c.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from timeball.protocols.chrony.errors import SampleError

SAMPLE = struct.Struct("@qqdiiii")
SAMPLE_BYTES = SAMPLE.size
MAGIC = 0x534F434B
LEAPS = {0: 0, 1: 1, -1: 2}
SIGNS = {code: sign for sign, code in LEAPS.items()}
FARTHEST_S = 2.0**32
"""The greatest offset that chronyd takes for sane (util.h): a host without a battery begins in 1970."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: `system_ns` of CLOCK_REALTIME, `offset_s` = true − system, `leap_sign` +1, 0 or −1 at the day's end.

    `pulse`: the offset is known within the second alone. The wire carries the time in whole µs, rounded down.
    """

    system_ns: int
    offset_s: float
    leap_sign: int = 0
    pulse: bool = False


def build_sample(sample: Sample) -> bytes:
    """The 40 bytes of a sample. Raises SampleError for what no clock can mean."""
    if not math.isfinite(sample.offset_s) or abs(sample.offset_s) > FARTHEST_S:
        raise SampleError(f"an offset of {sample.offset_s} s is none that a clock can have")
    if sample.leap_sign not in LEAPS:
        raise SampleError(f"a leap of {sample.leap_sign} s is neither +1, 0 nor −1")
    seconds, rest_ns = divmod(sample.system_ns, 1_000_000_000)
    leap = LEAPS[sample.leap_sign]
    return SAMPLE.pack(seconds, rest_ns // 1000, sample.offset_s, int(sample.pulse), leap, 0, MAGIC)


def parse_sample(data: bytes) -> Sample:
    """The sample of a datagram, as chronyd would take it. Raises SampleError."""
    if len(data) != SAMPLE_BYTES:
        raise SampleError(f"{len(data)} bytes are no sample: it has {SAMPLE_BYTES}")
    seconds, micros, offset_s, pulse, leap, _, magic = SAMPLE.unpack(data)
    if magic != MAGIC:
        raise SampleError(f"magic {magic & 0xFFFFFFFF:#010x} is not that of a sample")
    if not 0 <= micros < 1_000_000 or leap not in SIGNS or not math.isfinite(offset_s) or abs(offset_s) > FARTHEST_S:
        raise SampleError("a sample with an impossible time, leap or offset")
    return Sample(seconds * 1_000_000_000 + micros * 1000, offset_s, SIGNS[leap], pulse != 0)
