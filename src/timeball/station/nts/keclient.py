"""A client's key exchange over TCP and TLS 1.3 (RFC 8915 section 4), with everything bounded by one deadline.

The server's certificate must be signed by an authority that is trusted and carry the name it is asked by, in its
subjectAltName; a common name counts for nothing. What was agreed is parsed by `protocols.nts.exchange`.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL

from timeball.protocols.nts.aead import NUMBERS, aead
from timeball.protocols.nts.asking import Agreement, build_request, parse_response
from timeball.protocols.nts.exchange import ALPN, PORT
from timeball.protocols.nts.records import LONGEST_RESPONSE, ExchangeError, MessageReader
from timeball.station.nts.authority import names_of
from timeball.station.nts.tls import PIECE, client_context, export_keys, ssl_words, take_output

MOST_BYTES = 4 * LONGEST_RESPONSE


class KeyExchangeError(Exception):
    """No keys from this server; one sentence."""


class ServerUnreachable(KeyExchangeError):
    """It cannot be reached, or did not answer in time."""


class ServerNotTrusted(KeyExchangeError):
    """Its certificate is not trusted, or not for this name; or it does not speak TLS 1.3 with ntske/1."""


class ServerRefused(KeyExchangeError):
    """It answered, and not with keys; `__cause__` is the ExchangeError."""


def exchange_keys(
    host: str,
    port: int = PORT,
    ca: Path | None = None,
    aeads: Sequence[int] = NUMBERS,
    timeout_s: float = 5.0,
    at: datetime | None = None,
) -> Agreement:
    """Cookies and both keys from a server; `ca` is the PEM file of the authorities trusted, the system's without it.

    `at` (aware) is the time certificates are judged by; the host's without it. Raises KeyExchangeError.
    """
    deadline = time.monotonic() + timeout_s
    try:
        context = client_context(ca, at)
    except (SSL.Error, OSError) as error:
        words = ssl_words(error) if isinstance(error, SSL.Error) else str(error)
        raise ServerNotTrusted(f"no authorities in {ca}: {words}") from error
    try:
        with socket.create_connection((host, port), timeout_s) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Exchange(client, context, host, deadline).run(tuple(aeads))
    except OSError as error:
        words = "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        raise ServerUnreachable(f"{host}:{port}: {words}") from error
    except UnicodeError as error:
        raise ServerUnreachable(f"{host!r} is no name of a host") from error
    except SSL.Error as error:
        raise ServerNotTrusted(f"{host}:{port}: {ssl_words(error)}") from error
    except ExchangeError as error:
        raise ServerRefused(f"{host}:{port}: {error}") from error


class _Exchange:
    """One connection, its TLS over memory."""

    def __init__(self, client: socket.socket, context: SSL.Context, host: str, deadline: float) -> None:
        self._socket, self._host, self._deadline = client, host, deadline
        self._received = 0
        self._connection = SSL.Connection(context, None)
        self._connection.set_connect_state()
        if _address(host) is None:
            self._connection.set_tlsext_host_name(host.encode("idna"))

    def run(self, aeads: tuple[int, ...]) -> Agreement:
        """Shake hands, check who it is, ask, take."""
        while not self._shaken():
            self._pump()
        self._check()
        self._connection.send(build_request(aeads))
        agreement = parse_response(self._response(), aeads)
        c2s, s2c = export_keys(self._connection, agreement.aead, aead(agreement.aead).key_bytes)
        return replace(agreement, c2s=c2s, s2c=s2c)

    def _shaken(self) -> bool:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def _check(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or not certificate_is_for(certificate, self._host):
            raise ServerNotTrusted(f"{self._host}: the certificate is for another server")
        if self._connection.get_alpn_proto_negotiated() != ALPN:
            raise ServerNotTrusted(f"{self._host}: the server does not speak {ALPN.decode()}")

    def _response(self) -> bytes:
        reader = MessageReader(LONGEST_RESPONSE)
        while True:
            try:
                whole = reader.feed(self._connection.recv(PIECE))
            except SSL.WantReadError:
                self._pump()
                continue
            except SSL.ZeroReturnError:
                return bytes(reader.data)  # it has said goodbye: whatever is missing, parsing tells
            if whole:
                return bytes(reader.data)

    def _pump(self) -> None:
        """Send what is due and take what comes, once."""
        output = take_output(self._connection)
        self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        if output:
            self._socket.sendall(output)
        data = self._socket.recv(PIECE)
        self._received += len(data)
        if not data or self._received > MOST_BYTES:
            raise ConnectionResetError(0, "the server hung up" if not data else "the server talks without end")
        self._connection.bio_write(data)


def certificate_is_for(certificate: x509.Certificate, host: str) -> bool:
    """Whether a certificate names this host (RFC 6125: exactly, or by * for its whole first label) or address."""
    names, address = names_of(certificate), _address(host)
    if address is not None:
        return address in names
    wanted = host.rstrip(".").lower()
    _first, _, domain = wanted.partition(".")
    lower = {name.lower() for name in names}
    return wanted in lower or ("." in domain and f"*.{domain}" in lower)


def _address(host: str) -> str | None:
    """The address as it is written, None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
