"""Circular T, UTCr and reports of standards: what is printed is what is read, and only FormatError escapes."""

from __future__ import annotations

import math

import pytest
from bulletins import SECTION_3, SECTION_4, SECTION_5, Row, circular_t, utcr
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from timeball.formats import FormatError, lab_points, parse, read_circular_t, read_lab_series, read_psfs, read_utcr
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "made up")
COLUMNS = "# unit = 1e-16\nstandard start end y u_a u_b u_srep\nA-CsF1 61000 61030 -1.5 1 2 0\nB 61000 61020 3 1 2 4\n"
SERIES = "# UTCr-UTC(AUS)\n57048 -451.0\n57049 -453.4 0.2 1.1\n57050 -\n"
SEEDS = [
    text.encode()
    for text in (circular_t(rest="\n".join(("", SECTION_3, SECTION_4, SECTION_5))), utcr(), COLUMNS, SERIES)
]
PIECES = st.one_of(
    st.binary(max_size=5),
    st.sampled_from([b"", b" ", b"\n", b"-", b".", b"(", b")", b"9", b"99999999", b"nan", b"1e999", b"MJD", b"NC"]),
    st.sampled_from([b"61009", b"00000", b"10**-999", b"x10**", b"UTC(", b"From 2017 ", b"3 - Duration", b"\0", b"\r"]),
)
NS = st.integers(-9_999_999, 9_999_999).map(
    lambda tenths: f"{'-' * (tenths < 0)}{abs(tenths) // 10}.{abs(tenths) % 10}"
)


@settings(max_examples=100)
@given(st.one_of(st.binary(max_size=200), mutated(SEEDS, PIECES)))
def test_only_format_errors_escape_and_what_is_read_is_sane(data: bytes) -> None:
    for read in (read_circular_t, read_utcr):
        try:
            bulletin = read(data, "any", LEAPS)
        except FormatError:
            continue
        assert len(bulletin.epochs) == len(bulletin.mjd)
        for lab, row in bulletin.labs.items():
            assert row.values_s.shape == bulletin.epochs.shape
            assert not any(u < 0 for u in (row.u_a_s, row.u_b_s, row.u_s))
            assert len(lab_points([bulletin], lab).epochs) <= len(bulletin.epochs)
        assert len(bulletin.readings()) <= len(bulletin.labs) * len(bulletin.mjd)
    for other in (lambda: read_lab_series(data, "any", LEAPS, "X"), lambda: parse(data, "any", leaps=LEAPS)):
        try:
            other()
        except FormatError:
            continue
    try:
        table = read_psfs(data, "any")
    except FormatError:
        return
    assert all(report.start_mjd < report.end_mjd and report.u > 0 <= report.u_srep for report in table.reports)


LABS = st.from_regex(r"[A-Z][A-Z0-9]{1,3}", fullmatch=True)
PLACES = st.text(st.characters(codec="ascii", exclude_characters="()", categories=("L", "Zs", "P")), max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], dict[str, Row]]:
    first = draw(st.integers(0, 4000)) * 5 + 45_004
    mjd = [first + 5 * k for k in range(draw(st.integers(2, 7)))]
    value = st.one_of(NS, st.just("-"))
    u = st.integers(0, 999).map(lambda tenths: f"{tenths / 10:.1f}")
    rest = st.one_of(st.just(""), st.tuples(u, st.one_of(u, st.just("NC")), st.one_of(u, st.just("-"))).map("   ".join))
    row = st.tuples(PLACES, st.lists(value, min_size=len(mjd), max_size=len(mjd)), rest)
    return mjd, draw(st.dictionaries(LABS, row, min_size=1, max_size=5))


@settings(max_examples=40)
@given(tables())
def test_every_printed_value_is_read(table: tuple[list[int], dict[str, Row]]) -> None:
    mjd, rows = table
    read = read_circular_t(circular_t(rows, mjd, note="none", offset=""), leaps=LEAPS)
    week = read_utcr(utcr(rows, mjd), leaps=LEAPS)
    assert read.defects == week.defects == ()
    assert list(read.labs) == list(week.labs) == list(rows)
    for lab, (place, printed, rest) in rows.items():
        assert read.labs[lab].place == place.strip()
        wanted = [math.nan if text == "-" else float(f"{text}e-9") for text in printed]
        for found in (read.labs[lab].values_s, week.labs[lab].values_s):
            assert found.tolist() == pytest.approx(wanted, rel=0, abs=0, nan_ok=True)
        assert math.isnan(read.labs[lab].u_a_s) == (rest == "")


@settings(max_examples=30)
@given(tables(), st.data())
def test_a_line_of_rubbish_takes_no_good_row_with_it(
    table: tuple[list[int], dict[str, Row]], data: st.DataObject
) -> None:
    mjd, rows = table
    lines = circular_t(rows, mjd, note="none", offset="").split("\n")
    first = next(place for place, line in enumerate(lines) if line.startswith("Laboratory k"))
    rubbish = data.draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(lambda t: f"~{t}"))
    place = data.draw(st.integers(first + 1, first + len(rows)))
    read = read_circular_t("\n".join([*lines[:place], rubbish, *lines[place:]]), leaps=LEAPS)
    assert list(read.labs) == list(rows)
    assert [defect.line for defect in read.defects] in ([], [place + 1])


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(41_317, 88_000), NS), min_size=1, max_size=20, unique_by=lambda row: row[0]))
def test_a_series_comes_back(rows: list[tuple[int, str]]) -> None:
    rows.sort()
    text = "".join(f"{mjd} {value}\n" for mjd, value in rows)
    points, defects = read_lab_series(text, leaps=LEAPS, lab="X")
    assert defects == []
    assert points.values_s.tolist() == [float(f"{value}e-9") for _, value in rows]
    assert read_utcr(text, leaps=LEAPS, lab="X").mjd == tuple(mjd for mjd, _ in rows)
