"""NTS key establishment without its TLS (RFC 8915 section 4): what a server answers.

The server's side: `answer` judges a whole request and gives the response with whatever cookies it is handed; each
request ends in one `Outcome`. `exporter_context` is what both give to the TLS exporter. No key passes through here. The
client's side is `asking`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from timeball.protocols.nts.aead import AES_128_GCM_SIV, NUMBERS
from timeball.protocols.nts.records import (
    KNOWN,
    NTPV4,
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
END = write_message(())
"""The End of Message, which every message ends in."""
_COOKIE = struct.Struct(">HH")

ERROR_UNKNOWN_CRITICAL = 0
ERROR_BAD_REQUEST = 1
ERROR_INTERNAL = 2


class Outcome(IntEnum):
    """How the server took a request; all but AGREED give no cookies."""

    AGREED = 0
    NO_PROTOCOL = 1
    NO_AEAD = 2
    UNKNOWN_CRITICAL = 3
    BAD_REQUEST = 4


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
