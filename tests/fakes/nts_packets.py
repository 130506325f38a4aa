"""One server's NTS answers by both ways, and requests to send it: what the tests of the NTS room have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from timeball.protocols.nts import kernels
from timeball.protocols.nts.aead import AES_SIV_CMAC_256, aead
from timeball.protocols.nts.client import build_request
from timeball.protocols.nts.compiled import CompiledRing, CompiledWork
from timeball.protocols.nts.cookies import Session, seal_cookie
from timeball.protocols.nts.errors import RefusedRequest
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import NAKS, Reason
from timeball.protocols.nts.server import build_nak, build_reply, fresh_cookies, open_request

REQUEST_HEADER = bytes.fromhex("23000620") + bytes(36) + bytes.fromhex("e000000123456789")
REPLY_HEADER = bytes.fromhex("240106e8") + bytes(20) + REQUEST_HEADER[40:] + bytes.fromhex("e000000200000000") * 2
_numbers = count()


def made_up(length: int) -> bytes:
    """Bytes that were not given before, the same in every run."""
    return hashlib.shake_256(f"nts {next(_numbers)}".encode()).digest(length)


def new_key(key_id: int) -> CookieKey:
    return CookieKey(key_id, made_up(32))


def new_session(number: int = AES_SIV_CMAC_256) -> Session:
    size = aead(number).key_bytes
    return Session(number, made_up(size), made_up(size))


@dataclass
class Client:
    """A client with its keys and the cookie it will spend."""

    ring: KeyRing
    session: Session = field(default_factory=new_session)
    unique_id: bytes = field(default_factory=lambda: made_up(32))

    def cookie(self) -> bytes:
        return seal_cookie(self.ring, self.session.aead, self.session.c2s, self.session.s2c, made_up(16))

    def request(self, placeholders: int = 0, cookie: bytes | None = None, nonce: bytes | None = None) -> bytes:
        nonce = made_up(aead(self.session.aead).nonce_bytes) if nonce is None else nonce
        return build_request(self.session, cookie or self.cookie(), self.unique_id, placeholders, nonce, REQUEST_HEADER)


def plain_answer(ring: KeyRing, datagram: bytes) -> tuple[Reason, bytes]:
    """Reason and reply of server.py; no bytes where there is no answer."""
    try:
        request = open_request(ring, datagram)
    except RefusedRequest as refused:
        return refused.reason, build_nak(datagram) if refused.reason in NAKS else b""
    cookies = fresh_cookies(ring, request, [made_up(16) for _ in range(request.cookies)])
    reply = build_reply(request, REPLY_HEADER, cookies, made_up(aead(request.session.aead).nonce_bytes))
    return Reason.ACCEPTED, reply


class CompiledServer:
    """The compiled functions as a loop calls them; open as long as the block lasts."""

    def __init__(self, keys: KeyRing) -> None:
        self.ring, self.work = CompiledRing(keys), CompiledWork(made_up(32))

    def __enter__(self) -> CompiledServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.ring.close()
        self.work.close()

    def answer(self, datagram: bytes) -> tuple[Reason, bytes]:
        """Reason and reply; what is by hand has no bytes here."""
        ring, work = self.ring.ring, self.work.work
        row = np.full(2048, 0xAA, np.uint8)
        row[: len(datagram)] = np.frombuffer(datagram, np.uint8)
        reply = np.full(2048, 0xBB, np.uint8)
        reply[: len(REPLY_HEADER)] = np.frombuffer(REPLY_HEADER, np.uint8)
        kernels.adopt_keys(ring, work)
        reason = Reason(kernels.verify_request(row, len(datagram), ring, work))
        length = 0
        if reason is Reason.ACCEPTED:
            length = kernels.seal_reply(row, reply, ring, work)
        elif reason in NAKS:
            length = kernels.write_nak(row, reply, work)
        # not a byte behind what is sent
        assert (reply[max(length, 48) :] == 0xBB).all()
        return reason, reply[:length].tobytes()
