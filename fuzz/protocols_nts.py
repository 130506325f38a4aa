"""Fuzz target: any bytes as an NTS request, as its fields under a good authenticator, as a cookie and as a reply.

The compiled server and the plain one say the same of every request; only typed errors may escape.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from timeball.protocols.nts import fields, kernels
from timeball.protocols.nts.aead import AES_128_GCM_SIV, NUMBERS, aead
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.compiled import CompiledRing, CompiledWork
from timeball.protocols.nts.cookies import Session, open_cookie, seal_cookie
from timeball.protocols.nts.errors import NTSError, RefusedRequest
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import NAKS, Reason
from timeball.protocols.nts.server import build_nak, build_reply, fresh_cookies, open_request

KEYS = KeyRing(CookieKey(1, bytes(range(32))), (CookieKey(0, bytes(range(32, 64))),))
RING, WORK = CompiledRing(KEYS), CompiledWork(bytes(range(64, 96)))
UNIQUE_ID, HEADER = bytes(range(32)), b"\x23" + bytes(range(47))
SESSIONS = [Session(number, *2 * (bytes(range(aead(number).key_bytes)),)) for number in NUMBERS]
COOKIES = [seal_cookie(KEYS, each.aead, each.c2s, each.s2c, bytes(16)) for each in SESSIONS]
ROW, REPLY = np.zeros(4096, np.uint8), np.zeros(4096, np.uint8)
kernels.adopt_keys(RING.ring, WORK.work)


def seeds() -> Iterable[bytes]:
    """Good requests of both algorithms, and the same without their authenticator, for which one is made."""
    for session, cookie in zip(SESSIONS, COOKIES, strict=True):
        nonce = bytes(aead(session.aead).nonce_bytes)
        good = build_request(session, cookie, UNIQUE_ID, 1, nonce, HEADER)
        yield b"\0" + good
        yield bytes([1 + NUMBERS.index(session.aead)]) + good[48 : -24 - len(nonce)]


def target(data: bytes) -> None:
    """By the first byte: the rest is a datagram, or fields that a client of the first or second algorithm sends."""
    kind, rest = data[:1], data[1:]
    if kind in (b"\1", b"\2"):
        session = SESSIONS[kind[0] - 1]
        nonce = bytes(aead(session.aead).nonce_bytes)
        # what stands behind the last 0xff byte is encrypted
        clear, _, hidden = rest.rpartition(b"\xff") if b"\xff" in rest else (rest, b"", b"")
        covered = HEADER + clear[:2000]
        sealed = aead(session.aead).seal(session.c2s, nonce, hidden[:2000], covered)
        rest = covered + fields.build_authenticator(nonce, sealed)
    _compare(rest[: ROW.size])
    with suppress(RefusedRequest):
        open_cookie(KEYS, rest)
    for session in SESSIONS:
        with suppress(NTSError):
            open_reply(session, UNIQUE_ID, rest)


def _compare(datagram: bytes) -> None:
    expected, longest = _plain(datagram)
    ROW[: len(datagram)] = np.frombuffer(datagram, np.uint8)
    reason = kernels.verify_request(ROW, len(datagram), RING.ring, WORK.work)
    if reason == Reason.BY_HAND:
        assert open_request_session(datagram) == AES_128_GCM_SIV
        return
    assert reason == expected
    if reason == Reason.ACCEPTED:
        assert kernels.seal_reply(ROW, REPLY, RING.ring, WORK.work) == longest <= len(datagram)
    elif reason in NAKS:
        length = kernels.write_nak(ROW, REPLY, WORK.work)
        assert REPLY[:length].tobytes() == build_nak(datagram)
        assert length < len(datagram)


def open_request_session(datagram: bytes) -> int:
    """The algorithm of the cookie in a request that was well formed."""
    found = [field.body for field in fields.parse_fields(datagram, fields.PACKET_BYTES) if field.kind == fields.COOKIE]
    return open_cookie(KEYS, found[0]).aead


def _plain(datagram: bytes) -> tuple[Reason, int]:
    """Reason and length of the reply of the plain server."""
    try:
        request = open_request(KEYS, datagram)
    except RefusedRequest as refused:
        return refused.reason, 0
    cookies = fresh_cookies(KEYS, request, request.cookies * [bytes(16)])
    return Reason.ACCEPTED, len(build_reply(request, HEADER, cookies, bytes(aead(request.session.aead).nonce_bytes)))
