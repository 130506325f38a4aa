"""Keys, cookies, algorithms, and what a client or a server may not be asked to build."""

from __future__ import annotations

import pytest
from nts_packets import REPLY_HEADER, REQUEST_HEADER, Client, made_up, new_key, new_session

from timeball.protocols.nts import fields
from timeball.protocols.nts.aead import NUMBERS, aead
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.cookies import Session, seal_cookie, seal_cookies
from timeball.protocols.nts.errors import (
    AuthenticationFailed,
    BadAuthenticator,
    BadEncrypted,
    KeyRingError,
    NTSError,
    RefusedRequest,
    UnknownAEAD,
)
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import NAKS, Reason
from timeball.protocols.nts.server import build_nak, build_reply, fresh_cookies, open_request

RING = KeyRing(new_key(1))


@pytest.mark.parametrize(("key_id", "key"), [(-1, bytes(32)), (2**32, bytes(32)), (1, bytes(31)), (1, bytes(64))])
def test_no_such_key(key_id: int, key: bytes) -> None:
    with pytest.raises(KeyRingError):
        CookieKey(key_id, key)


def test_no_such_ring() -> None:
    with pytest.raises(KeyRingError, match="twice"):
        KeyRing(new_key(1), (new_key(2), new_key(1)))
    with pytest.raises(KeyRingError, match="room for 8"):
        KeyRing(new_key(0), tuple(new_key(n) for n in range(1, 9)))


def test_ring_finds_its_keys() -> None:
    ring = KeyRing(new_key(0), tuple(new_key(n) for n in range(1, 8)))
    assert [ring.find(key.id) for key in ring] == list(ring)
    assert ring.find(8) is None


@pytest.mark.parametrize("number", [0, 1, 16, 17, 31])
def test_no_such_algorithm(number: int) -> None:
    with pytest.raises(UnknownAEAD, match="served are 15, 30"):
        aead(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_sealed_message_is_opened_with_the_same_and_nothing_else(number: int) -> None:
    algorithm = aead(number)
    key, nonce = made_up(algorithm.key_bytes), made_up(algorithm.nonce_bytes)
    sealed = algorithm.seal(key, nonce, b"plain", b"beside")
    assert len(sealed) == len(b"plain") + 16
    assert algorithm.open(key, nonce, sealed, b"beside") == b"plain"
    for parts in (
        (made_up(len(key)), nonce, sealed, b"beside"),
        (key, made_up(len(nonce)), sealed, b"beside"),
        (key, nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"beside"),
        (key, nonce, sealed[:15], b"beside"),
        (key, nonce, b"", b"beside"),
        (key, nonce, sealed, b"besides"),
    ):
        with pytest.raises(AuthenticationFailed):
            algorithm.open(*parts)


def test_keys_and_nonces_of_wrong_lengths() -> None:
    with pytest.raises(NTSError, match="AEAD 15 has 32"):
        Session(15, bytes(32), bytes(16))
    with pytest.raises(NTSError, match="must have 16"):
        seal_cookie(RING, 15, bytes(32), bytes(32), bytes(12))
    with pytest.raises(UnknownAEAD):
        seal_cookie(RING, 17, bytes(32), bytes(32), bytes(16))


@pytest.mark.parametrize(
    ("unique_id", "nonce", "header"), [(bytes(31), bytes(16), REQUEST_HEADER), (bytes(32), b"", REQUEST_HEADER)]
)
def test_request_that_is_none(unique_id: bytes, nonce: bytes, header: bytes) -> None:
    session = new_session()
    with pytest.raises(NTSError):
        build_request(session, bytes(100), unique_id, 0, nonce, header)
    with pytest.raises(NTSError):
        build_request(session, bytes(100), bytes(32), 0, bytes(16), header[:47])


@pytest.mark.parametrize("number", NUMBERS)
def test_request_is_as_long_as_its_reply(number: int) -> None:
    client = Client(RING, new_session(number))
    for asked in range(8):
        datagram = client.request(asked)
        request = open_request(RING, datagram)
        cookies = fresh_cookies(RING, request, [made_up(16) for _ in range(asked + 1)])
        assert len(build_reply(request, REPLY_HEADER, cookies, made_up(aead(number).nonce_bytes))) == len(datagram)


def test_reply_longer_than_its_request_is_not_built() -> None:
    client = Client(RING)
    request = open_request(RING, client.request())
    with pytest.raises(NTSError, match="longer than its request"):
        build_reply(request, REPLY_HEADER, [client.cookie(), client.cookie()], made_up(16))
    with pytest.raises(NTSError):
        build_reply(request, REPLY_HEADER[:40], [], made_up(16))
    with pytest.raises(NTSError):
        build_reply(request, REPLY_HEADER, [], made_up(12))


def test_cookies_sealed_together_are_those_sealed_one_by_one() -> None:
    session, nonces = new_session(), [made_up(16) for _ in range(5)]
    arguments = (RING, session.aead, session.c2s, session.s2c)
    assert seal_cookies(*arguments, b"".join(nonces)) == [seal_cookie(*arguments, nonce) for nonce in nonces]
    with pytest.raises(NTSError, match="must have 16 each"):
        seal_cookies(*arguments, bytes(17))


def test_as_many_nonces_as_cookies() -> None:
    request = open_request(RING, Client(RING).request(1))
    for nonces in ([], [made_up(16)], [made_up(16)] * 3, [made_up(15), made_up(17)]):
        with pytest.raises(NTSError, match="must be 2 of 16 bytes"):
            fresh_cookies(RING, request, nonces)
    assert len(fresh_cookies(RING, request, [made_up(16), made_up(16)])) == 2


def test_no_nak_to_what_is_no_request() -> None:
    for datagram in (b"", REQUEST_HEADER, REPLY_HEADER + bytes(100), Client(RING).request()[:-4]):
        with pytest.raises(RefusedRequest) as refused:
            build_nak(datagram)
        assert refused.value.reason not in NAKS


def test_every_refusal_has_its_own_reason() -> None:
    reasons = [each.reason for each in RefusedRequest.__subclasses__()]
    assert sorted(reasons) == [reason for reason in Reason if reason not in (Reason.ACCEPTED, Reason.BY_HAND)]


@pytest.mark.parametrize(("plain", "good"), [(b"", True), (bytes(4), False), (made_up(40), False)])
def test_reply_whose_encrypted_part_is_no_row_of_fields(plain: bytes, good: bool) -> None:
    client, nonce = Client(RING), made_up(16)
    covered = REPLY_HEADER + fields.build_field(fields.UNIQUE_ID, client.unique_id)
    sealed = aead(15).seal(client.session.s2c, nonce, plain, covered)
    reply = covered + fields.build_authenticator(nonce, sealed)
    if good:
        assert open_reply(client.session, client.unique_id, reply).cookies == ()
        return
    with pytest.raises(BadEncrypted):
        open_reply(client.session, client.unique_id, reply)


def test_reply_whose_authenticator_is_torn() -> None:
    client = Client(RING)
    covered = REPLY_HEADER + fields.build_field(fields.UNIQUE_ID, client.unique_id)
    for body in (bytes(12), b"\0\20\0\20" + bytes(24), b"\xff\xff\0\20" + bytes(32)):
        with pytest.raises(BadAuthenticator):
            open_reply(client.session, client.unique_id, covered + fields.build_field(fields.AUTHENTICATOR, body))


def test_unique_identifier_of_an_odd_length_is_filled_up_and_known_again() -> None:
    client = Client(RING, unique_id=made_up(33))
    request = open_request(RING, client.request())
    reply = build_reply(request, REPLY_HEADER, [], made_up(16))
    assert open_reply(client.session, client.unique_id, reply).packet == REPLY_HEADER


@pytest.mark.parametrize("length", [0, 8, 11, 65532])
def test_no_such_field(length: int) -> None:
    if length == 11:
        assert len(fields.build_field(0x0104, bytes(length))) == 16
        return
    with pytest.raises(NTSError):
        fields.build_field(0x0104, bytes(length))


def test_errors_say_what_stood_there() -> None:
    with pytest.raises(RefusedRequest, match="NTS cookie key 4242: not held") as refused:
        open_request(RING, Client(KeyRing(new_key(4242))).request())
    assert (refused.value.field, refused.value.text) == ("cookie key", "4242")
