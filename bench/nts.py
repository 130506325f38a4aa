"""Serving NTS: processor time an authenticated request, with one cookie and with eight, beside chronyd in one run.

The same valid request is sent again and again, which neither server has a reason to refuse: neither remembers one.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import Figure, Skip
from bench.ntp_load import PLAIN, run_load
from bench.ntp_servers import PUBLIC, HostClock, chronyd, cpu_s, free_port, has_chronyd, our_server
from timeball.protocols.nts.client import build_request
from timeball.protocols.nts.cookies import Session, seal_cookie
from timeball.station.nts.authority import issue_certificate, make_authority
from timeball.station.nts.keclient import exchange_keys
from timeball.station.nts.keyfile import Moment, keys_file, write_keys
from timeball.station.nts.rotation import first_keys

ROUNDS, ROUND_S = 9, 1.0
MOST = 1.0
AES_SIV = 15
OURS, BY_HAND, CHRONYD = "timeball", "without libcrypto", "chronyd"


def figures() -> Iterator[Figure | Skip]:
    """Give the cost of a request that asks for one cookie, and of one that asks for eight."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield Skip("NTS server", "needs two cores: one for the server, one for the generator")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = start(stack, folder, cores[1])
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        for words, placeholders in (("one cookie", 0), ("eight cookies", 7)):
            yield from compare(servers, words, placeholders)


class Asked:
    """A server on `port` with process id `pid`, and a client's session with it."""

    def __init__(self, port: int, pid: int, session: Session, cookie: bytes) -> None:
        self.port, self.pid, self._session, self._cookie = port, pid, session, cookie

    def request(self, placeholders: int) -> bytes:
        """A valid request that asks for 1 + `placeholders` cookies."""
        random = secrets.token_bytes
        return build_request(self._session, self._cookie, random(32), placeholders, random(16), PLAIN)


def start(stack: ExitStack, folder: Path, core: int) -> dict[str, Asked]:
    """Start ours by both ways, and chronyd, and agree on keys with each."""
    servers = {}
    for name, settings in ((OURS, {}), (BY_HAND, {"loop": "arrays"})):
        state = folder / name.replace(" ", "-")
        (state / "run").mkdir(parents=True)
        session, cookie = agreed(state)
        HostClock(state)
        port = free_port()
        pid = stack.enter_context(our_server(state, port, core, {**PUBLIC, **settings}))
        servers[name] = Asked(port, pid, session, cookie)
    if has_chronyd():
        servers[CHRONYD] = start_chronyd(stack, folder / "chronyd", core)
    return servers


def agreed(state: Path) -> tuple[Session, bytes]:
    """Keys of a client, and a cookie under a key that lies where the server reads it."""
    keys = first_keys(Moment(time.time(), time.monotonic(), ""), secrets.token_bytes)
    write_keys(keys_file(state), keys)
    session = Session(AES_SIV, secrets.token_bytes(32), secrets.token_bytes(32))
    ring = keys.ring()
    return session, seal_cookie(ring, AES_SIV, session.c2s, session.s2c, secrets.token_bytes(16))


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority's certificate, and a server's with its key, for 127.0.0.1."""
    now = datetime.now(UTC)
    authority = make_authority("bench", now)
    issued = issue_certificate(authority, ["127.0.0.1"], now)
    ca, certificate, key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    for path, data in ((ca, authority.certificate), (certificate, issued.certificate), (key, issued.key)):
        path.write_bytes(data)
    return ca, certificate, key


def start_chronyd(stack: ExitStack, folder: Path, core: int) -> Asked:
    """A chronyd with a key exchange of its own."""
    folder.mkdir(mode=0o700)
    ca, certificate, key = certificates(folder)
    port, exchange = free_port(), free_port()
    lines = (f"ntsport {exchange}", f"ntsservercert {certificate}", f"ntsserverkey {key}", "ntsprocesses 1")
    pid = stack.enter_context(chronyd(folder, port, core, lines))
    got = exchange_keys("127.0.0.1", exchange, ca, (AES_SIV,), 10.0)
    return Asked(port, pid, Session(got.aead, got.c2s, got.s2c), got.cookies[0])


def compare(servers: dict[str, Asked], words: str, placeholders: int) -> Iterator[Figure]:
    """Load the servers in turn; medians of the rounds."""
    requests = {name: server.request(placeholders) for name, server in servers.items()}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(ROUNDS + 1):
        for name, server in servers.items():
            before = cpu_s(server.pid)
            load = run_load(server.port, ROUND_S, turn + 1, requests[name])
            if turn:
                costs[name].append((cpu_s(server.pid) - before) / max(load.replies, 1) * 1e6)
                rates[name].append(load.rate)
    cost = {name: statistics.median(values) for name, values in costs.items()}
    rate = {name: statistics.median(values) for name, values in rates.items()}
    yield Figure(f"NTS replies, {words}", "nts", rate[OURS], "replies/s", f"chronyd {rate.get(CHRONYD, 0):.3g}")
    for name in (OURS, BY_HAND):
        title = f"NTS server CPU per request, {words}, {name}"
        if CHRONYD not in cost:
            yield Figure(title, "nts", cost[name], "µs")
            continue
        ratio, peer = cost[name] / cost[CHRONYD], f"chronyd {cost[CHRONYD]:.3g} µs"
        target = f"ratio <= {MOST:g}" if name == OURS else None
        yield Figure(title, "nts", cost[name], "µs", peer, ratio, target, target is None or ratio <= MOST)
