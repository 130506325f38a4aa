"""The few ASN.1 DER forms of a time-stamp response (RFC 3161) that are read here; strictly, and nothing written.

It verifies no signature. genTime is read with its fraction of a second, which libraries drop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

SEQUENCE, INTEGER, OCTET_STRING, OID, GENERALIZED_TIME, EXPLICIT_0 = 0x30, 0x02, 0x04, 0x06, 0x18, 0xA0
SHA256 = bytes.fromhex("608648016503040201")  # 2.16.840.1.101.3.4.2.1
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
TST_INFO = bytes.fromhex("2a864886f70d0109100104")  # 1.2.840.113549.1.9.16.1.4
_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z")


class DERError(ValueError):
    """Bytes that are not the DER that was expected."""


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """TSTInfo: the digest that was stamped, when (UTC, POSIX ns), the serial number and the nonce if there is one."""

    algorithm: bytes
    digest: bytes
    posix_ns: int
    serial: int
    nonce: int | None

    @property
    def utc(self) -> str:
        """genTime as text, to the µs."""
        seconds, rest = divmod(self.posix_ns, 10**9)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


class Reader:
    """Reads one value after the other from the contents of a constructed one."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def more(self) -> bool:
        """Whether anything follows."""
        return self.at < len(self.data)

    def peek(self) -> int:
        """The tag of the next value, −1 at the end."""
        return self.data[self.at] if self.more() else -1

    def take(self, tag: int) -> bytes:
        """Contents of the next value, which must have this tag; raises `DERError`."""
        if self.peek() != tag:
            raise DERError(f"tag {self.peek():#x} at byte {self.at}, expected {tag:#x}")
        return self.any()[1]

    def any(self) -> tuple[int, bytes]:
        """Tag and contents of the next value; raises `DERError`."""
        head = self.data[self.at : self.at + 6]
        if len(head) < 2:
            raise DERError(f"nothing at byte {self.at}")
        size, length = 2, head[1]
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or len(head) < 2 + count:
                raise DERError(f"length at byte {self.at + 1}")
            size, length = 2 + count, int.from_bytes(head[2 : 2 + count])
        start, end = self.at + size, self.at + size + length
        if end > len(self.data):
            raise DERError(f"the value at byte {self.at} is cut short")
        self.at = end
        return head[0], self.data[start:end]


def parse_response(data: bytes) -> TokenInfo:
    """Read a TimeStampResp down to its TSTInfo (RFC 3161 section 2.4.2); raises `DERError`."""
    outer = Reader(data)
    response = Reader(outer.take(SEQUENCE))
    if outer.more():
        raise DERError("bytes after the response")
    status = int.from_bytes(Reader(response.take(SEQUENCE)).take(INTEGER), signed=True)
    if status != 0:
        raise DERError(f"the authority refused: status {status}")
    content = Reader(response.take(SEQUENCE))
    if content.take(OID) != SIGNED_DATA:
        raise DERError("the token is no signed data")
    signed = Reader(Reader(content.take(EXPLICIT_0)).take(SEQUENCE))
    signed.take(INTEGER)
    signed.any()  # digest algorithms
    inner = Reader(signed.take(SEQUENCE))
    if inner.take(OID) != TST_INFO:
        raise DERError("the token signs something else than a time stamp")
    return _parse_info(Reader(Reader(inner.take(EXPLICIT_0)).take(OCTET_STRING)))


def _parse_info(outer: Reader) -> TokenInfo:
    info = Reader(outer.take(SEQUENCE))
    info.take(INTEGER)
    info.take(OID)  # policy
    imprint = Reader(info.take(SEQUENCE))
    algorithm = Reader(imprint.take(SEQUENCE)).take(OID)
    digest = imprint.take(OCTET_STRING)
    serial = int.from_bytes(info.take(INTEGER), signed=True)
    posix_ns = _parse_time(info.take(GENERALIZED_TIME))
    nonce = None
    while info.more():
        tag, contents = info.any()
        if tag == INTEGER:
            nonce = int.from_bytes(contents, signed=True)
    return TokenInfo(algorithm, digest, posix_ns, serial, nonce)


def _parse_time(text: bytes) -> int:
    """GeneralizedTime as RFC 3161 allows it: UTC, with any fraction."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise DERError(f"not a time: {text[:32]!r}")
    try:
        whole = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise DERError(f"not a time: {text[:32]!r}") from error
    return int(whole.timestamp()) * 10**9 + int((match[7] or b"").ljust(9, b"0"))
