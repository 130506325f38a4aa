"""What nobody should send, and what our own code should not do, costs its own datagram and no other: both loops."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pageserver import Station

from clients import needs_root
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp import version5
from timeball.protocols.ntp.server import Settings, respond
from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.page.serverpage import ServerPage
from timeball.station.server import ClockPages
from timeball.station.serving import arrays, byhand, compiled, counters
from timeball.station.serving.access import build_access
from timeball.station.serving.buffers import make_buffers
from timeball.station.serving.byhand import Hands
from timeball.station.serving.failures import Failures
from timeball.station.serving.interleaved import make_memory, make_tables
from timeball.station.serving.limiter import make_limiter, make_rules
from timeball.station.serving.loop import Loop, make_loop
from timeball.station.serving.sealing import resolve_calls
from timeball.station.serving.settings import KEPT_STAMPS, NTS_BY_HAND, PRECISION, SETTINGS, VERSION5
from timeball.station.serving.sockets import open_listener

pytestmark = pytest.mark.system

Words = NDArray[np.int64]
LOOPS = pytest.mark.parametrize("kind", [compiled, arrays], ids=["compiled", "arrays"])
FIVE = b"\x2b" + bytes(47) + version5.build_field(version5.Field.DRAFT, version5.DRAFT)
PLAIN = ntp.build_request(7)
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
IPV6_CHECKSUM, UDP_CHECKSUM_AT = 7, 6
ATTEMPTS = 10


def loop_of() -> Loop:
    settings = np.zeros(SETTINGS, np.int64)
    settings[[VERSION5, NTS_BY_HAND, KEPT_STAMPS]], settings[PRECISION] = 1, -25
    limiter = make_limiter(64, make_rules(1e6, 1e4, 1e6, 1e4, 0), bytes(range(32)))
    return make_loop(settings, make_buffers(), build_access([], [], []), limiter, make_memory(make_tables(1)))


class Running:
    """A loop of this process on a socket of its own, over a page that is in sync."""

    def __init__(self, kind: ModuleType, state: Path, listener: socket.socket) -> None:
        station = Station(state)
        station.lease(600, 600)
        self._pages = ClockPages(state, boot_id())
        addresses, boot = self._pages.addresses, np.array(boot_id().words, np.int64)
        self._loop, self._stop, self._listener = loop_of(), np.zeros(2, np.int64), listener
        answered, failures = Settings({}, version5=True), Failures(logging.getLogger("server"))
        counts = self._loop.counters
        hands = Hands(self._loop.settings, counts, addresses, boot, answered, lambda: None, None, failures)
        arguments = (listener.fileno(), addresses, boot, self._stop, self._loop, hands)
        self._thread = threading.Thread(target=kind.run_loop, args=arguments, daemon=True)
        self.address = listener.getsockname()[:2]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop[0] = 1
        if self._thread.ident is not None:
            self._thread.join(20)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def count(self, name: str) -> int:
        return int(self._loop.counters[getattr(counters, name.upper())])

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not true():
            assert time.monotonic() < deadline, {name: self.count(name) for name in ServerPage.OUTCOMES}
            assert self.alive(), "the loop has ended"
            time.sleep(0.002)

    def whole(self) -> bool:
        """Whether every datagram is in one outcome."""
        return sum(self.count(name) for name in ServerPage.OUTCOMES) == self.count("received")


@contextlib.contextmanager
def running(kind: ModuleType, state: Path, address: str) -> Iterator[Running]:
    resolve_calls()
    with open_listener(address, transmit_stamps=True) as listener:
        one = Running(kind, state, listener)
        try:
            yield one
        finally:
            one.stop()


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Any]]:
    """Runs a function in a thread that has a network of its own, where raw packets reach nobody else."""
    needs_root()
    with ThreadPoolExecutor(1, initializer=enter_new_network) as thread:
        yield lambda function, *arguments: thread.submit(function, *arguments).result(120)


def enter_new_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name, flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", name, flags | IFF_UP))


def forger(family: socket.AddressFamily) -> socket.socket:
    """A socket that writes UDP headers of its own."""
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP)
    if family == socket.AF_INET6:
        raw.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, UDP_CHECKSUM_AT)
    return raw


def from_port_0(port: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", 0, port, 8 + len(payload), 0) + payload


def client_of(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(20)
    client.connect(address)
    return client


def named(origin: int) -> bytes:
    """A request that names an origin, whose true transmit stamp the loop then asks for."""
    return ntp.build_packet(ntp.Packet(0, 4, 3, 0, 0, 32, 0, 0, 0, 0, origin, origin + 1, origin + 2))


@LOOPS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_attack_a_forged_source_port_0_costs_nobody_else_a_stamp(
    tmp_path: Path, elsewhere: Callable[..., Any], kind: ModuleType, host: str
) -> None:
    # a stamp is not believed where the machine stood still in between
    assert any(elsewhere(ask_beside_port_0, kind, tmp_path / str(k), host) for k in range(ATTEMPTS))


def ask_beside_port_0(kind: ModuleType, state: Path, host: str) -> bool:
    """Two requests and forged ones between them, in one batch; whether both true transmit stamps came."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with running(kind, state, f"[{host}]:0" if ":" in host else f"{host}:0") as one, contextlib.ExitStack() as stack:
        raw = stack.enter_context(forger(family))
        first, second = (stack.enter_context(client_of(family, one.address)) for _ in range(2))
        bad = [PLAIN, FIVE, b"short", named(5)]
        first.send(named(1 << 40))
        for payload in bad:
            raw.sendto(from_port_0(one.address[1], payload), (host, 0))
        second.send(named(1 << 41))
        # the loop begins with all of these in its queue
        one.start()
        for client in (first, second):
            assert len(client.recv(2048)) == 48
        # the next batch reads the stamps of the one before it
        first.send(PLAIN)
        assert len(first.recv(2048)) == 48
        one.until(lambda: one.count("replies") == 3)
        assert one.count("dropped_no_port") == len(bad)
        assert (one.count("requests"), one.count("send_failures")) == (3, 0)
        assert one.count("by_hand") == one.count("dropped_too_short") == 0
        assert one.whole()
        if family == socket.AF_INET:
            assert never_fragmented(raw, one.address[1])
        return one.count("sent_stamps") == 2


def never_fragmented(raw: socket.socket, port: int) -> bool:
    """Whether the first datagram from this port, among all that a raw socket is shown, has DF set for good.

    Only where the kernel will never fragment does it leave the identification 0 (RFC 6864).
    """
    raw.settimeout(20)
    while True:
        packet = raw.recv(2048)
        if int.from_bytes(packet[20:22]) == port:
            return packet[6] & 0x40 != 0 and packet[4:6] == bytes(2)


def failures_are(one: Running, failed: int) -> bool:
    return one.count("dropped_internal_error") == failed


@LOOPS
def test_what_fails_in_our_own_code_is_dropped_counted_and_told_once(
    tmp_path: Path, kind: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise KeyError

    def too_long(*asked: Any) -> Any:
        answer = right(*asked)
        return dataclasses.replace(answer, reply=(answer.reply or b"") + bytes(4))

    right = respond
    with running(kind, tmp_path, "127.0.0.1:0") as one, client_of(socket.AF_INET, one.address) as client:
        one.start()
        for failed, wrong in enumerate((failing, failing, too_long), start=1):
            monkeypatch.setattr(byhand, "respond", wrong)
            client.send(FIVE)
            client.send(PLAIN)
            assert ntp.parse_packet(client.recv(2048)).version == 4, "the loop goes on with the others"
            one.until(partial(failures_are, one, failed))
        monkeypatch.setattr(byhand, "respond", right)
        client.send(FIVE)
        assert client.recv(2048)[0] & 0x38 == 5 << 3
        one.until(lambda: one.count("by_version5") == 1)
        assert (one.count("dropped_internal_error"), one.count("requests"), one.count("received")) == (3, 4, 7)
        assert one.whole()
    told = [record.getMessage() for record in caplog.records if "internal error" in record.getMessage()]
    assert len(told) == 1
    assert f"KeyError in {__name__}" in told[0]
    assert "(failing)" in told[0]


def test_failures_are_told_again_with_how_many_were_not(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures(logging.getLogger("server"), every_s=0.05)
    for _ in range(5):
        failures.tell(ValueError("bytes of a datagram"))
    time.sleep(0.06)
    failures.tell(TypeError())
    first, second = (record.getMessage() for record in caplog.records)
    assert "ValueError" in first
    assert "bytes of a datagram" not in first
    assert "TypeError; 4 more" in second
