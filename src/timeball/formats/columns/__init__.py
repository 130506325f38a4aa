"""Plain columns: phase or frequency of one clock against another, one sample a line, with or without time tags.

Sign: a phase is x_clock − x_reference; a frequency is that of the clock relative to the reference.

Lines that start with # % ; * ! / or a quote are comments; so is whatever stands before the first line of figures.
Fields are separated by blanks, commas or semicolons; what follows the last field that is needed is a remark. ``nan``
is a missing sample, not a defect. Frequencies are added up to phases, since readings are phases: a frequency
stands for the interval that starts at its tag, and an interval without one is bridged with the mean frequency.

What it does not do: guess units (only a hint in a comment, ``unit: ns``, is taken), resample, or remove offsets.
"""

from __future__ import annotations

from timeball.formats.columns.options import KINDS, UNITS_S, ColumnOptions
from timeball.formats.columns.reader import KIND, ColumnsReader
from timeball.formats.columns.writer import column_pieces, write_columns
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Parsed
from timeball.instants import LeapTable

PIECE = 1 << 22  # bytes of text that are taken apart at once


def parse_columns(
    data: bytes,
    name: str,
    options: ColumnOptions | None = None,
    leaps: LeapTable | None = None,
    *,
    arrays: bool = True,
    kind: str = KIND,
) -> Parsed:
    """Read plain columns, plain or gzip.

    leaps: needed for tags in UTC. arrays: False reads line by line throughout (same result, slower). kind: what the
    outcome says that the file is. Raises ``FormatError`` for options that make no sense, tags that need a leap table,
    or no line of figures.
    """
    plain, defects = plain_bytes(data, name)
    reader = ColumnsReader(name, options, leaps, arrays=arrays, kind=kind)
    for start in range(0, len(plain), PIECE):
        reader.feed(plain[start : start + PIECE])
    parsed = reader.finish()
    return Parsed(parsed.readings, defects + parsed.defects, parsed.kind, parsed.header)


__all__ = [
    "KIND",
    "KINDS",
    "UNITS_S",
    "ColumnOptions",
    "ColumnsReader",
    "column_pieces",
    "parse_columns",
    "write_columns",
]
