"""File formats: bytes in, readings and defects out, and back again. One file per format.

A file is recognised from its content, never from its name. A bad line becomes a :class:`Defect` with file, line,
field, text and reason, and the good lines survive; :class:`FormatError` is all that escapes from a parser.

What it does not do: read files (bytes come in), or judge clocks. Leap second tables are read by
:mod:`timeball.formats.leap_seconds`, since they hold no readings.
"""

from __future__ import annotations

from collections.abc import Iterable

from timeball.formats.bulletin import LabPoints, LabValues, lab_points
from timeball.formats.circular_t import CircularT, is_circular_t, read_circular_t
from timeball.formats.columns import ColumnOptions, parse_columns, write_columns
from timeball.formats.columns_lines import looks_like_columns
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, Parsed, WriteError, whole_file_error
from timeball.formats.leap_seconds import (
    is_leap_seconds,
    parse_leap_seconds_list,
    parse_leap_table,
    parse_tzdata_leapseconds,
)
from timeball.formats.psfs import is_psfs, read_psfs
from timeball.formats.psfs_report import PSFSReport, PSFSTable, TAIEstimate
from timeball.formats.rinex_clock import is_rinex_clock, parse_rinex_clock
from timeball.formats.rinex_clock_writer import write_rinex_clock
from timeball.formats.tempo2 import is_tempo2_clock, parse_tempo2_clock
from timeball.formats.utcr import RapidUTC, is_utcr, read_lab_series, read_utcr
from timeball.instants import LeapTable

KNOWN = (
    "RINEX clock (2 to 3.04), tempo2 clock files, Circular T, UTCr, reports of frequency standards, "
    "plain columns of phase or frequency, leap second tables"
)
_MARKED = {"circular-t": is_circular_t, "utcr": is_utcr, "leap-seconds": is_leap_seconds, "psfs": is_psfs}
_MARKED |= {"tempo2": is_tempo2_clock}
_NO_READINGS = {"leap-seconds": "a leap second table", "psfs": "a table of frequency standards"}
_HEAD_BYTES = 1 << 15
_UNIX_COMPRESS = b"\x1f\x9d"


def recognise(data: bytes, name: str = "data") -> str:
    """Tell the kind of a file from its content: ``rinex-clock``, ``circular-t``, ``utcr``, ``psfs``,
    ``leap-seconds``, ``tempo2`` or ``columns``.

    Raises ``FormatError`` that names the kinds known when it is none of them.
    """
    plain, _ = plain_bytes(data, name)
    return _recognise_plain(plain, name)


def _recognise_plain(plain: bytes, name: str) -> str:
    head = plain[:_HEAD_BYTES]
    if is_rinex_clock(head):
        return "rinex-clock"
    for kind, fits in _MARKED.items():
        if fits(head):
            return kind
    cut = head if len(plain) <= _HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    if b"\0" not in head and looks_like_columns(cut.decode("latin-1")):
        return "columns"
    hint = "; unpack .Z files first" if plain[:2] == _UNIX_COMPRESS else ""
    raise whole_file_error(name, head[:40], f"none of the formats known: {KNOWN}{hint}")


def parse(
    data: bytes,
    name: str,
    *,
    leaps: LeapTable | None = None,
    clocks: Iterable[str] | None = None,
    columns: ColumnOptions | None = None,
) -> Parsed:
    """Recognise a file and read it.

    name: for messages only. leaps: needed when the file's epochs are in UTC. clocks: of RINEX clock files, read
    these only. columns: how to read plain columns; when given, a file not recognised is taken for one.
    Raises ``FormatError``.
    """
    plain, defects = plain_bytes(data, name)
    try:
        kind = _recognise_plain(plain, name)
    except FormatError:
        if columns is None:
            raise
        kind = "columns"
    if kind in _NO_READINGS:
        raise whole_file_error(name, "", f"{_NO_READINGS[kind]} holds no readings")
    if kind in ("circular-t", "utcr"):
        bulletin = (read_circular_t if kind == "circular-t" else read_utcr)(plain, name, leaps)
        parsed = Parsed(bulletin.readings(), list(bulletin.defects), kind)
    elif kind == "rinex-clock":
        parsed = parse_rinex_clock(plain, name, leaps, clocks)
    elif kind == "tempo2" and columns is None:
        parsed = parse_tempo2_clock(plain, name, leaps)
    else:
        parsed = parse_columns(plain, name, columns, leaps)
    return Parsed(parsed.readings, defects + parsed.defects, parsed.kind, parsed.header)


__all__ = [
    "CircularT",
    "ColumnOptions",
    "Defect",
    "FormatError",
    "LabPoints",
    "LabValues",
    "PSFSReport",
    "PSFSTable",
    "Parsed",
    "RapidUTC",
    "TAIEstimate",
    "WriteError",
    "lab_points",
    "parse",
    "parse_columns",
    "parse_leap_seconds_list",
    "parse_leap_table",
    "parse_rinex_clock",
    "parse_tempo2_clock",
    "parse_tzdata_leapseconds",
    "read_circular_t",
    "read_lab_series",
    "read_psfs",
    "read_utcr",
    "recognise",
    "write_columns",
    "write_rinex_clock",
]
