"""Records of Stable32, TimeLab, chronyd, ntpd and tempo2, tagged columns: whatever the bytes are; round trips."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from timeball.formats import (
    ColumnOptions,
    ColumnsReader,
    FormatError,
    Parsed,
    parse,
    parse_columns,
    parse_timelab,
    read_chrony,
    read_ntpd,
    read_stable32_tau,
    recognise,
    write_stable32,
    write_stable32_tau,
    write_tempo2_clock,
)
from timeball.formats.chrony import CHRONY_LOGS
from timeball.formats.ntpd import NTPD_FILES
from timeball.instants import LeapTable, day_number
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "made up")
LINES = [
    b"2016-11-09 05:40:50 203.0.113.15 N 2 111 111 1111 10 10 1.0 -4e-03 2e-01 1e-05 1e-01 7e-03 CB00717B 4B D K\n",
    b"2016-08-10 05:40:50 203.0.113.15 6e-03 -3.247e-03 2.220e-03 1.8e-06 1.0e-06 7.8e-02 16 0 8 0.00\n",
    b"2017-08-22 13:22:36 203.0.113.15 2 -3.541 0.075 -8.621e-06 N 2 2e-03 -2e-04 1e-02 3e-04 8e-03\n",
    b"2009-11-30 14:33:27.000000 PPS2 7 N 1 4.900000e-07 -6.741777e-07 1.000e-06\n",
    b"50935 75440.031 0.000006019 13.778190 0.000351733 0.013380 6\n",
    b"48773 10847.650 127.127.4.1 9714 -0.001605376 0.000000000 0.001424877 0.000958674\n",
    b"56285 54575.160 128.4.1.1 192.168.1.5 3565350574.4 3565350574.5 3565350574.6 3565350574.7 0 4 4\n",
]
TABLE = b"# Sigma Type: Allan\n# Confidence Factor = 0.683\n  1   1.0e+00  998   0   2.8e-01    2.9e-01     3.0e-01\n"
TIM = b'"Input Freq" 10000000\n"Sample Rate" 10\nTIC 3 2\n1e-9 2e-9\n3e-9 nan\n4e-9 1\n'
DATA = b"# Stable32\n# Type: Phase\n0\n1e-9\n0\n2e-9\n"
TAGGED = [
    b"57754.0 1e-9 1\n57754.00001157407407 2 2\n57755.5 2e-9 -3\n",
    b"0.5 1\n1.000000001\t2\n12 -3e-9\r\n4000000000 7\n",
    b"41316.99999 1\n41317 2\n41498.999999999999999 3\n41499 4\n",
]
OPTIONS = [
    ColumnOptions(),
    ColumnOptions(time="mjd", time_scale="UTC", u_column=2),
    ColumnOptions(kind="frequency", time="seconds", start_ns=-5),
    ColumnOptions(time="mjd", time_scale="GPS", value_column=2),
]
PHASES = st.floats(-1e3, 1e3).filter(lambda x: x != 1e-99)  # which stands for 0
PIECES = st.one_of(
    st.binary(max_size=5),
    st.sampled_from([b"", b" ", b"\n", b",", b";", b"-", b".", b"e5", b"nan", b"0", b"9" * 12, b"1.5 2\n", b"#"]),
)
CHANGES = (PIECES, (0, 4), 8)  # what `mutated` does to a file


def outcome(read, *args: object, **options: object) -> Parsed | str:
    try:
        return read(*args, **options)
    except FormatError as error:
        return str(error)


@settings(max_examples=80)
@given(st.one_of(st.binary(max_size=200), mutated([*LINES, TABLE, TIM, DATA, *TAGGED], *CHANGES)))
def test_only_format_errors_escape(data: bytes) -> None:
    outcome(recognise, data)
    for reader in (parse, parse_timelab, read_stable32_tau):
        outcome(reader, data, "any", **({"leaps": LEAPS} if reader is parse else {}))
    for kinds, read in ((CHRONY_LOGS, read_chrony), (NTPD_FILES, read_ntpd)):
        for kind in kinds:
            table = outcome(read, data, "any", LEAPS, kind)
            assert isinstance(table, str) or np.isfinite(table.readings().x).all()


@settings(max_examples=120)
@given(mutated(TAGGED, *CHANGES), st.sampled_from(OPTIONS))
def test_tagged_lines_all_at_once_and_one_by_one_agree(data: bytes, options: ColumnOptions) -> None:
    fast, slow = (outcome(parse_columns, data, "any", options, LEAPS, arrays=arrays) for arrays in (True, False))
    if isinstance(fast, str) or isinstance(slow, str):
        assert fast == slow
        return
    assert fast.readings.equals(slow.readings)
    assert (fast.defects, fast.header) == (slow.defects, slow.header)


@settings(max_examples=40)
@given(mutated([*TAGGED, DATA], *CHANGES), st.integers(1, 30))
def test_pieces_give_what_the_whole_gives(data: bytes, size: int) -> None:
    reader = ColumnsReader("any", None, LEAPS)

    def fed() -> Parsed:
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        return reader.finish()

    whole, pieces = outcome(parse_columns, data, "any", None, LEAPS), outcome(fed)
    if isinstance(whole, str) or isinstance(pieces, str):
        assert whole == pieces
        return
    assert pieces.readings.equals(whole.readings)
    assert (pieces.defects, pieces.header) == (whole.defects, whole.header)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 60), PHASES), min_size=1, max_size=20, unique_by=lambda row: row[0]),
    st.sampled_from([1, 10**9, 300 * 10**9, 333_333_333]),
    st.integers(10**18, 10**18 + 10**10),
)
def test_stable32_round_trip(rows: list[tuple[int, float]], step_ns: int, start_ns: int) -> None:
    rows.sort()
    epochs = [start_ns + place * step_ns for place, _ in rows]
    count = len(rows)
    readings = Readings.from_columns(("A", "B"), epochs, [0] * count, [1] * count, [x for _, x in rows])
    again = parse(b"".join(write_stable32(readings)), "back")
    assert (again.kind, again.defects) == ("stable32", [])
    assert again.readings.equals(readings)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(10**17, 2 * 10**18), st.floats(-1e3, 1e3)), min_size=1, max_size=10))
def test_tempo2_round_trip(rows: list[tuple[int, float]]) -> None:
    epochs, x = zip(*rows, strict=True)
    readings = Readings.from_columns(("UTC(AO)", "UTC(GPS)"), epochs, [0] * len(x), [1] * len(x), x)
    again = parse(b"".join(write_tempo2_clock(readings, LEAPS)), "back", leaps=LEAPS)
    assert (again.kind, again.defects) == ("tempo2", [])
    assert again.readings.equals(readings)


@settings(max_examples=40)
@given(mutated([TABLE], *CHANGES))
def test_tables_of_deviations_read_back(data: bytes) -> None:
    table = outcome(read_stable32_tau, data, "any")
    if isinstance(table, str):
        return
    written = write_stable32_tau(table)
    again = read_stable32_tau(written, "back")
    assert write_stable32_tau(again) == written
    assert (again.defects, again.sigma_type) == ((), table.sigma_type)
