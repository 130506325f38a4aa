"""The extra data of a proof of served time: its form, written and read; canonical JSON, strictly.

It carries every entry that the statement rests on, with its own inclusion path under the checkpoint of the proof. C2SP
says that extra data is not authenticated: nothing here is believed before `evidence` and `statement` have checked it.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

import msgspec

from timeball.ledger import canonical
from timeball.ledger.entry import Envelope, Index, parse_envelope, write_envelope
from timeball.ledger.errors import CanonicalError, EntryError
from timeball.ledger.keytext import decode_base64
from timeball.station.proving.errors import StatementError

FORMAT = "timeball served time v1"
MOST_ENTRIES = 256
MOST_TIMESTAMPS = 16
MOST_LEAPS = 16
Json = dict[str, Any]
_PATH = Annotated[tuple[str, ...], msgspec.Meta(max_length=63)]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry in its role: envelope and payload as objects, salt and path in base64.

    `payload` is null and `salt` empty for an entry whose payload was erased, or withheld from the maker. The path of
    the proof's own entry is empty: the proof's lines are its path.
    """

    role: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z-]{0,31}\Z")]
    index: Index
    entry: Json
    salt: str
    payload: Any
    path: _PATH

    @property
    def leaf(self) -> bytes:
        """The leaf bytes."""
        return canonical.encode(self.entry)

    @property
    def envelope(self) -> Envelope:
        """The envelope; raises `StatementError`."""
        try:
            return parse_envelope(self.leaf)
        except (EntryError, CanonicalError) as error:
            raise StatementError(self.place, str(error)) from error

    @property
    def payload_bytes(self) -> bytes | None:
        """The payload's canonical bytes; None when it is not here."""
        return None if self.payload is None else canonical.encode(self.payload)

    @property
    def place(self) -> str:
        """What an error calls it."""
        return f"{self.role} (entry {self.index})"

    def salt_bytes(self) -> bytes:
        """The salt; raises `StatementError`."""
        return _decode(self.salt, self.place)

    def path_hashes(self) -> list[bytes]:
        """The inclusion path, leaf side first; raises `StatementError`."""
        return [_decode(text, self.place) for text in self.path]


class Leaps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of the leap second table that hold around the moment: (UTC day since 1970, TAI − UTC from then, s)."""

    source: Annotated[str, msgspec.Meta(max_length=200)]
    lines: Annotated[tuple[tuple[int, int], ...], msgspec.Meta(min_length=1, max_length=MOST_LEAPS)]


class Extra(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. `moment` is UTC as it was asked for; `statement` is what `statement.make_statement` said then."""

    format: str
    log: str
    moment: Annotated[str, msgspec.Meta(max_length=64)]
    leap_seconds: Leaps
    entries: Annotated[tuple[Item, ...], msgspec.Meta(min_length=1, max_length=MOST_ENTRIES)]
    timestamps: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_TIMESTAMPS)]
    statement: Json

    def timestamp_bytes(self) -> list[bytes]:
        """The time-stamp responses (DER); raises `StatementError`."""
        return [_decode(text, f"timestamps[{place}]") for place, text in enumerate(self.timestamps)]


def make_item(role: str, index: int, envelope: Envelope, salt: bytes, payload: bytes | None, path: list[bytes]) -> Item:
    """An item from the bytes of the ledger."""
    return Item(
        role,
        index,
        canonical.decode(write_envelope(envelope)),
        _encode(salt) if payload is not None else "",
        None if payload is None else canonical.decode(payload),
        tuple(_encode(node) for node in path),
    )


def write_extra(extra: Extra) -> bytes:
    """Canonical JSON of the whole."""
    return canonical.encode(msgspec.to_builtins(extra))


def parse_extra(data: bytes) -> Extra:
    """Read it back; raises `StatementError` for anything but the canonical bytes of the form."""
    try:
        value = canonical.decode(data)
        found = msgspec.convert(value, Extra)
    except (CanonicalError, msgspec.ValidationError) as error:
        raise StatementError("extra", str(error)) from error
    if found.format != FORMAT:
        raise StatementError("extra", f"format {found.format[:64]!r}: this software knows {FORMAT!r}")
    return found


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str, place: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise StatementError(place, str(error)[:200]) from error
