"""Attacks on the key exchange, each by its name, against the loop that shakes hands, over real sockets."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exchange_loops import PATIENCE_S, Running, running

from timeball.station.nts.authority import issue_certificate, make_authority
from timeball.station.nts.counting import Count
from timeball.station.nts.keclient import ServerNotTrusted, ServerUnreachable, _Exchange, exchange_keys
from timeball.station.nts.tls import client_context


def silent(server: Running, count: int) -> list[socket.socket]:
    return [server.connect() for _ in range(count)]


def test_slowloris_is_over_at_the_deadline(tmp_path: Path) -> None:
    with running(tmp_path, limit_s=0.5) as server:
        held = silent(server, 20)
        for each in held:
            each.send(b"\x16\x03\x01")
        server.exchange()
        server.until(lambda: server.counts[Count.TIMED_OUT] == 20)
        for each in held:
            each.settimeout(PATIENCE_S)
            with suppress(ConnectionResetError):
                assert each.recv(100) == b""
            each.close()


def test_connections_held_open_give_way_to_one_that_means_it(tmp_path: Path) -> None:
    with running(tmp_path, most=10) as server:
        held = silent(server, 30)
        server.until(lambda: server.counts[Count.EVICTED] == 20)
        server.exchange()
        assert server.counts[Count.EVICTED] == 21
        assert server.counts[Count.OPEN] <= 10
        for each in held:
            each.close()


def test_a_hello_byte_by_byte_delays_nobody(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect() as slow:
        for byte in b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03":
            slow.send(bytes([byte]))
            if byte == 0x16:
                server.exchange()
        server.exchange()
        server.until(lambda: server.counts[Count.OPEN] == 1)


def test_a_client_that_never_reads_holds_only_itself(tmp_path: Path) -> None:
    with running(tmp_path, limit_s=0.5) as server, server.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.sendall(bytes(100))
        server.exchange()
        server.until(lambda: server.counts[Count.OPEN] == 0)


def test_garbage_and_resets_are_counted_and_harm_nobody(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        for data in (b"GET / HTTP/1.0\r\n\r\n", bytes(100), b"\x80\x01\0\2\0\0", b"\x16\x03\x01\x00\x02\x01\x00"):
            with server.connect() as client:
                client.sendall(data)
        for _ in range(5):
            client = server.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.send(b"\x16\x03")
            client.close()
        server.until(lambda: server.counts[Count.ACCEPTED] == 9 and server.counts[Count.OPEN] == 0)
        assert server.counts[Count.TLS_FAILED] >= 3
        assert server.counts[Count.HUNG_UP] >= 5
        server.exchange()


def test_without_descriptors_it_waits_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as server:
        failing = [True]

        class Listener:
            def accept(self) -> tuple[socket.socket, object]:
                if failing:
                    failing.pop()
                    raise OSError(24, "Too many open files")
                return server.listener.accept()

        monkeypatch.setitem(server.loop._listeners, server.listener.fileno(), Listener())
        server.exchange()
        assert server.counts[Count.ACCEPT_FAILURES] == 1


def test_a_false_server_gets_no_trust(tmp_path: Path) -> None:
    """Another authority, another name, an ended certificate: the client takes no keys from any of them."""
    with running(tmp_path) as server:
        other = make_authority("Other", datetime.now(UTC))
        (tmp_path / "other.pem").write_bytes(other.certificate)
        with pytest.raises(ServerNotTrusted, match="certificate verify failed"):
            exchange_keys("localhost", server.port, tmp_path / "other.pem", timeout_s=PATIENCE_S)
        server.loop.service = server.service(issue_certificate(server.authority, ["other.example"], datetime.now(UTC)))
        with pytest.raises(ServerNotTrusted, match="another server"):
            exchange_keys("localhost", server.port, server.ca, timeout_s=PATIENCE_S)
        server.loop.service = server.service(
            issue_certificate(server.authority, ["localhost"], datetime(2020, 1, 1, tzinfo=UTC))
        )
        with pytest.raises(ServerNotTrusted, match="certificate verify failed"):
            exchange_keys("localhost", server.port, server.ca, timeout_s=PATIENCE_S)
        # a machine that does not know the day yet may be told by what time to judge
        server.loop.service = server.service(server.issued)
        server.exchange()
        with pytest.raises(ServerNotTrusted):
            exchange_keys("localhost", server.port, server.ca, at=datetime(2020, 1, 1, tzinfo=UTC))


def test_a_change_of_certificate_drops_nobody_who_is_in_the_middle(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect() as early:
        half = _Exchange(early, client_context(server.ca), "localhost", time.monotonic() + PATIENCE_S)
        assert not half._shaken()
        half._pump()
        server.loop.service = server.service(issue_certificate(server.authority, ["other.example"], datetime.now(UTC)))
        with pytest.raises(ServerNotTrusted, match="another server"):
            server.exchange()
        assert len(half.run((15,)).cookies) == 8


def test_a_server_that_does_not_answer_is_told_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(ServerUnreachable, match="no answer in time"):
            exchange_keys("127.0.0.1", port, timeout_s=0.2)
    with pytest.raises(ServerUnreachable, match="refused"):
        exchange_keys("127.0.0.1", port, timeout_s=PATIENCE_S)
    with pytest.raises(ServerUnreachable):
        exchange_keys("a" * 300, 4460, timeout_s=1)
    with pytest.raises(ServerNotTrusted, match="no authorities"):
        exchange_keys("127.0.0.1", 4460, tmp_path / "none.pem")
