"""A PTP hardware clock of the kernel: read against RAW, stepped, and corrected in rate (Linux dynamic POSIX clocks).

Read by PTP_SYS_OFFSET_EXTENDED where the driver has it (the card's register between two readings of REALTIME, taken
next to it in the kernel), else by clock_gettime between two readings of RAW. Writing needs no privilege but a
descriptor that was opened for writing. Sources: clock_getres(2), clock_adjtime(2), linux/ptp_clock.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import time
from ctypes import c_int, c_long
from dataclasses import dataclass

from timeball.station.hosttime import hostclocks

S = 1_000_000_000
SAMPLES = 5
TRIES = 5
# _IOR('=', 1, struct ptp_clock_caps) and _IOWR('=', 9, struct ptp_sys_offset_extended)
GET_CAPS, CAPS_BYTES = 0x80503D01, 80
SYS_OFFSET_EXTENDED = 0xC4C03D09
OFFSETS_HEAD = struct.Struct("@I12x")
CLOCK_TIME = struct.Struct("@qII")
OFFSETS_BYTES = OFFSETS_HEAD.size + 25 * 3 * CLOCK_TIME.size

ADJ_FREQUENCY, ADJ_SETOFFSET, ADJ_NANO = 0x0002, 0x0100, 0x2000
PPM_SCALE = 65536e6
"""`timex.freq` counts 2⁻¹⁶ ppm."""


class Timex(ctypes.Structure):
    """struct timex of 64-bit Linux (adjtimex(2)); `sec` and `usec` carry ns with ADJ_NANO."""

    _fields_ = [
        ("modes", c_int),
        *((name, c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", c_int),
        *(
            (name, c_long)
            for name in ("constant", "precision", "tolerance", "sec", "usec", "tick", "ppsfreq", "jitter")
        ),
        ("shift", c_int),
        *((name, c_long) for name in ("stabil", "jitcnt", "calcnt", "errcnt", "stbcnt")),
        ("tai", c_int),
        ("rest", c_int * 11),
    ]


@dataclass(frozen=True, slots=True)
class PHCReading:
    """What a PTP clock showed (`clock_ns`) at RAW `raw_ns`, known to ± half of `width_ns`."""

    raw_ns: int
    clock_ns: int
    width_ns: int


_libc = ctypes.CDLL(None, use_errno=True)


def adjust(clock: int, timex: Timex) -> None:
    """clock_adjtime(2). Raises OSError."""
    if _libc.clock_adjtime(c_int(clock), ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def frequency_word(rate: float) -> int:
    """`timex.freq` of a rate (fraction, positive: faster)."""
    return round(rate * PPM_SCALE)


def parse_offsets(data: bytes) -> list[tuple[int, int, int]]:
    """The samples (REALTIME, clock, REALTIME), ns, of a struct ptp_sys_offset_extended."""
    (count,) = OFFSETS_HEAD.unpack_from(data)
    stamps = [s * S + ns for s, ns, _ in CLOCK_TIME.iter_unpack(data[OFFSETS_HEAD.size :])]
    return [(stamps[3 * i], stamps[3 * i + 1], stamps[3 * i + 2]) for i in range(min(count, 25))]


class PHCDevice:
    """One open device. `max_rate` is what its driver allows. Raises OSError where it is not there or refuses."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._clock = (~self._descriptor << 3) | 3
        self._extended = True
        try:
            caps = bytearray(CAPS_BYTES)
            fcntl.ioctl(self._descriptor, GET_CAPS, caps)
            self.max_rate = struct.unpack_from("@i", caps)[0] * 1e-9
            self.rate = self._read_rate()
        except OSError:
            self.close()
            raise

    def read(self) -> PHCReading:
        """The narrowest of a few readings."""
        if self._extended:
            try:
                return self._read_extended()
            except OSError:
                self._extended = False
        tries = [(hostclocks.raw_ns(), time.clock_gettime_ns(self._clock), hostclocks.raw_ns()) for _ in range(TRIES)]
        before, shown, after = min(tries, key=lambda one: one[2] - one[0])
        return PHCReading((before + after) // 2, shown, after - before)

    def step(self, offset_s: float) -> None:
        """Set the clock forward by `offset_s` (negative: back)."""
        seconds, nanos = divmod(round(offset_s * S), S)
        adjust(self._clock, Timex(modes=ADJ_SETOFFSET | ADJ_NANO, sec=seconds, usec=nanos))

    def set_rate(self, rate: float) -> None:
        """Run faster by `rate` (fraction) than the card's oscillator."""
        adjust(self._clock, Timex(modes=ADJ_FREQUENCY, freq=frequency_word(rate)))
        self.rate = rate

    def close(self) -> None:
        """Close the device; the clock runs on with the rate it has."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_rate(self) -> float:
        timex = Timex()
        adjust(self._clock, timex)
        return float(timex.freq) / PPM_SCALE

    def _read_extended(self) -> PHCReading:
        data = bytearray(OFFSETS_BYTES)
        OFFSETS_HEAD.pack_into(data, 0, SAMPLES)
        fcntl.ioctl(self._descriptor, SYS_OFFSET_EXTENDED, data)
        before, shown, after = min(parse_offsets(bytes(data)), key=lambda one: one[2] - one[0])
        pair = hostclocks.bracket()
        raw_ns = (before + after) // 2 - pair.realtime_minus_raw_ns
        return PHCReading(raw_ns, shown, after - before + pair.width_ns)
