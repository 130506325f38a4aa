"""Fuzz target: any bytes as parameters of broadcast UTC. Only FormatError may escape."""

from __future__ import annotations

import math

from timeball.formats import FormatError
from timeball.formats.broadcast_utc import LARGEST_RATE, LARGEST_S, read_broadcast_utc

HEAD = b"     3.04           N: GNSS NAV DATA    M: MIXED            RINEX VERSION / TYPE\n"
TAIL = b"\n                                                            END OF HEADER\nG01 2026 01 01 00 00 00\n"


def target(data: bytes) -> None:
    """Read the bytes as they are, behind a good line of a table, and inside a navigation file's header."""
    for variant in (data, b"61040 1e-9 0 503808 2399\n" + data, HEAD + data + TAIL):
        try:
            found, _ = read_broadcast_utc(variant, "fuzz")
        except FormatError:
            continue
        assert found
        assert all(abs(each.a0_s) <= LARGEST_S and abs(each.a1) <= LARGEST_RATE for each in found)
        assert all(math.isfinite(each.system_minus_utc_s(0)) for each in found)
