"""The Roughtime server as a process: both ways of answering, streams, keys made offline, withdrawal, and a client that
nobody here wrote. The clock page is the test's own."""

from __future__ import annotations

import json
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from handpages import HandPages
from serving import free_port

from timeball.cli import root
from timeball.protocols.roughtime import client, delegation, message, reports
from timeball.protocols.roughtime.errors import RoughtimeError
from timeball.protocols.roughtime.serverlist import Address
from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.page.pagefile import PageReader
from timeball.station.page.roughtimepage import COUNTED, RoughtimePage, roughtime_page
from timeball.station.paths import config_file
from timeball.station.timesigning import keys
from timeball.station.timesigning.asking import ask

pytestmark = pytest.mark.system

COMPILING_S = 180.0


class Server:
    """A running server, and its client over UDP."""

    def __init__(self, state: Path, settings: dict[str, Any]) -> None:
        self.state, self.port = state, free_port()
        self.pages = HandPages(state)
        self.pages.lease(600, 600)
        wanted = {"listen": [f"127.0.0.1:{self.port}"], **settings}
        config_file(state).write_text(json.dumps({"roughtime": wanted}))
        command = [sys.executable, "-m", "timeball.station.roughtime", "--state", str(state)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._reader = PageReader(roughtime_page(state), RoughtimePage)
        self.counters_when(lambda page: True, COMPILING_S)
        path = settings.get("delegation") or keys.long_term_key_file(state)
        text = keys.read_secret(Path(path))
        self.key = (
            delegation.public_key_of(delegation.parse_long_term_key(text))
            if text.startswith(delegation.LONG_TERM_PREFIX)
            else delegation.parse_delegations(text)[0]
        )
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.settimeout(10.0)
        self.client.connect(("127.0.0.1", self.port))

    def counters_when(self, enough: Callable[[RoughtimePage], bool], patience_s: float = 10.0) -> RoughtimePage:
        deadline = time.monotonic() + patience_s
        while True:
            page = self._reader.read()
            if page is not None and enough(page):
                return page
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            assert time.monotonic() < deadline, page
            time.sleep(0.02)

    def request(self, *versions: int, key: bytes | None = None) -> bytes:
        return client.build_request(secrets.token_bytes(32), versions or (1,), key or self.key)

    def ask_all(self, requests: list[bytes]) -> list[client.Verified]:
        """Send all at once, and verify the replies, whatever their order."""
        for request in requests:
            self.client.send(request)
        replies = [self.client.recv(4096) for _ in requests]
        by_nonce = {nonce_of(reply): reply for reply in replies}
        return [client.verify_reply(each, by_nonce[client.request_nonce(each)], self.key) for each in requests]

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(20)
        if self.process.stderr:
            self.process.stderr.close()
        self.client.close()
        self.pages.close()
        return code


def nonce_of(reply: bytes) -> bytes:
    return message.parse_message(message.parse_packet(reply))[message.NONC]


StartServer = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartServer]:
    running: list[Server] = []

    def make(**settings: Any) -> Server:
        running.append(Server(tmp_path / f"state{len(running)}", settings))
        return running[-1]

    yield make
    for server in running:
        server.stop()


@pytest.mark.parametrize("loop", ["compiled", "plain"])
def test_every_packet_has_one_outcome_and_good_ones_verify(start: StartServer, loop: str) -> None:
    server = start(loop=loop)
    before_s = time.time()
    verified = server.ask_all([server.request((1, 0x8000000C)[i % 2]) for i in range(40)])
    for i, one in enumerate(verified):
        assert one.version == (1, 0x8000000C)[i % 2]
        assert one.earliest_s < before_s
        assert time.time() < one.latest_s + 1
        assert one.radius_s in (1, 2)
    good = server.request()
    fields = message.parse_message(message.parse_packet(good))
    bad = [
        b"",
        good[:500],
        good + bytes(2000),
        b"X" + good[1:],
        server.request(key=bytes(32)),
        message.write_packet(message.write_message({**fields, message.VER: bytes([9, 0, 0, 0])})),
    ]
    for packet in bad:
        server.client.send(packet)
    server.pages.lease(-1, 600)
    server.client.send(good)
    page = server.counters_when(lambda page: page.packets == 47)
    assert (page.replies, page.answers_version_1, page.answers_draft, page.send_failures) == (40, 20, 20, 0)
    assert (page.dropped_too_short, page.dropped_too_long, page.dropped_malformed) == (2, 1, 1)
    assert (page.dropped_other_key, page.dropped_no_version, page.dropped_unsynchronised) == (1, 1, 1)
    assert 2 <= page.signatures <= 40
    assert page.key_maxt_s > time.time()
    outcomes = COUNTED[COUNTED.index("replies") : COUNTED.index("dropped_no_key") + 1]
    assert sum(getattr(page, name) for name in outcomes) == page.packets
    server.pages.lease(600, -1)
    server.client.send(good)
    server.counters_when(lambda page: page.dropped_unsynchronised == 2)
    server.pages.lease(600, 600)
    assert server.ask_all([server.request()])[0].midpoint_s >= int(before_s) - 1, "it answers again"
    assert server.stop() == 0


class Flips:
    """Leases taken back, or running out, and granted again, each alone or both, by a thread; `spans`: RAW when time
    was withdrawn for certain, and when the next grant began."""

    def __init__(self, pages: HandPages, seed: int) -> None:
        self.spans: list[tuple[int, int]] = []
        self._pages, self._chance = pages, random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Flips:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            short_s = self._chance.choice((-1.0, 0.0, 0.003))
            self._pages.lease(*self._chance.choice(((short_s, 60.0), (60.0, short_s), (short_s, short_s))))
            time.sleep(max(short_s, 0.0))
            begun = raw_ns()
            time.sleep(self._chance.uniform(0.0, 0.02))
            self.spans.append((begun, raw_ns()))
            self._pages.lease(60.0, 60.0)
            time.sleep(self._chance.uniform(0.0, 0.01))


def withdrawn_throughout(spans: list[tuple[int, int]], sent: int, got: int) -> bool:
    """Whether a reply that came then was signed in one of the spans, whenever between the two moments that was."""
    return any(begun <= sent and got <= ended for begun, ended in spans)


def test_the_check_below_convicts_a_reply_of_a_withdrawn_time() -> None:
    spans = [(100, 200), (300, 400)]
    assert [withdrawn_throughout(spans, *each) for each in ((100, 110), (320, 400))] == [True, True]
    assert not any(withdrawn_throughout(spans, *each) for each in ((90, 110), (190, 201), (210, 290), (150, 350)))


@pytest.mark.parametrize("loop", ["compiled", "plain"])
def test_nothing_is_signed_after_a_withdrawal_that_could_be_seen(start: StartServer, loop: str) -> None:
    """The 10⁶ requests of it are in bench/roughtime_flips.py."""
    server, seed, asked = start(loop=loop), 20261123, []
    server.client.settimeout(0.004)
    with Flips(server.pages, seed) as flips:
        deadline = time.monotonic() + 60
        while sum(got > 0 for _, got in asked) < 200 or sum(got == 0 for _, got in asked) < 100:
            assert time.monotonic() < deadline, f"seed {seed}: {len(asked)} asked"
            request = server.request()
            sent = raw_ns()
            server.client.send(request)
            asked.append((sent, when_answered(server.client, client.request_nonce(request))))
    lies = [each for each in asked if each[1] and withdrawn_throughout(flips.spans, *each)]
    assert not lies, f"seed {seed}: {len(lies)} of {len(asked)}"
    refused = [each for each, got in asked if not got and withdrawn_throughout(flips.spans, each, each + 1_000_000)]
    assert len(refused) > 20, "it was asked while time was withdrawn"
    assert server.counters_when(lambda page: page.packets == len(asked)).dropped_unsynchronised > 20


def when_answered(listening: socket.socket, nonce: bytes) -> int:
    """RAW when the reply with this nonce had come; 0 when none comes in time."""
    try:
        while nonce_of(listening.recv(4096)) != nonce:
            pass
    except TimeoutError:
        return 0
    return raw_ns()


def test_greased_replies_are_a_fraction_and_never_lie(start: StartServer) -> None:
    server = start(grease=0.1, batch=16)
    held = refused = 0
    for _ in range(15):
        requests = {client.request_nonce(each): each for each in (server.request() for _ in range(16))}
        for each in requests.values():
            server.client.send(each)
        for _ in requests:
            reply = server.client.recv(4096)
            request = next((each for nonce, each in requests.items() if nonce in reply), None)
            if request is None:  # its nonce is the tag that is missing
                refused += 1
                continue
            assert len(reply) <= len(request)
            try:
                assert abs(client.verify_reply(request, reply, server.key).midpoint_s - time.time()) < 5
                held += 1
            except RoughtimeError:
                refused += 1
    page = server.counters_when(lambda page: page.replies == 240)
    assert held + refused == 240
    assert 0 < refused <= page.greased < 100


def test_streams_answer_many_requests_and_end_for_a_reason(start: StartServer) -> None:
    server = start(tcp_idle_s=0.5, loop="plain")
    requests = [server.request() for _ in range(30)]
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.settimeout(10.0)
        stream.sendall(b"".join(requests)[:-7])
        stream.sendall(requests[-1][-7:])
        stream.shutdown(socket.SHUT_WR)
        data = b""
        while more := stream.recv(65536):
            data += more
    replies = {}
    while data:
        length = 12 + int.from_bytes(data[8:12], "little")
        replies[nonce_of(data[:length])], data = data[:length], data[length:]
    for request in requests:
        client.verify_reply(request, replies[client.request_nonce(request)], server.key)
    place = Address("tcp", "127.0.0.1", server.port)
    client.verify_reply(requests[0], ask(place, requests[0], 10.0), server.key)
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.settimeout(10.0)
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert closed(stream)
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.settimeout(10.0)
        stream.sendall(requests[0][:100])
        assert closed(stream), "half a request is no request"
    page = server.counters_when(lambda page: page.connections_idle == 1)
    assert (page.connections, page.connections_broken, page.replies, page.packets) == (4, 1, 31, 31)


def closed(stream: socket.socket) -> bool:
    """Whether the other side has closed it, one way or the other."""
    try:
        return stream.recv(1) == b""
    except ConnectionResetError:
        return True


def test_keys_made_offline_are_replaced_under_a_running_server(start: StartServer, tmp_path: Path) -> None:
    long_term, out = tmp_path / "long-term.key", tmp_path / "delegations.json"
    assert root.run(["roughtime", "keygen", str(long_term), "--json"]) == 0
    assert root.run(["roughtime", "keygen", str(long_term)]) == 1, "a key is never written over"
    assert (long_term.stat().st_mode & 0o777) == 0o600
    make = ["roughtime", "delegate", "--key", str(long_term), "--out", str(out)]
    assert root.run([*make, "--days", "2", "--count", "3"]) == 0
    assert (out.stat().st_mode & 0o777) == 0o600
    server = start(delegation=str(out), loop="plain")
    first = server.ask_all([server.request()])[0].delegated
    out.write_text("{}")
    time.sleep(0.3)
    assert server.ask_all([server.request()])[0].delegated == first, "a bad file changes nothing"
    assert root.run([*make, "--days", "1"]) == 0
    deadline = time.monotonic() + 20
    while (second := server.ask_all([server.request()])[0].delegated) == first:
        assert time.monotonic() < deadline, "the new file was not noticed"
        time.sleep(0.05)
    assert second.public_key != first.public_key
    past = ["--start", "2026-01-01T00:00:00Z", "--days", "1"]
    assert root.run([*make, *past]) == 0
    server.counters_when(lambda page: (server.client.send(server.request()), page.dropped_no_key > 0)[1], 20)


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "long-term.key"
    state = tmp_path
    path.parent.mkdir()
    path.write_text("ROUGHTIME+LONG+TERM+KEY+" + "A" * 43 + "=\n")
    path.chmod(0o644)
    config_file(state).write_text(
        json.dumps({"roughtime": {"listen": [f"127.0.0.1:{free_port()}"], "delegation": str(path)}})
    )
    command = [sys.executable, "-m", "timeball.station.roughtime", "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "may be read by others" in done.stderr) == (2, True), done.stderr
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{holder.getsockname()[1]}"
        config_file(state).write_text(json.dumps({"roughtime": {"listen": [taken]}}))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, f"cannot serve Roughtime on {taken}" in done.stderr) == (2, True), done.stderr


def test_commands_query_measure_and_prove_a_lie(start: StartServer, tmp_path: Path, capsys) -> None:
    servers = [start(loop="plain") for _ in range(3)]
    listed, report = tmp_path / "servers.json", tmp_path / "lie.json"
    for i, server in enumerate(servers):
        key = delegation.encode_base64(server.key)
        place = f"127.0.0.1:{server.port}"
        assert root.run(["roughtime", "query", place, key, "--json"] + ["--tcp"] * (i % 2)) == 0
        add = ["--add", f"server {i}", "--key", key, "--address", f"udp:{place}"]
        assert root.run(["roughtime", "server-list", str(listed), *add]) == 0
    place, wrong = f"127.0.0.1:{servers[0].port}", delegation.encode_base64(servers[1].key)
    assert root.run(["roughtime", "query", place, wrong, "--timeout", "0.3"]) == 2, "SRV names another key"
    measure = ["roughtime", "measure", "--list", str(listed), "--report", str(report), "--json"]
    capsys.readouterr()
    assert root.run(measure) == 0
    assert json.loads(capsys.readouterr().out)["consistent"] is True
    assert not report.exists()
    liar = servers[1]
    liar.pages.page = HandPages(tmp_path / "liar", 3600 * 10**9).page
    liar.pages.lease(600, 600)
    assert root.run(measure) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["consistent"] is False
    finding = reports.check_report(report.read_bytes())
    assert [list(pair) for pair in finding.pairs] == told["contradictions"]
    assert all(liar.key in (finding.public_keys[a], finding.public_keys[b]) for a, b in finding.pairs)
    assert root.run(["roughtime", "check-report", str(report)]) == 0
    report.write_text(report.read_text().replace("rand", "dice"))
    assert root.run(["roughtime", "check-report", str(report)]) == 4


def test_ntpstats_verifies_the_draft_where_it_is_preferred(start: StartServer) -> None:
    """It offers version 1 as well and knows the old context string only: the order of `versions` decides."""
    from ntpstats import roughtime

    server = start(versions=["0x8000000c", "1"], loop="plain")
    known = roughtime.Server.parse(f"127.0.0.1:{server.port}={delegation.encode_base64(server.key)}", known=[])
    for tcp in (False, True):
        assert abs(roughtime.query(known, timeout=10.0, tcp=tcp).midp - time.time()) < 5
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0


def test_plain_loop_loads_no_compiler(start: StartServer) -> None:
    server = start(loop="plain")
    server.ask_all([server.request()])
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libcrypto" in maps or "cryptography" in maps, "the map shows what is loaded"
    assert "llvmlite" not in maps
