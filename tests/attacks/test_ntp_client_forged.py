"""What others send to our client: forgers off the way, who see nothing, and on the way, who see and change everything.

Each test is one named attack; the client must take no time from it and keep asking its server."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ntp_exchanges import EPOCH_NS, Drawn, Line, Server, line, measured, stamp

from timeball.protocols.ntp.client import LONGEST_POLL_NS, State
from timeball.protocols.ntp.clientauth import MACAuthentication
from timeball.protocols.ntp.clientevents import Demobilised, Discarded, KeysNeeded, Kissed, Missed, Reason
from timeball.protocols.ntp.clientnts import KeyPatience, NTSAuthentication
from timeball.protocols.ntp.mac import SymmetricKey, seal_mac
from timeball.protocols.ntp.packet import NS, Packet, build_packet, parse_packet
from timeball.protocols.nts.cookies import Session, seal_cookie
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.server import build_nak, build_reply, open_request

KEY = SymmetricKey(7, "AES128", bytes(range(16)))
RING = KeyRing(CookieKey(1, bytes(range(32))), ())
SESSION = Session(15, b"c" * 32, b"s" * 32)
WORLD = stamp(EPOCH_NS + 10**18)
KISS = {code: int.from_bytes(code.encode()) for code in ("RATE", "DENY", "RSTR")}
LIE = {"receive": WORLD, "transmit": WORLD + 1}


def reasons(way: Line) -> dict[Reason, int]:
    return dict(way.association.counts)


def forged(**fields: int) -> bytes:
    """A reply made by somebody who has not seen the request."""
    plain = Packet(0, 4, 4, 1, 0, -25, 0, 0, 0, WORLD, 0, WORLD, WORLD + 1)
    return build_packet(dataclasses.replace(plain, **fields))


def goes_on(way: Line) -> bool:
    """Whether the next exchange gives the right time."""
    found = measured(way.exchange())
    return bool(found) and abs(found[0].offset2 / 2 - EPOCH_NS) < 5e6


# Off the way


def test_replies_without_our_nonce() -> None:
    way = line()
    request = way.request()
    for origin in (0, WORLD, parse_packet(request).transmit ^ 1):
        way.deliver(forged(origin=origin), way.now, way.now + 1000)
    assert reasons(way) == {Reason.BOGUS: 3}
    reply, left_ns = way.server.reply(request, way.now + way.there_ns)
    assert measured(way.deliver(reply, way.now, left_ns)), "the true reply is still waited for"


def test_interleaved_replies_with_the_zero_origin_of_a_basic_request() -> None:
    """A basic request has 0 where an interleaved one has its second nonce: 0 must not match it."""
    way = line(interleaved=True)
    way.request()
    way.deliver(forged(origin=0), way.now, way.now + 1000)
    assert reasons(way) == {Reason.BOGUS: 1}


def test_interleaved_forgery_with_what_the_server_once_said() -> None:
    """The server's receive stamp is known to whoever can guess its time; it is not what a reply must give back."""
    way = line(interleaved=True, burst=3)
    way.exchange()
    request = way.request()
    for origin in (parse_packet(request).origin, way.server.kept[-1][0]):
        way.deliver(forged(origin=origin), way.now, way.now + 1000)
    assert reasons(way) == {Reason.MEASURED: 1, Reason.BOGUS: 2}


def test_kisses_without_our_nonce() -> None:
    way = line()
    way.request()
    for code in KISS.values():
        way.deliver(forged(stratum=0, refid=code, origin=WORLD), way.now, way.now + 1000)
    assert way.association.state is State.ASKED
    assert way.association.poll_ns == 16 * NS
    assert not [event for event in way.events if isinstance(event, Kissed | Demobilised)]


def test_a_reply_before_anything_was_asked_and_after_all_was_answered() -> None:
    way = line()
    way.deliver(forged(origin=WORLD), way.now, way.now)
    way.exchange()
    way.deliver(forged(origin=WORLD), way.now, way.now)
    assert reasons(way) == {Reason.UNSOLICITED: 2, Reason.MEASURED: 1}


def test_other_modes_and_versions_are_no_replies() -> None:
    way = line()
    request = way.request()
    nonce = parse_packet(request).transmit
    for fields in ({"mode": 3}, {"mode": 5}, {"mode": 1}, {"version": 3}, {"version": 5}):
        way.deliver(forged(origin=nonce, **fields), way.now, way.now + 1000)
    way.deliver(request, way.now, way.now + 1000)
    assert reasons(way) == {Reason.NOT_A_REPLY: 6}


# On the way, seeing all


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_reply_that_is_replayed(interleaved: bool) -> None:
    way = line(interleaved=interleaved, burst=3)
    way.exchange()
    request = way.request()
    sent_ns = way.now
    reply, left_ns = way.server.reply(request, sent_ns + way.there_ns)
    way.deliver(reply, sent_ns, left_ns + way.back_ns)
    for _ in range(3):
        way.deliver(reply, sent_ns, way.now + 1)
    assert reasons(way) == {Reason.MEASURED: 2, Reason.DUPLICATE: 3}
    way.request()
    way.deliver(reply, sent_ns, way.now + 1)
    assert not measured(way.events[-1:])


def test_a_reply_held_back_until_the_next_request() -> None:
    """Its origin is the older request's nonce, so it cannot be taken for a quick answer to the newer one."""
    way = line(interleaved=True, burst=4)
    way.exchange()
    held, _ = way.server.reply(way.request(), way.now + way.there_ns)
    way.now += NS
    way.association.to_send(way.now)
    way.request()
    way.deliver(held, way.now, way.now + 1000)
    assert reasons(way) == {Reason.MEASURED: 1, Reason.DUPLICATE: 1}
    way.now += NS
    assert goes_on(way)


def test_an_interleaved_reply_with_a_leaving_that_cannot_be() -> None:
    way = line(interleaved=True, burst=4)
    way.exchange()
    before = way.server.kept[-1][0]
    for transmit in (before - 1, WORLD, stamp(way.now + EPOCH_NS + 60 * NS)):
        assert not measured(way.exchange(transmit=transmit))
    assert way.association.counts[Reason.IMPLAUSIBLE] == 3


# Symmetric keys


@pytest.mark.parametrize(
    "attack",
    [
        lambda data: data,
        lambda data: data + bytes(4),
        lambda data: data + bytes(20),
        lambda data: seal_mac(SymmetricKey(7, "AES128", bytes(16)), data),
        lambda data: seal_mac(SymmetricKey(8, "AES128", KEY.key), data),
        lambda data: seal_mac(KEY, data)[:-1],
        lambda data: seal_mac(KEY, data)[:8] + bytes(40) + seal_mac(KEY, data)[48:],
    ],
    ids=["stripped", "crypto-NAK", "zero MAC", "another key", "another id", "cut off", "changed header"],
)
@pytest.mark.parametrize("fields", [LIE, {"stratum": 0, "refid": KISS["DENY"]}, {"stratum": 0, "refid": KISS["RATE"]}])
def test_a_mac_that_is_not_ours(attack: Any, fields: dict[str, int]) -> None:
    """No time, and no kiss either, from anybody without the key: the association is not sent away."""
    way = line(authentication=MACAuthentication(KEY))
    request = way.request()
    reply, left_ns = way.server.reply(request, way.now + way.there_ns, **fields)
    way.deliver(attack(reply), way.now, left_ns)
    assert set(reasons(way)) <= {Reason.FORGED, Reason.BOGUS}
    assert way.association.state is State.ASKED
    true, left_ns = way.server.reply(request, way.now + way.there_ns)
    assert measured(way.deliver(seal_mac(KEY, true), way.now, left_ns))


def test_a_kiss_by_our_key_is_the_servers_word() -> None:
    way = line(authentication=MACAuthentication(KEY))
    reply, left_ns = way.server.reply(way.request(), way.now, stratum=0, refid=KISS["DENY"])
    assert way.deliver(seal_mac(KEY, reply), way.now, left_ns)[-1] == Demobilised("DENY")


# NTS


class NTSServer:
    """The server's side of NTS, around the one that is arithmetic."""

    def __init__(self, way: Line) -> None:
        self.way = way
        self.placeholders: list[int] = []

    def reply(self, request: bytes, **fields: int) -> bytes:
        opened = open_request(RING, request)
        self.placeholders.append(opened.cookies - 1)
        header, _ = self.way.server.reply(request[:48], self.way.now + self.way.there_ns, **fields)
        cookies = [seal_cookie(RING, 15, SESSION.c2s, SESSION.s2c, bytes([i]) * 16) for i in range(opened.cookies)]
        return build_reply(opened, header, cookies, b"n" * 16)


def nts_way(cookies: int = 8) -> tuple[Line, NTSServer, NTSAuthentication]:
    first = [seal_cookie(RING, 15, SESSION.c2s, SESSION.s2c, bytes([i]) * 16) for i in range(cookies)]
    authentication = NTSAuthentication(SESSION, first, Drawn(7))
    way = line(authentication=authentication, burst=64)
    return way, NTSServer(way), authentication


def test_nts_replies_bring_back_what_requests_spend() -> None:
    way, server, authentication = nts_way()
    for _ in range(3):
        assert measured(way.deliver(server.reply(way.request()), way.now, way.now + 10**7))
    assert (authentication.cookies, server.placeholders) == (8, [0, 0, 0])
    for _ in range(3):
        way.request()
        way.now += NS
        way.association.to_send(way.now)
    assert measured(way.deliver(server.reply(way.request()), way.now, way.now + 10**7))
    assert (authentication.cookies, server.placeholders[-1]) == (8, 3)


def test_no_request_of_nts_looks_like_another() -> None:
    """A cookie seen twice would tell that it is the same client, wherever it has moved to."""
    way, _, _ = nts_way()
    requests = []
    for _ in range(8):
        requests.append(way.request())
        way.now += NS
        way.association.to_send(way.now)
    cookies = {data[48 + 36 + 4 : 48 + 36 + 104] for data in requests}
    identifiers = {data[48 + 4 : 48 + 36] for data in requests}
    assert len(cookies) == len(identifiers) == 8
    assert all(len(data) <= 1280 for data in requests)


@pytest.mark.parametrize("fields", [LIE, {"stratum": 0, "refid": KISS["DENY"]}])
@pytest.mark.parametrize("attack", ["stripped", "bit flipped", "another reply's fields", "cut off"])
def test_an_nts_reply_that_was_tampered_with(attack: str, fields: dict[str, int]) -> None:
    way, server, authentication = nts_way()
    request = way.request()
    reply = server.reply(request)
    lie, _ = way.server.reply(request[:48], way.now, **fields)
    tampered = {
        "stripped": lie,
        "bit flipped": lie[:40] + bytes([lie[40] ^ 1]) + lie[41:48] + reply[48:],
        "another reply's fields": lie + server.reply(request)[48:],
        "cut off": reply[:-4],
    }[attack]
    way.deliver(tampered, way.now, way.now + 10**7)
    assert reasons(way) == {Reason.FORGED: 1}
    assert authentication.cookies == 7
    assert measured(way.deliver(reply, way.now, way.now + 10**7)), "the true reply is still taken"


def test_an_nts_reply_to_an_earlier_request_replayed() -> None:
    way, server, authentication = nts_way()
    old = server.reply(way.request())
    way.deliver(old, way.now, way.now + 10**7)
    later = way.request()
    grafted = later[40:48].join([old[:24], old[32:]])  # our new nonce as its origin
    way.deliver(grafted, way.now, way.now + 10**7)
    assert reasons(way) == {Reason.MEASURED: 1, Reason.FORGED: 1}
    assert authentication.cookies == 7


def test_a_nak_that_anybody_may_have_made_is_believed_only_when_nothing_better_comes() -> None:
    way, server, _ = nts_way()
    request = way.request()
    way.deliver(build_nak(request), way.now, way.now + 10**6)
    assert way.association.counts[Reason.NAK] == 1
    assert way.association.state is State.ASKED
    assert measured(way.deliver(server.reply(request), way.now, way.now + 10**7))


def test_a_nak_leads_to_new_keys_and_never_to_plain_ntp() -> None:
    way, _, _ = nts_way()
    request = way.request()
    way.deliver(build_nak(request), way.now, way.now + 10**6)
    way.now += NS
    assert way.association.to_send(way.now) is None
    way.take()
    assert isinstance(way.events[-1], KeysNeeded)
    assert way.association.next_timer() is None
    assert way.association.to_send(way.now + 10**15) is None, "it sends nothing at all without keys"


def test_a_nak_with_another_unique_identifier() -> None:
    way, _, _ = nts_way()
    request = way.request()
    other = request[:60] + bytes([request[60] ^ 1]) + request[61:]
    way.deliver(build_nak(other), way.now, way.now + 10**6)
    assert reasons(way) == {Reason.FORGED: 1}


def test_silence_spends_the_cookies_and_then_asks_for_keys() -> None:
    """Whoever drops every reply makes the client exchange keys anew; it does not ask without."""
    way, _, _ = nts_way(cookies=3)
    for _ in range(3):
        way.request()
        way.now += NS
        way.association.to_send(way.now)
        way.take()
    way.now += 2 * NS
    assert way.association.to_send(way.now) is None
    way.take()
    assert isinstance(way.events[-1], KeysNeeded)
    assert sum(isinstance(event, Missed) for event in way.events) == 3


def test_key_exchanges_are_not_repeated_quickly() -> None:
    patience, now, waits = KeyPatience(), 0, []
    assert patience.may(0)
    for _ in range(40):
        later = patience.failed(now)
        waits.append((later - now) / NS)
        assert not patience.may(later - 1)
        assert patience.may(later)
        now = later
    assert waits[:3] == [10.0, 15.0, 22.5]
    assert waits[-1] == 5 * 86_400
    patience.worked()
    assert patience.may(0)


# Anything at all


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=140), st.integers(0, 4), st.integers(0, 2**63)), max_size=12), st.booleans()
)
def test_nothing_that_comes_raises_and_each_datagram_is_counted_once(
    datagrams: list[tuple[bytes, int, int]], held: bool
) -> None:
    way = line(interleaved=True, burst=3, authentication=MACAuthentication(KEY) if held else None)
    came = 0
    for tail, kind, word in datagrams:
        request = way.request()
        packet = parse_packet(request)
        origin = (packet.transmit, packet.receive, packet.origin, word, 0)[kind]
        body = build_packet(Packet(word % 4, 4, 4, word % 17, 0, -20, 0, 0, word % 2**32, 0, origin, word, word + 5))
        for data in (tail, body + tail, seal_mac(KEY, body)):
            way.deliver(data, way.now, way.now + 1000)
            came += 1
        if way.association.state is State.GONE:
            break
        way.now += 3 * NS
    assert sum(way.association.counts.values()) == came
    assert way.association.poll_ns <= LONGEST_POLL_NS
    discarded = [event for event in way.events if isinstance(event, Discarded)]
    assert all(event.why for event in discarded)


def test_the_forger_of_these_tests_could_succeed() -> None:
    """Who sees the nonce of a plain request sets the time: the tests above do not pass because nothing is taken."""
    way = line(server=Server())
    nonce = parse_packet(way.request()).transmit
    assert measured(way.deliver(forged(origin=nonce), way.now, way.now + 1000))
