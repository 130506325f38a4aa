"""Serving NTP: processor time a request, rate and offset, beside chronyd and the least responder in C, in one run.

The servers under test have one core and the generator the other; they are asked in turn. The generator saturates
before the servers do, so the processor time a request is the figure that counts, and the rate stands beside it.
Ours has an access list and limits on.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import Figure, Skip
from bench.ntp_load import Asker, run_load
from bench.ntp_servers import (
    PUBLIC,
    HostClock,
    c_responder,
    chronyd,
    cpu_s,
    free_port,
    has_chronyd,
    has_compiler,
    our_server,
)

ROUNDS, ROUND_S = 9, 1.0
ADDRESSES = 65536
EXCHANGES, PAUSE_S = 3000, 0.0005
RENEW_EVERY = 20
OURS, ARRAYS, CHRONYD, C = "timeball", "numpy path", "chronyd", "C responder"
MOST = {CHRONYD: 0.85, C: 1.10}
MOST_ARRAYS = 1.0
MEDIAN_US, BAND_US = 1.0, 6.0

Costs = dict[str, tuple[float, float]]
"""By server: µs of processor time a reply, and replies a second."""


def figures() -> Iterator[Figure | Skip]:
    """Give the cost of a reply from one address and from many, the numpy path's, and the offsets of idle servers."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield Skip("NTP server", "needs two cores: one for the server, one for the generator")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports, pids, clocks = start(stack, folder, cores[1])
        os.sched_setaffinity(0, {cores[0]})
        stack.callback(os.sched_setaffinity, 0, set(cores))
        for words, sources in (("one address", 0), ("64 k addresses", ADDRESSES)):
            costs = measure(ports, pids, sources)
            yield from ours_beside(costs, words)
            yield from arrays_beside(costs, words)
        yield from idle_offsets(ports, clocks)


def start(stack: ExitStack, folder: Path, core: int) -> tuple[dict[str, int], dict[str, int], list[HostClock]]:
    """Start every server that can be had; (ports, process ids, the clock pages of ours)."""
    ports, pids, clocks = {}, {}, []
    for name, loop in ((OURS, "compiled"), (ARRAYS, "arrays")):
        state = folder / loop
        (state / "run").mkdir(parents=True)
        clocks.append(HostClock(state))
        ports[name] = free_port()
        pids[name] = stack.enter_context(our_server(state, ports[name], core, {"loop": loop, **PUBLIC}))
    if has_chronyd():
        ports[CHRONYD] = free_port()
        pids[CHRONYD] = stack.enter_context(chronyd(folder / "chronyd", ports[CHRONYD], core))
    if has_compiler():
        ports[C] = free_port()
        pids[C] = stack.enter_context(c_responder(folder, ports[C], core))
    return ports, pids, clocks


def measure(ports: dict[str, int], pids: dict[str, int], sources: int) -> Costs:
    """Load the servers in turn, and take the medians of the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in ports}
    costs: dict[str, list[float]] = {name: [] for name in ports}
    for turn in range(ROUNDS + 1):
        for name, port in ports.items():
            before = cpu_s(pids[name])
            load = run_load(port, ROUND_S, turn + 1, sources=sources)
            if load.strangers:
                raise RuntimeError(f"{load.strangers} packets of {name} answer no request of this run")
            if turn:  # the first round warms up
                rates[name].append(load.rate)
                costs[name].append((cpu_s(pids[name]) - before) / load.replies * 1e6)
    return {name: (statistics.median(costs[name]), statistics.median(rates[name])) for name in ports}


def ours_beside(costs: Costs, words: str) -> Iterator[Figure]:
    """The compiled loop beside each peer."""
    cost, rate = costs[OURS]
    yield Figure(f"NTP replies, {words}", "server", rate, "replies/s", beside(costs, rates=True))
    for peer, most in MOST.items():
        if peer in costs:
            ratio = cost / costs[peer][0]
            name = f"NTP server CPU per request, {words}, of {peer}'s"
            target = f"ratio <= {most:g}"
            yield Figure(name, "server", cost, "µs", f"{peer} {costs[peer][0]:.3g} µs", ratio, target, ratio <= most)


def arrays_beside(costs: Costs, words: str) -> Iterator[Figure]:
    """The path without a compiler beside chronyd."""
    cost = costs[ARRAYS][0]
    if CHRONYD not in costs:
        yield Figure(f"numpy path CPU per request, {words}", "server", cost, "µs")
        return
    ratio, peer = cost / costs[CHRONYD][0], f"chronyd {costs[CHRONYD][0]:.3g} µs"
    name, target = f"numpy path CPU per request, {words}, of chronyd's", f"ratio <= {MOST_ARRAYS:g}"
    yield Figure(name, "server", cost, "µs", peer, ratio, target, ratio <= MOST_ARRAYS)


def beside(costs: Costs, *, rates: bool) -> str:
    """The peers' figures in words."""
    told = ((name, each[1] if rates else each[0]) for name, each in costs.items() if name != OURS)
    return ", ".join(f"{name} {value:.3g}" for name, value in told)


def idle_offsets(ports: dict[str, int], clocks: list[HostClock]) -> Iterator[Figure]:
    """One request at a time, the servers in turn; 5 %, median and 95 % of served time − the host's."""
    offsets: dict[str, list[float]] = {name: [] for name in ports}
    askers = {name: Asker(port) for name, port in ports.items()}
    for turn in range(EXCHANGES):
        if turn % RENEW_EVERY == 0:
            for clock in clocks:
                clock.renew()
        for name, asker in askers.items():
            offsets[name].append(asker.ask()[0])
            time.sleep(PAUSE_S)
    for asker in askers.values():
        asker.close()
    told = {name: band(values) for name, values in offsets.items()}
    peers = ", ".join(f"{name} {in_words(told[name])}" for name in told if name not in (OURS, ARRAYS))
    low, median, high = told[OURS]
    good = abs(median) <= MEDIAN_US and low >= -BAND_US and high <= BAND_US
    target = f"median within {MEDIAN_US:g} µs, 5 % to 95 % within {BAND_US:g} µs"
    words = f"served − host, idle, {OURS} (5 % {low:+.2f}, 95 % {high:+.2f})"
    yield Figure(words, "server", median, "µs", peers or None, None, target, good)
    low, median, high = told[ARRAYS]
    words = f"served − host, idle, {ARRAYS} (5 % {low:+.2f}, 95 % {high:+.2f})"
    yield Figure(words, "server", median, "µs")


def band(values: list[float]) -> tuple[float, float, float]:
    """The 5 %, 50 % and 95 % quantiles."""
    cuts = statistics.quantiles(values, n=20)
    return cuts[0], statistics.median(values), cuts[-1]


def in_words(told: tuple[float, float, float]) -> str:
    """A band as one reads it."""
    return f"{told[1]:+.2f} ({told[0]:+.2f} to {told[2]:+.2f})"
