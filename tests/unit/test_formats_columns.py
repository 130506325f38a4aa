"""Plain columns: tags, units, hints, gaps, frequencies added up, and lines gone wrong."""

import numpy as np
import pytest

from timeball.formats import ColumnOptions, FormatError, parse, parse_columns, recognise, write_columns
from timeball.formats.defects import WriteError
from timeball.instants import LeapTable, day_number, parse_utc
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
DAY_2017_NS = day_number(2017, 1, 1) * 86_400 * 10**9


def read(text: str, leaps: LeapTable | None = None, **options: object):
    return parse_columns(text.encode(), "made.txt", ColumnOptions(**options), leaps)


def test_one_column_is_phase_on_a_grid_of_tau0() -> None:
    parsed = read("1e-9\n2e-9\n\n# remark\n-3E-9\n", tau0_s=0.1, clock="A", reference="B", start_ns=5)
    assert parsed.readings.clocks == ("A", "B")
    assert parsed.readings.epoch.tolist() == [5, 100_000_005, 200_000_005]
    assert parsed.readings.x.tolist() == [1e-9, 2e-9, -3e-9]
    assert parsed.defects == []


def test_a_grid_of_a_third_of_a_second_does_not_drift() -> None:
    parsed = read("0\n" * 3001, tau0_s=1 / 3)
    assert parsed.readings.epoch[-1] == round(3000 * 0.3333333333333333 * 10**9)


def test_nan_is_a_missing_sample_and_a_bad_line_keeps_its_place() -> None:
    parsed = read("1\nnan\nbroken\n4\n")
    assert parsed.readings.epoch.tolist() == [0, 3 * 10**9]
    assert parsed.header["missing"] == 1
    (defect,) = parsed.defects
    assert (defect.line, defect.field, defect.text, defect.reason) == (3, "value", "broken", "not a number")


@pytest.mark.parametrize("separator", [" ", ",", ";", "\t", " , "])
def test_modified_julian_dates_are_exact(separator: str) -> None:
    parsed = read(f"57754.000000000000001{separator}1e-9\n57754.5{separator}2e-9{separator}text\n")
    assert parsed.header["time"] == "mjd"
    assert parsed.readings.epoch.tolist() == [DAY_2017_NS, DAY_2017_NS + 43_200 * 10**9]
    nanosecond = read("57754.000000000000012 0\n")  # 1.04 ns
    assert nanosecond.readings.epoch.tolist() == [DAY_2017_NS + 1]
    assert read("57753.9999999999999999 0\n").readings.epoch.tolist() == [DAY_2017_NS]


def test_tags_in_other_scales_become_tai() -> None:
    assert read("57754 0\n", time_scale="GPS").readings.epoch.tolist() == [DAY_2017_NS + 19 * 10**9]
    assert read("57754 0\n", LEAPS, time_scale="UTC").readings.epoch.tolist() == [DAY_2017_NS + 37 * 10**9]
    with pytest.raises(FormatError, match="leap second table"):
        read("57754 0\n", time_scale="UTC")
    with pytest.raises(FormatError, match="none of GPS"):
        read("57754 0\n", time_scale="LOCAL")


def test_iso_tags_with_t_or_blank_and_second_60() -> None:
    text = "2016-12-31T23:59:60.5Z 1\n2017-01-01 00:00:00Z,2\n"
    parsed = read(text, LEAPS)
    expected = [parse_utc("2016-12-31T23:59:60.5Z", LEAPS).ns, parse_utc("2017-01-01T00:00:00Z", LEAPS).ns]
    assert parsed.readings.epoch.tolist() == expected
    with pytest.raises(FormatError, match="leap second table"):
        read(text)
    without_zone = read("2017-01-01T00:00:00 1\n2016-12-31T23:59:60 2\n")
    assert without_zone.readings.epoch.tolist() == [DAY_2017_NS]  # TAI has no second 60
    assert [defect.line for defect in without_zone.defects] == [2]


def test_seconds_count_from_the_start() -> None:
    assert read("0 1\n0.000000001 2\n-1.5 3\n", start_ns=10**9).readings.epoch.tolist() == [
        10**9,
        10**9 + 1,
        -5 * 10**8,
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [("1 x", "value"), ("x 1", "time"), ("1", "line"), ("1e30 1", "time"), ("1 1e400", "value"), ("1_0 1", "time")],
)
def test_a_bad_tagged_line_is_placed_and_costs_no_good_line(line: str, field: str) -> None:
    parsed = read(f"0 1\n{line}\n2 3\n")
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(2, field)]
    assert parsed.readings.x.tolist() == [1.0, 3.0]


def test_comments_hint_and_options_overrule() -> None:
    text = "File: x.dat\n# Type: Frequency\n# tau0 = 10\n# unit: ns\n# clock=A\n# reference=B\n1e-9\n"
    assert read(text).header["kind"] == "frequency"
    assert read(text).readings.epoch.tolist() == [0, 10 * 10**9]
    phase = read(text, kind="phase")
    assert phase.readings.x.tolist() == [1e-18]
    assert phase.readings.clocks == ("A", "B")
    assert read(text, kind="phase", unit_s=1.0).readings.x.tolist() == [1e-9]


def test_hints_that_make_no_sense_are_no_hints() -> None:
    parsed = read("# unit: furlong\n# time: soon\n# clock=A\n# reference=A\n# tau: never\n1\n2\n")
    assert parsed.readings.clocks == ("clock", "reference")
    assert parsed.readings.x.tolist() == [1.0, 2.0]


def test_other_columns_can_be_chosen() -> None:
    parsed = read("0 9 1e-9 2e-10\n1 9 3e-9 nan\n2 9 1e-9 -1\n", value_column=2, u_column=3)
    assert parsed.readings.x.tolist() == [1e-9, 3e-9, 1e-9]
    np.testing.assert_array_equal(parsed.readings.u, [2e-10, np.nan, np.nan])


def test_frequencies_add_up_to_phases() -> None:
    parsed = read("1e-9\n2e-9\n-1e-9\n", kind="frequency", tau0_s=2.0)
    np.testing.assert_allclose(parsed.readings.x, [0, 2e-9, 6e-9, 4e-9], rtol=1e-15, atol=0)
    assert parsed.readings.epoch.tolist() == [0, 2 * 10**9, 4 * 10**9, 6 * 10**9]
    hertz = read("10000000.5\n", kind="frequency", nominal_hz=1e7)
    np.testing.assert_allclose(hertz.readings.x, [0, 5e-8], rtol=1e-9)


def test_a_gap_between_frequencies_is_bridged_with_their_mean_and_counted() -> None:
    untagged = read("1\nnan\nnan\n3\n", kind="frequency")
    tagged = read("0 1\n3 3\n", kind="frequency", tau0_s=1.0)
    for parsed in (untagged, tagged):
        assert parsed.readings.epoch.tolist() == [0, 10**9, 3 * 10**9, 4 * 10**9]
        assert parsed.readings.x.tolist() == [0.0, 1.0, 5.0, 8.0]
        assert parsed.header["bridged_gaps"] == 1


def test_tagged_frequencies_take_the_median_step_and_want_increasing_tags() -> None:
    parsed = read("0 1\n2 1\n1 7\n4 1\n", kind="frequency")
    assert parsed.readings.epoch.tolist() == [0, 2 * 10**9, 4 * 10**9, 6 * 10**9]
    assert parsed.readings.x.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(3, "time")]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "colour"},
        {"tau0_s": 0.0},
        {"tau0_s": float("nan")},
        {"unit_s": 0.0},
        {"nominal_hz": -1.0},
        {"time": "later"},
        {"start_ns": 2**63},
        {"value_column": -1},
        {"clock": "A", "reference": "A"},
    ],
)
def test_options_that_make_no_sense_are_typed_errors(options: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="makes sense"):
        read("1\n2\n", **options)


@pytest.mark.parametrize("text", ["", "# only\n", "nan\nnan\n", "no figures\n"])
def test_nothing_usable_is_a_typed_error(text: str) -> None:
    with pytest.raises(FormatError):
        read(text)


def test_a_record_beyond_the_range_of_epochs_is_a_typed_error() -> None:
    with pytest.raises(FormatError, match="2096"):
        read("1\n" * 10, tau0_s=1e9)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1e-9\n2e-9\n", "columns"),
        ("Stable32 file\n# x\n1\n2\n", "stable32"),
        ("57754 1e-9 note\n57755,2e-9\n57756,2e-9\n", "columns"),
        ("2017-01-01T00:00:00 1\n", "columns"),
        ("2272060800\t10\n#@ 1\n", "leap-seconds"),
        ("Leap\t1972\tJun\t30\t23:59:60\t+\tS\n", "leap-seconds"),
    ],
)
def test_kinds_are_told_from_content(text: str, kind: str) -> None:
    assert recognise(text.encode()) == kind


@pytest.mark.parametrize("data", [b"hello\n", b"1\n\0\n", b"\x1f\x9d\x90", b"CGGTTS by hand\n"])
def test_an_unknown_file_is_told_which_kinds_are_known(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"RINEX clock.*leap second tables.*plain columns"):
        recognise(data)


def test_options_make_columns_of_what_is_not_recognised() -> None:
    odd = b"a remark 1\nb remark 2\n1 x 5\n"
    with pytest.raises(FormatError):
        parse(odd, "odd")
    assert parse(odd, "odd", columns=ColumnOptions(value_column=2)).readings.x.tolist() == [5.0]


@pytest.mark.parametrize("time", ["mjd", "seconds"])
def test_what_is_written_parses_back_bit_for_bit(time: str) -> None:
    epochs = [-(10**18) - 1, 0, 1, 86_399_999_999_999, DAY_2017_NS + 7]
    x = [1e-9, -1 / 3, 5e-324, 0.1, 1e-7]
    for u in (None, [1e-10, np.nan, 0.0, 2e-10, 1.0]):
        readings = Readings.from_columns(("AMC2", "UTC(TB)"), epochs, [0] * 5, [1] * 5, x, u)
        parsed = parse(write_columns(readings, time), "w")
        assert parsed.readings.equals(readings)
        assert parsed.defects == []


@pytest.mark.parametrize(
    "readings",
    [
        Readings.empty(("A", "B")),
        Readings.from_columns(("A", "B"), [0, 0], [0, 1], [1, 0], [0.0, 0.0]),
        Readings.from_columns(("A B", "C"), [0], [0], [1], [0.0]),
    ],
)
def test_what_columns_cannot_hold_is_refused(readings: Readings) -> None:
    with pytest.raises(WriteError):
        write_columns(readings)
