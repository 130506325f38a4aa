"""The sockets of the Roughtime server: both kinds on one port of either family, and a port that is taken."""

from __future__ import annotations

import socket

import pytest

from timeball.station.roughtime import open_sockets
from timeball.station.supervision.process import CannotStartError


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_datagrams_and_streams_come_to_one_port(host: str) -> None:
    family = socket.AF_INET6 if host == "[::1]" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host.strip("[]"), 0))
        except OSError:
            pytest.skip("no loopback of this family here")
        port = probe.getsockname()[1]
    address = f"{host}:{port}"
    udp, tcp = open_sockets(address)
    with udp, tcp:
        assert (udp.family, udp.type, udp.getsockname()[1]) == (family, socket.SOCK_DGRAM, port)
        assert (tcp.family, tcp.type, tcp.getsockname()[1]) == (family, socket.SOCK_STREAM, port)
        with pytest.raises(CannotStartError, match=r"Address already in use; change roughtime\.listen"):
            open_sockets(address)
    for one in open_sockets(address):
        one.close()
