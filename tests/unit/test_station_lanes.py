"""Longer datagrams have a queue of their own, whatever becomes of the plain ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from timeball.station.serving.lanes import part_lanes


def sharing(stack: ExitStack, family: int, host: str, count: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for _ in range(count):
        one = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setblocking(False)
        one.bind((host, sockets[0].getsockname()[1] if sockets else 0))
        sockets.append(one)
    part_lanes(sockets)
    return sockets


def taken(one: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield one.recv(2048)
        except BlockingIOError:
            return


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("plain", [1, 2, 3])
def test_longer_datagrams_go_to_the_last_socket(family: int, host: str, plain: int) -> None:
    with ExitStack() as stack:
        sockets = sharing(stack, family, host, plain + 1)
        place = sockets[0].getsockname()[:2]
        sent = dict.fromkeys((0, 1, 47, 48, 49, 68, 228), 0)
        for _ in range(30):
            client = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))  # a flow of its own
            for length in sent:
                client.sendto(bytes(length), place)
                sent[length] += 1
        heard = [[len(data) for data in taken(one)] for one in sockets]
        assert {length: sum(lane.count(length) for lane in heard) for length in sent} == sent
        assert all(length <= 48 for lane in heard[:-1] for length in lane)
        assert all(length > 48 for length in heard[-1])
        assert all(heard), "the plain flows are spread over all plain sockets"


def test_a_full_queue_of_plain_requests_stops_nobody_else() -> None:
    with ExitStack() as stack:
        sockets = sharing(stack, socket.AF_INET, "127.0.0.1", 2)
        client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        place = sockets[0].getsockname()
        for _ in range(5000):
            client.sendto(bytes(48), place)
        client.sendto(bytes(228), place)
        assert len(list(taken(sockets[0]))) < 5000, "the queue of the plain lane overflowed"
        assert [len(data) for data in taken(sockets[1])] == [228]
