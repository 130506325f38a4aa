"""A file is recognised from its content, never from its name, and read by the parser of its kind."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.formats.columns import ColumnOptions
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import FormatError, Parsed, whole_file_error
from timeball.formats.kinds import HEAD_BYTES, KINDS, KNOWN, Kind, ReadOptions
from timeball.instants import LeapTable

_UNIX_COMPRESS = b"\x1f\x9d"


def recognise(data: bytes, name: str = "data") -> str:
    """Tell the kind of a file from its content: one of the keys of `KINDS`.

    Raises ``FormatError`` that names the kinds known when it is none of them.
    """
    plain, _ = plain_bytes(data, name)
    return recognise_head(plain[:HEAD_BYTES], name).key


def recognise_head(head: bytes, name: str) -> Kind:
    """Tell the kind from the first `HEAD_BYTES` of what is no gzip. Raises ``FormatError`` as `recognise` does."""
    if not head.strip():
        raise whole_file_error(name, "", "an empty file" if len(head) < HEAD_BYTES else "blanks alone at its beginning")
    for kind in KINDS.values():
        if kind.fits(head):
            return kind
    hint = "; unpack .Z files first" if head[:2] == _UNIX_COMPRESS else ""
    raise whole_file_error(name, head[:40], f"none of the formats known: {KNOWN}{hint}")


def parse(
    data: bytes,
    name: str,
    *,
    leaps: LeapTable | None = None,
    clocks: Iterable[str] | None = None,
    columns: ColumnOptions | None = None,
    kind: str | None = None,
) -> Parsed:
    """Recognise a file and read it.

    name: for messages only. leaps: needed when the file's epochs are in UTC. clocks: of RINEX clock files, read
    these only. columns: how to read plain columns; when given, a file not recognised is taken for one. kind: what the
    file is, when it is not to be told from its content. Raises ``FormatError``.
    """
    plain, defects = plain_bytes(data, name)
    options = ReadOptions(leaps, None if clocks is None else tuple(clocks), columns)
    found = kind_of(plain[:HEAD_BYTES], name, kind, columns is not None)
    if found.read is None:
        raise whole_file_error(name, "", f"{found.holds} holds no readings{found.instead}")
    parsed = found.read(plain, name, options)
    return Parsed(parsed.readings, defects + parsed.defects, parsed.kind, parsed.header)


def kind_of(head: bytes, name: str, key: str | None = None, columns: bool = False) -> Kind:
    """Give the kind named, else the one recognised, else plain columns when somebody said how to read such."""
    if key is not None:
        if key not in KINDS:
            raise whole_file_error(name, key, f"a kind that is none of {', '.join(KINDS)}")
        return KINDS[key]
    try:
        return recognise_head(head, name)
    except FormatError:
        if columns:
            return KINDS["columns"]
        raise
