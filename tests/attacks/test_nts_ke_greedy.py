"""One network that wants all places of the key exchange, or all its time: others are served, and it is counted."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
from exchange_loops import PATIENCE_S, Running, running

from timeball.station.nts.counting import Count
from timeball.station.nts.networks import ELSEWHERE, Limits, Rates, network_of

GREEDY, OTHER = "127.66.0.9", "127.0.0.1"


def connect(server: Running, source: str) -> socket.socket:
    """A connection from another address of the loopback."""
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE_S, (source, 0))


def test_a_greedy_network_holds_its_own_places_alone(tmp_path: Path) -> None:
    """It opens twice what there is; somebody else, who was there first, is not sent away, and newcomers are served."""
    with running(tmp_path, most=20, limits=Limits(connections=5)) as server:
        first = connect(server, OTHER)
        server.until(lambda: server.counts[Count.OPEN] == 1)
        held = [connect(server, f"127.66.0.{1 + number}") for number in range(40)]
        server.until(lambda: server.counts[Count.CROWDED] == 35)
        assert server.counts[Count.EVICTED] == 0
        assert server.counts[Count.OPEN] == 6
        server.exchange()
        first.setblocking(False)
        with pytest.raises(BlockingIOError):  # still open: nothing to read, and no end
            first.recv(1)
        for each in [first, *held]:
            each.close()


def test_a_network_that_comes_too_often_is_closed_at_once_and_another_is_served(tmp_path: Path) -> None:
    with running(tmp_path, limits=Limits(rate=1e-3, burst=3.0)) as server:
        held = [connect(server, GREEDY) for _ in range(10)]
        server.until(lambda: server.counts[Count.LIMITED] == 7)
        assert server.counts[Count.OPEN] == 3
        held[-1].settimeout(PATIENCE_S)
        with suppress(ConnectionResetError):
            assert held[-1].recv(1) == b""
        server.exchange()
        assert server.counts[Count.AGREED] == 1
        for each in held:
            each.close()


def test_without_limits_one_address_may_have_all_of_it(tmp_path: Path) -> None:
    with running(tmp_path, most=20) as server:
        held = [connect(server, GREEDY) for _ in range(20)]
        server.until(lambda: server.counts[Count.OPEN] == 20)
        assert server.counts[Count.CROWDED] == server.counts[Count.LIMITED] == 0
        for each in held:
            each.close()


def test_networks() -> None:
    assert network_of("192.0.2.7") == network_of("192.0.2.200") == bytes((192, 0, 2))
    assert network_of("192.0.3.7") != network_of("192.0.2.7")
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7")
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:ffff::") == bytes.fromhex("20010db80001")
    assert network_of("2001:db8:2::3") != network_of("2001:db8:1::3")
    assert network_of("fe80::1%eth0") == bytes.fromhex("fe8000000000")
    assert network_of("") == network_of("no:address") == ELSEWHERE


def test_a_rate_holds_over_time_and_forgives() -> None:
    rates = Rates(Limits(rate=2.0, burst=4.0))
    assert [rates.take(b"a", 100.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert rates.take(b"b", 100.0), "another network has its own"
    assert [rates.take(b"a", 100.5), rates.take(b"a", 100.5)] == [True, False]
    within = sum(rates.take(b"a", 101.0 + step / 50) for step in range(5000))
    assert within == pytest.approx(2.0 * 100.0, abs=5)
    assert [rates.take(b"a", 300.0) for _ in range(5)] == [True] * 4 + [False]


def test_memory_is_bounded_and_a_flood_of_networks_does_not_free_the_greedy() -> None:
    """What is forgotten is who was not heard for longest: the greedy one is always fresh."""
    rates = Rates(Limits(rate=1e-3, burst=2.0), places=64)
    assert [rates.take(b"greedy", 0.0) for _ in range(3)] == [True, True, False]
    for number in range(2000):
        rates.take(number.to_bytes(3), 1.0)
        if number % 32 == 0:
            assert not rates.take(b"greedy", 1.0)
    assert len(rates) == 64
