"""What one running server does beside the plain packet, asked with raw packets: interleaved mode, refusals, limits,
asked addresses, NTS with and without keys, MACs, another user, and all of it without the compiler."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pageserver import Server, Station, ask, free_port

from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.mac import SymmetricKey, seal_mac, verify_mac
from timeball.protocols.nts.aead import AES_SIV_CMAC_256
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session, open_cookie, seal_cookie
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns
from timeball.station.instruments.ntpclient import exchange as asked_as_observer
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey, keys_file, write_keys
from timeball.station.observing.replies import SOURCES
from timeball.station.page.clockpage import PageWriter, TimekeeperPage
from timeball.station.paths import timekeeper_page
from timeball.station.serving.access import OBSERVER_V4
from timeball.station.serving.sources import read_sources, sources_file
from timeball.station.supervision.orphan import GRACE_VARIABLE
from timeball.station.supervision.statelock import StateLock

pytestmark = pytest.mark.system

PLAIN = b"\x23" + bytes(47)
KEY = SymmetricKey(7, "AES128", bytes(range(16)))
SESSION = Session(AES_SIV_CMAC_256, bytes(range(32)), bytes(range(32, 64)))
UNIQUE = bytes(range(100, 132))


@contextmanager
def serving(
    state: Path,
    *addresses: str,
    environment: dict[str, str] | None = None,
    station: Station | None = None,
    **settings: Any,
) -> Iterator[Server]:
    station = station or Station(state)
    station.lease(600, 600)
    server = Server(state, list(addresses), environment, **settings)
    try:
        server.wait_until_up()
        yield server
    finally:
        server.stop()


def exchange(client: socket.socket, request: bytes) -> ntp.Packet:
    client.send(request)
    return ntp.parse_packet(client.recv(2048))


def asking(origin: int, receive: int, transmit: int) -> bytes:
    return ntp.build_packet(ntp.Packet(0, 4, 3, 0, 0, 32, 0, 0, 0, 0, origin, receive, transmit))


def connected(port: int, source: str = "127.0.0.1", host: str = "127.0.0.1") -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5.0)
    client.bind((source, 0))
    client.connect((host, port))
    return client


def check_interleaved(port: int) -> None:
    """RFC 9769 section 2, by hand: basic, basic with an origin, interleaved, and nothing twice."""
    with connected(port) as client:
        first = exchange(client, asking(0, 0, 11))
        assert (first.origin, first.receive != 0) == (11, True)
        second = exchange(client, asking(first.receive, 1, 12))
        assert second.origin == 12, "the first request named no origin: its stamps are not kept"
        third = exchange(client, asking(second.receive, 777, 13))
        assert third.origin == 777, "interleaved: the origin is the request's receive stamp"
        assert second.transmit < third.transmit < third.receive, "the true stamp of the second reply, later than in it"
        assert third.transmit - second.transmit < 2**32 // 100
        again = exchange(client, asking(second.receive, 777, 14))
        assert again.origin == 14, "given once"
        same = exchange(client, asking(again.receive, 15, 15))
        assert same.origin == 15, "equal stamps: a client could not tell the modes apart"


def nts_request(ring: KeyRing, placeholders: int = 0) -> bytes:
    cookie = seal_cookie(ring, SESSION.aead, SESSION.c2s, SESSION.s2c, bytes(16))
    return build_request(SESSION, cookie, UNIQUE, placeholders, bytes(range(16)), PLAIN)


def check_nts(port: int, ring: KeyRing) -> None:
    reply = ask(port, nts_request(ring, 7))
    assert reply is not None
    opened = open_reply(SESSION, UNIQUE, reply)
    assert len(opened.cookies) == 8
    assert [open_cookie(ring, cookie) for cookie in opened.cookies] == [SESSION] * 8
    assert ntp.parse_packet(reply).stratum == 10
    assert len(reply) <= len(nts_request(ring, 7))


def key_set(number: int) -> KeySet:
    now = Moment(time.time(), boottime_ns() / 1e9, str(boot_id().words[0]))
    return KeySet(current=StoredKey(number, bytes([number] * 32).hex()), used=now)


def ring_of(number: int) -> KeyRing:
    return KeyRing(CookieKey(number, bytes([number] * 32)), ())


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("loop", ["compiled", "arrays"])
def test_everything_beside_the_plain_packet(tmp_path: Path, loop: str) -> None:
    port = free_port()
    keys = tmp_path / "ntp.keys"
    keys.write_text(f"7 AES128 HEX:{KEY.key.hex()}\n")
    with serving(tmp_path, f"127.0.0.1:{port}", loop=loop, keys=str(keys), nts_only=["127.0.7.0/24"], refusal="kiss",
                 deny=["127.0.8.0/24", "127.123.0.0/16"], allow=["127.0.0.0/8"], source_rate=0.001, source_burst=100.0,
                 prefix_rate=1000.0, prefix_burst=10000.0) as server:  # fmt: skip
        check_interleaved(port)
        # NTS before there are keys, with keys, and with others
        refused = ask(port, nts_request(ring_of(1)))
        assert refused is not None
        assert refused[12:16] == b"NTSN"
        for number in (1, 2):
            write_keys(keys_file(tmp_path), key_set(number))
            wait_for(lambda number=number: (ask(port, nts_request(ring_of(number))) or b"")[12:16] != b"NTSN")
            check_nts(port, ring_of(number))
        # a MAC
        signed = ask(port, seal_mac(KEY, PLAIN))
        assert signed is not None
        verify_mac({7: KEY}, signed[:48], signed[48:])
        forged = ask(port, seal_mac(KEY, PLAIN)[:-1] + b"\0")
        assert forged is not None
        assert forged[48:] == bytes(4)
        # who is refused
        for source, word in (("127.0.8.1", b"DENY"), ("127.0.7.1", b"RSTR")):
            with connected(port, source) as client:
                client.send(PLAIN)
                assert client.recv(100)[12:16] == word
        with connected(port, "127.0.8.2") as client:
            # a kiss DENY answers no more than the limit lets through: who forges that address has nobody flooded
            for _ in range(140):
                client.send(PLAIN)
            assert [reply[12:16] for reply in drained(client)] == [b"DENY"] * 100
        with connected(port, "127.0.9.1") as client:
            for _ in range(140):
                client.send(PLAIN)
            replies = drained(client)
        assert sum(reply[12:16] == b"RATE" for reply in replies) == 10
        assert sum(reply[1] == 10 for reply in replies) == 100
        check_observer(port)
        page = server.counters_after(lambda page: page.dropped_limited + page.kisses_rate >= 80)
        assert page.received == sum(getattr(page, name) for name in page.OUTCOMES)
        assert (page.kisses_deny, page.kisses_rstr, page.kisses_rate, page.dropped_limited) == (101, 1, 10, 70)
        assert (page.by_mac, page.crypto_naks, page.interleaved) == (1, 1, 1)
        assert page.nts_accepted >= 4
        assert page.nts_received == page.nts_accepted + page.nts_naks
        assert page.sent_stamps >= 1
        found = read_sources(sources_file(tmp_path))
        at = found.address.index("127.0.9.1")
        assert (found.requests[at], found.limited[at]) == (140, 40)
        assert loaded(server.process.pid, "llvmlite") == (loop == "compiled")


def check_observer(port: int) -> None:
    """Without answers it cannot renew its lease: it gets them over every limit, though its network is denied."""
    with connected(port, OBSERVER_V4) as client:
        for _ in range(120):
            client.send(PLAIN)
        assert [reply[1] for reply in drained(client)] == [10] * 120
    assert asked_as_observer(f"127.0.0.1:{port}", sources=SOURCES).reply.in_sync


def drained(client: socket.socket) -> list[bytes]:
    """Everything that comes until nothing does."""
    client.settimeout(0.3)
    replies = []
    with suppress(TimeoutError):
        while True:
            replies.append(client.recv(100))
    return replies


def loaded(pid: int, name: str) -> bool:
    """Whether a process has a file of this name in memory."""
    return any(name in line for line in Path(f"/proc/{pid}/maps").read_text().splitlines())


@pytest.mark.parametrize("loop", ["compiled", "arrays"])
def test_reply_leaves_from_the_address_that_was_asked(tmp_path: Path, loop: str) -> None:
    port = free_port()
    with serving(tmp_path, f"0.0.0.0:{port}", f"[::]:{port}", loop=loop, threads=2):
        for host in ("127.0.0.1", "127.0.0.2", "127.5.6.7"):
            # a connected socket takes nothing from another address
            with connected(port, host=host) as client:
                assert exchange(client, asking(1, 2, 3)).stratum == 10
        reply = ask(port, PLAIN, "::1")
        assert reply is not None
        assert reply[1] == 10


def test_root_becomes_another_user_and_finds_new_pages(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    port = free_port()
    station = Station(tmp_path)
    grace = {GRACE_VARIABLE: "1"}
    lock = StateLock(tmp_path)
    with (
        lock,
        serving(
            tmp_path, f"127.0.0.1:{port}", environment=grace, station=station, user="nobody", loop="arrays"
        ) as server,
    ):
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) != {"0"}
        assert len(set(fields["Uid"].split())) == 1
        assert "0" not in fields["Gid"].split() + fields["Groups"].split()
        assert fields["NoNewPrivs"] == "1"
        assert int(fields["CapEff"], 16) == 0
        assert (ask(port, PLAIN) or b"")[1] == 10
        (tmp_path / "run" / "page.timekeeper").unlink()
        wait_for(lambda: (ask(port, PLAIN) or b"")[0] >> 6 == 3)
        station.timekeeper.close()
        station.timekeeper = PageWriter(timekeeper_page(tmp_path), TimekeeperPage)
        station.lease(60, 60)
        wait_for(lambda: (ask(port, PLAIN) or b"")[1] == 10)
        write_keys(keys_file(tmp_path), key_set(1), (pwd.getpwnam("nobody").pw_uid, -1))
        wait_for(lambda: (ask(port, nts_request(ring_of(1))) or b"")[12:16] != b"NTSN")
        time.sleep(2.0)
        assert server.process.poll() is None, "it can see that it is supervised"


def test_unknown_user_is_told_in_a_sentence(tmp_path: Path) -> None:
    server = Server(tmp_path, [f"127.0.0.1:{free_port()}"], user="nobody-of-this-name", loop="arrays")
    _, errors = server.process.communicate(timeout=60)
    assert server.process.returncode == 2
    assert "ntp.user" in errors
    assert "Traceback" not in errors


def test_flood_from_many_addresses_leaves_memory_flat(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, f"127.0.0.1:{port}", source_rate=1.0, sources=1024) as server:
        flood(port, 2000)
        before = resident_kb(server.process.pid)
        flood(port, 20_000)
        page = server.counters_after(lambda page: page.received + page.lost_by_kernel >= 22_000)
        assert page.received == sum(getattr(page, name) for name in page.OUTCOMES)
        assert resident_kb(server.process.pid) <= before + 1024
        assert sources_file(tmp_path).stat().st_size == 4096 + 64 * 1024


def flood(port: int, count: int) -> None:
    """Requests from that many addresses, as fast as they go (IP_PKTINFO says where each leaves from)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for n in range(count):
            source = bytes((127, 64 + (n >> 16), n >> 8 & 255, n & 255))
            control = [(socket.IPPROTO_IP, 8, bytes(4) + source + bytes(4))]
            client.sendmsg([PLAIN], control, 0, ("127.0.0.1", port))


def resident_kb(pid: int) -> int:
    """Memory of a process."""
    words = Path(f"/proc/{pid}/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_without_numba_the_server_runs_on_numpy(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "block").mkdir()
    for name in ("numba", "llvmlite"):
        (tmp_path / "block" / f"{name}.py").write_text("raise ImportError('not installed')\n")
    station = Station(tmp_path)
    station.lease(60, 60)
    path = os.pathsep.join([str(tmp_path / "block"), *filter(None, [os.environ.get("PYTHONPATH")])])
    server = Server(tmp_path, [f"127.0.0.1:{port}"], {"PYTHONPATH": path})
    try:
        server.wait_until_up()
        assert (ask(port, PLAIN) or b"")[1] == 10
    finally:
        server.stop()
