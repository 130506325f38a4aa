"""UTCr: the weekly bulletin, and the series of one laboratory."""

from __future__ import annotations

import math

import pytest
from bulletins import ROWS, utcr

from timeball.formats import FormatError, parse, read_lab_series, read_utcr, recognise
from timeball.formats.utcr import named_lab
from timeball.instants import LeapTable, day_number, parse_utc

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")


def test_a_week_of_all_laboratories() -> None:
    data = utcr().encode()
    assert recognise(data) == "utcr"
    read = read_utcr(data, "week", LEAPS)
    assert (read.label, read.published, read.mjd) == ("UTCr_2549", "2025 DECEMBER 10, 12h UTC", (61010, 61011, 61012))
    assert read.epochs[0] == parse_utc("2025-12-01T00:00:00Z", LEAPS).ns
    assert read.labs["INPL"].values_s.tolist() == [-2.615e-7, -2.717e-7, 1.73e-8]
    assert math.isnan(read.labs["OP"].u_s)
    assert set(read.labs) == set(ROWS)
    assert read.defects == ()
    parsed = parse(data, "week", leaps=LEAPS)
    assert parsed.kind == "utcr"
    assert parsed.readings.clocks[-1] == "UTCr"


def test_a_bad_row_of_a_week_is_named() -> None:
    read = read_utcr(utcr().replace("2.3", "2.3.1"), "week", LEAPS)
    (defect,) = read.defects
    assert (defect.line, defect.field, defect.text) == (12, "value", "2.3.1")
    assert set(read.labs) == set(ROWS) - {"APL"}


def test_a_heading_of_columns_is_no_tempo2_file() -> None:
    assert recognise(b"# MJD UTC(TB)\n61014 1.0\n61015 2.0\n") == "columns"


@pytest.mark.parametrize(
    ("text", "lab"),
    [("# UTCr-UTC(AUS)\n57048 1\n", "AUS"), ("57048 1\n", None), ("# UTC(A) UTC(B)\n57048 1\n", None)],
)
def test_the_laboratory_that_a_series_names(text: str, lab: str | None) -> None:
    assert named_lab(text) == lab


def test_a_series_of_one_laboratory() -> None:
    read = read_utcr("# UTCr-UTC(AUS)/ns\n57048  -451.0\n57049 -\n\n57051  7\n", "aus", LEAPS)
    assert (list(read.labs), read.mjd, read.label) == (["AUS"], (57048, 57049, 57051), "")
    values_s = read.labs["AUS"].values_s
    assert (values_s[0], values_s[2]) == (-4.51e-7, 7e-9)
    assert math.isnan(values_s[1])


@pytest.mark.parametrize(
    ("line", "u_a_s", "u_s"),
    [
        ("61014 -0.3", None, None),
        ("61014 -0.3 1.1", None, 1.1e-9),
        ("61014 -0.3 0.2 1.1", 2e-10, 1.1e-9),
        ("61014 -0.3 0.2 1.0 1.1", 2e-10, 1.1e-9),
    ],
)
def test_uncertainties_of_a_series(line: str, u_a_s: float | None, u_s: float | None) -> None:
    points, defects = read_lab_series(line, "ptb", LEAPS, "PTB")
    assert defects == []
    assert points.values_s.tolist() == [-3e-10]
    for found, wanted in ((points.u_a_s[0], u_a_s), (points.u_s[0], u_s)):
        assert math.isnan(found) if wanted is None else found == wanted


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("61015", "line", "not MJD"),
        ("61015 1 2 3 4 5", "line", "not MJD"),
        ("61015.5 1", "MJD", "not a whole MJD"),
        ("31015 1", "MJD", "1972"),
        ("61015 1e3", "value", "neither ns"),
        ("61015 1 -2", "uncertainty", "at least 0"),
        ("61014 9", "MJD", "not after"),
    ],
)
def test_a_bad_line_of_a_series_is_named_and_the_others_stay(line: str, field: str, reason: str) -> None:
    points, defects = read_lab_series(f"61014 1.0\n{line}\n61016 2.0\n", "ptb", LEAPS, "PTB")
    assert points.values_s.tolist() == [1e-9, 2e-9]
    assert [(each.line, each.field) for each in defects] == [(2, field)]
    assert reason in defects[0].reason


@pytest.mark.parametrize(
    ("text", "lab", "words"),
    [
        ("61014 1.0\n", None, "of which one laboratory"),
        ("# UTC(A) UTC(B)\n61014 1.0\n", None, "of which one laboratory"),
        ("# UTCr-UTC(AUS)\n61014 1.0\n", "OP", "AUS.*is not of OP"),
        ("", "OP", "no date and value"),
        ("hello there\n", "OP", "bad:1: MJD 'hello'"),
        ("[UTCr-UTC(k)]\n", None, "no line of MJDs"),
    ],
)
def test_a_file_that_is_no_use_is_refused(text: str, lab: str | None, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_utcr(text, "bad", LEAPS, lab)


def test_dates_need_a_leap_second_table() -> None:
    for text in (utcr(), "61014 1.0\n"):
        with pytest.raises(FormatError, match="leap second table"):
            read_utcr(text, "week", None, "OP")
