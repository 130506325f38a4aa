"""The NTP server as a process: what it claims with and without leases, what chronyd makes of it, and what it is not
moved by. The pages are written by the test, with a time of its own that is a known function of RAW."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ntplib
import numpy as np
import pytest
from pageserver import TAI_MINUS_UTC_S, S, Server, Station, ask, ask_packet, free_port, realtime_page

from timeball.protocols.ntp import packet as ntp
from timeball.station.hosttime.hostclocks import boot_id, raw_ns
from timeball.station.page.clockpage import PageReader
from timeball.station.page.serverpage import ServerPage, server_page

pytestmark = pytest.mark.system

TOO_LONG = b"\x23" + bytes(1400)
FIELDS = b"\x23" + bytes(47) + b"\xf3\x23\x01\x00" + bytes(252)
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    running: list[Server] = []

    def start(*addresses: str, **environment: str) -> Server:
        server = Server(tmp_path, list(addresses), environment)
        running.append(server)
        server.wait_until_up()
        return server

    yield start
    for server in running:
        server.stop()


# What it claims


def test_in_sync_reply_carries_the_page_and_an_honest_dispersion(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    station.lease(60, 60)
    start_server(f"127.0.0.1:{port}")
    reply = ntplib.NTPClient().request("127.0.0.1", port=port, version=4)
    assert (reply.leap, reply.mode, reply.stratum, reply.ref_id) == (0, 4, 10, 0x7F7F0101)
    assert reply.root_delay == 0.0
    age_s = (raw_ns() - station.page.raw_ns) / S
    assert 1e-4 <= reply.root_dispersion <= 1e-4 + 1e-6 * age_s + 2e-3
    assert abs(reply.offset) <= reply.delay / 2 + 1e-3, "served time is the host's own here"
    assert reply.recv_timestamp <= reply.tx_timestamp
    packet = ask_packet(port)
    reference_ns = ntp.tai_ns_from_timestamp(packet.reference, TAI_MINUS_UTC_S, station.page.tai_ns)
    assert abs(reference_ns - station.page.tai_ns) <= 1
    assert -30 <= packet.precision <= -15


def test_without_pages_it_says_nothing_and_gives_no_time(start_server: StartServer, tmp_path: Path) -> None:
    port = free_port()
    server = start_server(f"127.0.0.1:{port}")
    packet = ask_packet(port)
    assert (packet.leap, packet.stratum, packet.refid) == (3, 0, ntp.KISS_INIT)
    assert (packet.reference, packet.receive, packet.transmit) == (0, 0, 0)
    # The pages appear while it runs: it finds them by itself.
    station = Station(tmp_path)
    station.lease(60, 60)
    deadline = time.monotonic() + 10
    while ask_packet(port).leap == 3:
        assert time.monotonic() < deadline, "the pages were not found"
        time.sleep(0.05)
    assert server.process.poll() is None


def test_one_lease_is_not_enough(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    station.lease(60, 60)
    start_server(f"127.0.0.1:{port}")
    for leases in ((-1, 60), (60, -1), (-1, -1)):
        station.lease(60, 60)
        assert ask_packet(port).stratum == 10
        station.lease(*leases)
        packet = ask_packet(port)
        assert (packet.leap, packet.stratum, packet.refid) == (3, 0, ntp.KISS_INIT)
        assert packet.root_dispersion >= 16 << 16
        assert packet.transmit != 0, "the observer can still measure what would be served"


def test_page_of_another_boot_is_not_served(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    high, low = boot_id().words
    station.page = dataclasses.replace(station.page, boot_id=(high, low ^ 1))
    station.lease(60, 60)
    start_server(f"127.0.0.1:{port}")
    packet = ask_packet(port)
    assert (packet.leap, packet.stratum, packet.transmit) == (3, 0, 0)


def test_every_datagram_is_counted_and_only_requests_are_answered(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    station.lease(60, 60)
    server = start_server(f"127.0.0.1:{port}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5.0)
        client.connect(("127.0.0.1", port))
        for junk in (
            b"",
            b"\x23" * 47,
            b"\x2b" + bytes(47),
            b"\x24" + bytes(47),
            b"\x26" + bytes(300),
            b"\x23" + bytes(1400),
        ):
            client.send(junk)
        for request in (b"\x1b" + bytes(47), b"\x23" + bytes(47 + 20), FIELDS):
            client.send(request)
            reply = client.recv(2048)
            assert len(reply) == 48
            assert reply[0] & 7 == 4, "nothing but these was answered"
            assert reply[0] & 0x38 == request[0] & 0x38
    page = server.counters_after(lambda counters: counters.requests == 3)
    assert (page.replies, page.replies_in_sync, page.replies_unsynchronised) == (3, 3, 0)
    assert (page.dropped_too_short, page.dropped_wrong_version, page.dropped_wrong_mode) == (2, 1, 2)
    assert page.dropped_too_long == 1
    assert page.received == 9
    assert sum(getattr(page, name) for name in page.OUTCOMES) == page.received
    assert (page.send_failures, page.torn_pages) == (0, 0)


def test_it_listens_on_several_addresses(start_server: StartServer, tmp_path: Path) -> None:
    try:
        six = free_port(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    station, four = Station(tmp_path), free_port()
    station.lease(60, 60)
    start_server(f"127.0.0.1:{four}", f"[::1]:{six}")
    for reply in (ask(four), ask(six, host="::1")):
        assert reply is not None
        assert ntp.parse_packet(reply).stratum == 10


# How it starts and stops


def test_taken_port_is_told_in_a_sentence_with_exit_code_2(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        server = Server(tmp_path, [f"127.0.0.1:{port}"], {})
        _, errors = server.process.communicate(timeout=120)
    assert server.process.returncode == 2
    assert f"cannot serve NTP on 127.0.0.1:{port}" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(start_server: StartServer, tmp_path: Path, number: int) -> None:
    port = free_port()
    server = start_server(f"127.0.0.1:{port}")
    ask(port)
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    page = PageReader(server_page(tmp_path), ServerPage).read()
    assert page is not None
    assert page.replies == 1, "the last counts are written"


# A client nobody here wrote


def chronyd_once(state: Path, port: int) -> subprocess.CompletedProcess[str]:
    chronyd = shutil.which("chronyd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if chronyd is None:
        pytest.skip("chronyd is not installed")
    if os.geteuid() != 0:
        pytest.skip("chronyd -Q needs root here")
    lines = [f"server 127.0.0.1 port {port} iburst", f"pidfile {state}/chronyd.pid", "cmdport 0", "port 0"]
    command = [chronyd, "-Q", "-u", "root", "-t", "10", *lines, "bindcmdaddress /"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_chronyd_accepts_the_time_while_both_leases_run(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    station.lease(120, 120)
    start_server(f"127.0.0.1:{port}")
    result = chronyd_once(tmp_path, port)
    assert result.returncode == 0, result.stderr + result.stdout
    assert "System clock wrong by" in result.stderr + result.stdout


def test_chronyd_refuses_when_the_leases_have_ended(start_server: StartServer, tmp_path: Path) -> None:
    station, port = Station(tmp_path), free_port()
    station.lease(-1, -1)
    start_server(f"127.0.0.1:{port}")
    result = chronyd_once(tmp_path, port)
    assert result.returncode != 0, result.stderr + result.stdout


# Withdrawal: no reply claims sync at a stamp at which a lease had ended

FLIPPER = """
import dataclasses, json, select, sys
from pathlib import Path
import numpy as np
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, raw_ns
from timeball.station.paths import observer_page, timekeeper_page
state, seed = Path(sys.argv[1]), int(sys.argv[2])
values = json.loads(sys.argv[3])
page = TimekeeperPage(**{**values, "boot_id": tuple(values["boot_id"])})
writers = PageWriter(timekeeper_page(state), TimekeeperPage), PageWriter(observer_page(state), ObserverPage)
rng = np.random.default_rng(seed)
writers[0].write(page)  # and whatever must be compiled for it
log = ([], [])
print("flipping", flush=True)
while not select.select([sys.stdin], [], [], float(rng.uniform(0, 3e-4)))[0]:
    which = int(rng.integers(2))
    ahead = int(rng.uniform(-500_000, 3_000_000))
    before, boot = raw_ns(), boottime_ns()
    if which == 0:
        new = dataclasses.replace(page, lease_raw_ns=before + ahead, lease_boottime_ns=boot + ahead)
    else:
        new = ObserverPage(page.boot_id, before + ahead, boot + ahead, 0)
    writers[which].write(new)
    log[which].append((before, raw_ns(), before + ahead))
writers[0].write(dataclasses.replace(page, lease_raw_ns=0, lease_boottime_ns=0))
np.save(state / "timekeeper.npy", np.array(log[0]))
np.save(state / "observer.npy", np.array(log[1]))
"""


def lease_allows(writes: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """For each stamp, whether some version of the page that may have stood then had a lease that ended after it.

    `writes` int64[n, 3]: RAW before and after each write, and the end of the lease it wrote. A version may stand from
    before its own write until after the next one's.
    """
    begins, ends = writes[:, 0], np.append(writes[1:, 1], np.iinfo(np.int64).max)
    last = np.searchsorted(begins, stamps, side="right") - 1
    allowed = np.zeros(stamps.size, bool)
    for back in range(3):
        version = np.maximum(last - back, 0)
        allowed |= (last >= back) & (stamps <= ends[version]) & (stamps < writes[version, 2])
    return allowed


def collect(port: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ask `count` times; leap, stratum and transmit stamp of every reply."""
    leap, stratum, transmit = [], [], []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5.0)
        client.connect(("127.0.0.1", port))
        while len(leap) < count:
            for _ in range(40):
                client.send(b"\x23" + bytes(47))
            for _ in range(40):
                reply = client.recv(64)
                leap.append(reply[0] >> 6)
                stratum.append(reply[1])
                transmit.append(int.from_bytes(reply[40:48]))
    return np.array(leap), np.array(stratum), np.array(transmit, np.uint64)


def test_no_reply_claims_sync_after_its_lease_while_the_pages_flip(start_server: StartServer, tmp_path: Path) -> None:
    seed = 20261122
    page = dataclasses.replace(realtime_page(), rate=0.0)
    port = free_port()
    start_server(f"127.0.0.1:{port}")
    arguments = [sys.executable, "-c", FLIPPER, str(tmp_path), str(seed), json.dumps(dataclasses.asdict(page))]
    flipper = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert flipper.stdout is not None
    assert flipper.stdout.readline() == "flipping\n"
    leap, stratum, transmit = collect(port, 100_000)
    _, errors = flipper.communicate("stop\n", timeout=60)
    assert flipper.returncode == 0, errors
    claims = leap != 3
    assert (claims == (stratum != 0)).all(), "leap 3 and stratum 0 come together"
    assert claims.sum() > 1000, "sync was claimed now and then"
    assert (~claims).sum() > 1000, "and withdrawn now and then"
    stamps = [ntp.tai_ns_from_timestamp(int(t), TAI_MINUS_UTC_S, page.tai_ns) for t in transmit[claims]]
    raw = np.array(stamps) - page.tai_ns + page.raw_ns
    for name in ("timekeeper", "observer"):
        allowed = lease_allows(np.load(tmp_path / f"{name}.npy"), raw)
        assert allowed.all(), f"seed {seed}: {(~allowed).sum()} of {allowed.size} claims without the {name}'s lease"
    leap, stratum, _ = collect(port, 1000)
    assert (leap == 3).all()
    assert (stratum == 0).all()


def test_the_check_above_convicts_a_claim_after_the_lease() -> None:
    writes = np.array([[100, 110, 200], [300, 310, 290], [400, 410, 900]])
    assert lease_allows(writes, np.array([150, 199, 405, 899])).all()
    assert not lease_allows(writes, np.array([99, 200, 250, 305, 320, 399, 900])).any()


# The host's clock is stepped


def served_offset_us(port: int, exchanges: int) -> float:
    """Median of served time − RAW over many exchanges (µs, from an arbitrary origin), each request on its own."""
    offsets = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5.0)
        client.connect(("127.0.0.1", port))
        for nonce in range(1, exchanges + 1):
            request = ntp.build_request(nonce)
            sent = raw_ns()
            client.send(request)
            data = client.recv(64)
            received = raw_ns()
            packet = ntp.parse_reply(data, nonce).packet
            stamps = [ntp.tai_ns_from_timestamp(t, 0, 1_790_000_000 * S) for t in (packet.receive, packet.transmit)]
            offsets.append((sum(stamps) - sent - received) / 2e3)
            time.sleep(0.0005)
    # one origin for all calls of a test, so that floats keep the nanoseconds
    return statistics.median(offsets)


@pytest.mark.parametrize("step", ["+365d", "-365d", "+0.3"])
def test_stepped_host_clock_does_not_move_served_time(start_server: StartServer, tmp_path: Path, step: str) -> None:
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed")
    faked = tmp_path / "faked"
    faked.write_text("+0")
    station, port = Station(tmp_path), free_port()
    station.lease(120, 120)
    environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(faked),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    server = start_server(f"127.0.0.1:{port}", **environment)
    before = served_offset_us(port, 600)
    moves = server.counters_after(lambda counters: counters.requests >= 600).pair_moves
    faked.write_text(step)
    server.counters_after(lambda counters: counters.pair_moves > moves)
    during = served_offset_us(port, 600)
    after = server.counters_after(lambda counters: counters.requests >= 1200)
    # a busy machine moves the replies by some 20 µs; the host's clock was moved by 0.3 s at least
    assert abs(during - before) < 100.0, f"moved by {during - before:.1f} µs"
    assert after.replies_in_sync == after.requests, "the host's clock takes nothing away"
    if step == "-365d":
        assert after.raw_stamps >= 600, "stamps that lie a year ahead of their reading are not used"
