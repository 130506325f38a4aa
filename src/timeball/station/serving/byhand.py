"""What the loops leave over, answered in plain Python: MACs, version 5, and NTS where it is not compiled.

The bytes are made by the rooms without sockets (protocols.ntp.server, protocols.nts.server); here the clock is read for
them, and what became of each datagram is counted. How much of the time goes here is limited by who calls (rest). What
fails here for a reason that nobody foresaw costs its own datagram and no other.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.packet import PACKET_BYTES
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.server import Answer, Settings, respond
from timeball.protocols.ntp.view import stamp
from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.errors import ForgedCookie, ForgedRequest, NTSError, UnknownKey
from timeball.protocols.nts.keyring import KeyRing
from timeball.protocols.nts.server import build_nak, build_reply, fresh_cookies, open_request
from timeball.station.hosttime.hostclocks import boottime_ns, raw_ns
from timeball.station.page.pagelayout import IN_SYNC, NO_TIMEKEEPER_PAGE
from timeball.station.serving import counters as count
from timeball.station.serving.arrays_page import PlainPair
from timeball.station.serving.arrays_wire import view_of
from timeball.station.serving.failures import Failures
from timeball.station.serving.loop import tire_hands
from timeball.station.serving.stamping import RAW_STAMP_MARGIN_S

Words = NDArray[np.int64]

COOKIE_NONCE_BYTES = 16
TRIES = 64
KEPT_STAMPS = 1024

# What a datagram comes to, by the reason that respond gives.
COUNTED = {
    Reason.TOO_SHORT: count.DROPPED_TOO_SHORT,
    Reason.WRONG_VERSION: count.DROPPED_WRONG_VERSION,
    Reason.WRONG_MODE: count.DROPPED_WRONG_MODE,
    Reason.MALFORMED_FIELDS: count.DROPPED_MALFORMED_FIELDS,
    Reason.MALFORMED_MAC: count.DROPPED_MALFORMED_MAC,
    Reason.TOO_LONG: count.DROPPED_TOO_LONG,
    Reason.OTHER_DRAFT: count.DROPPED_OTHER_DRAFT,
    Reason.CRYPTO_NAK: count.CRYPTO_NAKS,
}
WITH_TIME = (Reason.BASIC, Reason.INTERLEAVED, Reason.MAC, Reason.VERSION5)
TOLD = {Reason.MAC: count.BY_MAC, Reason.VERSION5: count.BY_VERSION5}


class KeptStamps:
    """Transmit stamps of replies made by hand, by their receive stamps: each given once, the oldest forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, int] = OrderedDict()

    def keep(self, receive: int, transmit: int) -> None:
        """Remember a reply."""
        self._kept[receive] = transmit
        while len(self._kept) > KEPT_STAMPS:
            self._kept.popitem(last=False)

    def transmit_of(self, receive: int) -> int | None:
        """protocols.ntp.server.Interleaved."""
        return self._kept.pop(receive, None)


class Hands:
    """The Python side of one loop.

    `settings` int64[SETTINGS] and `counters` are that loop's, `addresses` and `boot` as it has them; `ring` gives the
    cookie keys of the moment, None without any.
    """

    def __init__(
        self,
        settings: Words,
        counters: Words,
        addresses: Words,
        boot: Words,
        answered: Settings,
        ring: Callable[[], KeyRing | None],
        stamps: KeptStamps | None,
        failures: Failures,
    ) -> None:
        self._settings, self._counters = settings, counters
        self._addresses, self._boot = addresses, boot
        self._answered, self._ring, self._stamps = answered, ring, stamps
        self._failures = failures
        self._pair = PlainPair()
        self._status = NO_TIMEKEEPER_PAGE

    def keys(self) -> KeyRing | None:
        """The cookie keys of the moment."""
        return self._ring()

    def answer(self, datagram: bytes, arrived_raw_ns: int, margin_ns: int | None) -> bytes | None:
        """The reply to a datagram that arrived at `arrived_raw_ns`, None for none; counted.

        `margin_ns` by how much the kernel's stamp may be off, None without one.
        """
        before = self._counters.copy()
        try:
            reply = self._reply(datagram, arrived_raw_ns, margin_ns)
            if reply is not None and len(reply) > len(datagram):
                raise RuntimeError("a reply longer than its request")
        except Exception as error:
            # whatever it was, the others must be served; what it had been counted as before does not hold
            self._counters[:] = before
            self._counters[count.DROPPED_INTERNAL_ERROR] += 1
            self._failures.tell(error)
            return None
        return reply

    def _reply(self, datagram: bytes, arrived_raw_ns: int, margin_ns: int | None) -> bytes | None:
        answer = self._respond(datagram, arrived_raw_ns, margin_ns)
        if answer.reason is Reason.ELSEWHERE:
            return self._nts(datagram, arrived_raw_ns, margin_ns)
        counted = COUNTED.get(answer.reason)
        if counted is not None:
            self._counters[counted] += 1
            return answer.reply
        if answer.reason in TOLD:
            self._counters[TOLD[answer.reason]] += 1
        self._count_time(stamped=margin_ns is not None)
        return answer.reply

    def _respond(self, datagram: bytes, arrived_raw_ns: int, margin_ns: int | None) -> Answer:
        """The clock is read, then the pages are seen unchanged, then the leases are compared with that reading."""
        self._status, raw = self._look()
        margin_s = RAW_STAMP_MARGIN_S if margin_ns is None else margin_ns * 1e-9
        view = view_of(self._pair.timekeeper, self._status, self._settings, arrived_raw_ns, raw, margin_s)
        answer = respond(datagram, view, self._answered, self._stamps)
        if self._stamps is not None and view.known and answer.reason in WITH_TIME:
            self._stamps.keep(stamp(view, view.receive), stamp(view, view.transmit))
        return answer

    def _look(self) -> tuple[int, int]:
        pair, addresses = self._pair, self._addresses
        for _ in range(TRIES):
            pair.read(addresses, self._boot)
            raw, boottime = raw_ns(), boottime_ns()
            if pair.unchanged(addresses):
                break
        else:
            return pair.forget(), raw
        if pair.torn(addresses):
            self._counters[count.TORN_PAGES] += 1
        return pair.status(raw, boottime), raw

    def _count_time(self, *, stamped: bool) -> None:
        self._counters[count.REQUESTS] += 1
        in_sync = self._status == IN_SYNC
        self._counters[count.REPLIES_IN_SYNC if in_sync else count.REPLIES_UNSYNCHRONISED] += 1
        if not stamped:
            self._counters[count.RAW_STAMPS] += 1

    def _nts(self, datagram: bytes, arrived_raw_ns: int, margin_ns: int | None) -> bytes | None:
        ring = self._ring()
        try:
            if ring is None:
                return self._nak(datagram)
            request = open_request(ring, datagram)
        except UnknownKey:
            return self._nak(datagram)
        except (ForgedCookie, ForgedRequest):
            self._counters[count.NTS_FORGED] += 1
            return self._nak(datagram)
        except NTSError:
            self._counters[count.DROPPED_NTS_MALFORMED] += 1
            return None
        cookies = fresh_cookies(ring, request, [os.urandom(COOKIE_NONCE_BYTES) for _ in range(request.cookies)])
        nonce = os.urandom(aead(request.session.aead).nonce_bytes)
        header = self._respond(datagram[:PACKET_BYTES], arrived_raw_ns, margin_ns).reply or b""
        reply = build_reply(request, header, cookies, nonce)
        self._counters[count.NTS_ACCEPTED] += 1
        self._count_time(stamped=margin_ns is not None)
        return reply

    def _nak(self, datagram: bytes) -> bytes | None:
        try:
            nak = build_nak(datagram)
        except NTSError:
            self._counters[count.DROPPED_NTS_MALFORMED] += 1
            return None
        self._counters[count.NTS_NAKS] += 1
        return nak


def rest(state: Words, began_raw_ns: int) -> None:
    """The hands were busy since `began_raw_ns`, and owe rest for it (loop.room_for_hands)."""
    tire_hands(state, began_raw_ns, raw_ns())
