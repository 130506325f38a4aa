"""Plain columns fed piece by piece: the outcome of the whole, and the bounds that hold for any file."""

from __future__ import annotations

import pytest

from timeball.formats import ColumnOptions, ColumnsReader, FormatError, Parsed, parse_columns
from timeball.formats.columns import reader as module

PHASES = b"\xef\xbb\xbfcounter 53230A\n# unit = ns\n1.5\r\n\n2.5\nbad\nnan\n-3\n4"
TAGGED = b"# kind = frequency\n57754.0 1e-9\n57754.5,2e-9 remark\n57754.25 7\n57755.0 nan\n57756.0 3e-9\n"


def fed(data: bytes, size: int, options: ColumnOptions | None = None) -> Parsed:
    reader = ColumnsReader("x", options)
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.finish()


@pytest.mark.parametrize("data", [PHASES, TAGGED, PHASES.replace(b"bad\n", b""), b"1\n2\n3\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
def test_pieces_give_what_the_whole_gives(data: bytes, size: int) -> None:
    whole, pieces = parse_columns(data, "x"), fed(data, size)
    assert pieces.readings.equals(whole.readings)
    assert (pieces.defects, pieces.header, pieces.kind) == (whole.defects, whole.header, "columns")


def test_lines_are_numbered_through_and_a_bad_one_keeps_its_place() -> None:
    parsed = fed(PHASES, 5)
    assert [(defect.line, defect.text) for defect in parsed.defects] == [(6, "bad")]
    assert parsed.readings.epoch.tolist() == [0, 10**9, 4 * 10**9, 5 * 10**9]
    assert parsed.readings.x.tolist() == pytest.approx([1.5e-9, 2.5e-9, -3e-9, 4e-9])


def test_a_tag_that_goes_back_is_told_across_pieces() -> None:
    assert [(defect.line, defect.field) for defect in fed(TAGGED, 16).defects] == [(4, "time")]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 100)
    with pytest.raises(FormatError, match="a line of more than 100 bytes"):
        fed(b"1" * 300, 50)
    with pytest.raises(FormatError, match="no line of figures in 100 bytes"):
        fed(b"# a heading\n" * 30, 50)


def test_more_samples_than_can_be_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SAMPLES", 10)
    assert len(fed(b"1\n" * 10, 4).readings) == 10
    with pytest.raises(FormatError, match="more than 10 samples: cut the file, or thin it out"):
        fed(b"1\n" * 11, 4)


def test_of_very_many_bad_lines_the_first_are_told_and_the_rest_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DEFECTS", 3)
    parsed = fed(b"1\n" + b"x\n" * 10 + b"2\n", 4)
    assert len(parsed.readings) == 2
    assert [defect.line for defect in parsed.defects] == [2, 3, 4, 0]
    assert sum(defect.lines for defect in parsed.defects) == 10
    assert "7 more bad lines" in str(parsed.defects[-1])
