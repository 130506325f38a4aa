"""Attacks on a server and a client of NTS, one a test; those on the server against both of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from nts_packets import (
    REPLY_HEADER,
    REQUEST_HEADER,
    Client,
    CompiledServer,
    made_up,
    new_key,
    new_session,
    plain_answer,
)

from timeball.protocols.nts import fields, kernels
from timeball.protocols.nts.aead import AES_128_GCM_SIV, AES_SIV_CMAC_256, NUMBERS, aead
from timeball.protocols.nts.client import open_reply
from timeball.protocols.nts.cookies import Session, open_cookie
from timeball.protocols.nts.errors import (
    BogusUID,
    ForgedCookie,
    ForgedReply,
    NotAReply,
    NTSNak,
    TruncatedField,
    UnknownKey,
    UnprotectedReply,
)
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import NAKS, Reason

RING = KeyRing(new_key(3), (new_key(2), new_key(1)))
UID_AT, UID_END = 48, 84
Answer = Callable[[bytes], tuple[Reason, bytes]]


@pytest.fixture(params=["plain", "compiled"])
def answer(request: pytest.FixtureRequest) -> Iterator[Answer]:
    if request.param == "plain":
        yield lambda datagram: plain_answer(RING, datagram)
        return
    with CompiledServer(RING) as server:
        yield server.answer


@pytest.fixture
def client() -> Client:
    return Client(RING)


def assemble(client: Client, clear: bytes, nonce: bytes, spare: int = 0, hidden: bytes = b"") -> bytes:
    """A request of any fields, authentic all the same: what an attacker who has been to the key exchange can send."""
    covered = REQUEST_HEADER + clear
    sealed = aead(client.session.aead).seal(client.session.c2s, nonce, hidden, covered)
    return covered + fields.build_authenticator(nonce, sealed, spare)


def identity(client: Client) -> bytes:
    return fields.build_field(fields.UNIQUE_ID, client.unique_id)


def cookie_field(client: Client) -> bytes:
    return fields.build_field(fields.COOKIE, client.cookie())


# Against the server


def test_replayed_request_gets_another_answer_and_leaves_no_state(answer: Answer, client: Client) -> None:
    datagram = client.request(1)
    opened = []
    for _ in range(3):
        reason, reply = answer(datagram)
        assert reason is Reason.ACCEPTED
        opened.append(open_reply(client.session, client.unique_id, reply).cookies)
    assert len({cookie for cookies in opened for cookie in cookies}) == 6


def test_replayed_request_leaves_rings_as_they_were(client: Client) -> None:
    with CompiledServer(RING) as server:
        datagram = client.request()
        server.answer(datagram)
        before = server.ring.ring.words.copy()
        server.answer(datagram)
        after = server.ring.ring.words
        # only the chains of the key's CBC go on, in two words of it
        assert np.count_nonzero(before != after) <= 2


def test_request_cut_anywhere_is_not_answered_with_time(answer: Answer, client: Client) -> None:
    datagram = client.request(1)
    for length in range(len(datagram)):
        reason, reply = answer(datagram[:length])
        assert reason not in (Reason.ACCEPTED, Reason.BY_HAND, *NAKS), length
        assert reply == b""


def test_cut_authenticator_whose_field_ends_with_the_packet(answer: Answer, client: Client) -> None:
    datagram = client.request()
    # 16 bytes of the field are left: its lengths say more
    cut = datagram[:-40] + datagram[-40:-38] + (16).to_bytes(2) + datagram[-36:-24]
    assert answer(cut) == (Reason.BAD_AUTHENTICATOR, b"")


def test_swapped_unique_identifier_gets_a_nak(answer: Answer, client: Client) -> None:
    datagram = client.request()
    other = made_up(32)
    reason, reply = answer(datagram[: UID_AT + 4] + other + datagram[UID_END:])
    assert reason is Reason.FORGED_REQUEST
    assert reply[UID_AT + 4 :] == other
    with pytest.raises(BogusUID):
        open_reply(client.session, client.unique_id, reply)


def test_header_changed_on_the_way_gets_a_nak(answer: Answer, client: Client) -> None:
    datagram = client.request()
    assert answer(datagram[:40] + bytes(8) + datagram[48:])[0] is Reason.FORGED_REQUEST


def test_forged_cookie_gets_a_nak(answer: Answer, client: Client) -> None:
    good = client.cookie()
    for forged in (good[:4] + made_up(96), good[:20] + made_up(80), good[:99] + bytes([good[99] ^ 1])):
        reason, reply = answer(client.request(cookie=forged))
        assert reason is Reason.FORGED_COOKIE
        with pytest.raises(NTSNak):
            open_reply(client.session, client.unique_id, reply)


def test_cookie_of_another_length_gets_a_nak(answer: Answer, client: Client) -> None:
    for length in (12, 64, 96, 104, 172):
        assert (
            answer(client.request(cookie=RING.current.id.to_bytes(4) + made_up(length - 4)))[0] is Reason.FORGED_COOKIE
        )


def test_somebody_elses_cookie_does_not_open_our_request(answer: Answer, client: Client) -> None:
    assert answer(client.request(cookie=Client(RING).cookie()))[0] is Reason.FORGED_REQUEST


def test_cookie_of_an_older_key_is_good_and_its_successor_is_of_the_current(answer: Answer) -> None:
    for older in RING.older:
        client = Client(KeyRing(older))
        reason, reply = answer(client.request())
        assert reason is Reason.ACCEPTED
        (fresh,) = open_reply(client.session, client.unique_id, reply).cookies
        assert open_cookie(KeyRing(RING.current), fresh) == client.session


def test_cookie_of_a_retired_key_gets_a_nak(answer: Answer) -> None:
    retired = Client(KeyRing(new_key(9)))
    reason, reply = answer(retired.request())
    assert reason is Reason.UNKNOWN_KEY
    with pytest.raises(NTSNak):
        open_reply(retired.session, retired.unique_id, reply)


def test_key_id_taken_over_by_another_key_forges_nothing(answer: Answer) -> None:
    stranger = Client(KeyRing(CookieKey(RING.current.id, made_up(32))))
    assert answer(stranger.request())[0] is Reason.FORGED_COOKIE


def test_cookie_of_one_algorithm_does_not_pass_for_the_others(answer: Answer) -> None:
    gcm, siv = Client(RING, new_session(AES_128_GCM_SIV)), Client(RING)
    # the keys of one as the keys of the other, cut to its length
    longer, shorter = gcm.cookie() + bytes(32), siv.cookie()[:68]
    assert answer(siv.request(cookie=longer))[0] is Reason.FORGED_COOKIE
    assert answer(gcm.request(cookie=shorter))[0] is Reason.FORGED_COOKIE


@pytest.mark.parametrize("length", [16, 96, 104, 200])
def test_placeholder_of_another_length_than_the_cookie_asks_for_nothing(
    answer: Answer, client: Client, length: int
) -> None:
    wrong = fields.build_field(fields.COOKIE_PLACEHOLDER, bytes(length))
    right = fields.build_field(fields.COOKIE_PLACEHOLDER, bytes(100))
    datagram = assemble(client, identity(client) + cookie_field(client) + wrong + right + wrong, made_up(16))
    reason, reply = answer(datagram)
    assert reason is Reason.ACCEPTED
    assert len(open_reply(client.session, client.unique_id, reply).cookies) == 2


def test_encrypted_placeholders_count_and_pay(answer: Answer, client: Client) -> None:
    hidden = 3 * fields.build_field(fields.COOKIE_PLACEHOLDER, bytes(100))
    datagram = assemble(client, identity(client) + cookie_field(client), made_up(16), hidden=hidden)
    reason, reply = answer(datagram)
    assert reason is Reason.ACCEPTED
    assert len(open_reply(client.session, client.unique_id, reply).cookies) == 4
    assert len(reply) <= len(datagram)


@pytest.mark.parametrize("kind", [fields.UNIQUE_ID, fields.COOKIE, fields.AUTHENTICATOR])
def test_encrypted_field_that_must_stand_in_clear(answer: Answer, client: Client, kind: int) -> None:
    clear = identity(client) + cookie_field(client)
    hidden = fields.build_field(kind, made_up(100))
    assert answer(assemble(client, clear, made_up(16), hidden=hidden)) == (Reason.BAD_ENCRYPTED, b"")


@pytest.mark.parametrize("hidden", [bytes(4), b"\3\4\0\14" + bytes(8), b"\3\4\0\24" + bytes(12), made_up(50)])
def test_encrypted_rubbish(answer: Answer, client: Client, hidden: bytes) -> None:
    clear = identity(client) + cookie_field(client)
    assert answer(assemble(client, clear, made_up(16), hidden=hidden)) == (Reason.BAD_ENCRYPTED, b"")


def test_no_amplification(answer: Answer, client: Client) -> None:
    shortest = assemble(client, identity(client) + cookie_field(client), made_up(1), spare=12)
    for datagram in (shortest, client.request(7), client.request(9), client.request(nonce=made_up(300))):
        reason, reply = answer(datagram)
        assert reason is Reason.ACCEPTED
        assert 48 < len(reply) <= len(datagram)
    nak = client.request(cookie=made_up(12))
    assert len(answer(nak)[1]) < len(nak)


def test_more_than_eight_cookies_are_not_to_be_had(answer: Answer, client: Client) -> None:
    _, reply = answer(client.request(9))
    assert len(open_reply(client.session, client.unique_id, reply).cookies) == 8


@pytest.mark.parametrize(("length", "spare"), [(1, 0), (1, 8), (12, 0), (8, 4)])
def test_nonce_too_short_for_ours_without_padding(answer: Answer, client: Client, length: int, spare: int) -> None:
    clear = identity(client) + cookie_field(client)
    assert answer(assemble(client, clear, made_up(length), spare)) == (Reason.BAD_AUTHENTICATOR, b"")


@pytest.mark.parametrize(("length", "spare"), [(1, 12), (12, 4), (13, 0), (16, 0), (17, 0)])
def test_short_nonce_with_its_padding(answer: Answer, client: Client, length: int, spare: int) -> None:
    clear = identity(client) + cookie_field(client)
    assert answer(assemble(client, clear, made_up(length), spare))[0] is Reason.ACCEPTED


def test_no_nonce(answer: Answer, client: Client) -> None:
    covered = REQUEST_HEADER + identity(client) + cookie_field(client)
    datagram = covered + fields.build_authenticator(b"", made_up(16), 16)
    assert answer(datagram) == (Reason.BAD_AUTHENTICATOR, b"")


def test_unknown_cookie_with_a_short_nonce_gets_a_nak_all_the_same(answer: Answer, client: Client) -> None:
    # its algorithm may be one that takes 12 bytes, and whoever holds it must hear that it is good for nothing
    clear = identity(client) + fields.build_field(fields.COOKIE, made_up(64))
    assert answer(assemble(client, clear, made_up(12)))[0] is Reason.FORGED_COOKIE


def test_nonce_of_another_length_than_gcm_siv_has(answer: Answer) -> None:
    client = Client(RING, new_session(AES_128_GCM_SIV))
    good = client.request()
    at = len(good) - 36
    for length in (11, 13, 16):
        body = good[at + 8 : at + 20] + bytes(length - 12) if length > 12 else good[at + 8 : at + 8 + length]
        assert answer(good[:at] + fields.build_authenticator(body, good[-16:]))[0] is Reason.BAD_AUTHENTICATOR


def test_ciphertext_shorter_than_a_tag(answer: Answer, client: Client) -> None:
    good = client.request()
    for length in (0, 4, 12, 15):
        datagram = good[:-40] + fields.build_authenticator(made_up(16), bytes(length), 16)
        assert answer(datagram) == (Reason.BAD_AUTHENTICATOR, b"")


@pytest.mark.parametrize("nonce_length", [0xFFFF, 0xFFFC, 0x8000, 36])
def test_lengths_that_reach_past_the_end(answer: Answer, client: Client, nonce_length: int) -> None:
    good = client.request()
    datagram = good[:-36] + nonce_length.to_bytes(2) + good[-34:]
    assert answer(datagram) == (Reason.BAD_AUTHENTICATOR, b"")
    datagram = good[:-34] + nonce_length.to_bytes(2) + good[-32:]
    assert answer(datagram) == (Reason.BAD_AUTHENTICATOR, b"")


def test_field_behind_the_authenticator(answer: Answer, client: Client) -> None:
    for behind in (fields.build_field(0xF323, bytes(24)), bytes(20), client.request()[-40:]):
        assert answer(client.request() + behind) == (Reason.NO_AUTHENTICATOR, b"")


def test_two_unique_identifiers_two_cookies(answer: Answer, client: Client) -> None:
    one, other = identity(client), cookie_field(client)
    assert answer(assemble(client, one + one + other, made_up(16))) == (Reason.NO_UNIQUE_ID, b"")
    assert answer(assemble(client, one + other + other, made_up(16))) == (Reason.NO_COOKIE, b"")


def test_short_unique_identifier(answer: Answer, client: Client) -> None:
    short = fields.build_field(fields.UNIQUE_ID, made_up(28))
    assert answer(assemble(client, short + cookie_field(client), made_up(16))) == (Reason.NO_UNIQUE_ID, b"")


def test_fields_missing(answer: Answer, client: Client) -> None:
    one, other = identity(client), cookie_field(client)
    assert answer(assemble(client, other, made_up(16))) == (Reason.NO_UNIQUE_ID, b"")
    assert answer(assemble(client, one, made_up(16))) == (Reason.NO_COOKIE, b"")
    assert answer(REQUEST_HEADER + one + other) == (Reason.NO_AUTHENTICATOR, b"")


def test_unknown_fields_are_passed_over_but_covered(answer: Answer, client: Client) -> None:
    other = fields.build_field(0xF323, made_up(24))
    datagram = assemble(client, other + identity(client) + other + cookie_field(client) + other, made_up(16))
    assert answer(datagram)[0] is Reason.ACCEPTED
    assert answer(datagram.replace(other, fields.build_field(0xF323, made_up(24)), 1))[0] is Reason.FORGED_REQUEST


def test_our_own_reply_sent_back_to_us(answer: Answer, client: Client) -> None:
    _, reply = answer(client.request())
    assert answer(reply) == (Reason.NOT_A_REQUEST, b"")
    assert answer(b"\x23" + reply[1:]) == (Reason.NO_COOKIE, b"")


@pytest.mark.parametrize("first", [0x1B, 0x13, 0x0B, 0x2B, 0x24, 0x21, 0x26])
def test_other_version_or_mode(answer: Answer, client: Client, first: int) -> None:
    assert answer(bytes([first]) + client.request()[1:]) == (Reason.NOT_A_REQUEST, b"")


def test_request_longer_than_any(answer: Answer, client: Client) -> None:
    filling = fields.build_field(0xF323, bytes(1100))
    datagram = assemble(client, filling + identity(client) + cookie_field(client), made_up(16))
    assert answer(datagram) == (Reason.NOT_A_REQUEST, b"")


# Against the client


@pytest.fixture(params=NUMBERS)
def victim(request: pytest.FixtureRequest) -> Client:
    return Client(RING, new_session(request.param))


def test_reply_to_another_request(victim: Client) -> None:
    other = Client(RING, victim.session)
    with pytest.raises(BogusUID):
        open_reply(victim.session, victim.unique_id, plain_answer(RING, other.request())[1])


def test_reply_of_somebody_without_the_keys(victim: Client) -> None:
    impostor = Client(RING, new_session(victim.session.aead), victim.unique_id)
    with pytest.raises(ForgedReply):
        open_reply(victim.session, victim.unique_id, plain_answer(RING, impostor.request())[1])


def test_request_sent_back_as_a_reply(victim: Client) -> None:
    datagram = victim.request()
    with pytest.raises(NotAReply):
        open_reply(victim.session, victim.unique_id, datagram)
    with pytest.raises(ForgedReply):
        # authentic under c2s, which is no key of replies
        open_reply(victim.session, victim.unique_id, b"\x24" + datagram[1:])


def test_unprotected_reply_that_knows_the_unique_identifier(victim: Client) -> None:
    with pytest.raises(UnprotectedReply):
        open_reply(victim.session, victim.unique_id, REPLY_HEADER + identity(victim))


@pytest.mark.parametrize("code", [b"RATE", b"DENY", b"INIT"])
def test_other_kisses_are_no_nak(victim: Client, code: bytes) -> None:
    kiss = b"\xe4\0" + bytes(10) + code + bytes(32) + identity(victim)
    with pytest.raises(UnprotectedReply):
        open_reply(victim.session, victim.unique_id, kiss)


def test_nak_without_our_unique_identifier(victim: Client) -> None:
    _, nak = plain_answer(RING, victim.request(cookie=made_up(12)))
    with pytest.raises(NTSNak):
        open_reply(victim.session, victim.unique_id, nak)
    with pytest.raises(BogusUID):
        open_reply(victim.session, victim.unique_id, nak[:48])


def test_cookies_in_clear_are_not_taken(victim: Client) -> None:
    algorithm, planted = aead(victim.session.aead), fields.build_field(fields.COOKIE, made_up(100))
    covered = REPLY_HEADER + identity(victim) + planted
    nonce = made_up(algorithm.nonce_bytes)
    sealed = algorithm.seal(victim.session.s2c, nonce, b"", covered)
    reply = covered + fields.build_authenticator(nonce, sealed)
    assert open_reply(victim.session, victim.unique_id, reply + planted).cookies == ()


def test_reply_cut_anywhere(victim: Client) -> None:
    _, reply = plain_answer(RING, victim.request())
    for length in range(len(reply)):
        with pytest.raises((NotAReply, BogusUID, TruncatedField, UnprotectedReply)):
            open_reply(victim.session, victim.unique_id, reply[:length])


def test_nonce_that_the_algorithm_does_not_take() -> None:
    client = Client(RING, new_session(AES_128_GCM_SIV))
    reply = REPLY_HEADER + identity(client) + fields.build_authenticator(made_up(16), made_up(32))
    with pytest.raises(ForgedReply):
        open_reply(client.session, client.unique_id, reply)


# Against the cookies


def test_cookie_says_nothing_of_its_keys() -> None:
    session = Session(AES_SIV_CMAC_256, bytes(32), bytes(32))
    one, other = Client(RING, session).cookie(), Client(RING, session).cookie()
    assert one[:4] == other[:4]
    blocks = [cookie[at : at + 16] for cookie in (one, other) for at in range(4, 100, 16)]
    assert len(set(blocks)) == 12


def test_keys_are_not_shown() -> None:
    key, session = new_key(5), new_session()
    shown = f"{key!r} {KeyRing(key)!r} {session!r}"
    assert key.key.hex() not in shown
    assert repr(key.key) not in shown
    assert repr(session.c2s) not in shown
    assert repr(session.s2c) not in shown


def test_open_cookie_tells_unknown_from_forged() -> None:
    cookie = Client(KeyRing(new_key(77))).cookie()
    with pytest.raises(UnknownKey):
        open_cookie(RING, cookie)
    with pytest.raises(ForgedCookie):
        open_cookie(RING, RING.current.id.to_bytes(4) + cookie[4:])


def test_compiled_reasons_have_the_same_numbers() -> None:
    assert [getattr(kernels, reason.name) for reason in Reason] == list(Reason)
