"""Keys for NTS: one exchange over TLS, and what an association needs of it. Blocks; errors are one sentence.

A name and port that the server gives for NTP are followed (RFC 8915 sections 4.1.7, 4.1.8): they come over TLS from
whom the certificate names.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from timeball.instants import LeapTable
from timeball.protocols.ntp.client import Manner
from timeball.protocols.ntp.clientevents import Demobilised, Discarded, KeysNeeded, Measured, Missed, Unsynchronised
from timeball.protocols.ntp.clientnts import NTSAuthentication
from timeball.protocols.ntp.packet import NTPError
from timeball.protocols.nts.aead import AES_128_GCM_SIV, AES_SIV_CMAC_256
from timeball.protocols.nts.cookies import Session
from timeball.protocols.nts.errors import NTSError
from timeball.protocols.nts.exchange import NTP_PORT
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.ntpasking import Asker, split_address
from timeball.station.instruments.ntpclient import TIMEOUT_S, ServerTime

KE_TIMEOUT_S = 5.0
AEADS = (AES_SIV_CMAC_256, AES_128_GCM_SIV)


class KeysUnavailable(OSError):
    """No keys could be agreed on; one sentence."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What an exchange gave: how requests are sealed, and where NTP is asked."""

    authentication: NTSAuthentication
    host: str
    port: int


def exchange_for(host: str, port: int, ca: str, timeout_s: float = KE_TIMEOUT_S) -> Keys:
    """Agree on keys with the key exchange at `host`:`port`; `ca` a PEM file, empty for the system's authorities.

    Raises `KeysUnavailable`.
    """
    # pyOpenSSL and X.509 take a while to import, and most stations ask no server over NTS
    from timeball.station.nts.keclient import KeyExchangeError, exchange_keys

    try:
        agreed = exchange_keys(host, port, Path(ca) if ca else None, AEADS, timeout_s)
        session = Session(agreed.aead, agreed.c2s, agreed.s2c)
    except (KeyExchangeError, NTSError) as error:
        raise KeysUnavailable(f"no keys: {error}") from error
    authentication = NTSAuthentication(session, agreed.cookies, secrets.token_bytes)
    return Keys(authentication, agreed.server or host, agreed.port or NTP_PORT)


def ask_server_nts(address: str, ca: str, leaps: LeapTable, timeout_s: float = TIMEOUT_S) -> ServerTime:
    """The time of the server behind the key exchange `host:port`, authenticated.

    Raises OSError when nobody answers (`KeysUnavailable` when there are no keys), `NTPError` for no authentic time.
    """
    keys = exchange_for(*split_address(address), ca)
    until = hostclocks.raw_ns() + round(timeout_s * 1e9)
    asker = Asker(keys.host, keys.port, Manner(timeout_ns=round(timeout_s * 1e9)), keys.authentication)
    discarded = ""
    try:
        while True:
            for event in asker.step(until):
                if isinstance(event, Measured):
                    return ServerTime.of(event.measurement, leaps)
                if isinstance(event, Unsynchronised):
                    raise NTPError("leap", event.packet.leap, "the server does not claim to be in sync")
                if isinstance(event, Missed | KeysNeeded | Demobilised):
                    raise TimeoutError(discarded or asker.trouble or "timed out")
                if isinstance(event, Discarded):
                    discarded = event.why
            until = max(until, hostclocks.raw_ns())
    finally:
        asker.close()


class Exchanging:
    """An exchange that runs beside its owner, which must not block: `take` gives its end, None while it lasts."""

    def __init__(self, host: str, port: int, ca: str) -> None:
        self._where = (host, port, ca)
        self._result: Keys | KeysUnavailable | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Keys | None:
        """The keys when they have come within `timeout_s`. Raises `KeysUnavailable`."""
        self._thread.join(max(0.0, timeout_s))
        if isinstance(self._result, KeysUnavailable):
            raise self._result
        return self._result

    def _run(self) -> None:
        try:
            self._result = exchange_for(*self._where)
        except KeysUnavailable as error:
            self._result = error
