"""TimeLab's phase record: channels, the interval, and records that are cut short."""

from __future__ import annotations

import pytest

from timeball.formats import FormatError, parse, parse_timelab, recognise

PROPERTIES = '"Title" OCXO against maser\n"Input Freq" 10000000\n"Sample Interval" 0.1\n'
FILE = PROPERTIES + "TIC 3 1\n1.5E-9\n2.5e-9\n-3e-9\n"


def test_one_channel() -> None:
    assert recognise(FILE.encode()) == "timelab"
    parsed = parse(FILE.replace("\n", "\r\n").encode(), "x.tim")
    assert (parsed.kind, parsed.defects) == ("timelab", [])
    assert parsed.readings.x.tolist() == [1.5e-9, 2.5e-9, -3e-9]
    assert parsed.readings.epoch.tolist() == [0, 10**8, 2 * 10**8]
    assert parsed.header["properties"] == {
        "Title": "OCXO against maser",
        "Input Freq": "10000000",
        "Sample Interval": "0.1",
    }


def test_a_channel_of_two_and_what_follows_the_record() -> None:
    data = (PROPERTIES + "TIC 2 2\n1 10\n2 20\nPNO 2 1\n7 7\n").encode()
    assert parse_timelab(data, "x", channel=1, start_ns=5).readings.x.tolist() == [10, 20]
    with pytest.raises(FormatError, match="no such channel: the record has 2"):
        parse_timelab(data, "x", channel=2)


@pytest.mark.parametrize(
    ("line", "tau0_s"),
    [('"Sample Rate" 4', 0.25), ('"Sampling Interval" 10 s', 10.0), ('"Tau0" 2', 2.0), ('"Sample Rate" none', 1.0)],
)
def test_the_interval_is_a_property_or_said_to_be_taken(line: str, tau0_s: float) -> None:
    parsed = parse(FILE.replace('"Sample Interval" 0.1', line).encode(), "x")
    assert parsed.readings.epoch[1] == round(tau0_s * 1e9)
    assert bool(parsed.defects) == (tau0_s == 1.0)
    assert parse_timelab(FILE.encode(), "x", tau0_s=3.0).readings.epoch[1] == 3 * 10**9


def test_a_record_cut_short_or_with_words_in_it_gives_what_is_there() -> None:
    short = parse(FILE.encode()[:-6], "x")
    assert short.readings.x.tolist() == [1.5e-9, 2.5e-9]
    assert [str(defect) for defect in short.defects] == ["x: TIC '3 1': only 2 figures are there"]
    words = parse(FILE.replace("2.5e-9", "gap").encode(), "x")
    assert words.readings.x.tolist() == [1.5e-9, -3e-9]
    assert words.readings.epoch.tolist() == [0, 2 * 10**8]
    assert [(defect.field, defect.text) for defect in words.defects] == [("value", "gap")]


@pytest.mark.parametrize("text", ["", PROPERTIES, "TIC 3 0\n1\n", "TIC 0 1\n", "TIC 1 1\nx\n"])
def test_nothing_usable_is_a_typed_error(text: str) -> None:
    with pytest.raises(FormatError):
        parse_timelab(text.encode(), "x")


def test_quoted_comments_over_plain_columns_make_no_record_of_timelab() -> None:
    assert recognise(b'"Title" x\n"Input Freq" 10000000\n"Operator" y\n1e-9\n2e-9\n') == "columns"
