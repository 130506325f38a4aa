"""Attacks on the TCP side of the Roughtime server, against its thread, over real sockets."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from handpages import HandPages

from timeball.protocols.roughtime import client
from timeball.protocols.roughtime.server import make_identity
from timeball.protocols.roughtime.serverlist import Address
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.page.roughtimepage import CONNECTIONS_REFUSED
from timeball.station.timesigning import streams
from timeball.station.timesigning.answering import Answering, Host
from timeball.station.timesigning.asking import ask
from timeball.station.timesigning.clock import PlainClock
from timeball.station.timesigning.keys import KeysMadeHere

PATIENCE_S = 10.0


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[streams.StreamThread]:
    (tmp_path / "run").mkdir()
    pages = HandPages(tmp_path)
    pages.lease(600, 600)
    keys = KeysMadeHere(secrets.token_bytes(32), (1,), 86400.0)
    host = Host(make_identity(keys.public_key, [1], 8), keys, 8, 0.0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    thread = streams.StreamThread([listener], Answering(host, PlainClock(tmp_path, load_leap_table())), 60.0)
    thread.start()
    yield thread
    thread.stop()
    pages.close()


def test_who_holds_every_place_in_silence_keeps_nobody_out(
    thread: streams.StreamThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_CONNECTIONS", 16)
    key, counters = thread.answering.host.keys.public_key, thread.answering.counters
    place = Address("tcp", "127.0.0.1", thread._listeners[0].getsockname()[1])
    silent = [socket.create_connection((place.host, place.port), PATIENCE_S) for _ in range(40)]
    try:
        request = client.build_request(secrets.token_bytes(32), (1,), key)
        client.verify_reply(request, ask(place, request, PATIENCE_S), key)
        deadline = time.monotonic() + PATIENCE_S
        while counters[CONNECTIONS_REFUSED] < 40 + 1 - 16:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for each in silent:
            each.close()
    assert thread.alive()
