"""Prove the composed AES-SIV before it serves: the RFC's vectors, random cases beside `cryptography`, one exchange.

Run once by each process before its loop, on the libcrypto that it found: a library that behaves otherwise than those
known must not seal anything.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from numpy.typing import NDArray

from timeball.protocols.nts import kernels
from timeball.protocols.nts.aead import AES_SIV_CMAC_256
from timeball.protocols.nts.client import build_request, open_reply
from timeball.protocols.nts.compiled import CompiledRing, CompiledWork
from timeball.protocols.nts.cookies import Session, open_cookie, seal_cookie
from timeball.protocols.nts.errors import NTSError
from timeball.protocols.nts.keyring import CookieKey, KeyRing
from timeball.protocols.nts.reasons import Reason
from timeball.protocols.nts.server import REPLY_BITS, REQUEST_BITS, build_nak
from timeball.protocols.nts.siv import kernels as siv

CASES = 48
COOKIES = 3
# RFC 5297 appendix A.1 and A.2: key, strings, plaintext, tag ‖ ciphertext
RFC_5297 = (
    (
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        ("101112131415161718191a1b1c1d1e1f2021222324252627",),
        "112233445566778899aabbccddee",
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
    ),
    (
        "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
        (
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
            "102030405060708090a0",
            "09f911029d74e35bd84156c5635688c0",
        ),
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c"
        "485b62a3fd5c0d",
    ),
)


class SelfTestFailed(RuntimeError):
    """The composed functions do not give what they must: answer by hand, and tell somebody."""


def composed_siv(work: CompiledWork, key: bytes, strings: tuple[bytes, ...], plain: bytes) -> bytes:
    """Tag ‖ ciphertext of AES-SIV-CMAC-256 through the compiled functions."""
    lengths = np.array([len(string) for string in (*strings, plain)], np.int64)
    secret = _writable(key)
    siv.tag_vector(secret, _writable(b"".join(strings) + plain + b"\0"), lengths, work.address)
    siv.stream_vector(secret, len(plain), work.address)
    work.check()
    memory = work.work.words.view(np.uint8)
    tag = memory[siv.VALUE : siv.VALUE + siv.BLOCK].tobytes()
    stream = memory[siv.STREAM : siv.STREAM + len(plain)].tobytes()
    return tag + bytes(a ^ b for a, b in zip(plain, stream, strict=True))


def self_test(seed: bytes) -> None:
    """Raise SelfTestFailed unless everything compiled gives what it must; `seed` is 32 bytes, random cases come of it.

    Raises LibcryptoFailed where there is none.
    """
    with CompiledWork(seed) as work:
        for key, strings, plain, sealed in RFC_5297:
            parts = tuple(bytes.fromhex(string) for string in strings)
            if composed_siv(work, bytes.fromhex(key), parts, bytes.fromhex(plain)).hex() != sealed:
                raise SelfTestFailed("AES-SIV does not give the vectors of RFC 5297")
        for case in range(CASES):
            _compare(work, hashlib.shake_256(seed + bytes([case])).digest(2048))
        _exchange(work, hashlib.shake_256(seed + b"exchange").digest(512))


def _compare(work: CompiledWork, data: bytes) -> None:
    """One random case: two strings and a plaintext of lengths that are random too."""
    first, second, length = data[0] * 2, data[1] % 40, data[2]
    key, rest = data[3:35], data[35:]
    strings = (rest[:first], rest[first : first + second])
    plain = rest[first + second : first + second + length]
    if composed_siv(work, key, strings, plain) != AESSIV(key).encrypt(plain, list(strings)):
        raise SelfTestFailed(f"AES-SIV differs from the library's at lengths {first}, {second} and {length}")


def _exchange(work: CompiledWork, data: bytes) -> None:
    """A request is accepted and its reply opened; the same request with one bit turned gets a NAK."""
    keys = KeyRing(CookieKey(1, data[:32]))
    session = Session(AES_SIV_CMAC_256, data[32:64], data[64:96])
    cookie = seal_cookie(keys, session.aead, session.c2s, session.s2c, data[96:112])
    unique_id, header = data[112:144], bytes([REQUEST_BITS]) + data[144:191]
    request = build_request(session, cookie, unique_id, COOKIES - 1, data[191:207], header)
    row, reply = _row(request), _row(bytes([REPLY_BITS]))
    with CompiledRing(keys) as ring:
        kernels.adopt_keys(ring.ring, work.work)
        if kernels.verify_request(row, len(request), ring.ring, work.work) != Reason.ACCEPTED:
            raise SelfTestFailed("a good request is not accepted")
        length = kernels.seal_reply(row, reply, ring.ring, work.work)
        try:
            fresh = open_reply(session, unique_id, reply[:length].tobytes()).cookies
            good = [open_cookie(keys, each) for each in fresh] == COOKIES * [session]
        except NTSError as error:
            raise SelfTestFailed(f"a reply that cannot be opened: {error}") from error
        row[1] ^= 1
        if not good or kernels.verify_request(row, len(request), ring.ring, work.work) != Reason.FORGED_REQUEST:
            raise SelfTestFailed("cookies that are not the session's, or a forged request that passes")
        length = kernels.write_nak(row, reply, work.work)
        if reply[:length].tobytes() != build_nak(row[: len(request)].tobytes()):
            raise SelfTestFailed("a NAK of other bytes")


def _writable(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(bytearray(data), np.uint8)


def _row(data: bytes) -> NDArray[np.uint8]:
    row = np.zeros(kernels.LONGEST_BYTES, np.uint8)
    row[: len(data)] = np.frombuffer(data, np.uint8)
    return row
