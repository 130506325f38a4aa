"""Key exchange of NTS: processor time a handshake, and handshakes a second of one core, beside chronyd in the same run.

A handshake is a TCP connection, TLS 1.3 with a P-256 certificate, a request, eight cookies. Each server has one process
that shakes hands, on one core; the load has the other, and what it can make is less than what the servers can take, so
the processor time is the figure that counts: its inverse is what a core can do.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import Figure, Skip
from bench.keyexchange_load import run_handshakes
from bench.ntp_servers import cpu_s, free_port, has_chronyd, running
from timeball.station.nts.authority import issue_certificate, make_authority
from timeball.station.paths import config_file

ROUNDS, ROUND_S = 5, 2.0
LEAST_RATE = 1000.0
OURS, CHRONYD = "timeball", "chronyd"


def figures() -> Iterator[Figure | Skip]:
    """Give the handshakes a second that a core can do, and the time beside chronyd's."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield Skip("NTS key exchange", "needs two cores: one for the server, one for the load")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_certificate(folder)
        servers = {OURS: stack.enter_context(our_exchange(folder, cores[1]))}
        if has_chronyd():
            servers[CHRONYD] = stack.enter_context(chronyd_exchange(folder, cores[1]))
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        costs, rates = measure(servers)
    peer = f"chronyd {1e6 / costs[CHRONYD]:.4g}" if CHRONYD in costs else None
    each = 1e6 / costs[OURS]
    yield Figure(
        "NTS-KE handshakes a core", "keyexchange", each, "/s", peer, None, f">= {LEAST_RATE:g}/s", each >= LEAST_RATE
    )
    beside = f"chronyd {rates[CHRONYD]:.4g}" if CHRONYD in rates else None
    yield Figure("NTS-KE handshakes, as the load could ask", "keyexchange", rates[OURS], "/s", beside)
    if CHRONYD in costs:
        ratio = costs[OURS] / costs[CHRONYD]
        yield Figure("NTS-KE CPU per handshake", "keyexchange", costs[OURS], "µs", f"{costs[CHRONYD]:.4g} µs", ratio)


def measure(servers: dict[str, tuple[int, int]]) -> tuple[dict[str, float], dict[str, float]]:
    """Ask the servers in turn; medians of µs a handshake and of handshakes a second."""
    costs: dict[str, list[float]] = {name: [] for name in servers}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(ROUNDS + 1):
        for name, (port, pid) in servers.items():
            before = _family_cpu_s(pid)
            done, took_s = run_handshakes(port, ROUND_S if turn else ROUND_S / 4)
            if turn:  # the first round warms up
                costs[name].append((_family_cpu_s(pid) - before) / done * 1e6)
                rates[name].append(done / took_s)
    return (
        {name: statistics.median(each) for name, each in costs.items()},
        {name: statistics.median(each) for name, each in rates.items()},
    )


def make_certificate(folder: Path) -> None:
    """The same certificate for both."""
    now = datetime.now(UTC)
    issued = issue_certificate(make_authority("Bench", now), ["localhost", "127.0.0.1"], now)
    (folder / "chain.pem").write_bytes(issued.certificate)
    (folder / "key.pem").write_bytes(issued.key)


@contextmanager
def our_exchange(folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """A keyexchange process with one worker on one core; (port, process id)."""
    state, port = folder / "state", free_port()
    (state / "run").mkdir(parents=True)
    nts = {"listen": [f"127.0.0.1:{port}"], "certificate": f"{folder}/chain.pem", "key": f"{folder}/key.pem"}
    config_file(state).write_text(json.dumps({"nts": nts}))
    command = [sys.executable, "-m", "timeball.station.keyexchange", "--state", str(state)]
    with running(command, core, lambda: _exchanges(port), 60) as pid:
        yield port, pid


@contextmanager
def chronyd_exchange(folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """A chronyd with one process for key exchanges on one core; (port, process id)."""
    home, port = folder / "chronyd", free_port()
    home.mkdir(mode=0o700)
    lines = [f"port {free_port()}", f"ntsport {port}", "ntsprocesses 1", "bindaddress 127.0.0.1", "allow 127.0.0.0/8"]
    lines += [f"ntsservercert {folder}/chain.pem", f"ntsserverkey {folder}/key.pem", "local stratum 1", "cmdport 0"]
    lines += [f"bindcmdaddress {home}/sock", f"pidfile {home}/pid", "noclientlog"]
    (home / "conf").write_text("\n".join(lines) + "\n")
    command = ["chronyd", "-x", "-d", "-u", "root", "-f", str(home / "conf")]
    with running(command, core, lambda: _exchanges(port), 30) as pid:
        yield port, pid


def _exchanges(port: int) -> bool:
    try:
        return run_handshakes(port, 0.0)[0] > 0
    except OSError:
        return False


def _family_cpu_s(pid: int) -> float:
    """Processor time of a process and its children so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_s(pid) + sum(cpu_s(int(each)) for each in children)
