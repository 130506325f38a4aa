"""Reports of frequency standards: section 3 of Circular T by its published layout, and plain columns."""

from __future__ import annotations

import pytest
from bulletins import SECTION_3, circular_t

from timeball.formats import FormatError, parse, read_circular_t, read_psfs, recognise

COLUMNS = """# d of the scale against our fountains
# unit = 1e-16
standard start end d u_a u_b u_srep steer
A-CsF1 61000 61030 -1.5 1 2 0 Y
B-Sr1, 61000.5, 61020, 3, 1, 2, 4, N   # remark
"""


def test_section_3_alone_and_inside_a_circular() -> None:
    table = read_psfs(SECTION_3)
    assert table.defects == ()
    maser, fountain, rubidium = table.reports
    assert (maser.standard, maser.start_mjd, maser.end_mjd, maser.notes) == ("PTB-CS1", 61009, 61019, (1,))
    assert (fountain.d, fountain.u_a, fountain.u_b, fountain.u_tai, fountain.u) == pytest.approx(
        (-1e-16, 1e-16, 1.7e-16, 1e-16, 2.2e-16), rel=1e-12
    )
    assert (fountain.u_srep, fountain.steer) == (0.0, True)
    assert (rubidium.u_srep, rubidium.steer, rubidium.notes) == (pytest.approx(3.4e-16), False, (2,))
    (estimate,) = table.estimates
    assert (estimate.start_mjd, estimate.end_mjd, estimate.d, estimate.u) == (61009, 61019, -3.8e-16, 1e-16)
    whole = circular_t(rest="\n" + SECTION_3)
    assert read_psfs(whole) == read_circular_t(whole, "PSFS").psfs


def test_another_unit_is_taken_from_the_text() -> None:
    report = read_psfs(SECTION_3.replace("10**-15 and", "10**-16 and")).reports[0]
    assert report.d == pytest.approx(-6.41e-16)


def test_plain_columns_with_a_unit() -> None:
    assert recognise(COLUMNS.encode()) == "psfs"
    a, b = read_psfs(COLUMNS).reports
    assert (a.standard, a.d, a.u_b, a.steer) == ("A-CsF1", pytest.approx(-1.5e-16), 2e-16, True)
    assert a.u == pytest.approx(5**0.5 * 1e-16)
    assert (b.start_mjd, b.u_srep, b.steer) == (61000.5, pytest.approx(4e-16), False)


def test_a_column_of_y_turns_the_sign_and_u_alone_is_statistical() -> None:
    (report,) = read_psfs("standard,start,end,y,u\nA,61000,61030,1.5,2\n").reports
    assert (report.d, report.u_a, report.u_b, report.u) == (pytest.approx(-1.5e-15), 2e-15, 0.0, 2e-15)


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("-6.41   6.00", "-6.41   6,00", 7, "u_a"),
        ("-6.41   6.00", "-6.41   9.00", 7, "u"),
        ("0.13 10.00  PFS/NA      T148    8.      Y   (1)", "", 7, "figures"),
        ("0.34  [1]", "0.34[1]", 9, "uSrep"),
        ("SYRTE-FORb   61009 61019", "SYRTE-FORb   61019 61009", 9, "interval"),
        ("0.13 10.00", "-0.13 10.00", 7, "uncertainty"),
        ("61009-61019  ", "61019-61009  ", 15, "interval"),
    ],
)
def test_a_bad_line_of_section_3_is_named_and_the_others_stay(old: str, new: str, line: int, field: str) -> None:
    assert old in SECTION_3
    table = read_psfs(SECTION_3.replace(old, new), "bad")
    assert [(each.file, each.line, each.field) for each in table.defects] == [("bad", line, field)]
    assert len(table.reports) + len(table.estimates) == 3


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("C 61000 61030 1 2", "line"),
        ("C 61000 61030 1 2 x 0 Y", "u_b"),
        ("C 61000 61000 1 2 3 0 Y", "interval"),
        ("C 61000 61030 1 0 0 0 Y", "u"),
        ("C 61000 61030 1 1 1 -3 Y", "uncertainty"),
    ],
)
def test_a_bad_line_of_columns_is_named_and_the_others_stay(line: str, field: str) -> None:
    table = read_psfs(COLUMNS + line + "\n", "bad")
    assert len(table.reports) == 2
    assert [(each.line, each.field) for each in table.defects] == [(6, field)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no report"),
        ("standard start end d\nA 61000 61030 1\n", "neither u nor"),
        ("standard start end d y u\n", "named twice"),
        ("standard start end d u colour\n", "not known"),
        ("# unit = 7\nstandard start end d u\nA 61000 61030 1 1\n", "not a unit"),
        ("standard start end d u\nA 61000 61030 1 x\n", "bad:2: u 'x'"),
        (circular_t(), "no report"),
    ],
)
def test_a_file_that_is_no_use_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_psfs(text, "bad")


def test_reports_are_no_readings() -> None:
    with pytest.raises(FormatError, match="holds no readings"):
        parse(COLUMNS.encode(), "psfs")
