"""Fuzz target: any bytes as a leap second table of either kind. Only FormatError may escape."""

from __future__ import annotations

import hashlib
import re

from timeball.formats import FormatError, parse_leap_seconds_list, parse_leap_table, parse_tzdata_leapseconds
from timeball.instants import Instant, LeapTable, format_utc, parse_utc


def target(data: bytes) -> None:
    """Read the bytes both ways, once more with a hash that fits, and use what comes out."""
    for parse in (parse_leap_table, parse_leap_seconds_list, parse_tzdata_leapseconds):
        for variant in (data, _well_hashed(data)):
            try:
                table = parse(variant, "fuzz")
            except FormatError:
                continue
            _use(table)


def _well_hashed(data: bytes) -> bytes:
    """Give the bytes a true hash, so that the fuzzer gets past it."""
    lines = [line for line in data.split(b"\n") if not line.startswith(b"#h")]
    marks = [re.findall(rb"^" + mark + rb"\s*(\d+)\s*$", data, re.MULTILINE)[:1] for mark in (b"#\\$", b"#@")]
    figures = b"".join(mark[0] for mark in marks if mark)
    figures += b"".join(b"".join(line.partition(b"#")[0].split()) for line in lines)
    digest = hashlib.sha1(figures).hexdigest()
    groups = " ".join(digest[start : start + 8] for start in range(0, 40, 8))
    return b"\n".join([*lines, f"#h {groups}".encode()])


def _use(table: LeapTable) -> None:
    for entry in table.entries:
        instant = Instant(entry.tai_ns // 10**9)
        assert table.tai_minus_utc(entry.tai_ns) == entry.tai_minus_utc_s
        if 0 < entry.utc_day < 2_000_000:
            assert parse_utc(format_utc(instant, table, 18), table) == instant
