"""Fuzz target: any bytes as plain columns. Only FormatError may escape; arrays and lines must agree."""

from __future__ import annotations

from timeball.formats import (
    ColumnOptions,
    ColumnsReader,
    FormatError,
    Parsed,
    parse,
    parse_columns,
    recognise,
    write_columns,
)
from timeball.formats.compression import GZIP_MAGIC
from timeball.formats.defects import WriteError
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")
OPTIONS = (
    ColumnOptions(),
    ColumnOptions(kind="frequency", nominal_hz=1e7),
    ColumnOptions(kind="frequency", tau0_s=0.1, time="seconds"),
    ColumnOptions(time="mjd", time_scale="UTC", u_column=2),
    ColumnOptions(time="iso", time_scale="GPS"),
)


def target(data: bytes) -> None:
    """Recognise and read the bytes, under every kind of options and both ways."""
    for read in (recognise, lambda each: parse(each, "fuzz", leaps=LEAPS)):
        try:
            read(data)
        except FormatError:
            continue
    for options in OPTIONS:
        fast, slow = (_outcome(data, options, arrays) for arrays in (True, False))
        assert data[:2] == GZIP_MAGIC or _same(fast, _pieces(data, options))
        if isinstance(fast, str) or isinstance(slow, str):
            assert fast == slow
            continue
        assert fast.readings.equals(slow.readings)
        assert (fast.defects, fast.header) == (slow.defects, slow.header)
        try:
            written = write_columns(fast.readings)
        except WriteError:
            continue  # a hint may have given a name that cannot be written
        assert parse_columns(written, "written").readings.equals(fast.readings)


def _outcome(data: bytes, options: ColumnOptions, arrays: bool) -> Parsed | str:
    try:
        return parse_columns(data, "fuzz", options, LEAPS, arrays=arrays)
    except FormatError as error:
        return str(error)


def _pieces(data: bytes, options: ColumnOptions) -> Parsed | str:
    """Feed the bytes cut at places that they choose themselves."""
    reader = ColumnsReader("fuzz", options, LEAPS)
    size = 1 + data[0] % 50 if data else 1
    try:
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        return reader.finish()
    except FormatError as error:
        return str(error)


def _same(one: Parsed | str, other: Parsed | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one.readings.equals(other.readings) and (one.defects, one.header) == (other.defects, other.header)
