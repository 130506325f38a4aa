"""What the server answers to which request, and what a client makes of which response (RFC 8915 section 4)."""

from __future__ import annotations

import pytest

from timeball.protocols.nts.asking import (
    Agreement,
    ExchangeRefused,
    NothingInCommon,
    UnusableResponse,
    build_request,
    parse_response,
)
from timeball.protocols.nts.exchange import Offer, Outcome, answer, exporter_context, internal_error
from timeball.protocols.nts.records import (
    MalformedMessage,
    Record,
    RecordType,
    parse_records,
    write_message,
    write_numbers,
)

NTP, AEAD_15 = Record(1, b"\0\0", True), Record(4, b"\0\x0f", True)
COOKIE = Record(5, b"c" * 100)
OFFER = Offer()


def outcome(*records: Record, offer: Offer = OFFER) -> Outcome:
    return answer(write_message(records), offer, lambda agreed: [b"c"]).outcome


def errors(response: bytes) -> list[bytes]:
    return [record.body for record in parse_records(response) if record.kind == RecordType.ERROR and record.critical]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((NTP, AEAD_15), Outcome.AGREED),
        ((AEAD_15, NTP), Outcome.AGREED),
        ((NTP, AEAD_15, Record(0x4000, b"??")), Outcome.AGREED),
        ((NTP, AEAD_15, Record(6, b"ntp.example"), Record(7, b"\0\x7b")), Outcome.AGREED),
        ((Record(1, b"\0\1\0\0", True), AEAD_15), Outcome.AGREED),
        ((Record(1, b"\0\1", True),), Outcome.NO_PROTOCOL),
        ((NTP, Record(4, b"\0\1", True)), Outcome.NO_AEAD),
        ((NTP, AEAD_15, Record(0x4000, b"??", True)), Outcome.UNKNOWN_CRITICAL),
        ((Record(0x4000, b"", True),), Outcome.UNKNOWN_CRITICAL),
        ((), Outcome.BAD_REQUEST),
        ((AEAD_15,), Outcome.BAD_REQUEST),
        ((NTP,), Outcome.BAD_REQUEST),
        ((NTP, NTP, AEAD_15), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, AEAD_15), Outcome.BAD_REQUEST),
        ((Record(1, b"", True), AEAD_15), Outcome.BAD_REQUEST),
        ((NTP, Record(4, b"", True)), Outcome.BAD_REQUEST),
        ((NTP, Record(4, b"\0\x0f\0", True)), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, COOKIE), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, Record(2, b"\0\0", True)), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, Record(3, b"\0\0", True)), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, Record(6, b"a"), Record(6, b"b")), Outcome.BAD_REQUEST),
        ((NTP, AEAD_15, Record(7, b"\0\1"), Record(7, b"\0\1")), Outcome.BAD_REQUEST),
    ],
)
def test_each_request_has_one_outcome(records: tuple[Record, ...], expected: Outcome) -> None:
    assert outcome(*records) is expected


def test_errors_carry_the_code_of_the_standard() -> None:
    unknown = answer(write_message([NTP, AEAD_15, Record(99, b"", True)]), OFFER, lambda agreed: [])
    bad = answer(b"\x80\x01\0\2", OFFER, lambda agreed: [])
    assert errors(unknown.response) == [b"\0\0"]
    assert errors(bad.response) == [b"\0\1"]
    assert errors(internal_error()) == [b"\0\2"]


def test_what_is_not_shared_is_answered_with_an_empty_list() -> None:
    none = answer(write_message([Record(1, b"\0\7", True)]), OFFER, lambda agreed: [])
    assert parse_records(none.response) == (Record(1, b"", True),)
    no_aead = answer(write_message([NTP, Record(4, b"\0\1", True)]), OFFER, lambda agreed: [])
    assert parse_records(no_aead.response) == (NTP, Record(4, b"", True))


def test_the_servers_preference_decides() -> None:
    request = build_request((30, 15))
    for aeads in ((15, 30), (30, 15)):
        agreed = answer(request, Offer(aeads), lambda agreed: [b"c"]).agreed
        assert agreed is not None
        assert agreed.aead == aeads[0]


def test_server_and_port_are_named_where_they_differ() -> None:
    def given(offer: Offer) -> Agreement:
        return parse_response(answer(build_request((15,)), offer, lambda agreed: [b"c"]).response, (15,))

    assert given(Offer((15,), "ntp.example", 1123)) == Agreement(15, (b"c",), "ntp.example", 1123)
    assert given(Offer((15,), "", 123)) == Agreement(15, (b"c",))


def test_the_compliant_export_is_confirmed_only_to_who_asked() -> None:
    asked = answer(build_request((30,)), Offer((30,)), lambda agreed: [b"c"])
    silent = answer(write_message([NTP, Record(4, b"\0\x1e", True)]), Offer((30,)), lambda agreed: [b"c"])
    other = answer(build_request((30, 15)), Offer((15,)), lambda agreed: [b"c"])
    assert parse_response(asked.response, (30,)).compliant
    assert not parse_response(silent.response, (30,)).compliant
    assert Record(1024) not in parse_records(other.response)


def test_the_exporters_context() -> None:
    assert exporter_context(15, 0).hex() == "0000000f00"
    assert exporter_context(30, 1).hex() == "0000001e01"


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ((Record(2, b"\0\1", True),), ExchangeRefused),
        ((NTP, AEAD_15, COOKIE, Record(2, b"\0\2")), ExchangeRefused),
        ((Record(2, b"\0", True),), UnusableResponse),
        ((Record(1, b"", True),), NothingInCommon),
        ((NTP, Record(4, b"", True)), NothingInCommon),
        ((NTP, AEAD_15), UnusableResponse),
        ((NTP, AEAD_15, Record(5, b"")), UnusableResponse),
        ((NTP, COOKIE), UnusableResponse),
        ((AEAD_15, COOKIE), UnusableResponse),
        ((NTP, Record(4, b"\0\x0f\0\x1e", True), COOKIE), UnusableResponse),
        ((NTP, Record(4, b"\0\x11", True), COOKIE), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(99, b"", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(3, b"\0\0", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(7, b"\0\0", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(7, b"\0", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(6, b"", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(6, b"a b", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(6, b"a\n", True)), UnusableResponse),
        ((NTP, AEAD_15, COOKIE, Record(6, b"a" * 256, True)), UnusableResponse),
    ],
)
def test_responses_a_client_must_not_take(records: tuple[Record, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_response(write_message(records), (15, 30))


def test_a_refusal_tells_its_code_and_a_key_is_not_shown() -> None:
    with pytest.raises(ExchangeRefused, match="bad one") as refused:
        parse_response(write_message([Record(2, b"\0\1", True)]), (15,))
    assert refused.value.code == 1
    assert "b'" not in repr(Agreement(15, (b"cookie",), c2s=b"key", s2c=b"key"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x80",
        b"\x80\0\0",
        b"\0\0\0\0",
        b"\x80\0\0\1x",
        b"\x80\0\0\0\0",
        b"\x80\1\0\2\0",
        b"\x80\1\xff\xff" + bytes(20),
        write_message([NTP]) + write_message([]),
    ],
)
def test_bytes_that_are_no_message(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_records(message)


def test_a_body_longer_than_a_record_is_not_written() -> None:
    with pytest.raises(MalformedMessage):
        write_message([Record(5, bytes(65536))])
    assert write_numbers(()) == b""
