"""Messages of the key exchange as chronyd 4.3 writes them, taken down on loopback: what we write and read is the same.

The request is the client's, the response the server's (its cookies, which are its own matter, stand for eight of the
same length here).
"""

from __future__ import annotations

from timeball.protocols.nts.asking import Agreement, build_request, parse_response
from timeball.protocols.nts.exchange import Offer, answer

REQUEST = bytes.fromhex("80010002000080040002000f80000000")
COOKIES = tuple(bytes([n]) * 100 for n in range(8))
RESPONSE = (
    bytes.fromhex("80010002000080040002000f800700022b74")
    + b"".join(bytes.fromhex("00050064") + cookie for cookie in COOKIES)
    + bytes.fromhex("80000000")
)


def test_our_request_is_chronyds() -> None:
    assert build_request((15,)) == REQUEST


def test_our_response_is_chronyds() -> None:
    given = answer(REQUEST, Offer((15, 30), "", 11124), lambda agreed: COOKIES)
    assert given.response == RESPONSE


def test_chronyds_response_is_read() -> None:
    assert parse_response(RESPONSE, (15,)) == Agreement(15, COOKIES, "", 11124)
