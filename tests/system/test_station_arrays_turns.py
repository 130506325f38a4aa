"""numpy's loop turned by hand, batch by batch: what one reply does to the stamps of others."""

from __future__ import annotations

import dataclasses
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pageserver import Station

from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp import version5
from timeball.protocols.ntp.server import Settings
from timeball.station.hosttime.hostclocks import boot_id, raw_ns
from timeball.station.page.clockpage import served_instant
from timeball.station.server import ClockPages
from timeball.station.serving.access import build_access
from timeball.station.serving.arrays import ArrayLoop
from timeball.station.serving.buffers import make_buffers
from timeball.station.serving.byhand import Hands
from timeball.station.serving.failures import Failures
from timeball.station.serving.interleaved import make_memory, make_tables
from timeball.station.serving.limiter import make_limiter, make_rules
from timeball.station.serving.loop import make_loop
from timeball.station.serving.settings import KEPT_STAMPS, NTS_BY_HAND, PRECISION, SETTINGS, TELL, VERSION5
from timeball.station.serving.sockets import open_listener

pytestmark = pytest.mark.system

Words = NDArray[np.int64]
DENIED = "127.0.0.66"
PLAIN = ntp.build_request(7)
FIVE = b"\x2b" + bytes(47) + version5.build_field(version5.Field.DRAFT, version5.DRAFT)


class Turned:
    """A loop over a page that is in sync, which answers when it is told to; nobody is served from DENIED."""

    def __init__(self, state: Path, listener: socket.socket) -> None:
        station = Station(state)
        station.lease(600, 600)
        self.page = station.page
        self._pages = ClockPages(state, boot_id())
        settings = np.zeros(SETTINGS, np.int64)
        settings[[VERSION5, NTS_BY_HAND, KEPT_STAMPS, TELL]], settings[PRECISION] = 1, -25
        limiter = make_limiter(64, make_rules(0, 1, 0, 1, 0), bytes(range(32)))
        access = build_access([], [f"{DENIED}/32"], [])
        loop = make_loop(settings, make_buffers(), access, limiter, make_memory(make_tables(1)))
        addresses, boot = self._pages.addresses, np.array(boot_id().words, np.int64)
        answered, failures = Settings({}, version5=True), Failures(logging.getLogger("server"))
        self._hands = Hands(settings, loop.counters, addresses, boot, answered, lambda: None, None, failures)
        self._loop = ArrayLoop(listener.fileno(), addresses, boot, loop)
        self._place = listener.getsockname()

    def ask(self, *requests: tuple[socket.socket, bytes]) -> list[bytes]:
        """The replies to requests that come in one batch."""
        for client, datagram in requests:
            client.sendto(datagram, self._place)
        if left := self._loop.serve_batch():
            self._loop.answer_by_hand(self._hands, left)
        return [client.recv(2048) for client, _ in requests]

    def timestamp(self) -> int:
        """What a stamp of now says."""
        tai_ns, frac_fs, _ = served_instant(self.page, raw_ns())
        return ntp.ntp_timestamp(tai_ns, frac_fs, self.page.tai_minus_utc_s)


@pytest.fixture
def turned(tmp_path: Path) -> Iterator[Turned]:
    with open_listener("127.0.0.1:0", transmit_stamps=True) as listener:
        yield Turned(tmp_path, listener)


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    """The last is denied."""
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for client, source in zip(made, ("127.0.0.1", "127.0.0.1", DENIED), strict=True):
        client.settimeout(5)
        client.bind((source, 0))
    yield made
    for client in made:
        client.close()


@pytest.mark.parametrize("who", [0, 2], ids=["by hand", "refused"])
def test_replies_that_carry_no_stamp_of_the_batch_teach_it_no_lead(
    turned: Turned, clients: list[socket.socket], who: int
) -> None:
    for _ in range(1000):
        turned.ask((clients[who], PLAIN if who else FIVE))
    [reply] = turned.ask((clients[0], PLAIN))
    assert ntp.parse_packet(reply).transmit < turned.timestamp()


def test_a_refusal_beside_it_takes_no_true_stamp_away(turned: Turned, clients: list[socket.socket]) -> None:
    one, other, denied = clients
    asks = dataclasses.replace(ntp.parse_packet(PLAIN), origin=5, receive=6, transmit=6)
    first, _ = turned.ask((one, ntp.build_packet(asks)), (denied, PLAIN))
    left_before = turned.timestamp()
    turned.ask((other, ntp.build_packet(asks)))
    # the stamp of the other's reply, known by now, is not taken for that of the first
    again = dataclasses.replace(asks, origin=ntp.parse_packet(first).receive, receive=21, transmit=22)
    [told] = turned.ask((one, ntp.build_packet(again)))
    assert ntp.parse_packet(told).origin == 21
    assert ntp.parse_packet(first).transmit < ntp.parse_packet(told).transmit < left_before
