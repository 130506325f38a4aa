"""Files of the BIPM about clocks: what a laboratory reports, and the tables of weights, rates and drifts."""

from __future__ import annotations

import math

import pytest

from timeball.formats import FormatError, WriteError
from timeball.formats.bipm_clocks import (
    BIPMClocks,
    clocks_to_report,
    is_bipm_clocks,
    read_bipm_clocks,
    write_bipm_clocks,
)
from timeball.formats.bipm_tables import is_bipm_table, read_bipm_table
from timeball.instants import LeapTable, day_number, parse_utc
from timeball.readings import Readings

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
CLOCKS = """# UTC(TBL) - clock, ns
61009 10023 1350415    -1234.5 1401701       12.3
61014 10023 1350415    -1236.0 1401701       12.9
61019 10023 1401701       13.6
"""
WEIGHTS = """        RELATIVE WEIGHTS (IN PERCENT) OF CLOCKS
        (***** DENOTES THAT THE CLOCK WAS NOT USED)

LAB.  CLOCK       59239    59269    59294

AUS   36 0654     0.000    0.012    *****
PTB   40 0590     1.007    *****    1.010
PTB   40-0508     *****    *****    *****

Total weight      1.007    0.012    1.010

The clocks are designated by their type (2 digits) and serial number.
35 HIGH PERFORMANCE CAESIUM  40 HYDROGEN MASERS
"""


def test_a_report_is_utc_k_minus_clock() -> None:
    clocks = read_bipm_clocks(CLOCKS.encode(), "clk")
    assert (clocks.lab, clocks.codes, clocks.defects) == ("10023", ("1350415", "1401701"), ())
    assert clocks.values_s[61009, "1350415"] == -1.2345e-6
    readings = clocks.readings(LEAPS, "UTC(TBL)", {"1350415": "CS1"})
    assert readings.clocks == ("CS1", "1401701", "UTC(TBL)")
    assert readings.x.tolist() == [1.2345e-6, -1.23e-8, 1.236e-6, -1.29e-8, -1.36e-8]
    assert readings.epoch[0] == parse_utc("2025-11-30T00:00:00Z", LEAPS).ns
    assert clocks.readings(LEAPS).clocks[-1] == "UTC(10023)"


def test_a_report_is_written_five_clocks_a_line() -> None:
    clocks = read_bipm_clocks(CLOCKS.encode(), "clk")
    assert write_bipm_clocks(clocks).decode() == CLOCKS.partition("\n")[2]
    many = BIPMClocks("10023", {(61009, f"14017{n:02d}"): float(f"{n}e-9") for n in range(7)}, ())
    text = write_bipm_clocks(many).decode()
    assert [len(line.split()) for line in text.splitlines()] == [12, 6]
    assert read_bipm_clocks(text.encode(), "clk").values_s == many.values_s


def test_readings_at_0_h_utc_become_a_report() -> None:
    at = [parse_utc(f"2025-11-30T{time}Z", LEAPS).ns for time in ("00:00:00", "00:00:00", "12:00:00", "00:00:00")]
    readings = Readings.from_columns(
        ("CS1", "HM1", "HM2", "UTC(TBL)"), at, [0, 3, 0, 2], [3, 1, 3, 3], [1e-6, -2e-9, 5.0, 3e-9]
    )
    codes = {"CS1": "1350415", "HM1": "1401701"}
    clocks, unnamed = clocks_to_report(readings, "10023", codes, "UTC(TBL)", LEAPS)
    assert clocks.values_s == {(61009, "1350415"): -1e-6, (61009, "1401701"): -2e-9}
    assert unnamed == ["HM2"]
    back = read_bipm_clocks(write_bipm_clocks(clocks), "clk").readings(LEAPS)
    assert back.x.tolist() == [1e-6, 2e-9]
    with pytest.raises(WriteError, match="0 h UTC"):
        clocks_to_report(readings, "10023", codes, "UTC(XX)", LEAPS)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("1350415    -1234.5", "135041    -1234.5", "clock"),
        ("-1234.5", "-1234x5", "clock"),
        ("61009", "99999", "line"),
        ("61009 10023", "61009 1002", "line"),
        ("61009 10023 1350415", "61009 10023", "line"),
        ("1401701       12.3", "1350415       12.3", "clock"),
    ],
)
def test_a_bad_pair_is_told_and_the_others_stay(old: str, new: str, field: str) -> None:
    clocks = read_bipm_clocks(CLOCKS.replace(old, new, 1).encode(), "clk")
    assert [(defect.line, defect.field) for defect in clocks.defects] == [(2, field)]
    assert len(clocks.values_s) >= 3


def test_a_report_that_cannot_be_used_or_written() -> None:
    with pytest.raises(FormatError, match="several laboratories"):
        read_bipm_clocks((CLOCKS + "61019 10024 1401702 1.0\n").encode(), "clk")
    with pytest.raises(FormatError, match="clk"):
        read_bipm_clocks(b"# nothing\n", "clk")
    with pytest.raises(WriteError, match="seven"):
        write_bipm_clocks(BIPMClocks("10023", {(61009, "CS1"): 0.0}, ()))
    with pytest.raises(WriteError, match="fit"):
        write_bipm_clocks(BIPMClocks("10023", {(61009, "1350415"): 100.0}, ()))


def test_files_are_known_by_their_figures_and_their_headings() -> None:
    assert is_bipm_clocks(CLOCKS.encode())
    assert not is_bipm_clocks(b"61009 1350415 1.5\n61010 1350415 1.6\n")
    assert is_bipm_table(WEIGHTS.encode())
    assert not is_bipm_table(WEIGHTS.replace("WEIGHTS", "FIGURES").replace("Total weight", "").encode())
    assert not is_bipm_table(CLOCKS.encode())


def test_weights_are_fractions() -> None:
    table = read_bipm_table(WEIGHTS.encode(), "w")
    assert (table.quantity, table.mjd, table.defects) == ("weight", (59239, 59269, 59294), ())
    assert [row.name for row in table.rows] == ["AUS 36-0654", "PTB 40-0590", "PTB 40-0508"]
    assert table.rows[1].values[0] == pytest.approx(0.01007)
    assert [math.isnan(value) for value in table.rows[0].values] == [False, False, True]
    assert all(map(math.isnan, table.rows[2].values))


@pytest.mark.parametrize(
    ("title", "quantity", "unit"),
    [("RATES (NS/DAY) OF CLOCKS", "rate", 1.1574e-14), ("DRIFTS, NS/DAY/30 DAYS", "drift", 4.465e-21)],
)
def test_rates_and_drifts_are_in_si(title: str, quantity: str, unit: float) -> None:
    text = WEIGHTS.replace("RELATIVE WEIGHTS (IN PERCENT) OF CLOCKS", title).replace("1.007    *", "-1.000    *")
    table = read_bipm_table(text.encode(), "r")
    assert table.quantity == quantity
    assert table.rows[1].values[0] == pytest.approx(-unit, rel=1e-3)


def test_a_page_may_bring_other_months() -> None:
    page = "LAB.  CLOCK       59329\nPTB   40 0590     0.900\n"
    table = read_bipm_table(WEIGHTS.replace("\nTotal", f"\n{page}\nTotal").encode(), "w")
    assert table.mjd == (59239, 59269, 59294, 59329)
    assert [len(row.values) for row in table.rows] == [4, 4, 4]
    assert math.isnan(table.rows[0].values[3])
    assert table.rows[1].values[3] == pytest.approx(0.009)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("0.000    0.012", "0.000", "2 values for 3"),
        ("0.012", "0.0x2", "neither"),
        ("PTB   40 0590", "AUS   36 0654", "twice"),
    ],
)
def test_a_bad_row_of_a_table_is_told(old: str, new: str, word: str) -> None:
    table = read_bipm_table(WEIGHTS.replace(old, new, 1).encode(), "w")
    assert len(table.rows) == 2
    assert word in table.defects[0].reason


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [("LAB.  CLOCK", "LAB.  KLOK", "heading"), ("WEIGHTS", "THINGS", "title"), ("59239", "99999", "1972")],
)
def test_a_table_that_cannot_be_used_says_why(old: str, new: str, word: str) -> None:
    with pytest.raises(FormatError, match=word):
        read_bipm_table(WEIGHTS.replace(old, new).encode(), "w")
