"""Circular T: its values, uncertainties, notes, steps and steering, and what a damaged one says."""

from __future__ import annotations

import gzip
import math

import pytest
from bulletins import NOTE, ROWS, SECTION_3, circular_t

from timeball.formats import FormatError, lab_points, parse, read_circular_t, recognise
from timeball.instants import LeapTable, day_number, parse_utc

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")


def utc_ns(text: str) -> int:
    return parse_utc(text, LEAPS).ns


def test_values_uncertainties_dates_and_publication() -> None:
    read = read_circular_t(circular_t().encode(), "cirt")
    assert (read.number, read.published, read.mjd) == (456, "2026 JANUARY 08, 22h UTC", (61009, 61014, 61019))
    assert read.published_ns == utc_ns("2026-01-08T22:00:00Z")
    assert read.epochs.tolist() == [utc_ns(f"2025-{day}T00:00:00Z") for day in ("11-30", "12-05", "12-10")]
    assert list(read.labs) == ["OP", "APL", "CAO", "INPL"]
    assert read.labs["OP"].values_s.tolist() == [2e-10, -1e-10, 4e-10]
    assert (read.labs["OP"].u_a_s, read.labs["OP"].u_b_s, read.labs["OP"].u_s) == (2e-10, 1.1e-9, 1.1e-9)
    assert read.labs["INPL"].notes == (1,)
    assert read.defects == ()


def test_what_is_not_published_or_not_computed_is_nan() -> None:
    labs = read_circular_t(circular_t()).labs
    assert labs["APL"].u_a_s == 2e-10
    assert all(map(math.isnan, [labs["APL"].values_s[2], labs["APL"].u_b_s, labs["APL"].u_s]))
    assert all(map(math.isnan, [*labs["CAO"].values_s, labs["CAO"].u_a_s]))


def test_a_step_in_the_notes_has_its_moment_and_the_sign_of_the_clock() -> None:
    (step,) = read_circular_t(circular_t()).steps
    assert (step.lab, step.step_s, step.epoch) == ("INPL", -3e-7, utc_ns("2025-12-09T11:31:12Z"))
    values_s = read_circular_t(circular_t()).labs["INPL"].values_s
    assert values_s[2] - values_s[1] == pytest.approx(-step.step_s, abs=2e-8)  # UTC − UTC(k) goes the other way


def test_steering_and_section_3() -> None:
    read = read_circular_t(circular_t(rest="\n" + SECTION_3))
    assert [(each.what, each.start_mjd, each.end_mjd, each.eal_minus_tai) for each in read.steering] == [
        ("Steering correction", 61009, 61019, 6.498e-13),
        ("New correction", 61019, 61049, 6.4e-13),
    ]
    assert read.psfs is not None
    assert [report.standard for report in read.psfs.reports] == ["PTB-CS1", "PTB-CSF2", "SYRTE-FORb"]
    assert read_circular_t(circular_t()).psfs is None


def test_readings_are_utck_minus_utc_and_parse_recognises_them() -> None:
    data = gzip.compress(circular_t().encode())
    assert recognise(data) == "circular-t"
    parsed = parse(data, "cirt.gz")
    assert parsed.kind == "circular-t"
    assert parsed.readings.clocks == ("UTC(OP)", "UTC(APL)", "UTC(CAO)", "UTC(INPL)", "UTC")
    assert parsed.readings.x.tolist()[:3] == [-2e-10, 1e-10, -4e-10]
    assert len(parsed.readings) == 8  # nothing for the dashes
    only = read_circular_t(circular_t()).readings(["INPL", "NOBODY"])
    assert only.clocks == ("UTC(INPL)", "UTC")


def test_months_are_joined_and_the_later_bulletin_stands() -> None:
    first = read_circular_t(circular_t())
    rows = {"OP": ("Paris", ["0.5", "0.6", "-"], "0.3   1.2   1.2")}
    second = read_circular_t(circular_t(rows, mjd=(61019, 61024, 61029), number=457))
    for order in ([first, second], [second, first]):
        points = lab_points(order, "OP")
        assert points.values_s.tolist() == [2e-10, -1e-10, 5e-10, 6e-10]
        assert points.u_a_s.tolist() == [2e-10, 2e-10, 3e-10, 3e-10]
    assert lab_points([first], "XYZ").epochs.size == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "reason"),
    [
        ("0.4", "0,4", 12, "value", "decimal point"),
        ("0.2   1.1   1.1", "0.2   1.1", 12, "uncertainty", "not uA, uB and u"),
        ("0.2   1.1   1.1", "0.2   -1.1   1.1", 12, "uncertainty", "negative"),
        ("APL  (", "OP  (", 13, "laboratory", "has a row already"),
        ("(Laurel)", "Laurel", 13, "row", "not LAB (place)"),
        (
            "Steering correction          61009 - 61019",
            "Steering correction  61019 - 61009",
            25,
            "steering",
            "interval",
        ),
        ("6.498x10**-13", "6.498x10**-x", 25, "steering", "not MJD - MJD"),
        ("MJD 61018.48", "MJD 20018.48", 18, "MJD of a step", "no UTC before"),
    ],
)
def test_one_bad_line_is_named_and_the_others_stay(old: str, new: str, line: int, field: str, reason: str) -> None:
    text = circular_t()
    assert text.count(old) == 1
    read = read_circular_t(text.replace(old, new), "bad.txt")
    assert [(each.file, each.line, each.field) for each in read.defects] == [("bad.txt", line, field)]
    assert reason in read.defects[0].reason
    assert {"INPL", "CAO"} <= set(read.labs)


def test_a_row_that_is_too_short_is_a_defect() -> None:
    read = read_circular_t(circular_t({**ROWS, "OP": ("Paris", ["0.2", "0.1"], "")}))
    assert "OP" not in read.labs
    assert (read.defects[0].field, read.defects[0].reason) == ("values", "2 values for 3 dates")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line CIRCULAR T"),
        (circular_t(published="January"), "date of publication"),
        (
            circular_t(published="2026 JANUARY 38, 22h UTC"),
            r"bad:2: date of publication '2026 JANUARY 38.*no such date",
        ),
        (circular_t(published="2026 BRUMAIRE 08, 22h UTC"), "no such date"),
        (circular_t(published="2026 JANUARY 08, 25h UTC"), "no such hour"),
        (circular_t(offset=""), "not stated for its dates"),
        (circular_t(offset="From 2017 January 32, 0h UTC, TAI-UTC = 37 s"), "bad:6: TAI − UTC"),
        (circular_t(offset="From 2027 January 1, 0h UTC, TAI-UTC = 38 s"), "not stated for its dates"),
        (circular_t().replace("MJD   ", "DJM   "), "no line of MJDs"),
        (circular_t(mjd=(61009, 61019, 61014)), "rising order"),
        (circular_t().replace("    61014", "    61015"), r"bad:9: MJD '61015': is DEC 6, not DEC  ?5"),
        (circular_t({"OP": ("Paris", ["1"], "")}), "1 values for 3 dates"),
    ],
)
def test_a_circular_that_is_no_use_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_circular_t(text, "bad")


def test_a_leap_table_stands_in_where_the_text_says_nothing() -> None:
    read = read_circular_t(circular_t(offset=""), leaps=LEAPS)
    assert read.epochs.tolist() == read_circular_t(circular_t()).epochs.tolist()


def test_a_leap_second_inside_the_month_is_taken_from_the_text() -> None:
    offset = (
        "    From 2015 July 1, 0h UTC, to 2017 January 1, 0h UTC, TAI-UTC = 36 s.\n"
        "    From 2017 January 1, 0h UTC, TAI-UTC = 37 s."
    )
    epochs = read_circular_t(circular_t(mjd=(57749, 57754, 57759), offset=offset)).epochs
    assert [(epoch // 10**9) % 86_400 for epoch in epochs.tolist()] == [36, 37, 37]


def test_the_note_may_go_on_in_another_line() -> None:
    (note,) = read_circular_t(circular_t(note=NOTE)).notes
    assert (note.number, note.lab) == (1, "INPL")
    assert note.text == "Time step of UTC(INPL) of -300 ns on MJD 61018.48."


def test_values_that_fill_their_columns_and_touch_are_told_apart() -> None:
    rows = {"OP": ("Paris", ["0.2", "-100000.1", "-200000.2"], "0.2   1.1   1.1")}
    assert "-100000.1-200000.2" in circular_t(rows)
    read = read_circular_t(circular_t(rows))
    assert read.labs["OP"].values_s.tolist() == [2e-10, -1.000001e-4, -2.000002e-4]


@pytest.mark.parametrize("filling", [" ", "1 ", "\t", "x10**"])
def test_a_line_without_end_is_a_defect_and_costs_nothing(filling: str) -> None:
    for mark in ("MJD 61009", "OP (Paris) 1.0", "Steering  61009 - 61039 ", "PTB-CS1 61009 61019"):
        read = read_circular_t(circular_t(rest=mark + filling * 100_000 + "x\n"), "long")
        assert [(each.line, each.reason) for each in read.defects] == [(27, "longer than 1000 characters")]
        assert len(read.labs) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_with_accents_and_ends_of_lines(encoding: str, end: str) -> None:
    text = circular_t().replace("(Paris)", "(Besançon)").replace("\n", end)
    assert read_circular_t(text.encode(encoding)).labs["OP"].place == "Besançon"


def test_sections_are_known_by_their_words_and_not_by_their_numbers() -> None:
    old = circular_t(rest="\n" + SECTION_3.replace("3 - Dur", "4 - Dur")).replace(
        "2 - Difference", "2 - International Atomic Time TAI and local atomic time scales TA(k).\n\n3 - Difference"
    )
    read = read_circular_t(old)
    assert [each.eal_minus_tai for each in read.steering] == [6.498e-13, 6.4e-13]
    assert read.psfs is not None
    assert len(read.psfs.reports) == 3


def test_two_offsets_of_tai_on_one_line() -> None:
    offset = "    From 2015 July 1, 0h UTC, TAI-UTC = 36 s. From 2017 January 1, 0h UTC, TAI-UTC = 37 s."
    assert read_circular_t(circular_t(offset=offset)).epochs.tolist() == read_circular_t(circular_t()).epochs.tolist()
