"""Who may read which payload: public types for all, others by a bearer token whose hash is in the configuration.

Types that decide time are public, because whoever may not read them cannot check the time. Everything else, whatever
its name, is private. It opens nothing and logs nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from timeball.ledger.entry import parse_envelope
from timeball.ledger.payload import WITHHELD, parse_frame
from timeball.station.configuration.settings import Reader

PUBLIC = frozenset(
    {
        "readings",
        "bulletin",
        "refusal",
        "instruction",
        "doubt",
        "scale",
        "beside",
        "anomaly",
        "steer",
        "snapshot",
        "config",
        "key",
        "verdict",
        "watch",
        "served",
        "lease",
        "actuation",
        "witnessing",
        "cookiekeys",
        "erasure",
        "upgrade",
    }
)
ALL = "*"
_TYPE = b'"type":"'
_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{1,512})")


class TokenRefused(PermissionError):
    """An Authorization header that names no reader."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what beyond the public types he may read."""

    name: str = "anybody"
    types: frozenset[str] = frozenset()

    def may_read(self, kind: str) -> bool:
        """Whether the payload of an entry of this type may be given to him."""
        return kind in PUBLIC or kind in self.types or ALL in self.types


class Access:
    """The readers of a configuration."""

    def __init__(self, readers: Iterable[Reader] = ()) -> None:
        self._readers = tuple(readers)

    def caller(self, authorization: str | None) -> Caller:
        """Who presents this Authorization header; raises TokenRefused for a header that names no reader."""
        if authorization is None:
            return Caller()
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            raise TokenRefused("the Authorization header is no bearer token")
        digest = hashlib.sha256(bearer[1].encode()).hexdigest()
        found = None
        for reader in self._readers:
            # each is compared, in constant time, whichever it is
            if hmac.compare_digest(reader.token_sha256, digest):
                found = reader
        if found is None:
            raise TokenRefused("the token is nobody's")
        return Caller(found.name, frozenset(found.types))


def type_of(leaf: bytes) -> str:
    """The type that an envelope names; raises EntryError for bytes that are none."""
    # an envelope holds no free text, so its canonical bytes name the type in one place only
    _, mark, rest = leaf.partition(_TYPE)
    kind = rest.partition(b'"')[0].decode("ascii", "replace")
    return kind if mark and kind in PUBLIC else parse_envelope(leaf).type


def withhold(leaves: Iterable[bytes], payloads: bytes, caller: Caller) -> tuple[bytes, list[str]]:
    """The payload bundle as `caller` may see it, a frame for each of `leaves`; and the types withheld, sorted.

    Raises EntryError and TileError for bytes that are no bundle. An erased frame stays what it is: that it was erased
    is public.
    """
    parts: list[bytes] = []
    withheld: set[str] = set()
    offset = 0
    for leaf in leaves:
        frame = parse_frame(payloads, offset)
        kind = type_of(leaf)
        if frame.payload is None or caller.may_read(kind):
            parts.append(payloads[offset : frame.end])
        else:
            parts.append(WITHHELD)
            withheld.add(kind)
        offset = frame.end
    return b"".join(parts), sorted(withheld)
