"""Fuzz target: any bytes as a request and as a response of the NTS key exchange. Only typed errors may escape."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.protocols.nts.asking import build_request, parse_response
from timeball.protocols.nts.exchange import Offer, Outcome, answer
from timeball.protocols.nts.records import (
    LONGEST_REQUEST,
    ExchangeError,
    MalformedMessage,
    MessageReader,
    parse_records,
    write_message,
)

OFFER = Offer((15, 30), "ntp.example", 11123)
COOKIES = [bytes([number]) * 100 for number in range(8)]


def seeds() -> Iterable[bytes]:
    """A request, and the answers to some."""
    yield build_request((15, 30), "ntp.example", 123)
    for request in (build_request((15,)), build_request((30,)), build_request((1,)), b""):
        yield answer(request, OFFER, lambda _agreed: COOKIES).response


def target(data: bytes) -> None:
    """Read it in pieces and whole, answer it, take it for a response; what is parsed is written back the same."""
    _read(data)
    given = answer(data, OFFER, lambda _agreed: COOKIES)
    assert (given.outcome is Outcome.AGREED) == (given.agreed is not None)
    assert parse_records(given.response)
    try:
        assert write_message(parse_records(data)) == data
    except MalformedMessage:
        assert given.outcome is Outcome.BAD_REQUEST
    try:
        agreement = parse_response(data, (15, 30))
    except ExchangeError:
        return
    assert agreement.aead in (15, 30)
    assert agreement.cookies
    assert agreement.server.isascii()


def _read(data: bytes) -> None:
    """However it is cut, the reader ends where the parser does."""
    pieces = MessageReader(LONGEST_REQUEST)
    try:
        whole = [pieces.feed(data[at : at + 7]) for at in range(0, len(data), 7)]
        records = parse_records(bytes(pieces.data))
    except MalformedMessage:
        return
    assert whole[-1]
    assert not any(whole[:-1])
    assert write_message(records) == data
