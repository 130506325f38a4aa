"""Fuzz target: any bytes as a RINEX clock file. Only FormatError may escape; arrays and lines must agree."""

from __future__ import annotations

from timeball.formats import FormatError, Parsed, WriteError, parse_rinex_clock, write_rinex_clock
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")
HEADS = (
    b"     3.00           CLOCK DATA                              RINEX VERSION / TYPE\n"
    b"                                                            END OF HEADER\n",
    b"     3.04           CLOCK DATA                                   RINEX VERSION / TYPE\n"
    b"   UTC                                                           TIME SYSTEM ID\n"
    b"                                                                 END OF HEADER\n",
)


def target(data: bytes) -> None:
    """Read the bytes as a file, and as the body under good headers, both ways."""
    for whole in (data, *(head + data for head in HEADS)):
        for clocks in (None, ("AMC2", "G01")):
            fast, slow = (_outcome(whole, clocks, arrays) for arrays in (True, False))
            if isinstance(fast, str) or isinstance(slow, str):
                assert fast == slow
                continue
            assert fast.readings.equals(slow.readings)
            assert (fast.defects, fast.header) == (slow.defects, slow.header)
            _write(fast)


def _outcome(data: bytes, clocks: tuple[str, ...] | None, arrays: bool) -> Parsed | str:
    try:
        return parse_rinex_clock(data, "fuzz", LEAPS, clocks, arrays=arrays)
    except FormatError as error:
        return str(error)


def _write(parsed: Parsed) -> None:
    try:
        written = write_rinex_clock(parsed.readings, str(parsed.header["time_system"]), LEAPS)
    except WriteError:
        return  # epochs finer than a microsecond
    again = parse_rinex_clock(written, "written", LEAPS)
    assert len(again.readings) == len(parsed.readings)
    assert not again.defects
