"""One association of a client with a server, without sockets and clocks (RFC 5905, 9769; RFC 9109's data minimised).

`to_send(now)` gives the next request when it is due, `receive(data, stamps, now)` takes a datagram in, `next_event()`
tells what came of it, `next_timer()` when `to_send` has something to do again. Times are ns of one counter, the
caller's; so are stamps. Random bytes come in. A source port of its own for every request is the caller's (RFC 9109).

A request tells nothing of its client: both stamps in it are nonces, a new pair each time. In interleaved mode (RFC 9769
section 2) the receive stamp of the newest valid reply stands as origin, and a reply whose origin is our second nonce
carries the true transmit stamp of that newest reply: it completes the exchange before. After four replies missed in a
row requests are basic again. So a forger off the way must guess 64 bits, a reply to an older request is none, and no
exchange is measured twice.

Signs: as in `measurement`. It filters nothing (`least_delay` does) and steps no clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from timeball.protocols.ntp.clientauth import Authentication, NoAuthentication
from timeball.protocols.ntp.clientevents import (
    Demobilised,
    Discarded,
    Event,
    KeysExhausted,
    KeysNeeded,
    KeysRefused,
    Kissed,
    LocalMisuse,
    Measured,
    Missed,
    PollEnded,
    Reason,
    Unsynchronised,
)
from timeball.protocols.ntp.clientreplies import (
    Exchange,
    claims_sync,
    draw_nonces,
    kiss_of,
    measure,
    parse_mode4,
    reason_of,
    request_header,
)
from timeball.protocols.ntp.measurement import Measurement, Stamps
from timeball.protocols.ntp.packet import NS, BogusOrigin, NTPError, Packet, parse_packet

MOST_MISSED = 4
"""Replies missed in a row after which a request is basic (RFC 9769 section 2)."""
LONGEST_POLL_NS = 2**17 * NS
_GO_AWAY = ("DENY", "RSTR")


class State(Enum):
    """Where an association stands."""

    WAITING = "waiting for its timer"
    ASKED = "waiting for a reply"
    KEYLESS = "waiting for keys"
    GONE = "not wanted by the server"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server is asked. In interleaved mode a burst has one request more, which fetches the last stamp."""

    poll_ns: int = 16 * NS
    burst: int = 1
    spacing_ns: int = 2 * NS
    timeout_ns: int = NS
    interleaved: bool = False

    @property
    def requests(self) -> int:
        """Requests of one burst."""
        return self.burst + (1 if self.interleaved else 0)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The request that waits for its reply; `second` 0 in basic mode."""

    first: int
    second: int
    until_ns: int


@dataclass
class Association:
    """See the module's docstring. `counts` says in what every datagram that came in has ended."""

    manner: Manner
    random_bytes: Callable[[int], bytes]
    authentication: Authentication = field(default_factory=NoAuthentication)
    start_ns: int = 0
    state: State = State.WAITING
    counts: Counter[Reason] = field(default_factory=Counter)
    missed: int = 0

    def __post_init__(self) -> None:
        """Ask first at `start_ns`."""
        self.poll_ns = self.manner.poll_ns
        self._timer = self._began_ns = self.start_ns
        self._asked: _Asked | None = None
        self._answered = (0, 0)
        self._before: Exchange | None = None
        self._left = 0
        self._refused = ""
        self._measured: list[Measurement] = []
        self._events: deque[Event] = deque()

    def next_event(self) -> Event | None:
        """The oldest event that was not taken yet."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> int | None:
        """When `to_send` has something to do again (ns); None when never without `rekey`."""
        if self._asked is not None:
            return self._asked.until_ns
        return self._timer if self.state is State.WAITING else None

    def rekey(self, authentication: Authentication, now: int) -> None:
        """Go on with new keys. Authentication is never given up: LocalMisuse for one that verifies less."""
        if self.authentication.verifies and not authentication.verifies:
            raise LocalMisuse("an authenticated association cannot go on without authentication")
        if self.state is State.GONE:
            raise LocalMisuse("the server does not want to be asked")
        self.authentication = authentication
        self._asked, self._before, self.missed, self._left = None, None, 0, 0
        self.state, self._timer = State.WAITING, now

    def to_send(self, now: int) -> bytes | None:
        """The request that is due at `now`; None when none is. Gives up a reply that has not come in time."""
        if self._asked is not None and now >= self._asked.until_ns:
            self._give_up(now)
        if self.state is not State.WAITING or now < self._timer:
            return None
        if self._left == 0:
            self._left, self._began_ns, self._measured = self.manner.requests, now, []
        try:
            return self._request(now)
        except KeysExhausted as error:
            self._need_keys(str(error))
            return None

    def lost(self, now: int) -> None:
        """The network says that nobody will answer the newest request: it is given up at once."""
        if self._asked is not None:
            self._give_up(now)

    def receive(self, data: bytes, stamps: Stamps, now: int) -> None:
        """Take a datagram in; `stamps` when the newest request left and this came. Events tell what came of it."""
        if stamps.received_ns < stamps.sent_ns:
            raise LocalMisuse("a reply cannot have come before its request left")
        try:
            reason = self._take(data, stamps, now)
        except NTPError as error:
            reason = reason_of(error)
            self._events.append(Discarded(reason, str(error)))
            if reason is Reason.IMPLAUSIBLE:
                self._end_exchange(now)
        self.counts[reason] += 1

    def _request(self, now: int) -> bytes:
        first, second = draw_nonces(self.random_bytes)
        origin = 0
        if self.manner.interleaved and self._before is not None and self.missed < MOST_MISSED:
            origin = self._before.receive
        else:
            second = 0
        datagram = self.authentication.seal(request_header(first, second, origin))
        self._asked = _Asked(first, second, now + self.manner.timeout_ns)
        self.state, self._refused = State.ASKED, ""
        return datagram

    def _take(self, data: bytes, stamps: Stamps, now: int) -> Reason:
        packet = parse_mode4(data)
        asked = self._asked
        if asked is None or packet.origin not in (asked.first, asked.second) or packet.origin == 0:
            return self._not_ours(packet, asked is None)
        try:
            packet = parse_packet(self.authentication.open(data))
        except KeysRefused as error:
            # believed only if nothing better comes before the time is up (RFC 8915 section 5.7)
            self._refused = str(error)
            raise
        kiss = kiss_of(packet)
        if kiss in ("RATE", *_GO_AWAY):
            return self._kiss(kiss, now)
        if not claims_sync(packet):
            self._events.append(Unsynchronised(packet, kiss))
            self._end_exchange(now)
            return Reason.UNSYNCHRONISED
        return self._use(packet, asked, stamps, now)

    def _not_ours(self, packet: Packet, idle: bool) -> Reason:
        if packet.origin != 0 and packet.origin in self._answered:
            reason = Reason.DUPLICATE
        elif idle:
            reason = Reason.UNSOLICITED
        else:
            raise BogusOrigin("origin", f"{packet.origin:016x}", "not what the request carried")
        self._events.append(Discarded(reason, reason.value))
        return reason

    def _use(self, packet: Packet, asked: _Asked, stamps: Stamps, now: int) -> Reason:
        """A valid reply: measure this exchange in basic mode, in interleaved mode the one before."""
        interleaved = packet.origin == asked.second
        before, self._before = self._before, Exchange(stamps, packet.receive)
        self.missed = 0
        measured = measure(packet, Exchange(stamps, packet.receive) if not interleaved else before, interleaved)
        if interleaved and measured.sent_ns < self._began_ns:
            # of the burst before this one: too old to be told as new, but interleaved mode goes on
            reason = Reason.EARLIER_BURST
        else:
            self._measured.append(measured)
            self._events.append(Measured(measured))
            reason = Reason.MEASURED
        self._end_exchange(now)
        return reason

    def _kiss(self, code: str, now: int) -> Reason:
        self._end_exchange(now, last=True)
        if code in _GO_AWAY:
            self.state = State.GONE
            self._events.append(Demobilised(code))
        else:
            self.poll_ns = min(2 * self.poll_ns, max(LONGEST_POLL_NS, self.manner.poll_ns))
            self._timer = now + self.poll_ns
            self._events.append(Kissed(code, self.poll_ns))
        return Reason.KISS

    def _give_up(self, now: int) -> None:
        self.missed += 1
        if self._refused:
            self._need_keys(self._refused)
            return
        self._events.append(Missed(self.missed))
        self._end_exchange(now)

    def _need_keys(self, why: str) -> None:
        self._asked, self.state = None, State.KEYLESS
        self._events.append(KeysNeeded(why))

    def _end_exchange(self, now: int, *, last: bool = False) -> None:
        if self._asked is not None:
            self._answered = (self._asked.first, self._asked.second)
        self._asked, self.state = None, State.WAITING
        self._left = 0 if last else self._left - 1
        if self._left:
            self._timer = now + self.manner.spacing_ns
            return
        self._timer = max(now, self._began_ns + self.poll_ns)
        self._events.append(PollEnded(tuple(self._measured), self.manner.requests))
