"""Clients of NTS and Roughtime that ask a soaking station now and then, and verify every reply."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections import Counter
from pathlib import Path

from bench.soak_load import PATIENCE_S, REQUEST
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import NTSError
from timeball.protocols.roughtime import client as roughtime
from timeball.protocols.roughtime.delegation import public_key_of
from timeball.protocols.roughtime.errors import RoughtimeError
from timeball.station.nts.keclient import KeyExchangeError, exchange_keys
from timeball.station.timesigning.keys import load_or_make_long_term_key, long_term_key_file


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
