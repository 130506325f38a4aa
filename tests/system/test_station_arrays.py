"""The server process where numba is missing: the same service, by numpy, for every kind of client."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ntpstats import sntp
from serving import Served, free_port, served

from timeball.protocols.ntp import kiss
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.mac import SymmetricKey, WrongMAC, seal_mac, verify_mac
from timeball.station.hosttime.hostclocks import boottime_ns
from timeball.station.page.clockpage import PageReader
from timeball.station.page.serverpage import ServerPage, server_page

KEY = SymmetricKey(5, "AES128", bytes(range(16)))
DENIED = "127.0.0.66"


class Station:
    """A server without numba, and what it counts."""

    def __init__(self, running: Served, port: int, v6_port: int) -> None:
        self.running, self.port, self.v6_port = running, port, v6_port
        self._page = PageReader(server_page(running.state), ServerPage, plain=True)

    def counted(self) -> ServerPage | None:
        return self._page.read()

    def settled(self) -> ServerPage:
        """What it has counted of everything that was answered before now."""
        called_ns = boottime_ns()
        pages: list[ServerPage] = []

        def fresh() -> bool:
            page = self.counted()
            pages[:] = [page] if page is not None and page.updated_boottime_ns > called_ns else []
            return bool(pages)

        self.running.until(fresh, 20)
        return pages[0]

    def ask(self, datagram: bytes, source: str = "127.0.0.1", patience_s: float = 10.0) -> bytes | None:
        """The reply to a datagram, None when none came."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.bind((source, 0))
            client.settimeout(patience_s)
            client.sendto(datagram, ("::1", self.v6_port) if ":" in source else ("127.0.0.1", self.port))
            try:
                return client.recv(2048)
            except TimeoutError:
                return None


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    folder = tmp_path_factory.mktemp("arrays")
    (folder / "without").mkdir()
    (folder / "without" / "numba.py").write_text("raise ImportError('no numba here')\n")
    (folder / "keys").write_text(f"5 AES128 HEX:{KEY.key.hex()}\n")
    port, v6_port = free_port(), free_port()
    listen = [f"127.0.0.1:{port}", f"[::1]:{v6_port}"]
    settings = {
        "ntp": {"listen": listen, "version5": True, "keys": str(folder / "keys"), "deny": [f"{DENIED}/32"]}
        | {"refusal": "kiss", "source_rate": 1e6, "source_burst": 1e4, "prefix_rate": 1e6, "prefix_burst": 1e5}
    }
    before = ["env", f"PYTHONPATH={folder / 'without'}"]
    with served(folder / "state", settings, "server", before=before) as running:
        made = Station(running, port, v6_port)
        running.until(lambda: made.counted() is not None)
        yield made


def request(nonce: int) -> bytes:
    return ntp.build_request(nonce)


def test_it_says_that_numpy_answers_and_serves_both_families(station: Station) -> None:
    assert "arrays loop" in station.running.log("server").read_text()
    station.running.clock.renew()
    for source in ("127.0.0.1", "::1"):
        reply = ntp.parse_reply(station.ask(request(77), source) or b"", 77)
        assert reply.in_sync
        assert reply.packet.stratum == 10


def test_outside_clients_measure_the_host_against_itself(station: Station) -> None:
    station.running.clock.renew()
    basic = sntp.query("127.0.0.1", port=station.port)
    five = sntp.query_v5("127.0.0.1", port=station.port)
    for result in (basic, five):
        assert abs(result.offset) < 0.05
    assert (five.version, five.timescale) == (5, "utc")
    assert sntp.supports_v5("127.0.0.1", port=station.port)


def test_who_asks_in_interleaved_mode_gets_the_true_transmit_stamp(station: Station) -> None:
    station.running.clock.renew()
    before = station.settled()
    empty = ntp.parse_packet(request(0))
    first = ntp.parse_packet(station.ask(request(11)) or b"")
    # who names an origin has its stamps kept; the reply after that is interleaved
    asked = replace(empty, origin=first.receive, receive=21, transmit=22)
    second = ntp.parse_packet(station.ask(ntp.build_packet(asked)) or b"")
    assert second.origin == 22
    asked = replace(empty, origin=second.receive, receive=31, transmit=32)
    third = ntp.parse_packet(station.ask(ntp.build_packet(asked)) or b"")
    assert third.origin == 31
    assert third.receive > second.transmit
    # the kernel sent the second reply after its stamp was written, by less than the third was received
    assert second.transmit < third.transmit < third.receive
    after = station.settled()
    assert (after.interleaved - before.interleaved, after.sent_stamps > before.sent_stamps) == (1, True)
    # a pair of stamps is given once
    again = ntp.parse_packet(station.ask(ntp.build_packet(asked)) or b"")
    assert again.origin == 32


def test_a_signed_request_gets_a_signed_reply_and_a_forged_one_a_crypto_nak(station: Station) -> None:
    reply = station.ask(seal_mac(KEY, request(5))) or b""
    assert verify_mac({5: KEY}, reply[:48], reply[48:]) is KEY
    forged = bytearray(seal_mac(KEY, request(6)))
    forged[-1] ^= 1
    nak = station.ask(bytes(forged)) or b""
    assert nak[48:] == bytes(4)
    with pytest.raises(WrongMAC):
        verify_mac({5: KEY}, bytes(forged[:48]), bytes(forged[48:]))


def test_who_is_denied_is_told_so(station: Station) -> None:
    packet = ntp.parse_packet(station.ask(request(9), DENIED) or b"")
    assert (packet.stratum, packet.refid, packet.origin) == (0, kiss.DENY, 9)


def test_every_datagram_ends_in_one_count(station: Station) -> None:
    before = dataclasses.asdict(station.settled())
    bad = [b"", b"\x23" * 20, b"\x33" + bytes(47), b"\x24" + bytes(47), b"\x23" + bytes(51), b"\x23" + bytes(1400)]
    bad += [b"\x23" + bytes(47) + b"\x01\x04\x00\x0f" + bytes(40), b"\x2b" + bytes(47)]
    for datagram in bad:
        assert station.ask(datagram, patience_s=0.02) is None
    assert station.ask(request(1)) is not None
    expected = {
        "received": len(bad) + 1,
        "requests": 1,
        "replies": 1,
        "dropped_too_short": 2,
        "dropped_wrong_version": 1,
        "dropped_wrong_mode": 1,
        "dropped_malformed_mac": 1,
        "dropped_too_long": 1,
        "dropped_malformed_fields": 1,
        "dropped_other_draft": 1,
    }
    after = dataclasses.asdict(station.settled())
    assert {name: after[name] - before[name] for name in expected} == expected
    assert sum(after[name] - before[name] for name in ServerPage.OUTCOMES) == len(bad) + 1


def test_withdrawn_time_is_said_in_the_next_reply(station: Station) -> None:
    station.running.clock.renew()
    assert ntp.parse_reply(station.ask(request(2)) or b"", 2).in_sync
    station.running.clock.withdraw()
    packet = ntp.parse_packet(station.ask(request(3)) or b"")
    assert (packet.leap, packet.stratum, packet.refid) == (3, 0, ntp.KISS_INIT)
