"""TFEX files: time tags, units, trips, what is missing or wrong, and what is written back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from timeball.formats import FormatError, WriteError
from timeball.formats.tfex import is_tfex, read_tfex
from timeball.formats.tfex.writer import tfex_of, write_tfex, write_tfex_readings
from timeball.instants import LeapTable, day_number, parse_utc
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
FILE = """# TFEXVER = 0.3
# NDATA = 4
# PREFIX = { si = 'https://units.example/' }
# SAMPLING_INTERVAL_s = 300
# MISSING_EPOCHS = true
# AUTHOR = "TBL"
# REFPOINTS = [
#   { id = 'A', ts = "UTC(OP)", dev = 'OP3', type = 'GPSPPP' },
#   { id = 'B', ts = "UTC(PTB)", dev = 'PT13', type = 'GPSPPP' },
#   { id = 'C', ts = "Unknown", dev = 'HM1' },
# ]
# COLUMNS = [
#   { timetag = true, label = 'MJD', scale = 'utc', unit = 'si:day', format = '5d' },
#   { timetag = true, label = 'SoD', scale = 'utc', unit = 'si:second', format = '8.3f' },
#   { label = 'delta_t', trip = ['AB'], unit = 'si:nanosecond', format = '8.3f' },
#   { label = 'flag', format = '1d', possible_values = [0, 1, 2] },
#   { label = 'u', type = 'unc', colref = 'delta_t', unit = 'si:picosecond', format = '5.1f' },
# ]
# CONSTANT_DELAYS = [
#   { trip = ['AC'], unit = 'si:nanosecond', value = 102.7, type = 'TOTDLY' }
# ]
# COMMENT = \"\"\"
# two
#   lines
# \"\"\"

60547    0.000   -1.421 0  50.0
60547  300.500   -1.434 2     *
#     600.000  missing epoch here
60547  900.000        * 0  51.0
60547 1200.000   -1.508 0  52.0
"""


def test_rows_come_in_si_with_their_epochs() -> None:
    tfex = read_tfex(FILE.encode(), "t", LEAPS)
    assert tfex.epochs.tolist() == [
        parse_utc(f"2024-08-25T00:{at}Z", LEAPS).ns for at in ("00:00", "05:00.5", "15:00", "20:00")
    ]
    assert tfex.values["delta_t"][:2].tolist() == [-1.421e-9, -1.434e-9]
    assert math.isnan(tfex.values["delta_t"][2])
    assert tfex.values["flag"].tolist() == [0, 2, 0, 0]
    assert tfex.values["u"][3] == 52e-12
    assert tfex.defects == ()


def test_the_header() -> None:
    header = read_tfex(FILE.encode(), "t", LEAPS).header
    assert (header.version, header.n_data, header.sampling_interval_s, header.missing_epochs) == ("0.3", 4, 300.0, True)
    assert (header.author, header.comment) == ("TBL", "two\n  lines\n")
    assert [(point.id, point.scale, point.device) for point in header.refpoints][2] == ("C", "Unknown", "HM1")
    assert (header.delays[0].trip, header.delays[0].value_s) == (("AC",), 1.027e-7)


def test_readings_are_a_minus_b_with_the_uncertainty_that_refers_to_them() -> None:
    readings = read_tfex(FILE.encode(), "t", LEAPS).readings()
    assert readings.clocks == ("UTC(OP)", "UTC(PTB)")
    assert readings.x.tolist() == [-1.421e-9, -1.434e-9, -1.508e-9]
    assert readings.u[0] == 50e-12
    assert math.isnan(readings.u[1])


@pytest.mark.parametrize(
    ("trip", "ends"),
    [
        ("['AC']", ("UTC(OP)", "HM1")),
        ("['AB', 'BC']", ("UTC(OP)", "HM1")),
        ("['AB', 'AC']", None),
        ("['AB', 'BA']", None),
        ("['AZ']", None),
        ("['A']", None),
        ("[]", None),
    ],
)
def test_trips_are_joined_where_they_meet(trip: str, ends: tuple[str, str] | None) -> None:
    tfex = read_tfex(FILE.replace("['AB']", trip).encode(), "t", LEAPS)
    assert tfex.ends_of(tfex.columns[2]) == ends
    assert len(tfex.readings()) == (0 if ends is None else 3)


def test_version_0_2_names_its_columns_by_type_and_its_points_by_id() -> None:
    old = FILE.replace("{ timetag = true, label = 'MJD'", "{ type = 'timetag_MJD'")
    old = old.replace("{ timetag = true, label = 'SoD'", "{ label = 'timetag_SoD'").replace("0.3", "0.2")
    old = old.replace("{ label = 'delta_t'", "{ type = 'delta_t'")
    assert read_tfex(old.encode(), "t", LEAPS).readings().equals(read_tfex(FILE.encode(), "t", LEAPS).readings())
    start, stop = FILE.index("# REFPOINTS"), FILE.index("# COLUMNS")
    table = "# REFPOINTS = { A = { ts = 'UTC(OP)' }, B = { ts = 'UTC(PTB)' } }\n"
    by_id = read_tfex((FILE[:start] + table + FILE[stop:]).encode(), "t", LEAPS)
    assert [point.id for point in by_id.header.refpoints] == ["A", "B"]


@pytest.mark.parametrize(("scale", "later_s"), [("gpstime", 19 - 37), ("TAI", -37), ("utc", 0)])
def test_time_tags_are_of_the_scale_that_is_named(scale: str, later_s: int) -> None:
    utc = read_tfex(FILE.encode(), "t", LEAPS).epochs
    other = read_tfex(FILE.replace("'utc'", f"'{scale}'").encode(), "t", LEAPS).epochs
    assert (other - utc).tolist() == [later_s * 10**9] * 4


def test_text_columns_are_cut_by_their_width() -> None:
    text = FILE.replace("# ]\n# CONSTANT", "#   { label = 'note', format = '9s' },\n# ]\n# CONSTANT")
    text = text.replace("  50.0\n", "  50.0 a b\n").replace("  51.0\n", "  51.0 reset now\n")
    tfex = read_tfex(text.encode(), "t", LEAPS)
    assert tfex.texts["note"] == ("a b", "", "reset now", "")
    assert read_tfex(write_tfex(tfex, LEAPS), "t", LEAPS).texts == tfex.texts


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("60547  300.500", "60547 86400.50", 28, "SoD"),
        ("60547  300.500", "99999  300.500", 28, "MJD"),
        ("  -1.434", "  -1.4x4", 28, "delta_t"),
        ("  -1.434 2", "  -1.434", 28, "line"),
        ("NDATA = 4", "NDATA = 5", 0, "NDATA"),
        ("# AUTHOR", "# AUTHORS", 0, "header"),
        ("label = 'flag'", "label = 'delta_t'", 0, "COLUMNS"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_stays(old: str, new: str, line: int, field: str) -> None:
    tfex = read_tfex(FILE.replace(old, new).encode(), "t", LEAPS)
    assert (line, field) in [(defect.line, defect.field) for defect in tfex.defects]
    assert len(tfex.epochs) >= 3


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("TFEXVER = 0.3", "DATE = '2026'", "TFEXVER"),
        ("# ]\n# COLUMNS = [", "# ]\n# COLUMNS = [ {]", "TOML"),
        ("label = 'SoD'", "label = 'second'", "MJD and SoD"),
        ("'5d'", "'5x'", "format"),
        ("scale = 'utc', unit = 'si:day'", "scale = 'tt', unit = 'si:day'", "scale"),
        ("id = 'B'", "id = 'A'", "two different"),
        ("value = 102.7", "value = 'x'", "number"),
        ("60547", "6054x", "MJD"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(old: str, new: str, word: str) -> None:
    with pytest.raises(FormatError, match=word):
        read_tfex(FILE.replace(old, new).encode(), "t", LEAPS)


def test_utc_needs_a_leap_second_table() -> None:
    with pytest.raises(FormatError, match="leap second table"):
        read_tfex(FILE.encode(), "t")


def test_a_header_nested_without_end_is_refused() -> None:
    with pytest.raises(FormatError, match="TOML"):
        read_tfex(b"# TFEXVER = 0.3\n# COLUMNS = " + b"[" * 100_000 + b"\n1 2\n", "t", LEAPS)


def test_a_header_without_end_is_refused() -> None:
    with pytest.raises(FormatError, match="header of more than"):
        read_tfex(b"# TFEXVER = 0.3\n" + b"# # and so on\n" * 100_000, "t", LEAPS)


def test_what_is_written_reads_back_the_same() -> None:
    tfex = read_tfex(FILE.encode(), "t", LEAPS)
    written = write_tfex(tfex, LEAPS)
    again = read_tfex(written, "t", LEAPS)
    assert (again.header, again.columns, again.defects) == (tfex.header, tfex.columns, ())
    assert np.array_equal(again.epochs, tfex.epochs)
    assert all(np.array_equal(again.values[key], tfex.values[key], equal_nan=True) for key in tfex.values)
    assert write_tfex(again, LEAPS) == written
    assert b"60547  300.500   -1.434 2     *\n" in written


def test_readings_become_a_column_a_pair() -> None:
    epochs = [parse_utc(f"2026-01-0{day}T00:00:00Z", LEAPS).ns for day in (1, 1, 2)]
    readings = Readings.from_columns(
        ("HM1", "CS2", "UTC(TBL)"), epochs, [0, 1, 0], [2, 2, 2], [1e-9, -2.5e-6, 2e-9], [1e-12, math.nan, 2e-12]
    )
    for leaps in (LEAPS, None):
        data = write_tfex_readings(readings, leaps, decimals=3)
        assert is_tfex(data)
        again = read_tfex(data, "t", leaps)
        assert [column.label for column in again.columns] == ["MJD", "SoD", "AC", "u_AC", "BC"]
        assert again.readings().clocks == ("HM1", "UTC(TBL)", "CS2")
        assert sorted(again.readings().x.tolist()) == [-2.5e-6, 1e-9, 2e-9]
        assert again.readings().u[np.argsort(again.readings().x)].tolist()[1:] == [1e-12, 2e-12]


def test_what_a_column_cannot_hold_is_not_written() -> None:
    tfex = read_tfex(FILE.encode(), "t", LEAPS)
    tfex.values["delta_t"][0] = 1.0
    with pytest.raises(WriteError, match="delta_t"):
        write_tfex(tfex, LEAPS)
    late = Readings.from_columns(("A", "B"), [10**18 + 1], [0], [1], [1e-9])
    assert read_tfex(write_tfex_readings(late), "t").epochs.tolist() == [10**18 + 1]
    coarse = tfex_of(late, "TAI")
    with pytest.raises(WriteError, match="SoD"):
        write_tfex(type(tfex)(tfex.header, tfex.columns, coarse.epochs, {}, {}, ()), LEAPS)
    with pytest.raises(WriteError, match="leap second table"):
        write_tfex(tfex)


def test_a_time_tag_that_utc_has_not_is_not_written() -> None:
    before = Readings.from_rows([(-1, "A", "B", 1e-9, math.nan)])  # of 1969
    with pytest.raises(WriteError, match="a time tag that UTC has not: made up begins on 1972-01-01"):
        write_tfex_readings(before, LEAPS)
    assert b"40586 86399" in write_tfex_readings(before)  # TAI was there
