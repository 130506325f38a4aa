"""One connection over memory, against a TLS client of pyOpenSSL: who gets cookies, who does not, and how each ends."""

from __future__ import annotations

import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from OpenSSL import SSL

from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.asking import ExchangeRefused, build_request, parse_response
from timeball.protocols.nts.cookies import open_cookie
from timeball.protocols.nts.exchange import ALPN, Offer
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.station.nts.addresses import open_tcp_listener
from timeball.station.nts.authority import Issued, issue_certificate, make_authority
from timeball.station.nts.certificate import parse_certificate
from timeball.station.nts.counting import Count
from timeball.station.nts.handshake import MOST_BYTES, Handshake, Service
from timeball.station.nts.tls import client_context, export_keys, server_context, take_output

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RING = KeyRing(CookieKey(7, bytes(range(32))))


@pytest.fixture(scope="module")
def authority() -> Issued:
    return make_authority("Test", NOW)


@pytest.fixture(scope="module")
def service(authority: Issued) -> Service:
    issued = issue_certificate(authority, ["localhost"], NOW)
    return Service(server_context(parse_certificate(issued.certificate, issued.key)), RING, Offer((15, 30), "", 11123))


class Client:
    """A TLS client and the server's handshake, with nothing between them."""

    def __init__(self, service: Service, context: SSL.Context) -> None:
        self.server = Handshake(service)
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()

    def talk(self, step: int = 65536) -> None:
        """Carry bytes both ways, `step` at a time, until nobody has any."""
        while True:
            nothing = True
            with suppress(SSL.WantReadError):
                self.tls.do_handshake()
            output = take_output(self.tls)
            for at in range(0, len(output), step):
                nothing = False
                reply = self.server.receive(output[at : at + step])
                if reply:
                    self.tls.bio_write(reply)
            if nothing:
                return

    def read(self) -> bytes:
        data = b""
        while True:
            try:
                data += self.tls.recv(65536)
            except (SSL.ZeroReturnError, SSL.WantReadError):
                return data


def context(authority: Issued, tmp_path: Path) -> SSL.Context:
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    return client_context(tmp_path / "ca.pem", NOW)


@pytest.fixture
def client(service: Service, authority: Issued, tmp_path: Path) -> Client:
    return Client(service, context(authority, tmp_path))


@pytest.mark.parametrize(("number", "step"), [(15, 65536), (30, 65536), (15, 7)])
def test_cookies_hold_the_keys_that_both_sides_export(client: Client, number: int, step: int) -> None:
    client.talk(step)
    client.tls.send(build_request((number,)))
    client.talk(step)
    agreement = parse_response(client.read(), (number,))
    assert client.server.end is Count.AGREED
    assert (agreement.aead, agreement.port, len(set(agreement.cookies))) == (number, 11123, 8)
    keys = export_keys(client.tls, number, aead(number).key_bytes)
    for cookie in agreement.cookies:
        session = open_cookie(RING, cookie)
        assert (session.aead, session.c2s, session.s2c) == (number, *keys)
    assert keys[0] != keys[1]


def test_the_whole_answer_is_one_flight_and_ends_with_a_goodbye(client: Client) -> None:
    client.talk()
    client.tls.send(build_request((15,)))
    client.tls.bio_write(client.server.receive(take_output(client.tls)))
    assert parse_response(client.tls.recv(65536), (15,))
    with pytest.raises(SSL.ZeroReturnError):
        client.tls.recv(1)


def test_a_connection_has_sha256_and_no_renegotiation(client: Client) -> None:
    client.talk()
    assert client.tls.get_protocol_version_name() == "TLSv1.3"
    assert client.tls.get_cipher_name() == "TLS_AES_128_GCM_SHA256"
    assert client.tls.get_alpn_proto_negotiated() == ALPN


def hello(change: str) -> SSL.Context:
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if change == "TLS 1.2":
        made.set_max_proto_version(SSL.TLS1_2_VERSION)
        made.set_alpn_protos([ALPN])
    if change == "another protocol":
        made.set_alpn_protos([b"h2"])
    return made


@pytest.mark.parametrize(
    ("change", "end"),
    [("TLS 1.2", Count.TLS_FAILED), ("another protocol", Count.NO_ALPN)],
)
def test_who_does_not_speak_it_is_told_so_by_an_alert(service: Service, change: str, end: Count) -> None:
    client = Client(service, hello(change))
    with pytest.raises(SSL.Error, match="alert"):
        client.talk()
    assert client.server.end is end


def test_without_a_protocol_there_is_no_answer(service: Service) -> None:
    client = Client(service, hello("none"))
    client.talk()
    assert client.server.end is Count.NO_ALPN
    assert client.read() == b""


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", bytes(600), b"\x16\x03\x01\x00\x05hello", b"\xff" * 20000])
def test_garbage_ends_the_connection(service: Service, data: bytes) -> None:
    server = Handshake(service)
    server.receive(data)
    assert server.end in (Count.TLS_FAILED, Count.BAD_REQUEST)


@pytest.mark.parametrize(
    ("request_", "end"),
    [
        (b"\x80\x01\0\0\x80\0\0\0", Count.BAD_REQUEST),
        (b"\xc0\0\0\0\x80\0\0\0", Count.UNKNOWN_CRITICAL),
        (bytes(5000), Count.BAD_REQUEST),
        (b"\x40\0\xff\xff", Count.BAD_REQUEST),
        (build_request((15,)) + b"\0", Count.BAD_REQUEST),
        (b"\x80\x01\0\2\0\1\x80\0\0\0", Count.NO_PROTOCOL),
        (build_request((1,)), Count.NO_AEAD),
    ],
)
def test_a_request_that_cannot_be_met_is_answered_and_counted(client: Client, request_: bytes, end: Count) -> None:
    client.talk()
    client.tls.send(request_)
    client.talk()
    assert client.server.end is end
    assert client.read().endswith(b"\x80\0\0\0")


def test_one_that_never_comes_whole_is_told_at_the_end_of_its_time(client: Client) -> None:
    client.talk()
    client.tls.send(build_request((15,))[:-1])
    client.talk()
    assert client.server.end is None
    client.tls.bio_write(client.server.expire())
    assert client.server.end is Count.TIMED_OUT
    with pytest.raises(ExchangeRefused) as refused:
        parse_response(client.read(), (15,))
    assert refused.value.code == 1
    assert Handshake(client.server._service).expire() == b""


def test_a_stream_without_end_is_ended(client: Client) -> None:
    client.talk()
    for _ in range(MOST_BYTES // 4096 + 1):
        assert client.server.end is None
        client.server.receive(b"\x17\x03\x03\x40\x00" + bytes(4091))
        if client.server.end is not None:
            break
    assert client.server.end in (Count.TLS_FAILED, Count.BAD_REQUEST)


def test_a_client_that_says_goodbye_is_let_go(client: Client) -> None:
    client.talk()
    client.tls.shutdown()
    client.server.receive(take_output(client.tls))
    assert client.server.end is Count.HUNG_UP


def test_what_goes_wrong_here_is_told_and_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> bytes:
        raise OSError("no randomness")

    client.talk()
    monkeypatch.setattr("timeball.station.nts.handshake.os.urandom", broken)
    client.tls.send(build_request((15,)))
    client.talk()
    assert client.server.end is Count.INTERNAL_ERRORS
    with pytest.raises(ExchangeRefused, match="error of its own"):
        parse_response(client.read(), (15,))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_answer_does_not_wait_for_more_to_send(host: str) -> None:
    listener = open_tcp_listener(f"{host}:0", "nts.listen")
    with listener, socket.create_connection(listener.getsockname()[:2]), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
