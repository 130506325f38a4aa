"""Who asks while a server soaks: plain NTP from many addresses at a steady rate, with nonsense in between.

It counts what it asked and how that was answered. `Offset` is a client's measurement of served time against the clock
page: positive when the server says more than the page.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.page.clockpage import PageReader, TimekeeperPage, served_instant, tai_minus_utc_at
from timeball.station.paths import timekeeper_page

REQUEST = b"\x23" + bytes(47)
NONSENSE = (b"", b"\x23" * 20, b"\x3b" + bytes(47), b"\x24" + bytes(47), b"\x23" + bytes(47) + b"\0\1\0\3")
NONSENSE_EVERY = 16
UNIX_MINUS_NTP_S = 2_208_988_800
ADDRESSES = 64
TURN_S = 0.02
EXCHANGES = 9
PATIENCE_S = 1.0


@dataclass
class NTPLoad:
    """A thread that asks `rate` times a second from `ADDRESSES` addresses of 127/8; some datagrams are nonsense."""

    port: int
    rate: float
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._sockets = [self._socket(index) for index in range(ADDRESSES)]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more, take what still comes."""
        self._stop.set()
        self._thread.join()
        self._take(0.2)
        for one in self._sockets:
            one.close()

    def _socket(self, index: int) -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((f"127.{1 + index // 250}.0.{1 + index % 250}", 0))
        one.connect(("127.0.0.1", self.port))
        one.setblocking(False)
        return one

    def _run(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._stop.wait(TURN_S):
            due = int((time.monotonic() - began) * self.rate)
            for number in range(sent, min(due, sent + 4 * ADDRESSES)):
                self._send(number)
            sent = due  # what a busy machine has missed is not made up for
            self._take(0.0)

    def _send(self, number: int) -> None:
        nonsense = number % NONSENSE_EVERY == 0
        data = NONSENSE[(number // NONSENSE_EVERY) % len(NONSENSE)] if nonsense else REQUEST
        try:
            self._sockets[number % ADDRESSES].send(data)
            self.counts["nonsense" if nonsense else "asked"] += 1
        except OSError:
            self.counts["not sent"] += 1

    def _take(self, patience_s: float) -> None:
        readable = select.select(self._sockets, [], [], patience_s)[0]
        for one in readable:
            try:
                while True:
                    reply = one.recv(2048)
                    claims = len(reply) == 48 and reply[0] >> 6 != 3 and 1 <= reply[1] <= 15
                    self.counts["in sync" if claims else "not in sync"] += 1
            except OSError:
                continue


class Offset:
    """Served time minus the clock page, as a client on this host sees it (s): of several exchanges the quickest."""

    def __init__(self, state: Path, port: int) -> None:
        self._reader = PageReader(timekeeper_page(state), TimekeeperPage, plain=True)
        self._port = port

    def measure(self) -> tuple[float, float] | None:
        """(offset, half of the round trip) in seconds; None when nobody answered in sync, or there was no page."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", self._port))
            found = [one for one in (self._exchange(client) for _ in range(EXCHANGES)) if one is not None]
        return min(found, key=lambda one: one[1], default=None)

    def _exchange(self, client: socket.socket) -> tuple[float, float] | None:
        before = raw_ns()
        try:
            client.send(REQUEST)
            reply = client.recv(2048)
        except OSError:
            return None
        after, page = raw_ns(), self._reader.read()
        if page is None or len(reply) != 48 or reply[0] >> 6 == 3:
            return None
        tai_ns, _, _ = served_instant(page, (before + after) // 2)
        receive_ns, transmit_ns = (_unix_ns(reply[at : at + 8]) for at in (32, 40))
        told_ns = (receive_ns + transmit_ns) // 2 + tai_minus_utc_at(page, tai_ns) * 1_000_000_000
        return (told_ns - tai_ns) / 1e9, max(0.0, (after - before - (transmit_ns - receive_ns)) / 2e9)


def _unix_ns(stamp: bytes) -> int:
    """An NTP timestamp of the era that began in 1900 or 2036, in ns since 1970."""
    seconds, fraction = int.from_bytes(stamp[:4], "big"), int.from_bytes(stamp[4:], "big")
    return (seconds - UNIX_MINUS_NTP_S) % 2**32 * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
