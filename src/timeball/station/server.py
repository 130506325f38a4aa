"""The NTP server process: `python -m timeball.station.server --state DIR`.

It opens the sockets of `ntp.listen`, maps the two halves of the clock page, and lets one compiled loop a socket answer
(kernels.serve). All it knows of time stands in that page: absent, stale or withdrawn, and its replies claim nothing.
It writes the page of its counters, and nothing else; it has no keys and reads no ledger.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timeball.station.hosttime.hostclocks import BootId, boot_id, boottime_ns
from timeball.station.page import kernels as page_kernels
from timeball.station.page.clockpage import ObserverPage, PageReader, PageWriter, TimekeeperPage
from timeball.station.page.pagefile import MappedPage
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.paths import observer_page, timekeeper_page
from timeball.station.serving import kernels
from timeball.station.supervision.process import CannotStartError, Process, run_process

SO_TIMESTAMPNS = 35
RECEIVE_TIMEOUT_US = 200_000
UPDATE_S = 0.2
READINGS = 2000

Words = NDArray[np.int64]


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
    """One socket and the thread whose compiled loop answers on it."""

    def __init__(self, listener: socket.socket, addresses: Words, boot: Words, precision: int) -> None:
        self.counters: Words = np.zeros(kernels.COUNTERS, np.int64)
        self._socket = listener
        self._stop: Words = np.zeros(1, np.int64)
        self._buffers = kernels.make_buffers()
        arguments = (listener.fileno(), addresses, boot, self._stop, self.counters, self._buffers, precision)
        self._thread = threading.Thread(target=kernels.serve, args=arguments, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the loop still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the loop (it looks up at least every receive timeout) and close the socket."""
        self._stop[0] = 1
        self._thread.join()
        self._socket.close()


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` as (host, port). Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def open_listener(address: str) -> socket.socket:
    """A UDP socket on `host:port` with kernel receive stamps. Raises CannotStartError in words."""
    try:
        host, port = split_address(address)
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listener = socket.socket(family, kind, protocol)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_TIMEOUT_US))
        listener.bind(place)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStartError(f"cannot serve NTP on {address}: {words}; change ntp.listen or free it") from error
    return listener


def precision_of(cost_ns: int) -> int:
    """The NTP precision: log2 of the counter's resolution in seconds, rounded up (RFC 5905 section 7.3)."""
    return math.ceil(math.log2(max(cost_ns, 1) * 1e-9))


def counters_page(boot: BootId, started_ns: int, responders: list[Responder]) -> ServerPage:
    """The sum of all sockets' counters, as a page."""
    totals = sum((responder.counters for responder in responders), np.zeros(kernels.COUNTERS, np.int64))
    return ServerPage(boot.words, os.getpid(), started_ns, boottime_ns(), *totals.tolist())


def serve_until_stopped(process: Process) -> None:
    """Answer on every address of `ntp.listen` until the process is told to stop."""
    boot, started_ns = boot_id(), boottime_ns()
    # The sockets first: what cannot be bound is told before anything is compiled.
    listeners = [open_listener(address) for address in process.config.ntp.listen]
    # Before the threads: compiled once, and whoever sees the first counters finds every address answering.
    warm()
    pages = ClockPages(process.state, boot)
    precision = precision_of(kernels.reading_cost_ns(READINGS))
    # A page of an unknown boot equals nothing: -1 stands in no page that encodes one, and 0 is an unwritten page's.
    boot_words = np.array(boot.words if boot.known else (-1, -1), np.int64)
    responders = [Responder(listener, pages.addresses, boot_words, precision) for listener in listeners]
    writer = PageWriter(server_page(process.state), ServerPage)
    for responder in responders:
        responder.start()
    process.log.info("answering NTP on %s, precision 2^%d s", ", ".join(process.config.ntp.listen), precision)
    try:
        while not process.sleep(UPDATE_S):
            pages.refresh()
            writer.write(counters_page(boot, started_ns, responders))
            if not all(responder.alive() for responder in responders):
                raise RuntimeError("a responder's loop has ended by itself")
    finally:
        for responder in responders:
            responder.stop()
        writer.write(counters_page(boot, started_ns, responders))
        writer.close()


def warm() -> None:
    """Compile the server's loop into the cache: it is called stopped, on no socket."""
    kernels.reading_cost_ns(10)
    words = np.zeros(2, np.int64)
    stop, counters = np.ones(1, np.int64), np.zeros(kernels.COUNTERS, np.int64)
    kernels.serve(-1, words, words, stop, counters, kernels.make_buffers(), -20)
    page = np.zeros(64, np.int64)
    page_kernels.write_page(page.ctypes.data, words)
    page_kernels.read_page(page.ctypes.data, words)


if __name__ == "__main__":
    sys.exit(run_process("server", serve_until_stopped))
