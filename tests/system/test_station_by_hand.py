"""What Python answers for a loop says of itself what the loop would: by how much the kernel's stamp may be off."""

from __future__ import annotations

import dataclasses
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pageserver import Station

from timeball.protocols.ntp import version5
from timeball.protocols.ntp.server import Settings
from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.server import ClockPages
from timeball.station.serving import arrays, compiled, kernels
from timeball.station.serving.access import build_access
from timeball.station.serving.arrays_bracket import read_bracket
from timeball.station.serving.buffers import make_buffers
from timeball.station.serving.byhand import Hands
from timeball.station.serving.failures import Failures
from timeball.station.serving.interleaved import make_memory, make_tables
from timeball.station.serving.limiter import make_limiter, make_rules
from timeball.station.serving.loop import EMPTY, LAST_PAIR, LAST_RAW, LAST_WIDTH, STARTED, Loop, make_loop
from timeball.station.serving.sealing import Sealing
from timeball.station.serving.settings import NTS_BY_HAND, PRECISION, SETTINGS, VERSION5
from timeball.station.serving.sockets import open_listener

Words = NDArray[np.int64]
S = 10**9
MOVED_NS = 400_000
"""What REALTIME moved against RAW since the bracket before, one second ago: a slew, and no step."""
REQUEST = b"\x2b" + bytes(47) + version5.build_field(version5.Field.DRAFT, version5.DRAFT)


def loop_of() -> Loop:
    settings = np.zeros(SETTINGS, np.int64)
    settings[VERSION5], settings[NTS_BY_HAND], settings[PRECISION] = 1, 1, -25
    limiter = make_limiter(1, make_rules(0, 1, 0, 1, 0), bytes(range(32)))
    return make_loop(settings, make_buffers(), build_access([], [], []), limiter, make_memory(make_tables(1)))


def hands_of(loop: Loop, addresses: Words, boot: Words) -> Hands:
    answered, failures = Settings({}, version5=True), Failures(logging.getLogger("server"))
    return Hands(loop.settings, loop.counters, addresses, boot, answered, lambda: None, None, failures)


def compiled_turn(descriptor: int, addresses: Words, boot: Words, loop: Loop, hands: Hands) -> None:
    compiled.warm()  # what is compiled here would be compiled while the stamp grows old
    _, raw_mid, realtime, width = read_bracket()
    loop.state[[STARTED, LAST_RAW, LAST_WIDTH, EMPTY]] = 1, raw_mid - S, width, raw_mid - S
    loop.state[LAST_PAIR] = realtime - raw_mid - MOVED_NS
    sealing = Sealing(by_hand=True)
    left = kernels.serve(descriptor, addresses, boot, np.zeros(2, np.int64), loop, sealing.ring, sealing.work)
    assert left == 1
    compiled.answer_by_hand(descriptor, loop, hands, left)


def arrays_turn(descriptor: int, addresses: Words, boot: Words, loop: Loop, hands: Hands) -> None:
    turning = arrays.ArrayLoop(descriptor, addresses, boot, loop)
    turning._bracket.raw_mid -= S
    turning._bracket.pair_ns -= MOVED_NS
    left = turning.serve_batch()
    assert left == 1
    turning.answer_by_hand(hands, left)


@pytest.mark.system
@pytest.mark.parametrize("turn", [compiled_turn, arrays_turn])
def test_dispersion_is_widened_by_what_realtime_moved(
    tmp_path: Path, turn: Callable[[int, Words, Words, Loop, Hands], None]
) -> None:
    station = Station(tmp_path)
    station.page = dataclasses.replace(station.page, bound_s=1e-4, bound_growth=0.0)
    station.lease(600, 600)
    pages, boot = ClockPages(tmp_path, boot_id()), np.array(boot_id().words, np.int64)
    addresses = pages.addresses
    loop = loop_of()
    hands = hands_of(loop, addresses, boot)
    with open_listener("127.0.0.1:0") as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(listener.getsockname())
        client.send(REQUEST)
        turn(listener.fileno(), addresses, boot, loop, hands)
        header = version5.parse_message(client.recv(2048)).header
    assert header.flags & version5.Flags.SYNCHRONIZED
    # two brackets tell it with the noise of their readings
    assert 1e-4 + 0.9 * MOVED_NS * 1e-9 <= header.root_dispersion / 2**28 < 1e-3
