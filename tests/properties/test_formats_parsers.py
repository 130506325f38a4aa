"""Whatever the bytes are: only FormatError escapes, and the fast decoders give what the slow ones give."""

import gzip

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from timeball.formats import (
    ColumnOptions,
    FormatError,
    Parsed,
    parse,
    parse_columns,
    parse_leap_table,
    parse_rinex_clock,
    recognise,
    write_columns,
    write_rinex_clock,
)
from timeball.formats.compression import plain_bytes
from timeball.instants import LeapTable, day_number
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "made up")

CLOCKS = b"""     3.04           CLOCK DATA                                   RINEX VERSION / TYPE
   GPS                                                           TIME SYSTEM ID
ESOC USING NAPEOS                                                ANALYSIS CENTER
YELL 40127M003                                                   ANALYSIS CLK REF
                                                                 END OF HEADER
AR AMC200USA 2009 04 01 00 00  0.000000  1    0.182203046769E-07
AR YELL      2009  4  1  0  0  0.000000  2    0.253328000000E-06 -0.200000000000E-10
AS G01       2009 04 01 23 59 30.500000  2    1.253328000000e-04  2.253328000000e-11
AR AREQ      1994 07 14 20 59  0.000000  6   -0.123456789012E+00 -0.123456789012E+01
    -0.123456789012E+02 -0.123456789012E+03 -0.123456789012E+04 -0.123456789012E+05
AR SHRT 2009 4 1 0 5 0 1 1D-9
"""
OLD_CLOCKS = CLOCKS.replace(b"     ESOC", b"ESOC").replace(b"3.04", b"3.00").replace(b"AMC200USA", b"AMC2     ")
OLD_CLOCKS = b"\n".join(
    line[:7] + line[12:] if line[:2] in (b"AR", b"AS") and len(line) > 40 else line for line in OLD_CLOCKS.split(b"\n")
)
TAGGED = b"# kind = frequency\n# tau0_s = 1\n57754.0 1e-9\n57754.00001157407407 nan\n57754.0001,2e-9;3\n2017 -1\n"
SINGLE = b"# unit: ns\n1e-9\n-2.5E-9\r\n.5\n7.\nnan\n0\n"
ISO = b"2017-01-01T00:00:00Z 1\n2017-01-01 00:00:01Z 2\n1972-06-30T23:59:60Z 3\n"
LEAP_LIST = b"#$ 1\n#@ 3900000000\n2272060800 10\n2287785600 11\n#h d9 8 0 0 1\n"
LEAP_LINES = b"Leap\t1972\tJun\t30\t23:59:60\t+\tS\n#expires 63072000\n"
SEEDS = [CLOCKS, OLD_CLOCKS, TAGGED, SINGLE, ISO, LEAP_LIST, LEAP_LINES, gzip.compress(CLOCKS), gzip.compress(TAGGED)]
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"", b" ", b"\n", b"\r\n", b"\r", b"\t", b"\0", b"9", b"-", b".", b"E", b"e+400", b"nan", b"1e-5000"]
    ),
    st.sampled_from([b"60", b"2016", b"(", b"UTC", b"AR ", b"AS G01 ", b"9" * 30, b"1e99999999999", b"\xc2\xb5", b"#"]),
)
CHANGES = (PIECES, (1, 6), 12)  # what `mutated` does to a file
ANY_BYTES = st.one_of(st.binary(max_size=300), mutated(SEEDS, *CHANGES))


def outcome(parser, *args: object, **options: object) -> Parsed | str:
    try:
        return parser(*args, **options)
    except FormatError as error:
        return str(error)


def assert_same(one: Parsed | str, other: Parsed | str) -> None:
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    assert one.readings.equals(other.readings)
    assert one.defects == other.defects
    assert one.header == other.header


@settings(deadline=None, max_examples=200)
@given(ANY_BYTES)
def test_only_format_errors_escape(data: bytes) -> None:
    outcome(recognise, data)
    outcome(parse, data, "any", leaps=LEAPS)
    outcome(parse_leap_table, data, "any")
    for options in (
        ColumnOptions(kind="frequency"),
        ColumnOptions(time="iso", time_scale="UTC"),
        ColumnOptions(time="mjd"),
    ):
        outcome(parse_columns, data, "any", options, LEAPS)


@settings(deadline=None, max_examples=200)
@given(
    mutated([CLOCKS, OLD_CLOCKS], *CHANGES),
    st.sampled_from([None, ["AMC200USA", "G01"], ["AREQ", "SHRT", "YELL"]]),
)
def test_rinex_clock_arrays_and_lines_agree(data: bytes, clocks: list[str] | None) -> None:
    options = {"leaps": LEAPS, "clocks": clocks}
    fast = outcome(parse_rinex_clock, data, "any", **options)
    assert_same(fast, outcome(parse_rinex_clock, data, "any", arrays=False, **options))


@settings(deadline=None, max_examples=200)
@given(mutated([SINGLE, SINGLE.replace(b"nan\n", b""), b"1\n2\n3\n"], *CHANGES))
def test_single_column_arrays_and_lines_agree(data: bytes) -> None:
    assert_same(outcome(parse_columns, data, "any"), outcome(parse_columns, data, "any", arrays=False))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_good_records_survive_any_bad_line_among_them(data: st.DataObject) -> None:
    lines = OLD_CLOCKS.split(b"\n")
    place = data.draw(st.sampled_from([5, 6, 7, 8, 10]))
    junk = data.draw(
        st.binary(max_size=60).filter(lambda text: b"\n" not in text and text[:1] not in (b"A", b"C", b"D", b"M"))
    )
    clean = parse_rinex_clock(OLD_CLOCKS, "clean")
    parsed = parse_rinex_clock(b"\n".join([*lines[:place], junk, *lines[place:]]), "junk")
    assert parsed.readings.equals(clean.readings)
    assert [defect.line for defect in parsed.defects] in ([], [place + 1])


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(0, 2), st.integers(-(10**13), 10**13)), min_size=1, max_size=20
    ),
    st.sampled_from(["GPST(ESOC)", "BRUX", "BDT(WHU)"]),
)
def test_rinex_clock_round_trip(rows: list[tuple[int, int, int]], reference: str) -> None:
    used = sorted({clock for _, clock, _ in rows}, key=[clock for _, clock, _ in rows].index)
    names = tuple(("AMC200USA", "G01", "X")[clock] for clock in used) + (reference,)  # noqa: RUF005
    epochs = 10**18 + np.array([epoch for epoch, _, _ in rows]) * 1000
    a = [used.index(clock) for _, clock, _ in rows]
    x = [float(f"{mantissa}e-22") for _, _, mantissa in rows]
    readings = Readings.from_columns(names, epochs, a, [len(used)] * len(rows), x)
    assert parse(write_rinex_clock(readings), "w").readings.equals(readings)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(-(4 * 10**18), 4 * 10**18), st.floats(-1e200, 1e200), st.floats(0, 1)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["mjd", "seconds"]),
)
def test_columns_round_trip(rows: list[tuple[int, float, float]], time: str) -> None:
    epochs, x, u = zip(*rows, strict=True)
    readings = Readings.from_columns(("A", "UTC(TB)"), epochs, [0] * len(rows), [1] * len(rows), x, u)
    assert parse(write_columns(readings, time), "w").readings.equals(readings)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2000), st.integers(0, 100), st.binary(max_size=4))
def test_gzip_comes_back_or_stays_within_its_bound(plain: bytes, cut: int, tail: bytes) -> None:
    packed = gzip.compress(plain, mtime=0)
    assert plain_bytes(packed, "whole") == (plain, []) or not plain
    found = outcome(plain_bytes, packed[: len(packed) - cut] + tail, "cut", limit=1000)
    if not isinstance(found, str):
        assert len(found[0]) <= 1000
