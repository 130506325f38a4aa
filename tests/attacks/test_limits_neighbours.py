"""An attack on numpy's limits: addresses chosen so that they would share the bucket of another, whatever the key."""

from __future__ import annotations

import ipaddress
import socket
import struct

import numpy as np
import pytest

from timeball.station.serving.access import build_access
from timeball.station.serving.arrays_screen import Screen
from timeball.station.serving.limiter import make_limiter, make_rules

VICTIM = ipaddress.IPv6Address("2001:db8:0:100::1")


def beside(bits: int, *, both: bool) -> ipaddress.IPv6Address:
    """The victim's address with these bits of the last byte of its network changed, and of its last byte."""
    return ipaddress.IPv6Address(int(VICTIM) ^ bits << 64 ^ bits * both)


@pytest.mark.parametrize("number", range(20))
def test_no_neighbour_empties_the_bucket_of_another(number: int) -> None:
    key = np.random.default_rng(number).bytes(32)
    limiter = make_limiter(65536, make_rules(1.0, 1.0, 0.0, 1.0, 0), key)
    screen = Screen(build_access([], [], []), limiter, socket.AF_INET6)
    attackers = [beside(bits, both=both) for bits in (0x80, 0x40, 0xC0) for both in (True, False)]
    names = b"".join(
        struct.pack("=H2s4x16s8x", socket.AF_INET6, b"\x12\x34", one.packed) for one in (*attackers, VICTIM)
    )
    asked = np.frombuffer(names, np.int64).reshape(-1, 4).copy()
    # each has one request at once
    assert screen.codes(asked[:-1], 10**12) is None
    assert screen.codes(asked[-1:], 10**12) is None
