"""AES-SIV and CMAC through the composed code against the RFCs' vectors, and NTS packets that chronyd wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from nts_packets import CompiledServer, made_up

from timeball.protocols.nts.aead import aead
from timeball.protocols.nts.client import open_reply
from timeball.protocols.nts.compiled import CompiledWork
from timeball.protocols.nts.cookies import open_cookie, seal_cookie
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import Reason
from timeball.protocols.nts.selftest import RFC_5297, composed_siv, self_test
from timeball.protocols.nts.server import build_nak, open_request
from timeball.protocols.nts.siv import kernels as siv

CHRONYD = json.loads((Path(__file__).parent / "nts-chronyd-4.3" / "exchange.json").read_text())
EXCHANGES = [(bytes.fromhex(each["request"]), bytes.fromhex(each["reply"])) for each in CHRONYD["exchanges"]]


@pytest.fixture(scope="module")
def work() -> Iterator[CompiledWork]:
    with CompiledWork(made_up(32)) as work:
        yield work


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    keys = {each["id"]: CookieKey(int(each["id"], 16), bytes.fromhex(each["key"])) for each in CHRONYD["keys"]}
    return KeyRing(keys.pop(CHRONYD["current"]), tuple(keys.values()))


# RFC 5297 appendix A


@pytest.mark.parametrize(("key", "strings", "plain", "sealed"), RFC_5297, ids=["A.1", "A.2"])
def test_composed_siv(work: CompiledWork, key: str, strings: tuple[str, ...], plain: str, sealed: str) -> None:
    parts = tuple(bytes.fromhex(string) for string in strings)
    assert composed_siv(work, bytes.fromhex(key), parts, bytes.fromhex(plain)).hex() == sealed


def test_subkeys_of_appendix_a_1(work: CompiledWork) -> None:
    secret = np.frombuffer(bytearray.fromhex(RFC_5297[0][0]), np.uint8)
    siv.tag_vector(secret, np.zeros(1, np.uint8), np.zeros(1, np.int64), work.address)
    state = work.work.words.view(np.uint8)[siv.CLIENT :].tobytes()
    # CMAC(zero) is 0e04dfafc1efbf040140582859bf073a, and this is its double
    assert state[siv.START :][:16].hex() == "1c09bf5f83df7e080280b050b37e0e74"


# RFC 8452 appendix C.1, a message of 8 bytes with none beside it: the number 30 is the algorithm meant


def test_gcm_siv() -> None:
    key, nonce = bytes.fromhex("01" + 15 * "00"), bytes.fromhex("03" + 11 * "00")
    sealed = aead(30).seal(key, nonce, bytes.fromhex("0100000000000000"), b"")
    assert sealed.hex() == "b5d839330ac7b786578782fff6013b815b287c22493a364c"
    assert aead(30).open(key, nonce, sealed, b"") == bytes.fromhex("0100000000000000")


# RFC 4493 section 4

CMAC_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
MESSAGE = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "tag"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_cmac(work: CompiledWork, length: int, tag: str) -> None:
    memory = work.work.words.view(np.uint8)
    key = work.address + siv.CLIENT
    secret = np.frombuffer(bytes.fromhex(CMAC_KEY), np.uint8)
    siv.start_mac(key, work.address, secret.ctypes.data)
    # three times: the chain of the CBC goes on, the tag must not
    for _ in range(3):
        memory[siv.BUFFER : siv.BUFFER + length] = np.frombuffer(bytes.fromhex(MESSAGE)[:length], np.uint8)
        siv.mac(key, work.address, length)
        assert memory[siv.CLIENT + siv.CHAIN :][:16].tobytes().hex() == tag


@pytest.mark.parametrize(
    ("at", "value"),
    [(siv.FIRST_SUBKEY, "fbeed618357133667c85e08f7236a8de"), (siv.SECOND_SUBKEY, "f7ddac306ae266ccf90bc11ee46d513b")],
)
def test_subkeys_of_cmac(work: CompiledWork, at: int, value: str) -> None:
    secret = np.frombuffer(bytes.fromhex(CMAC_KEY), np.uint8)
    siv.start_mac(work.address + siv.CLIENT, work.address, secret.ctypes.data)
    assert work.work.words.view(np.uint8)[siv.CLIENT + at :][:16].tobytes().hex() == value


# chronyd 4.3


@pytest.mark.parametrize(("request_", "reply"), EXCHANGES)
def test_request_and_reply_of_chronyd_are_opened(ring: KeyRing, request_: bytes, reply: bytes) -> None:
    request = open_request(ring, request_)
    opened = open_reply(request.session, request.unique_id, reply)
    assert opened.packet == reply[:48]
    assert len(opened.cookies) == request.cookies
    assert {open_cookie(ring, cookie) == request.session for cookie in opened.cookies} == {True}


def test_chronyd_asks_for_what_it_lost(ring: KeyRing) -> None:
    assert [open_request(ring, request).cookies for request, _ in EXCHANGES] == [1, 2, 3]


@pytest.mark.parametrize(("request_", "reply"), EXCHANGES)
def test_cookies_of_chronyd_are_the_same_bytes_as_ours(ring: KeyRing, request_: bytes, reply: bytes) -> None:
    request = open_request(ring, request_)
    session = request.session
    for cookie in open_reply(session, request.unique_id, reply).cookies:
        assert seal_cookie(ring, session.aead, session.c2s, session.s2c, cookie[4:20]) == cookie


def test_compiled_server_answers_chronyd_as_chronyd_did(ring: KeyRing) -> None:
    with CompiledServer(ring) as server:
        for sent, theirs in EXCHANGES:
            reason, ours = server.answer(sent)
            assert reason is Reason.ACCEPTED
            assert len(ours) == len(theirs) == len(sent)
            asked = open_request(ring, sent)
            assert len(open_reply(asked.session, asked.unique_id, ours).cookies) == asked.cookies
            # header apart: the same fields of the same lengths, unique identifier in clear, then the authenticator
            assert ours[48:88] == theirs[48:88]


def test_nak_byte_by_byte() -> None:
    sent = EXCHANGES[0][0]
    unique_id = sent[48:84]
    poll, stamp = sent[2:3].hex(), sent[40:48].hex()
    expected = "e400" + poll + 9 * "00" + b"NTSN".hex() + 8 * "00" + 3 * stamp + unique_id.hex()
    assert build_nak(sent).hex() == expected


def test_self_test_passes_here() -> None:
    self_test(made_up(32))
