"""RINEX clock files: versions, columns, continuation lines, time systems, references, and lines gone wrong."""

import gzip

import numpy as np
import pytest

from timeball.formats import FormatError, parse, parse_rinex_clock, recognise, write_rinex_clock
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import WriteError
from timeball.instants import Instant, LeapTable, day_number, parse_utc
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
NEGATIVE = LeapTable.from_offsets([(day_number(1972, 1, 1), 37), (day_number(2017, 1, 1), 36)], None, "made up")
MIDNIGHT_GPS_NS = (day_number(2009, 4, 1) * 86_400 + 19) * 10**9


def header(*lines: tuple[str, str], version: str = "3.00", label_column: int = 60) -> str:
    first = (f"{version:>9}           CLOCK DATA", "RINEX VERSION / TYPE")
    return "".join(f"{text:<{label_column}}{label}\n" for text, label in (first, *lines, ("", "END OF HEADER")))


def record(name: str = "AMC2", minute: int = 0, value: str = " 1.000000000000E-09", kind: str = "AR") -> str:
    return f"{kind} {name:<4} 2009  4  1  0 {minute:2d}  0.000000  1   {value}\n"


def read(text: str, **options: object):
    return parse_rinex_clock(text.encode("latin-1"), "made.clk", **options)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("AR AMC2 2009  4  1  0  0  0.000000  2    0.123456789012E-06  0.200000000000E-10", "2.00"),
        ("AR AMC2 2009 04 01 00 00  0.000000  2   1.23456789012e-07   2.0e-11", "3.00"),
        ("AR AMC2      2009 04 01 00 00  0.000000  2    0.123456789012E-06  0.200000000000E-10", "3.04"),
        ("AR AMC2 2009 4 1 0 0 0 2 1.23456789012D-07 2D-11", "3.04"),
    ],
)
def test_every_version_and_habit_gives_the_same_reading(line: str, version: str) -> None:
    parsed = read(header(version=version, label_column=65 if version == "3.04" else 60) + line)
    assert parsed.defects == []
    assert parsed.readings.clocks == ("AMC2", "GPST(file)")
    assert parsed.readings.epoch.tolist() == [MIDNIGHT_GPS_NS]
    assert parsed.readings.x.tolist() == [1.23456789012e-07]
    assert parsed.readings.u.tolist() == [2e-11]


def test_names_of_nine_characters() -> None:
    text = header(version="3.04", label_column=65)
    text += "AR AMC200USA 2009 04 01 00 00  0.000000  1    0.100000000000E-08\n"
    text += "AS G01       2009 04 01 00 00  0.000000  1    0.200000000000E-08\n"
    assert read(text).readings.clocks == ("AMC200USA", "G01", "GPST(file)")


def test_a_record_of_six_values_goes_on_in_the_next_line() -> None:
    text = header() + "AR AREQ 2009  4  1  0  0  0.000000  6   -0.100000000000E+00 0.200000000000E+01\n"
    text += "   " + " -0.123456789012E+02" * 4 + "\n" + record("USNO")
    parsed = read(text)
    assert parsed.defects == []
    assert parsed.readings.x.tolist() == [-0.1, 1e-9]
    assert parsed.readings.u.tolist()[0] == 2.0


def test_a_record_whose_continuation_is_missing_is_a_defect_and_the_next_one_survives() -> None:
    text = header() + "AR AREQ 2009  4  1  0  0  0.000000  6   -0.1E+00 0.2E+01\n" + record("USNO")
    parsed = read(text)
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(3, "values")]
    assert parsed.readings.clocks[0] == "USNO"


def test_other_record_types_are_counted_and_not_read() -> None:
    text = header() + "CR USNO 2009  4  1  0  0  0.000000  2    0.1E+00 0.2E+01\n" + record() + record(kind="MS")
    assert read(text).header["passed_over"] == {"CR": 1, "MS": 1}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("AR AMC2 2009  4  1  0  0", "record"),
        ("AR AMC2 2009 13  1  0  0  0.000000  1    0.1E-08", "month"),
        ("AR AMC2 2009  2 30  0  0  0.000000  1    0.1E-08", "date"),
        ("AR AMC2 1809  4  1  0  0  0.000000  1    0.1E-08", "year"),
        ("AR AMC2 2009  4  1 24  0  0.000000  1    0.1E-08", "hour"),
        ("AR AMC2 2009  4  1  0 60  0.000000  1    0.1E-08", "minute"),
        ("AR AMC2 2009  4  1  0  0 61.000000  1    0.1E-08", "second"),
        ("AR AMC2 2009  4  1  0  0 60.000000  1    0.1E-08", "second"),
        ("AR AMC2 2016 12 31 23 59 60.000000  1    0.1E-08", "second"),
        ("AR AMC2 2009  4  1  0  0  0.0000000001  1 0.1E-08", "second"),
        ("AR AMC2 2009  4  1  0  0  0.000000  7    0.1E-08", "number of values"),
        ("AR AMC2 2009  4  1  0  0  0.000000  2    0.1E-08", "values"),
        ("AR AMC2 2009  4  1  0  0  0.000000  1    0.1F-08", "bias"),
        ("AR AMC2 2009  4  1  0  0  0.000000  1    nan    ", "bias"),
        ("AR AMC2 2009  4  1  0  0  0.000000  1    1E+999", "bias"),
        ("AR AMC2 2009  4  1  0  0  0.000000  2    0.1E-08 1_0", "sigma"),
        ("AR AM(2) 2009  4  1  0  0  0.000000  1   0.1E-08", "clock"),
        ("AR ABCDEFGHIJ 2009  4  1  0  0  0.000000  1   0.1E-08", "clock"),
        ("XX AMC2 2009  4  1  0  0  0.000000  1    0.1E-08", "record"),
        ("ARX AMC2 2009  4  1  0  0  0.000000  1    0.1E-08", "record"),
    ],
)
def test_a_bad_line_is_placed_named_and_costs_no_good_line(line: str, field: str) -> None:
    parsed = read(header() + record() + line + "\n" + record(minute=5))
    (defect,) = parsed.defects
    assert (defect.file, defect.line, defect.field) == ("made.clk", 4, field)
    assert defect.text in line or defect.text[:-1] in line or defect.field == "date"
    assert defect.reason
    assert len(parsed.readings) == 2


def test_a_sigma_below_zero_means_unknown() -> None:
    line = "AR AMC2 2009  4  1  0  0  0.000000  2    0.123456789012E-06 -0.200000000000E-10"
    assert np.isnan(read(header() + line).readings.u[0])


@pytest.mark.parametrize(
    ("system", "tai_minus_scale_s"),
    [("GPS", 19), ("GAL", 19), ("QZS", 19), ("BDS", 33), ("TAI", 0), ("UTC", 36), ("GLO", 36)],
)
def test_the_time_system_places_the_epoch(system: str, tai_minus_scale_s: int) -> None:
    parsed = read(header((f"   {system}", "TIME SYSTEM ID")) + record(), leaps=LEAPS)
    assert parsed.readings.epoch[0] == (day_number(2009, 4, 1) * 86_400 + tai_minus_scale_s) * 10**9


def test_utc_needs_a_leap_table_and_knows_second_60() -> None:
    text = header(("   UTC", "TIME SYSTEM ID")) + record()
    with pytest.raises(FormatError, match="leap second table"):
        read(text)
    text += "AR AMC2 2016 12 31 23 59 60.500000  1    0.100000000000E-08\n"
    text += "AR AMC2 2015 12 31 23 59 60.500000  1    0.100000000000E-08\n"
    parsed = read(text, leaps=LEAPS)
    assert parsed.readings.epoch[1] == parse_utc("2016-12-31T23:59:60.5Z", LEAPS).ns
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(6, "epoch")]


@pytest.mark.parametrize("arrays", [True, False])
def test_a_second_that_a_negative_leap_removed_is_a_defect(arrays: bool) -> None:
    text = header(("   UTC", "TIME SYSTEM ID")) + record()
    text += "AR AMC2 2016 12 31 23 59 59.500000  1    0.100000000000E-08\n"
    parsed = read(text, leaps=NEGATIVE, arrays=arrays)
    assert [defect.line for defect in parsed.defects] == [5]
    assert len(parsed.readings) == 1


def test_a_reference_without_records_of_its_own_is_what_the_readings_are_against() -> None:
    lines = [("     1", "# OF CLK REF"), ("BRUX 13101M010", "ANALYSIS CLK REF"), ("GRG  CNES", "ANALYSIS CENTER")]
    assert read(header(*lines) + record()).header["against"] == "BRUX"


def test_a_reference_that_stands_in_the_records_is_a_clock_like_any_other() -> None:
    lines = [("YELL 40127M003", "ANALYSIS CLK REF"), ("ESOC USING NAPEOS", "ANALYSIS CENTER")]
    parsed = read(header(*lines) + record() + record("YELL", value=" 2.500000000000E-07"))
    assert parsed.readings.clocks == ("AMC2", "YELL", "GPST(ESOC)")
    # What clocks= leaves out still decides what the others are against.
    assert read(header(*lines) + record() + record("YELL"), clocks=["AMC2"]).readings.clocks == ("AMC2", "GPST(ESOC)")


def test_two_references_mean_the_paper_scale() -> None:
    lines = [("USNO 40451S003", "ANALYSIS CLK REF"), ("TIBD 50103M108", "ANALYSIS CLK REF")]
    assert read(header(*lines) + record()).header["against"] == "GPST(file)"


@pytest.mark.parametrize("arrays", [True, False])
def test_clocks_picks_by_the_whole_name(arrays: bool) -> None:
    text = header(version="3.04", label_column=65)
    for name in ("AMC200USA", "AMC2", "AMC", "G01"):
        text += f"AR {name:<9} 2009 04 01 00 00  0.000000  1    0.100000000000E-08\n"
    text += "AR G1 2009 4 1 0 5 0 1 3E-09\nAR AMC2 junk\nAR ZZZZ junk\n"
    parsed = read(text, clocks=["AMC2", "G1"], arrays=arrays)
    assert parsed.readings.clocks == ("AMC2", "G1", "GPST(file)")
    assert [defect.line for defect in parsed.defects] == [8]
    with pytest.raises(FormatError, match="asked for"):
        read(text, clocks=["NONE"], arrays=arrays)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line"),
        ("     3.00           OBSERVATION DATA                        RINEX VERSION / TYPE\n", "first line"),
        (header(version="4.00") + record(), "not a version"),
        (header(("   XYZ", "TIME SYSTEM ID")) + record(), "none of GPS"),
        (header().replace("END OF HEADER", "COMMENT") + record(), "no END OF HEADER"),
        (header(), "no record"),
        (header() + "AR AMC2 junk\n", "fewer than ten fields"),
    ],
)
def test_a_file_that_gives_nothing_is_one_typed_error(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read(text)


def test_gzip_is_recognised_from_content_and_bounded() -> None:
    plain = (header() + "".join(record(minute=minute % 60) for minute in range(500))).encode()
    packed = gzip.compress(plain)
    assert recognise(packed) == "rinex-clock"
    assert parse(packed, "p").readings.equals(parse(plain, "p").readings)
    assert plain_bytes(packed + gzip.compress(b"more"), "two members") == (plain + b"more", [])
    with pytest.raises(FormatError, match="more than 1000 bytes"):
        plain_bytes(packed, "bomb", limit=1000)
    assert plain_bytes(packed, "just", limit=len(plain))[0] == plain


def test_a_gzip_cut_short_or_corrupted_gives_what_came_before_and_says_so() -> None:
    rng = np.random.default_rng(7)
    lines = [record(minute=int(rng.integers(60)), value=f"{rng.normal():19.12E}") for _ in range(5000)]
    packed = gzip.compress((header() + "".join(lines)).encode())
    cut = parse(packed[: len(packed) // 2], "cut.gz")
    assert 100 < len(cut.readings) < 5000
    assert cut.defects[0].field == "gzip"
    wrong_sum = parse(packed[:-8] + bytes(8), "sum.gz")
    assert (len(wrong_sum.readings), wrong_sum.defects[0].field) == (5000, "gzip")
    with pytest.raises(FormatError, match="gzip"):
        parse(packed[:12], "stub.gz")


def test_what_is_written_parses_back_bit_for_bit() -> None:
    names = ("AMC200USA", "G01", "GPST(ESOC)")
    x = np.array([1.23456789012e-7, -9.999999999999e-5, 0.0])
    u = np.array([np.nan, 1e-11, 0.0])
    epochs = MIDNIGHT_GPS_NS + np.array([0, 1_000, 86_399_999_999_000])
    readings = Readings.from_columns(names, epochs, [0, 1, 0], [2, 2, 2], x, u)
    parsed = parse(write_rinex_clock(readings), "w")
    assert parsed.readings.equals(readings)
    assert parsed.defects == []
    against_clock = Readings.from_columns(("A", "B"), epochs[:1], [0], [1], [1e-9])
    for system in ("GPS", "BDS", "UTC"):
        written = write_rinex_clock(against_clock, system, LEAPS)
        assert parse(written, "w", leaps=LEAPS).readings.equals(against_clock)
    inside_leap = Readings.from_columns(("A", "B"), [parse_utc("2016-12-31T23:59:60.25Z", LEAPS).ns], [0], [1], [1e-9])
    assert parse(write_rinex_clock(inside_leap, "UTC", LEAPS), "w", leaps=LEAPS).readings.equals(inside_leap)


@pytest.mark.parametrize(
    "readings",
    [
        Readings.empty(("A", "B")),
        Readings.from_columns(("A", "B", "C"), [0, 0], [0, 1], [1, 2], [0.0, 0.0]),
        Readings.from_columns(("A", "B"), [1], [0], [1], [0.0]),
        Readings.from_columns(("A", "B"), [0], [0], [1], [np.inf]),
        Readings.from_columns(("TENLETTERS", "B"), [0], [0], [1], [0.0]),
    ],
)
def test_what_the_format_cannot_hold_is_refused(readings: Readings) -> None:
    with pytest.raises(WriteError):
        write_rinex_clock(readings)


def test_epochs_are_instants_of_tai() -> None:
    assert Instant.from_ns(int(read(header() + record()).readings.epoch[0])) == Instant(MIDNIGHT_GPS_NS // 10**9)


def test_what_cannot_be_written_says_why() -> None:
    before = Readings.from_rows([(-(10**9), "A", "UTC(AO)", 1e-9, float("nan"))])  # of 1969
    with pytest.raises(WriteError, match="an epoch that UTC has not: made up begins on 1972-01-01"):
        write_rinex_clock(before, leaps=LEAPS)
    named = Readings.from_rows([(0, "UTC(AO)", "B", 1e-9, float("nan"))])
    with pytest.raises(WriteError, match=r"1 to 9 characters without brackets: UTC\(AO\)"):
        write_rinex_clock(named)
