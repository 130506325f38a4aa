"""Roughtime: signed replies a second of one core, compiled beside plain Python in the same run.

The server has one core and the generator (roughtime_load.py) another; requests are packets of 1036 bytes in version 1,
88 of them outstanding. One reply of 97 is verified whole: signatures, certificate, tree.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import Figure, Skip
from bench.ntp_servers import HostClock, cpu_s, free_port, running
from bench.roughtime_load import Generator
from timeball.protocols.roughtime.delegation import parse_long_term_key, public_key_of
from timeball.station.page.pagefile import PageReader
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.paths import config_file
from timeball.station.timesigning.keys import load_or_make_long_term_key, long_term_key_file, read_secret

ROUNDS, ROUND_S = 7, 1.0
LEAST_RATE = 135_000.0
NAMES = ("Roughtime replies on one core", "Roughtime server CPU per reply")


def figures() -> Iterator[Figure | Skip]:
    """Give replies/s and CPU a reply of the compiled server, beside the plain one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield from (Skip(name, "needs two cores: one for the server, one for the generator") for name in NAMES)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            loop: stack.enter_context(our_server(folder / loop, loop, cores[1])) for loop in ("compiled", "plain")
        }
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        rates, costs = measure(servers)
    peer = f"plain Python {rates['plain']:.3g} replies/s"
    rate, cost = rates["compiled"], costs["compiled"]
    ratio, target = rate / rates["plain"], f">= {LEAST_RATE:g}/s"
    yield Figure(NAMES[0], "roughtime", rate, "replies/s", peer, ratio, target, rate >= LEAST_RATE)
    yield Figure(NAMES[1], "roughtime", cost, "µs", f"plain Python {costs['plain']:.3g} µs", costs["plain"] / cost)


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
                raise RuntimeError(f"the {name} server gave too few replies to verify one")
            if turn:  # the first round warms up
                rates[name].append(rate)
                costs[name].append(used_s / (rate * ROUND_S) * 1e6)
    return (
        {name: statistics.median(each) for name, each in rates.items()},
        {name: statistics.median(each) for name, each in costs.items()},
    )


@contextmanager
def our_server(state: Path, loop: str, core: int) -> Iterator[tuple[int, Generator]]:
    """A server process pinned to one core, over a clock page of its own; gives its process id and its generator."""
    port = free_port()
    (state / "run").mkdir(parents=True)
    HostClock(state)
    config_file(state).write_text(json.dumps({"roughtime": {"listen": [f"127.0.0.1:{port}"], "loop": loop}}))
    load_or_make_long_term_key(long_term_key_file(state))
    key = public_key_of(parse_long_term_key(read_secret(long_term_key_file(state))))
    command = [sys.executable, "-m", "timeball.station.roughtime", "--state", str(state)]
    reader = PageReader(roughtime_page(state), RoughtimePage)
    with running(command, core, lambda: reader.read() is not None, 120) as pid:
        yield pid, Generator(port, key, 1)
