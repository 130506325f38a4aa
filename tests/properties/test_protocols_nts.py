"""NTS for any bytes: the compiled server and the plain one say the same of every datagram, and nothing else escapes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings
from hypothesis import strategies as st
from nts_packets import REQUEST_HEADER, Client, CompiledServer, made_up, new_key, new_session, plain_answer

from timeball.protocols.nts import fields
from timeball.protocols.nts.aead import AES_128_GCM_SIV, NUMBERS, aead
from timeball.protocols.nts.client import open_reply
from timeball.protocols.nts.compiled import CompiledWork
from timeball.protocols.nts.cookies import open_cookie, seal_cookie
from timeball.protocols.nts.errors import NTSError, NTSNak, RefusedRequest
from timeball.protocols.nts.keyring import KeyRing
from timeball.protocols.nts.reasons import Reason
from timeball.protocols.nts.selftest import composed_siv

RING = KeyRing(new_key(7), (new_key(0), new_key(2**32 - 1)))
CLIENTS = [Client(RING, new_session(number)) for number in NUMBERS]
OLDER = KeyRing(RING.older[0])


@pytest.fixture(scope="module")
def server() -> Iterator[CompiledServer]:
    with CompiledServer(RING) as server:
        yield server


@pytest.fixture(scope="module")
def work() -> Iterator[CompiledWork]:
    with CompiledWork(made_up(32)) as work:
        yield work


def check(server: CompiledServer, datagram: bytes) -> Reason:
    """Both ways agree, and no reply is longer than its request; gives the reason.

    What the compiled way leaves to be done by hand is a cookie of AEAD 30 that is good, and nothing else.
    """
    expected, plain = plain_answer(RING, datagram)
    reason, reply = server.answer(datagram)
    assert max(len(reply), len(plain)) <= len(datagram)
    if reason is Reason.BY_HAND:
        request_opened = {Reason.ACCEPTED, Reason.FORGED_REQUEST, Reason.BAD_ENCRYPTED}
        assert expected in request_opened
        assert reply == b""
        return expected
    assert reason is expected
    if reason is Reason.ACCEPTED:
        assert len(reply) == len(plain) > 48
    else:
        assert reply == plain
    return reason


def every_bit_turned(data: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(data)):
        turned = bytearray(data)
        turned[bit // 8] ^= 1 << bit % 8
        yield bytes(turned)


# AES-SIV


@settings(max_examples=300)
@given(st.integers(0, 2**63), st.lists(st.integers(0, 260), max_size=3), st.integers(0, 300))
def test_composed_siv_is_the_librarys(work: CompiledWork, seed: int, lengths: list[int], length: int) -> None:
    data = hashlib.shake_256(seed.to_bytes(8)).digest(2048)
    key, at, strings = data[:32], 32, []
    for each in lengths:
        strings.append(data[at : at + each])
        at += each
    plain = data[at : at + length]
    assert composed_siv(work, key, tuple(strings), plain) == AESSIV(key).encrypt(plain, strings)


@given(st.sampled_from([(1280, 0), (0, 1280), (1264, 1280), (16, 16), (15, 17), (1, 1), (0, 0), (17, 15)]))
def test_composed_siv_at_the_ends(work: CompiledWork, lengths: tuple[int, int]) -> None:
    key, string, plain = made_up(32), made_up(lengths[0]), made_up(lengths[1])
    assert composed_siv(work, key, (string,), plain) == AESSIV(key).encrypt(plain, [string])


# Cookies


@given(st.sampled_from(NUMBERS), st.sampled_from([RING, OLDER]))
def test_cookie_comes_back(number: int, sealing: KeyRing) -> None:
    session = new_session(number)
    cookie = seal_cookie(sealing, number, session.c2s, session.s2c, made_up(16))
    assert len(cookie) == 36 + 2 * aead(number).key_bytes
    assert open_cookie(RING, cookie) == session


@given(st.one_of(st.binary(max_size=120), st.binary(min_size=100, max_size=100), st.binary(min_size=68, max_size=68)))
def test_no_bytes_are_a_cookie(data: bytes) -> None:
    for cookie in (data, RING.current.id.to_bytes(4) + data[4:]):
        with pytest.raises(RefusedRequest):
            open_cookie(RING, cookie)


# Requests


@settings(max_examples=60)
@given(st.sampled_from(CLIENTS), st.integers(0, 9), st.integers(32, 200), st.integers(1, 40))
def test_good_request_gets_its_cookies(
    server: CompiledServer, client: Client, asked: int, uid: int, nonce: int
) -> None:
    who = Client(RING, client.session, made_up(uid))
    number = client.session.aead
    datagram = who.request(asked, nonce=made_up(nonce if number != AES_128_GCM_SIV else 12))
    if len(datagram) > fields.LONGEST_BYTES:
        assert check(server, datagram) is Reason.NOT_A_REQUEST
        return
    assert check(server, datagram) is Reason.ACCEPTED
    replies = [reply for _, reply in (plain_answer(RING, datagram), server.answer(datagram)) if reply]
    assert len(replies) == (1 if number == AES_128_GCM_SIV else 2)
    for reply in replies:
        cookies = open_reply(who.session, who.unique_id, reply).cookies
        assert len(cookies) == min(1 + asked, 8)
        assert len(set(cookies)) == len(cookies)
        assert all(open_cookie(RING, cookie) == who.session for cookie in cookies)
        assert {cookie[:4] for cookie in cookies} == {RING.current.id.to_bytes(4)}


@settings(max_examples=100)
@given(
    st.sampled_from(CLIENTS),
    st.integers(0, 3),
    st.integers(0, 500),
    st.integers(0, 30),
    st.binary(max_size=40),
)
def test_piece_put_in_place_of_another(
    server: CompiledServer, client: Client, asked: int, at: int, cut: int, put: bytes
) -> None:
    good = client.request(asked)
    datagram = good[: at % len(good)] + put + good[at % len(good) + cut :]
    if check(server, datagram) is Reason.ACCEPTED:
        covered = len(good) - (36 if client.session.aead == AES_128_GCM_SIV else 40)
        assert datagram[:covered] == good[:covered]


@pytest.mark.parametrize("client", CLIENTS, ids=NUMBERS)
def test_no_bit_of_a_request_may_be_turned(server: CompiledServer, client: Client) -> None:
    good = client.request()
    for turned in every_bit_turned(good):
        assert check(server, turned) is not Reason.ACCEPTED
    assert check(server, good) is Reason.ACCEPTED


KINDS = st.sampled_from([0x0104, 0x0204, 0x0304, 0x0404, 0xF323, 0x0000])


@st.composite
def rows_of_fields(draw: st.DrawFn) -> tuple[Client, bytes, bytes]:
    """A row of fields of any number and order, and another to encrypt: cookies are good ones or nearly so."""
    client = draw(st.sampled_from(CLIENTS))

    def field(kind: int) -> bytes:
        lengths = {0x0104: (32, 32, 36, 64, 28), 0x0204: (100, 68, 96), 0x0304: (100, 68, 104)}.get(kind, (12, 24, 40))
        length = draw(st.sampled_from(lengths))
        if kind == 0x0204 and draw(st.integers(0, 4)):
            return fields.build_field(kind, client.cookie())
        return fields.build_field(kind, made_up(length))

    usual = [0x0104, 0x0204]
    extra = draw(st.lists(st.sampled_from([0x0304, 0x0304, 0xF323, 0x0204, 0x0104]), max_size=3))
    kinds = draw(st.permutations(usual + extra) if draw(st.integers(0, 4)) else st.lists(KINDS, max_size=6))
    clear = b"".join(field(kind) for kind in kinds)
    hidden = b"".join(field(kind) for kind in draw(st.lists(KINDS, max_size=2)))
    return client, clear, hidden + draw(st.sampled_from([b"", b"", b"", b"\3\4\0\20", made_up(17)]))


@settings(max_examples=200)
@given(
    rows_of_fields(),
    st.sampled_from([16, 12, 1, 24]),
    st.sampled_from([0, 4, 12, 16]),
    st.sampled_from([b"", bytes(28)]),
)
def test_any_row_of_fields(
    server: CompiledServer, made: tuple[Client, bytes, bytes], nonce_length: int, spare: int, behind: bytes
) -> None:
    client, clear, hidden = made
    algorithm = aead(client.session.aead)
    nonce = made_up(nonce_length if client.session.aead != AES_128_GCM_SIV else 12)
    covered = REQUEST_HEADER + clear
    sealed = algorithm.seal(client.session.c2s, nonce, hidden, covered)
    check(server, covered + fields.build_authenticator(nonce, sealed, spare) + behind)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(server: CompiledServer, data: bytes, header: bool) -> None:
    assert check(server, REQUEST_HEADER + data if header else data) is not Reason.ACCEPTED


# Replies


@pytest.mark.parametrize("client", CLIENTS, ids=NUMBERS)
def test_client_takes_no_reply_with_a_bit_turned(client: Client) -> None:
    _, reply = plain_answer(RING, client.request())
    for turned in every_bit_turned(reply):
        with pytest.raises(NTSError):
            open_reply(client.session, client.unique_id, turned)


@given(st.binary(max_size=400), st.booleans())
def test_client_takes_any_bytes_for_nothing(data: bytes, header: bool) -> None:
    client = CLIENTS[0]
    with pytest.raises(NTSError):
        open_reply(client.session, client.unique_id, b"\x24" + data.ljust(47, b"\0") if header else data)


@given(st.sampled_from(CLIENTS))
def test_nak_is_told_apart(client: Client) -> None:
    stranger = Client(KeyRing(new_key(99)), client.session, client.unique_id)
    reason, reply = plain_answer(RING, stranger.request())
    assert reason is Reason.UNKNOWN_KEY
    with pytest.raises(NTSNak):
        open_reply(client.session, client.unique_id, reply)
