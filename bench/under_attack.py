"""The NTP server under attack: a flood, malformed packets, a clock page that flips, and two loops on one core.

Everything is bounded, and stays on the loopback.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench import Figure, Skip
from bench.ntp_attacks import run_flood, run_fuzz, run_record
from bench.ntp_load import PLAIN, run_load
from bench.ntp_servers import PUBLIC, HostClock, cpu_s, free_port, our_server, resident_kib, running
from bench.nts import agreed
from timeball.protocols.ntp.packet import NTP_MINUS_UNIX_S
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session
from timeball.station.page.clockpage import PageReader
from timeball.station.page.serverpage import ServerPage, server_page

ADDRESSES = 65536
FLOOD_S, PAUSE_S, PATIENCE_S = 12.0, 0.02, 1.0
LEAST_ANSWERED, LEAST_FLOOD = 0.99, 2.0
MOST_GROWTH_KIB = 4096
COMPETITORS, SPIN = 2, "while True: pass"
FUZZED, FUZZED_AT_ONCE, FUZZING_S = 10_000_000, 500_000, 300.0
FLIPPED, FLIP_S = 1_000_000, 0.004
MARGIN_NS = 20_000
ROUNDS = 7
MOST_OF_ONE = 1.10


def figures() -> Iterator[Figure | Skip]:
    """Give what a client of NTS keeps in a flood, what fuzzed packets do, replies while the page flips, two loops."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield Skip("NTP server under attack", "needs two cores: one for the server, one for the attack")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(os.sched_setaffinity, 0, set(cores))
        for work in (flooded, fuzzed, flipped, two_loops):
            state = folder / work.__name__
            (state / "run").mkdir(parents=True)
            os.sched_setaffinity(0, set(cores))
            yield from work(state, cores)


class Client:
    """A well-behaved client of NTS: one request at a time, a fresh cookie each, and patience of a second."""

    def __init__(self, port: int, session: Session, cookie: bytes) -> None:
        self._session, self._cookies = session, [cookie]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(("127.0.0.1", port))
        self.asked = self.answered = 0

    def ask(self) -> None:
        """Ask once, and count an authentic answer."""
        unique = secrets.token_bytes(32)
        # a cookie that is not answered is sent once more, as it is the last one
        cookie = self._cookies.pop() if len(self._cookies) > 1 else self._cookies[0]
        self._socket.send(build_request(self._session, cookie, unique, 1, secrets.token_bytes(16), PLAIN))
        self.asked += 1
        try:
            reply = open_reply(self._session, unique, self._socket.recv(2048))
        except TimeoutError:
            return
        self._cookies = [*reply.cookies, *self._cookies][:8]
        self.answered += 1


def flooded(state: Path, cores: list[int]) -> Iterator[Figure]:
    """A flood from many addresses, as much as the other core can send, and one client of NTS beside it."""
    session, cookie = agreed(state)
    HostClock(state)
    port = free_port()
    with our_server(state, port, cores[1], PUBLIC) as pid, ExitStack() as stack:
        # the loopback cannot carry twice what a server answers on a core of its own: it shares its core with others
        for _ in range(COMPETITORS):
            stack.enter_context(running([sys.executable, "-c", SPIN], cores[1], lambda: True, 1.0))
        os.sched_setaffinity(0, {cores[0]})
        # what the server answers when asked as fast as it answers
        capacity = statistics.median(run_load(port, 1.0, turn, sources=ADDRESSES).rate for turn in range(3))
        run_flood(port, 0.5, ADDRESSES)
        before = resident_kib(pid)
        told: list[float] = []
        attack = threading.Thread(target=lambda: told.append(run_flood(port, FLOOD_S, ADDRESSES)))
        client = Client(port, session, cookie)
        attack.start()
        time.sleep(0.2)
        while attack.is_alive():
            client.ask()
            time.sleep(PAUSE_S)
        attack.join()
        growth = resident_kib(pid) - before
    share = client.answered / client.asked
    times = told[0] / capacity
    words = f"NTS answers kept in a flood of {told[0]:.3g} packets/s, {times:.2g} × capacity ({client.asked} asked)"
    yield Figure(words, "under_attack", share, "", None, None, f">= {LEAST_ANSWERED:g}", share >= LEAST_ANSWERED)
    target = f">= {LEAST_FLOOD:g}"
    yield Figure("flood sent / capacity", "under_attack", times, "", None, None, target, times >= LEAST_FLOOD)
    good = growth <= MOST_GROWTH_KIB
    yield Figure("server's memory, growth in it", "under_attack", growth, "KiB", None, None, "<= 4096 KiB", good)


def fuzzed(state: Path, cores: list[int]) -> Iterator[Figure]:
    """Packets of any bytes: none may end the server, be answered wrongly, or be answered by more bytes than it has."""
    session, cookie = agreed(state)
    HostClock(state)
    port = free_port()
    requests = [build_request(session, cookie, secrets.token_bytes(32), n, bytes(16), PLAIN) for n in (0, 3, 7)]
    templates = [PLAIN, PLAIN + b"\x01\x04\x00\x1c" + bytes(24), PLAIN + bytes(20), b"\x2b" + bytes(47), *requests]
    reader = PageReader(server_page(state), ServerPage)
    received = replies = bad = 0
    with our_server(state, port, cores[1], {**PUBLIC, "version5": True}) as pid:
        os.sched_setaffinity(0, {cores[0]})
        begun = time.monotonic()
        # until the server has had so many: what is sent faster than it reads is lost in the kernel
        while received < FUZZED and time.monotonic() - begun < FUZZING_S:
            told = run_fuzz(port, FUZZED_AT_ONCE, secrets.randbits(62) | 1, templates)
            replies, bad = replies + told.replies, bad + told.longer + told.wrong
            page = reader.read()
            received = 0 if page is None else page.received
        alive = run_load(port, 0.5, 1).replies > 0 and Path(f"/proc/{pid}").exists()
    good = bad == 0 and alive and received >= FUZZED
    counts = f"{received} received, {replies} replies, server {'up' if alive else 'dead'}"
    words = f"fuzzed packets: wrong and longer replies ({counts})"
    yield Figure(words, "under_attack", bad, "", None, None, f"0 of {FUZZED:g}", good)


def flipped(state: Path, cores: list[int]) -> Iterator[Figure]:
    """The leases are granted and withdrawn at random; every reply is held against what the page said at its stamp."""
    clock = HostClock(state)
    port = free_port()
    withdrawn: list[tuple[int, int]] = []
    stop = threading.Event()

    def flip() -> None:
        chance = random.Random(1)
        while not stop.is_set():
            clock.withdraw()
            begun = time.time_ns()
            time.sleep(chance.random() * FLIP_S)
            withdrawn.append((begun, time.time_ns()))
            clock.renew()
            time.sleep(chance.random() * FLIP_S)

    with our_server(state, port, cores[1], PUBLIC):
        os.sched_setaffinity(0, {cores[0]})
        flips = threading.Thread(target=flip)
        flips.start()
        stamps, claims = run_record(port, FLIPPED)
        stop.set()
        flips.join()
    inside = within(unix_ns(stamps), withdrawn)
    lies = int(np.count_nonzero(claims & inside))
    counts = f"{len(stamps)} replies, {int(claims.sum())} in sync, {int(inside.sum())} while withdrawn"
    good = lies == 0 and len(stamps) == FLIPPED and bool(inside.any()) and bool(claims.any())
    yield Figure(f"replies that claim sync while withdrawn ({counts})", "under_attack", lies, "", None, None, "0", good)


def unix_ns(stamps: np.ndarray) -> np.ndarray:
    """NTP timestamps of this era's second half, without their top bit, as ns since 1970."""
    seconds = (stamps >> 32) + 2**31 - NTP_MINUS_UNIX_S
    return seconds * 10**9 + ((stamps & 0xFFFFFFFF) * 10**9 >> 32)


def within(times: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
    """Which of the times lie inside a span, well away from its ends."""
    begun, ended = (np.array(each, np.int64) for each in zip(*spans, strict=True))
    at = np.searchsorted(begun, times) - 1
    return (at >= 0) & (times > begun[at] + MARGIN_NS) & (times < ended[at] - MARGIN_NS)


def two_loops(state: Path, cores: list[int]) -> Iterator[Figure]:
    """Two loops of one address beside one, both on one core, from many addresses."""
    costs: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as stack:
        asked = {}
        for threads in costs:
            folder = state / str(threads)
            (folder / "run").mkdir(parents=True)
            HostClock(folder)
            port = free_port()
            asked[threads] = port, stack.enter_context(our_server(folder, port, cores[1], {"threads": threads}))
        os.sched_setaffinity(0, {cores[0]})
        for turn in range(ROUNDS + 1):
            for threads, (port, pid) in asked.items():
                before = cpu_s(pid)
                load = run_load(port, 1.0, turn + 1, sources=ADDRESSES)
                if turn:
                    costs[threads].append((cpu_s(pid) - before) / load.replies * 1e6)
    one, two = (statistics.median(costs[threads]) for threads in (1, 2))
    ratio, target = two / one, f"ratio <= {MOST_OF_ONE:g}"
    name = "NTP server CPU per request, two loops of one address, of one loop's"
    yield Figure(name, "under_attack", two, "µs", f"one loop {one:.3g} µs", ratio, target, ratio <= MOST_OF_ONE)
