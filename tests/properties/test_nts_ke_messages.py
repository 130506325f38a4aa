"""Messages of the key exchange for all inputs: round trips, any cut of the stream, and nothing but typed errors."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.protocols.nts.asking import build_request, parse_response
from timeball.protocols.nts.exchange import Offer, Outcome, answer
from timeball.protocols.nts.records import (
    LONGEST_REQUEST,
    ExchangeError,
    MalformedMessage,
    MessageReader,
    Record,
    RecordType,
    parse_numbers,
    parse_records,
    write_message,
    write_numbers,
)

KINDS = st.one_of(st.sampled_from([int(kind) for kind in RecordType]), st.integers(0, 0x7FFF)).filter(bool)
RECORDS = st.lists(st.builds(Record, KINDS, st.binary(max_size=40), st.booleans()), max_size=12)
COOKIES = [bytes([n]) * 100 for n in range(8)]
OFFER = Offer((15, 30), "ntp.example", 11123)


@settings(max_examples=40)
@given(RECORDS)
def test_written_and_parsed_records_are_the_same(records: list[Record]) -> None:
    assert list(parse_records(write_message(records))) == records


@settings(max_examples=40)
@given(st.lists(st.integers(0, 0xFFFF), max_size=20))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert list(parse_numbers(write_numbers(numbers))) == numbers


@settings(max_examples=40)
@given(RECORDS, st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_a_message_is_whole_at_its_last_byte_however_it_is_cut(records: list[Record], sizes: list[int]) -> None:
    message, reader, at = write_message(records), MessageReader(LONGEST_REQUEST), 0
    while at < len(message):
        size = sizes[at % len(sizes)]
        piece = message[at : at + size]
        at += len(piece)
        assert reader.feed(piece) == (at == len(message))
    assert bytes(reader.data) == message
    with pytest.raises(MalformedMessage):
        reader.feed(b"\0")


@settings(max_examples=40)
@given(st.binary(max_size=80), st.integers(1, 9))
def test_what_the_reader_takes_for_whole_ends_where_the_parser_says(data: bytes, size: int) -> None:
    reader = MessageReader(60)
    try:
        whole = any(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
        parse_records(bytes(reader.data))
    except MalformedMessage:
        return
    assert whole
    assert len(reader.data) <= 60


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=120), RECORDS.map(write_message)))
def test_the_server_answers_anything_and_gives_cookies_only_when_it_agrees(request: bytes) -> None:
    asked: list[int] = []

    def cookies(agreed: object) -> list[bytes]:
        asked.append(1)
        return COOKIES

    given_ = answer(request, OFFER, cookies)
    records = parse_records(given_.response)
    assert bool(asked) == (given_.outcome is Outcome.AGREED) == (given_.agreed is not None)
    assert any(record.kind == RecordType.COOKIE for record in records) == bool(asked)
    assert any(record.kind == RecordType.ERROR for record in records) == (
        given_.outcome in (Outcome.BAD_REQUEST, Outcome.UNKNOWN_CRITICAL)
    )


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=120), RECORDS.map(write_message)))
def test_the_client_takes_a_response_or_raises_a_typed_error(response: bytes) -> None:
    try:
        agreement = parse_response(response, (15,))
    except ExchangeError:
        return
    assert agreement.aead == 15
    assert all(agreement.cookies)
    assert 0 <= agreement.port <= 0xFFFF


@settings(max_examples=40)
@given(st.data(), st.lists(st.sampled_from([15, 30, 1, 77]), min_size=1, max_size=4, unique=True))
def test_both_sides_agree_on_what_both_have(data: st.DataObject, aeads: list[int]) -> None:
    offer = Offer(tuple(data.draw(st.permutations([15, 30]))), "", 0)
    given_ = answer(build_request(aeads), offer, lambda agreed: COOKIES)
    common = [number for number in offer.aeads if number in aeads]
    if not common:
        assert given_.outcome is Outcome.NO_AEAD
        return
    agreement = parse_response(given_.response, aeads)
    assert agreement.aead == common[0]
    assert agreement.compliant == (common[0] == 30)
    assert list(agreement.cookies) == COOKIES
