"""NTS key establishment without its TLS (RFC 8915 section 4): what a server answers, what a client asks and takes.

The server's side: `answer` judges a whole request and gives the response with whatever cookies it is handed; each
request ends in one `Outcome`. The client's side: `build_request`, `parse_response`. `exporter_context` is what both
give to the TLS exporter. Keys are made elsewhere; no key passes through here on the server's side.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from timeball.protocols.nts.aead import AES_128_GCM_SIV, NUMBERS
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

ALPN = b"ntske/1"
EXPORTER_LABEL = b"EXPORTER-network-time-security"
PORT = 4460
NTP_PORT = 123
COOKIES = 8
C2S, S2C = 0, 1
LONGEST_NAME = 255
END = write_message(())
"""The End of Message, which every message ends in."""
_COOKIE = struct.Struct(">HH")

ERROR_UNKNOWN_CRITICAL = 0
ERROR_BAD_REQUEST = 1
ERROR_INTERNAL = 2
ERROR_WORDS = {
    ERROR_UNKNOWN_CRITICAL: "it does not know a critical record",
    ERROR_BAD_REQUEST: "it takes the request for a bad one",
    ERROR_INTERNAL: "it has an error of its own",
}


class Outcome(IntEnum):
    """How the server took a request; all but AGREED give no cookies."""

    AGREED = 0
    NO_PROTOCOL = 1
    NO_AEAD = 2
    UNKNOWN_CRITICAL = 3
    BAD_REQUEST = 4


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
class Offer:
    """What a server has: AEAD algorithms, the preferred first; host and port of its NTP server ("" and 0: not named).

    A port is named when it is not 123; the name must be ASCII, as in the record.
    """

    aeads: tuple[int, ...] = NUMBERS
    server: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Agreed:
    """What server and client have agreed on. `compliant`: the client asked for chrony's record 1024."""

    aead: int
    compliant: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends; `agreed` is None unless the outcome is AGREED."""

    response: bytes
    outcome: Outcome
    agreed: Agreed | None = None


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


def exporter_context(aead: int, direction: int) -> bytes:
    """The context of the TLS exporter for C2S or S2C (RFC 8915 section 5.1): protocol, algorithm, direction."""
    return struct.pack(">HHB", NTPV4, aead, direction)


def answer(request: bytes, offer: Offer, cookies: Callable[[Agreed], Sequence[bytes]]) -> Answer:
    """Answer a whole request; `cookies` is asked once, when both sides agree, and gives what the client gets.

    Never raises for what a client sent: an unknown critical record gives error 0, all else that is wrong error 1.
    """
    judged = judge(request, offer)
    if judged.agreed is None:
        return judged
    handed = b"".join(_COOKIE.pack(RecordType.COOKIE, len(cookie)) + cookie for cookie in cookies(judged.agreed))
    return Answer(judged.response[: -len(END)] + handed + END, judged.outcome, judged.agreed)


@lru_cache(maxsize=256)
def judge(request: bytes, offer: Offer) -> Answer:
    """The answer to a whole request, all but its cookies. Clients of one make send the same bytes: it is remembered."""
    try:
        records = parse_records(request)
        if any(record.critical and record.kind not in KNOWN for record in records):
            return error_answer(Outcome.UNKNOWN_CRITICAL)
        protocols, aeads = _asked(records)
    except MalformedMessage:
        return error_answer(Outcome.BAD_REQUEST)
    if NTPV4 not in protocols:
        return Answer(write_message([_protocols(())]), Outcome.NO_PROTOCOL)
    chosen = next((aead for aead in offer.aeads if aead in aeads), None)
    if chosen is None:
        none = Record(RecordType.AEAD, critical=True)
        return Answer(write_message([_protocols((NTPV4,)), none]), Outcome.NO_AEAD)
    compliant = any(record.kind == RecordType.COMPLIANT_EXPORT for record in records)
    agreed = Agreed(chosen, compliant and chosen == AES_128_GCM_SIV)
    return Answer(write_message(_agreement(agreed, offer)), Outcome.AGREED, agreed)


def error_answer(outcome: Outcome) -> Answer:
    """The answer to a request that was not one: error 0 for an unknown critical record, error 1 for the rest."""
    code = ERROR_UNKNOWN_CRITICAL if outcome is Outcome.UNKNOWN_CRITICAL else ERROR_BAD_REQUEST
    return Answer(_error(code), outcome)


def internal_error() -> bytes:
    """The message that the server cannot answer for a reason of its own."""
    return _error(ERROR_INTERNAL)


def _error(code: int) -> bytes:
    return write_message([Record(RecordType.ERROR, write_numbers((code,)), critical=True)])


def _protocols(numbers: Sequence[int]) -> Record:
    return Record(RecordType.NEXT_PROTOCOL, write_numbers(numbers), critical=True)


def _asked(records: Sequence[Record]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Protocols and algorithms that a request lists. Raises MalformedMessage for one that RFC 8915 does not allow."""
    kinds = [record.kind for record in records]
    if any(kind in kinds for kind in (RecordType.ERROR, RecordType.WARNING, RecordType.COOKIE)):
        raise MalformedMessage("a record that only servers send")
    protocols = _numbers(records, RecordType.NEXT_PROTOCOL)
    if not protocols:
        raise MalformedMessage("no protocol is asked for")
    for kind in (RecordType.SERVER, RecordType.PORT):
        if kinds.count(kind) > 1:
            raise MalformedMessage(f"{kind.name} is there twice")
    if NTPV4 not in protocols:
        return protocols, ()
    aeads = _numbers(records, RecordType.AEAD)
    if not aeads:
        raise MalformedMessage("no AEAD algorithm is offered")
    return protocols, aeads


def _numbers(records: Sequence[Record], kind: RecordType) -> tuple[int, ...]:
    found = [record.body for record in records if record.kind == kind]
    if len(found) != 1:
        raise MalformedMessage(f"{kind.name} is there {len(found)} times, not once")
    return parse_numbers(found[0])


def _agreement(agreed: Agreed, offer: Offer) -> list[Record]:
    records = [_protocols((NTPV4,)), Record(RecordType.AEAD, write_numbers((agreed.aead,)), critical=True)]
    if agreed.compliant:
        records.append(Record(RecordType.COMPLIANT_EXPORT))
    if offer.server:
        records.append(Record(RecordType.SERVER, offer.server.encode("ascii"), critical=True))
    if offer.port not in (0, NTP_PORT):
        records.append(Record(RecordType.PORT, write_numbers((offer.port,)), critical=True))
    return records


def build_request(aeads: Sequence[int], server: str = "", port: int = 0) -> bytes:
    """A client's request for NTPv4 with one of `aeads`, the preferred first; `server` and `port` are wishes."""
    records = [_protocols((NTPV4,)), Record(RecordType.AEAD, write_numbers(tuple(aeads)), critical=True)]
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
