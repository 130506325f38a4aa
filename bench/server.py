"""Serving: replies a second and the offset of an idle server, beside chronyd on the same host in the same run.

The server under test has one core and the generator another; the two servers are asked in turn.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from bench import Figure, Skip, install_debian
from bench.ntp_load import exchange, rate
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, bracket, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, PageWriter, TimekeeperPage
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.paths import config_file, observer_page, timekeeper_page
from timeball.station.server import SO_TIMESTAMPNS

ROUNDS, ROUND_S = 7, 1.0
EXCHANGES, PAUSE_S = 2000, 0.0005
RENEW_EVERY = 20
LEASE_NS = 600 * 10**9
LEAST_RATIO = 1.0
GREATEST_OFFSET_US = 5.0
NAMES = ("NTP replies on one core", "NTP server CPU per reply", "served time of an idle server, median offset")


def figures() -> Iterator[Figure | Skip]:
    """Give replies/s, CPU a reply, and the median offset of an idle server."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield from (Skip(name, "needs two cores: one for the server, one for the generator") for name in NAMES)
        return
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = HostClock(state)
        ports = {"timeball": free_port()}
        pids = {"timeball": stack.enter_context(our_server(state, ports["timeball"], cores[1]))}
        if install_debian("chronyd", "chrony") and os.geteuid() == 0:
            ports["chronyd"] = free_port()
            pids["chronyd"] = stack.enter_context(chronyd(state, ports["chronyd"], cores[1]))
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        yield from capacity(ports, pids)
        yield idle_offset(ports, clock)


class HostClock:
    """The clock page of a station whose UTC is the host's REALTIME: then the offset of both servers should be 0."""

    def __init__(self, state: Path) -> None:
        self._timekeeper = PageWriter(timekeeper_page(state), TimekeeperPage)
        self._observer = PageWriter(observer_page(state), ObserverPage)
        self.renew()

    def renew(self) -> None:
        """Refer the page to REALTIME as it is now."""
        pair = min((bracket() for _ in range(3)), key=lambda each: each.width_ns)
        boot, slept_ns = boot_id().words, boottime_ns() - raw_ns()
        ends = pair.raw_ns + LEASE_NS, pair.raw_ns + slept_ns + LEASE_NS
        self._observer.write(ObserverPage(boot, *ends, 0))
        counters = (pair.raw_ns, pair.raw_ns + slept_ns, pair.realtime_ns + 37 * 10**9, 0)
        self._timekeeper.write(
            TimekeeperPage(boot, *counters, 0.0, 1e-4, 0.0, 0.0, 0.0, 37, 0, 0, 10, 0x7F7F0101, 1, *ends)
        )


@contextmanager
def our_server(state: Path, port: int, core: int) -> Iterator[int]:
    """A server process pinned to one core; gives its process id."""
    config_file(state).write_text(json.dumps({"ntp": {"listen": [f"127.0.0.1:{port}"]}}))
    command = [sys.executable, "-m", "timeball.station.server", "--state", str(state)]
    reader = PageReader(server_page(state), ServerPage)
    with running(command, core, lambda: reader.read() is not None, 120) as pid:
        yield pid


@contextmanager
def chronyd(state: Path, port: int, core: int) -> Iterator[int]:
    """A chronyd that serves the host's clock, pinned to one core; gives its process id."""
    folder = state / "chronyd"
    folder.mkdir(mode=0o700)
    lines = [f"port {port}", "bindaddress 127.0.0.1", "allow 127.0.0.0/8", "local stratum 1", "cmdport 0"]
    lines += [f"bindcmdaddress {folder}/sock", f"pidfile {folder}/pid"]
    (folder / "conf").write_text("\n".join(lines) + "\n")
    command = ["chronyd", "-x", "-d", "-u", "root", "-f", str(folder / "conf")]
    with running(command, core, lambda: answers(port), 10) as pid:
        yield pid


@contextmanager
def running(command: list[str], core: int, ready: Callable[[], bool], patience_s: float) -> Iterator[int]:
    """Run a process on one core, wait until it is ready, end it after use."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            os.sched_setaffinity(process.pid, {core})  # at once: the threads it will start inherit this
            deadline = time.monotonic() + patience_s
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not come up")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def answers(port: int) -> bool:
    """Whether an NTP server answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        try:
            client.send(b"\x23" + bytes(47))
            return len(client.recv(64)) == 48
        except OSError:
            return False


def free_port() -> int:
    """A UDP port of the loopback nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """User and system time of a process and its threads (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def capacity(ports: dict[str, int], pids: dict[str, int]) -> Iterator[Figure | Skip]:
    """Ask the servers in turn, and take the medians of the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in ports}
    costs: dict[str, list[float]] = {name: [] for name in ports}
    for turn in range(ROUNDS + 1):
        for name, port in ports.items():
            before = cpu_s(pids[name])
            replies_s = rate(port, ROUND_S, turn + 1)
            if turn:  # the first round warms up
                rates[name].append(replies_s)
                costs[name].append((cpu_s(pids[name]) - before) / (replies_s * ROUND_S) * 1e6)
    ours, cost = statistics.median(rates["timeball"]), statistics.median(costs["timeball"])
    if "chronyd" not in ports:
        yield Figure(NAMES[0], "server", ours, "replies/s")
        yield Figure(NAMES[1], "server", cost, "µs")
        return
    theirs, their_cost = statistics.median(rates["chronyd"]), statistics.median(costs["chronyd"])
    ratio = ours / theirs
    target = f"ratio >= {LEAST_RATIO:g}"
    yield Figure(
        NAMES[0], "server", ours, "replies/s", f"chronyd {theirs:.3g} replies/s", ratio, target, ratio >= LEAST_RATIO
    )
    yield Figure(NAMES[1], "server", cost, "µs", f"chronyd {their_cost:.3g} µs", their_cost / cost)


def idle_offset(ports: dict[str, int], clock: HostClock) -> Figure:
    """One request at a time, the servers in turn; the median of served time − the host's."""
    offsets: dict[str, list[float]] = {name: [] for name in ports}
    scratch = np.zeros(2, np.int64)
    with ExitStack() as stack:
        clients = {name: stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for name in ports}
        for name, client in clients.items():
            client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            client.settimeout(2.0)
            client.connect(("127.0.0.1", ports[name]))
        for turn in range(EXCHANGES):
            if turn % RENEW_EVERY == 0:
                clock.renew()
            for name, client in clients.items():
                offsets[name].append(exchange(client, scratch)[0])
                time.sleep(PAUSE_S)
    ours, theirs = (statistics.median(offsets.get(name, [0.0])) for name in ("timeball", "chronyd"))
    peer = f"chronyd {theirs:+.2f} µs" if "chronyd" in offsets else None
    # what asking costs before the request has left shifts both alike
    target = f"|offset| <= {GREATEST_OFFSET_US:g} µs or chronyd's"
    return Figure(NAMES[2], "server", ours, "µs", peer, None, target, abs(ours) <= max(GREATEST_OFFSET_US, abs(theirs)))
