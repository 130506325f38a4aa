"""Roughtime: signed replies a second of one core, beside plain Python and beside a C echo of the same bytes.

All in the same run, in turn. A server has one core and the generator (roughtime_load.py) another; requests are packets
of 1036 bytes in version 1, 160 of them outstanding. One reply of 97 is verified whole: signatures, certificate, tree.
The echo says what the kernel takes for packets of these sizes on this machine, which no server can do without.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import Figure, Skip
from bench.ntp_servers import HostClock, cpu_s, free_port, running
from bench.roughtime_load import Generator
from timeball.protocols.roughtime.client import build_request
from timeball.protocols.roughtime.delegation import parse_long_term_key, public_key_of
from timeball.protocols.roughtime.replies import GREASE_BYTES, longest_reply
from timeball.station.configuration.serving import Roughtime
from timeball.station.page.pagefile import PageReader
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.paths import config_file
from timeball.station.timesigning.keys import load_or_make_long_term_key, long_term_key_file, read_secret

ROUNDS, ROUND_S = 7, 1.0
LEAST_RATE = 135_000.0
LEAST_OF_PLAIN = 1.5  # the same 135 000, where the plain one answers 90 000
SOURCE = Path(__file__).parent / "peers" / "echo.c"
RATE, OF_PLAIN, COST, OF_ECHO = (
    "Roughtime replies on one core",
    "Roughtime replies, compiled beside plain",
    "Roughtime server CPU per reply",
    "Roughtime server CPU per reply, of a C echo of the same bytes",
)


def figures() -> Iterator[Figure | Skip]:
    """Give replies/s and CPU a reply of the compiled server, beside the plain one and the echo."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        names = (RATE, OF_PLAIN, COST, OF_ECHO)
        yield from (Skip(name, "needs two cores: one for the server, one for the generator") for name in names)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            loop: stack.enter_context(our_server(folder / loop, loop, cores[1])) for loop in ("compiled", "plain")
        }
        if shutil.which("gcc"):
            servers["echo"] = stack.enter_context(c_echo(folder, cores[1]))
        else:
            yield Skip(OF_ECHO, "needs gcc")
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        rates, costs = measure(servers)
    yield from told(rates, costs)


def told(rates: dict[str, float], costs: dict[str, float]) -> Iterator[Figure]:
    """The medians as figures."""
    rate, cost, plain = rates["compiled"], costs["compiled"], rates["plain"]
    ratio, peer = rate / plain, f"plain Python {plain:.3g} replies/s"
    yield Figure(RATE, "roughtime", rate, "replies/s", None, None, f">= {LEAST_RATE:g}/s", rate >= LEAST_RATE)
    target = f"ratio >= {LEAST_OF_PLAIN:g}"
    yield Figure(OF_PLAIN, "roughtime", rate, "replies/s", peer, ratio, target, ratio >= LEAST_OF_PLAIN)
    yield Figure(COST, "roughtime", cost, "µs", f"plain Python {costs['plain']:.3g} µs", costs["plain"] / cost)
    if "echo" in costs:
        yield Figure(OF_ECHO, "roughtime", cost, "µs", f"C echo {costs['echo']:.3g} µs", cost / costs["echo"])


def measure(servers: dict[str, tuple[int, Generator]]) -> tuple[dict[str, float], dict[str, float]]:
    """Ask the servers in turn; medians of replies a second and of µs of their processor a reply."""
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(ROUNDS + 1):
        for name, (pid, generator) in servers.items():
            before = cpu_s(pid)
            rate, verified = generator.rate(ROUND_S, turn + 1)
            used_s = cpu_s(pid) - before
            if verified == 0:
                raise RuntimeError(f"the {name} server gave too few replies to look at one")
            if turn:  # the first round warms up
                rates[name].append(rate)
                costs[name].append(used_s / (rate * ROUND_S) * 1e6)
    return (
        {name: statistics.median(each) for name, each in rates.items()},
        {name: statistics.median(each) for name, each in costs.items()},
    )


@contextmanager
def our_server(
    state: Path, loop: str, core: int, clock: HostClock | None = None, **settings: Any
) -> Iterator[tuple[int, Generator]]:
    """A server process pinned to one core, over the page of `clock` or its own; gives its process id and generator."""
    port = free_port()
    (state / "run").mkdir(parents=True, exist_ok=True)
    if clock is None:
        HostClock(state)
    wanted = {"listen": [f"127.0.0.1:{port}"], "loop": loop, **settings}
    config_file(state).write_text(json.dumps({"roughtime": wanted}))
    load_or_make_long_term_key(long_term_key_file(state))
    key = public_key_of(parse_long_term_key(read_secret(long_term_key_file(state))))
    command = [sys.executable, "-m", "timeball.station.roughtime", "--state", str(state)]
    reader = PageReader(roughtime_page(state), RoughtimePage)
    with running(command, core, lambda: reader.read() is not None, 120) as pid:
        yield pid, Generator(port, key, 1)


@contextmanager
def c_echo(folder: Path, core: int) -> Iterator[tuple[int, Generator]]:
    """bench/peers/echo.c, compiled in `folder`, pinned to one core: it gives back what a reply of a full batch has."""
    program, port = folder / "echo", free_port()
    subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    request = build_request(bytes(32), (1,), bytes(32))
    given = longest_reply(Roughtime().batch, len(Roughtime().versions)) - GREASE_BYTES

    def answers() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect(("127.0.0.1", port))
            try:
                client.send(request)
                return client.recv(2048) == request[:given]
            except OSError:
                return False

    with running([str(program), str(port), str(len(request)), str(given)], core, answers, 10) as pid:
        yield pid, Generator(port, bytes(32), 1, echoes=True)
