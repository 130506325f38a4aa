"""NTS key establishment without its TLS (RFC 8915 section 4), the client's side: what it asks, and what it takes.

The server's side is `exchange`. The keys are exported from the TLS session elsewhere, and put into the agreement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from timeball.protocols.nts.aead import AES_128_GCM_SIV
from timeball.protocols.nts.exchange import ERROR_BAD_REQUEST, ERROR_INTERNAL, ERROR_UNKNOWN_CRITICAL
from timeball.protocols.nts.records import (
    KNOWN,
    LONGEST_RESPONSE,
    NTPV4,
    ExchangeError,
    MalformedMessage,
    Record,
    RecordType,
    parse_numbers,
    parse_records,
    write_message,
    write_numbers,
)

LONGEST_NAME = 255
ERROR_WORDS = {
    ERROR_UNKNOWN_CRITICAL: "it does not know a critical record",
    ERROR_BAD_REQUEST: "it takes the request for a bad one",
    ERROR_INTERNAL: "it has an error of its own",
}


class ExchangeRefused(ExchangeError):
    """The server sent an error; `code` is its number (RFC 8915 section 4.1.3)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server refused the key exchange: {ERROR_WORDS.get(code, f'error {code}')}")
        self.code = code


class NothingInCommon(ExchangeError):
    """The server speaks no protocol or no AEAD algorithm that was offered."""


class UnusableResponse(ExchangeError):
    """A response that is no good: a record missing, twice, of the wrong form, or critical and unknown."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a client has from an exchange: algorithm, cookies, where NTP is ("" and 0: the same host, port 123).

    `compliant`: the server confirmed that its exporter context names algorithm 30 (chrony's record 1024). The keys are
    empty until they were exported from the TLS session.
    """

    aead: int
    cookies: tuple[bytes, ...] = field(repr=False)
    server: str = ""
    port: int = 0
    compliant: bool = False
    c2s: bytes = field(default=b"", repr=False)
    s2c: bytes = field(default=b"", repr=False)


def build_request(aeads: Sequence[int], server: str = "", port: int = 0) -> bytes:
    """A client's request for NTPv4 with one of `aeads`, the preferred first; `server` and `port` are wishes."""
    records = [
        Record(RecordType.NEXT_PROTOCOL, write_numbers((NTPV4,)), critical=True),
        Record(RecordType.AEAD, write_numbers(tuple(aeads)), critical=True),
    ]
    if AES_128_GCM_SIV in aeads:
        records.append(Record(RecordType.COMPLIANT_EXPORT))
    if server:
        records.append(Record(RecordType.SERVER, server.encode("ascii")))
    if port:
        records.append(Record(RecordType.PORT, write_numbers((port,))))
    return write_message(records)


def parse_response(data: bytes, offered: Sequence[int]) -> Agreement:
    """What the server agreed to. `offered`: the AEAD algorithms of the request.

    Raises MalformedMessage, ExchangeRefused (an error came), NothingInCommon, UnusableResponse. Warnings are none that
    are known, and a critical one stops the exchange (RFC 8915 section 4.1.4).
    """
    if len(data) > LONGEST_RESPONSE:
        raise MalformedMessage(f"a message of more than {LONGEST_RESPONSE} bytes")
    records = parse_records(data)
    _refuse_errors(records)
    if _one(records, RecordType.NEXT_PROTOCOL) != (NTPV4,):
        raise NothingInCommon("the server does not speak NTPv4 over NTS")
    aead = _one(records, RecordType.AEAD)
    if not aead:
        raise NothingInCommon("the server has none of the AEAD algorithms offered")
    if len(aead) != 1 or aead[0] not in offered:
        raise UnusableResponse("the server chose an AEAD algorithm that was not offered")
    cookies = tuple(record.body for record in records if record.kind == RecordType.COOKIE)
    if not cookies or not all(cookies):
        raise UnusableResponse("the server sent no cookies, or an empty one")
    compliant = any(record.kind == RecordType.COMPLIANT_EXPORT for record in records)
    return Agreement(aead[0], cookies, _server(records), _port(records), compliant)


def _refuse_errors(records: Sequence[Record]) -> None:
    for record in records:
        if record.kind == RecordType.ERROR:
            numbers = _response_numbers(record)
            raise ExchangeRefused(numbers[0]) if len(numbers) == 1 else UnusableResponse("an error without its number")
    for record in records:
        if record.critical and (record.kind not in KNOWN or record.kind == RecordType.WARNING):
            raise UnusableResponse(f"the server sent a critical record of type {record.kind}, which is not known here")


def _response_numbers(record: Record) -> tuple[int, ...]:
    try:
        return parse_numbers(record.body)
    except MalformedMessage as error:
        raise UnusableResponse(str(error)) from None


def _one(records: Sequence[Record], kind: RecordType) -> tuple[int, ...]:
    found = [record for record in records if record.kind == kind]
    if len(found) != 1:
        raise UnusableResponse(f"{kind.name} is there {len(found)} times in the response, not once")
    return _response_numbers(found[0])


def _server(records: Sequence[Record]) -> str:
    found = [record.body for record in records if record.kind == RecordType.SERVER]
    if not found:
        return ""
    name = found[0]
    # what stands here is looked up next: an ASCII name or address and nothing else (RFC 8915 section 4.1.7)
    if len(found) > 1 or not 0 < len(name) <= LONGEST_NAME or not all(0x21 <= byte <= 0x7E for byte in name):
        raise UnusableResponse("the server names no NTP server that could be looked up")
    return name.decode("ascii")


def _port(records: Sequence[Record]) -> int:
    found = [record for record in records if record.kind == RecordType.PORT]
    if not found:
        return 0
    numbers = _response_numbers(found[0])
    if len(found) > 1 or len(numbers) != 1 or numbers[0] == 0:
        raise UnusableResponse("the server names no port that could be asked")
    return numbers[0]
