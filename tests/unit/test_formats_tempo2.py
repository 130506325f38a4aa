"""Clock correction files of tempo2: heading, sign, fillers, and what is none of them."""

from __future__ import annotations

import pytest

from timeball.formats import FormatError, WriteError, parse, recognise, write_tempo2_clock
from timeball.formats.tempo2 import parse_tempo2_clock
from timeball.instants import LeapTable, day_number, parse_utc
from timeball.readings import Readings
from timeball.station.hosttime.leaps import load_leap_table

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "made up")
FILE = """# UTC(AO) UTC(GPS) 1
# a remark 12 13
58000.00000 1.5e-06
58001.50000 -0.0000020  a remark behind the figures
"""


def test_a_reading_is_from_minus_to() -> None:
    data = FILE.encode()
    assert recognise(data) == "tempo2"
    parsed = parse(data, "ao.clk", leaps=LEAPS)
    assert parsed.readings.clocks == ("UTC(AO)", "UTC(GPS)")
    assert parsed.readings.x.tolist() == [-1.5e-6, 2e-6]  # a figure is what must be added to UTC(AO)
    assert parsed.readings.epoch.tolist() == [
        parse_utc(text, LEAPS).ns for text in ("2017-09-04T00:00:00Z", "2017-09-05T12:00:00Z")
    ]
    assert parsed.header == {"from": "UTC(AO)", "to": "UTC(GPS)", "badness": "1"}
    assert parsed.defects == []


def test_fillers_and_bad_lines_are_told_and_left_out() -> None:
    text = FILE.replace("58000.00000 1.5e-06", "0.0 0.0\n58000 x\n58000.0 1e-6") + "65000 2e-6\n"
    parsed = parse(text.encode(), "ao.clk", leaps=LEAPS)
    assert parsed.readings.x.tolist() == [-1e-6, 2e-6]
    assert [(defect.line, defect.field) for defect in parsed.defects] == [(3, "time"), (4, "value"), (0, "MJD")]
    assert "filler" in parsed.defects[-1].reason


def test_a_long_history_in_comments_hides_no_figures() -> None:
    history = "#Comments from merged data file:\n" * 2000
    text = FILE.replace("# a remark 12 13\n", history)
    assert recognise(text.encode()) == "tempo2"
    assert len(parse(text.encode(), "ao.clk", leaps=LEAPS).readings) == 2


@pytest.mark.parametrize(
    "heading",
    ["# MJD UTC(TB)", "# UTC(A) UTC(A)", "# phases of clock", "# kind = phase", "UTC(AO) UTC(GPS)", "# UTC(AO)"],
)
def test_other_headings_make_no_tempo2_file(heading: str) -> None:
    assert recognise(f"{heading}\n58000.0 1.5e-06\n58001.0 1.5e-06\n".encode()) == "columns"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("58000 1e-6\n", "no heading"),
        ("# UTC(A) UTC(B)\n", "no line of figures"),
        ("# UTC(A) UTC(B)\n65000 1e-6\n", "no line of figures but fillers"),
    ],
)
def test_what_is_no_use_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse_tempo2_clock(text.encode(), "bad", LEAPS)


def test_dates_need_a_leap_second_table() -> None:
    with pytest.raises(FormatError, match="leap second table"):
        parse(FILE.encode(), "ao.clk")


def test_real_files_of_observatories_and_laboratories(shared) -> None:
    leaps = load_leap_table()
    counts = {"gbt2gps.clk": 8407, "wsrt2gps.clk": 5778, "aus2utc.clk": 1350, "tai2tt_bipm2025.clk": 2846}
    for name, count in counts.items():
        data = shared(f"ipta-pulsar-clock-corrections/{name}").read_bytes()
        assert recognise(data) == "tempo2", name
        parsed = parse(data, name, leaps=leaps)
        assert parsed.defects == [], name
        assert len(parsed.readings) == count, name


def clock_pair(names: tuple[str, ...], epochs: list[int], x: list[float]) -> Readings:
    return Readings.from_columns(names, epochs, [0] * len(x), [1] * len(x), x)


def test_what_is_written_is_from_minus_to_and_reads_back() -> None:
    epochs = [parse_utc(text, LEAPS).ns for text in ("2017-09-04T00:00:00Z", "2017-09-05T23:59:59.999999999Z")]
    readings = clock_pair(("UTC(AO)", "UTC(GPS)"), epochs, [-1.5e-6, 2e-6])
    data = b"".join(write_tempo2_clock(readings, LEAPS, badness="1"))
    assert data.decode().split("\n")[:2] == ["# UTC(AO) UTC(GPS) 1", "58000.000000000000000 1.5e-06"]
    again = parse(data, "back", leaps=LEAPS)
    assert (again.kind, again.defects, again.header["badness"]) == ("tempo2", [], "1")
    assert again.readings.equals(readings)


@pytest.mark.parametrize(
    ("names", "utc", "x", "reason"),
    [
        (("AMC2 maser", "UTC(GPS)"), "2017-09-04T00:00:00Z", 1.0, "names two time scales"),
        (("UTC(AO)", "UTC(GPS)"), "2016-12-31T23:59:60.5Z", 1.0, "a leap second has no fraction of a day"),
        (("UTC(AO)", "UTC(GPS)"), "2017-09-04T00:00:00Z", float("inf"), "finite"),
        (("UTC(AO)", "UTC(GPS)"), "2060-01-01T00:00:00Z", 1.0, "would be read as a filler"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(names: tuple[str, str], utc: str, x: float, reason: str) -> None:
    readings = clock_pair(names, [parse_utc(utc, LEAPS).ns], [x])
    with pytest.raises(WriteError, match=reason):
        write_tempo2_clock(readings, LEAPS)


def test_before_1972_there_is_no_utc_to_write() -> None:
    with pytest.raises(WriteError, match="no UTC before it"):
        write_tempo2_clock(clock_pair(("UTC(AO)", "UTC(GPS)"), [0], [1.0]), LEAPS)
