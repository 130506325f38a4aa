"""Who asks while a server soaks: plain NTP from many addresses at a steady rate, and now and then NTS and Roughtime.

Each asker counts what it asked, what was answered, and what was answered wrongly. `offset` is a client's measurement of
served time against the clock page: positive when the server says more than the page.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import NTSError
from timeball.protocols.roughtime import client as roughtime
from timeball.protocols.roughtime.delegation import public_key_of
from timeball.protocols.roughtime.errors import RoughtimeError
from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.nts.keclient import KeyExchangeError, exchange_keys
from timeball.station.page.clockpage import PageReader, TimekeeperPage, served_instant, tai_minus_utc_at
from timeball.station.paths import timekeeper_page
from timeball.station.timesigning.keys import load_or_make_long_term_key, long_term_key_file

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


class NTSLoad:
    """One client of NTS: it spends cookies, and fetches new ones when it has none."""

    def __init__(self, host: str, ke_port: int, ntp_port: int, ca: Path) -> None:
        self._where, self._ntp_port, self._ca = (host, ke_port), ntp_port, ca
        self._session: Session | None = None
        self._cookies: list[bytes] = []
        self.counts: Counter[str] = Counter()

    def ask(self) -> None:
        """One request, with a key exchange before it where that is needed."""
        try:
            self._ask()
        except (KeyExchangeError, NTSError, OSError) as error:
            self.counts[f"failed: {type(error).__name__}"] += 1
            self._cookies.clear()

    def _ask(self) -> None:
        if self._session is None or not self._cookies:
            agreement = exchange_keys(*self._where, self._ca, timeout_s=PATIENCE_S * 5)
            self._session = Session(agreement.aead, agreement.c2s, agreement.s2c)
            self._cookies = list(agreement.cookies)
            self.counts["handshakes"] += 1
        unique, nonce = secrets.token_bytes(32), secrets.token_bytes(16 if self._session.aead == 15 else 12)
        placeholders = min(7, 8 - len(self._cookies))
        request = build_request(self._session, self._cookies.pop(), unique, placeholders, nonce, REQUEST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", self._ntp_port))
            client.send(request)
            reply = open_reply(self._session, unique, client.recv(2048))
        self._cookies += reply.cookies
        self.counts["authentic"] += 1


class RoughtimeLoad:
    """One client of Roughtime that verifies every reply against the station's long-term key."""

    def __init__(self, port: int, state: Path) -> None:
        self._port = port
        self._key = public_key_of(load_or_make_long_term_key(long_term_key_file(state)))
        self.counts: Counter[str] = Counter()

    def ask(self) -> None:
        """One request; the host's time must lie within the radius."""
        request = roughtime.build_request(os.urandom(32), public_key=self._key)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE_S)
                client.connect(("127.0.0.1", self._port))
                client.send(request)
                verified = roughtime.verify_reply(request, client.recv(4096), self._key)
        except (RoughtimeError, OSError) as error:
            self.counts[f"failed: {type(error).__name__}"] += 1
            return
        self.counts["verified" if verified.earliest_s - 1 <= time.time() <= verified.latest_s + 1 else "wrong"] += 1


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
