"""The NTP server process: `python -m timeball.station.server --state DIR`.

It opens the sockets of `ntp.listen` and `ntp.smeared`, maps the two halves of the clock page, and lets a loop for each
socket answer (serving/). All it knows of time stands in that page: absent, stale or withdrawn, and its replies claim
nothing. It reads the cookie keys that the key exchange keeps, writes the page of its counters and the table of sources,
and nothing else; it reads no ledger.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.mac import KeyFileError, parse_keys
from timeball.protocols.ntp.server import Settings
from timeball.protocols.ntp.version5 import reference_filter
from timeball.station.configuration.serving import NTP
from timeball.station.hosttime.hostclocks import BootId, boot_id, boottime_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, PageWriter, TimekeeperPage
from timeball.station.page.pagefile import MappedPage
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.paths import observer_page, timekeeper_page
from timeball.station.serving.access import OBSERVER_V4, OBSERVER_V6, AccessTable, build_access
from timeball.station.serving.buffers import make_buffers
from timeball.station.serving.byhand import Hands, KeptStamps
from timeball.station.serving.cookiekeys import CookieKeys
from timeball.station.serving.counters import COUNTERS, LOST_BY_KERNEL
from timeball.station.serving.dropping import become
from timeball.station.serving.failures import Failures
from timeball.station.serving.interleaved import make_memory, make_tables, stamp_mask
from timeball.station.serving.limiter import Limiter, make_limiter, make_rules, places_for
from timeball.station.serving.loop import Loop, make_loop
from timeball.station.serving.settings import NTS_BY_HAND, SMEARED, STAMP_MASK, WILDCARD, WORKER, loop_settings
from timeball.station.serving.sockets import SO_TIMESTAMPNS, lost_datagrams, open_lanes, wildcard_family
from timeball.station.serving.sources import create_sources, sources_file
from timeball.station.supervision.process import CannotStartError, Process, run_process
from timeball.station.supervision.threads import answer_until_stopped

__all__ = ["SO_TIMESTAMPNS", "precision_of", "serve_until_stopped", "warm"]

SEED_BYTES = 32
COMPILED, ARRAYS = "timeball.station.serving.compiled", "timeball.station.serving.arrays"

Words = NDArray[np.int64]
Listener = tuple[socket.socket, bool]
"""A socket, and whether its address is smeared."""


class ClockPages:
    """Both halves of the clock page in memory. `addresses` int64[2] is what the loops read; 0 where there is none.

    A mapping is kept for good, even when its file was replaced: a loop may be reading it.
    """

    def __init__(self, state: Path, boot: BootId) -> None:
        self._timekeeper = PageReader(timekeeper_page(state), TimekeeperPage, boot)
        self._observer = PageReader(observer_page(state), ObserverPage, boot)
        self._kept: list[MappedPage] = []
        self.addresses: Words = np.zeros(2, np.int64)
        self.refresh()

    def refresh(self) -> None:
        """Look for pages that have appeared, gone, or been replaced."""
        for i, page in enumerate((self._timekeeper.map(), self._observer.map())):
            if page is not None and page not in self._kept:
                self._kept.append(page)
            self.addresses[i] = page.address if page is not None else 0


class Responder:
    """One socket and the thread whose loop answers on it; `kind` is the module of the loop."""

    def __init__(self, kind: ModuleType, listener: socket.socket, pages: Words, boot: Words, loop: Loop, hands: Hands):
        self.counters: Words = loop.counters
        self._socket = listener
        self._stop: Words = np.zeros(2, np.int64)
        arguments = (listener.fileno(), pages, boot, self._stop, loop, hands)
        self._thread = threading.Thread(target=kind.run_loop, args=arguments, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the loop still runs."""
        return self._thread.is_alive()

    def take_keys(self) -> None:
        """Have the loop look at the cookie keys anew."""
        self._stop[1] = 1

    def count_lost(self) -> None:
        """Take what the kernel had no room for into the counters."""
        self.counters[LOST_BY_KERNEL] = lost_datagrams(self._socket)

    def stop(self) -> None:
        """End the loop (it looks up at least every receive timeout) and close the socket."""
        self._stop[0] = 1
        self._thread.join()
        self._socket.close()


@dataclass(frozen=True)
class Shared:
    """What all loops of the process have in common; `refresh` looks for what has changed outside."""

    pages: ClockPages
    boot: Words
    keys: CookieKeys
    answered: Settings
    limiter: Limiter

    def refresh(self, responders: list[Responder], log: logging.Logger) -> None:
        """Pages and keys that were put in place anew; what the kernel had no room for."""
        self.pages.refresh()
        changed = self.keys.refresh(log)
        for responder in responders:
            responder.count_lost()
            if changed:
                responder.take_keys()


def precision_of(cost_ns: int) -> int:
    """The NTP precision: log2 of the counter's resolution in seconds, rounded up (RFC 5905 section 7.3)."""
    return math.ceil(math.log2(max(cost_ns, 1) * 1e-9))


def counters_page(boot: BootId, started_ns: int, responders: list[Responder]) -> ServerPage:
    """The sum of all sockets' counters, as a page."""
    totals = sum((responder.counters for responder in responders), np.zeros(COUNTERS, np.int64))
    return ServerPage(boot.words, os.getpid(), started_ns, boottime_ns(), *totals.tolist())


def loop_kind(choice: str) -> ModuleType:
    """The module of the loop that `ntp.loop` asks for; with auto numpy's where the compiler is missing.

    Raises CannotStartError.
    """
    if choice == "arrays":
        return importlib.import_module(ARRAYS)
    try:
        return importlib.import_module(COMPILED)
    except ImportError as error:
        if choice == "compiled":
            raise CannotStartError(f"ntp.loop is compiled, but numba cannot be loaded: {error}") from error
    return importlib.import_module(ARRAYS)


def answered_kinds(ntp: NTP) -> Settings:
    """What is answered besides the plain packet. Raises CannotStartError for a file of keys that cannot be used."""
    # of version 5: 120 random bits by which a loop of servers shows
    own_id = reference_filter(os.urandom(15))
    if not ntp.keys:
        return Settings({}, ntp.version5, own_id)
    try:
        return Settings(parse_keys(Path(ntp.keys).read_text("utf-8")), ntp.version5, own_id)
    except OSError as error:
        raise CannotStartError(f"ntp.keys: {ntp.keys}: {error.strerror}") from error
    except (KeyFileError, UnicodeDecodeError) as error:
        raise CannotStartError(f"ntp.keys: {ntp.keys}: {error}") from error


def open_all(ntp: NTP) -> list[Listener]:
    """Every socket, and whether its address is smeared. Raises CannotStartError in words."""
    listed = [(address, False) for address in ntp.listen] + [(address, True) for address in ntp.smeared]
    return [
        (lane, smeared)
        for address, smeared in listed
        for lane in open_lanes(address, ntp.threads, transmit_stamps=ntp.interleaved)
    ]


def loops_settings(ntp: NTP, precision: int, sockets: list[Listener]) -> Iterator[Words]:
    """The settings of each socket's loop."""
    for worker, (listener, smeared) in enumerate(sockets):
        settings = loop_settings(ntp, precision)
        settings[WORKER] = worker if ntp.interleaved else 0
        settings[STAMP_MASK] = stamp_mask(len(sockets)) if ntp.interleaved else 0
        settings[WILDCARD] = wildcard_family(listener)
        settings[SMEARED] = smeared
        yield settings


def access_table(ntp: NTP) -> AccessTable:
    """Who is answered; where not everybody always is, the observer still is."""
    restricted = ntp.allow or ntp.deny or ntp.nts_only or ntp.source_rate or ntp.prefix_rate
    return build_access(ntp.allow, ntp.deny, ntp.nts_only, (OBSERVER_V4, OBSERVER_V6) if restricted else ())


def make_responders(
    ntp: NTP, kind: ModuleType, sockets: list[Listener], shared: Shared, log: logging.Logger
) -> list[Responder]:
    """A loop for each socket; access list, limits and the tables of interleaved mode are common to all."""
    access = access_table(ntp)
    tables = make_tables(len(sockets) if ntp.interleaved else 0)
    stamps = KeptStamps() if ntp.interleaved else None
    precision = precision_of(kind.measured_cost_ns())
    by_hand = kind.nts_by_hand(log)
    pages, boot = shared.pages.addresses, shared.boot
    responders, failures = [], Failures(log)
    for (listener, _), settings in zip(sockets, loops_settings(ntp, precision, sockets), strict=True):
        settings[NTS_BY_HAND] = by_hand
        loop = make_loop(settings, make_buffers(), access, shared.limiter, make_memory(tables))
        hands = Hands(settings, loop.counters, pages, boot, shared.answered, shared.keys.ring, stamps, failures)
        responders.append(Responder(kind, listener, pages, boot, loop, hands))
    words = ", ".join(ntp.listen + ntp.smeared)
    log.info("answering NTP on %s, %s loop, precision 2^%d s", words, kind.__name__.rpartition(".")[2], precision)
    return responders


def give_up_rights(ntp: NTP, state: Path) -> Path:
    """Become `ntp.user`; the path of the state folder from then on. Raises CannotStartError."""
    return become(ntp.user, state) if ntp.user else state


def serve_until_stopped(process: Process) -> None:
    """Answer on every address until the process is told to stop."""
    ntp, boot, started_ns = process.config.ntp, boot_id(), boottime_ns()
    # The sockets first: what cannot be bound is told before anything is compiled.
    sockets, answered, kind = open_all(ntp), answered_kinds(ntp), loop_kind(ntp.loop)
    # Before the threads: compiled once, and whoever sees the first counters finds every address answering.
    kind.warm()
    writer = PageWriter(server_page(process.state), ServerPage, plain=kind.__name__ == ARRAYS)
    rows = create_sources(sources_file(process.state), places_for(ntp.sources), boot)
    rates = ntp.source_rate, ntp.source_burst, ntp.prefix_rate, ntp.prefix_burst
    rules = make_rules(*rates, ntp.kiss_every, denied_too=ntp.refusal == "kiss")
    limiter = make_limiter(ntp.sources, rules, os.urandom(SEED_BYTES), rows)
    state = give_up_rights(ntp, process.state)
    # A page of an unknown boot equals nothing: -1 stands in no page that encodes one, and 0 is an unwritten page's.
    boot_words = np.array(boot.words if boot.known else (-1, -1), np.int64)
    shared = Shared(ClockPages(state, boot), boot_words, CookieKeys(state), answered, limiter)
    responders = make_responders(ntp, kind, sockets, shared, process.log)
    refresh = partial(shared.refresh, responders, process.log)
    answer_until_stopped(process, responders, refresh, writer, partial(counters_page, boot, started_ns, responders))


def warm() -> None:
    """Compile the server's loop into the cache."""
    from timeball.station.serving.compiled import warm as warm_compiled

    warm_compiled()


if __name__ == "__main__":
    sys.exit(run_process("server", serve_until_stopped))
