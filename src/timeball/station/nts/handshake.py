"""One connection of the key exchange: TLS and request in, TLS and response out, over memory. No socket, no clock.

`receive` takes what came and gives what is to be sent; once `end` is set there is nothing more to come. Whatever the
other side does, a connection ends in one `Count`, takes a bounded number of bytes, and raises nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from OpenSSL import SSL

from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.cookies import NONCE_BYTES, seal_cookies
from timeball.protocols.nts.exchange import (
    ALPN,
    COOKIES,
    Agreed,
    Answer,
    Offer,
    Outcome,
    answer,
    error_answer,
    internal_error,
)
from timeball.protocols.nts.keyring import KeyRing
from timeball.protocols.nts.records import LONGEST_REQUEST, MalformedMessage, MessageReader
from timeball.station.nts.counting import Count
from timeball.station.nts.tls import PIECE, NoALPN, export_keys, take_output

MOST_BYTES = 65536
"""Of one connection: a long hello and certificates that nobody asked for fit, an endless stream does not."""
END_OF = {
    Outcome.AGREED: Count.AGREED,
    Outcome.NO_PROTOCOL: Count.NO_PROTOCOL,
    Outcome.NO_AEAD: Count.NO_AEAD,
    Outcome.UNKNOWN_CRITICAL: Count.UNKNOWN_CRITICAL,
    Outcome.BAD_REQUEST: Count.BAD_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Service:
    """What is handed out: the certificate's context, the keys cookies are sealed with, what is offered."""

    context: SSL.Context
    ring: KeyRing
    offer: Offer


class Handshake:
    """A connection that the client has just opened; it keeps the service it began with."""

    __slots__ = ("_connection", "_reader", "_received", "_service", "_shaken", "end")

    def __init__(self, service: Service) -> None:
        self.end: Count | None = None
        self._service = service
        self._connection = SSL.Connection(service.context, None)
        self._connection.set_accept_state()
        self._reader = MessageReader(LONGEST_REQUEST)
        self._shaken = False
        self._received = 0

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the client; gives the bytes to send, which may be none."""
        self._received += len(data)
        try:
            if self._received > MOST_BYTES:
                self._finish(error_answer(Outcome.BAD_REQUEST))
            elif self._connection.bio_write(data) != len(data):
                self.end = Count.INTERNAL_ERRORS
            else:
                self._go_on()
        except NoALPN:
            self.end = Count.NO_ALPN
        except SSL.Error:
            self.end = Count.TLS_FAILED
        except Exception:
            # whatever it was, the others must be served; it is counted, and seen in the counters
            self.end = Count.INTERNAL_ERRORS
            self._say(internal_error())
        return take_output(self._connection)

    def expire(self) -> bytes:
        """The time is over: a client that was still writing is told so (error 1, RFC 8915 section 4.1.3)."""
        self.end = Count.TIMED_OUT
        self._say(error_answer(Outcome.BAD_REQUEST).response)
        return take_output(self._connection)

    def _go_on(self) -> None:
        if not self._shaken:
            try:
                self._connection.do_handshake()
            except SSL.WantReadError:
                return
            self._shaken = True
            if self._connection.get_alpn_proto_negotiated() != ALPN:
                self.end = Count.NO_ALPN
                return
        self._read()

    def _read(self) -> None:
        while self.end is None:
            try:
                piece = self._connection.recv(PIECE)
            except SSL.WantReadError:
                return
            except SSL.ZeroReturnError:
                self.end = Count.HUNG_UP
                return
            try:
                if self._reader.feed(piece):
                    self._finish(answer(bytes(self._reader.data), self._service.offer, self._cookies))
            except MalformedMessage:
                self._finish(error_answer(Outcome.BAD_REQUEST))

    def _cookies(self, agreed: Agreed) -> Sequence[bytes]:
        c2s, s2c = export_keys(self._connection, agreed.aead, aead(agreed.aead).key_bytes)
        return seal_cookies(self._service.ring, agreed.aead, c2s, s2c, os.urandom(NONCE_BYTES * COOKIES))

    def _finish(self, given: Answer) -> None:
        self.end = END_OF[given.outcome]
        self._say(given.response)

    def _say(self, message: bytes) -> None:
        """Send a message and say goodbye, which is one flight; before the handshake is done there is nobody to tell."""
        if self._shaken:
            with suppress(SSL.Error):
                self._connection.send(message)
                self._connection.shutdown()
