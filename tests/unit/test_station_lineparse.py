"""The line protocol: every form of the grammar, exact femtoseconds, and garbage that says what it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.instants import LeapTable, parse_utc
from timeball.station.instruments.lineparse import Line, LineError, parse_line

# 2016-12-31 ended with a leap second: TAI − UTC went from 36 s to 37 s.
LEAPS = LeapTable.from_offsets([(16617, 36), (17167, 37)], None, "test")
EPOCH = parse_utc("2026-11-22T20:00:00Z", LEAPS).ns


@pytest.mark.parametrize(
    ("text", "unit_s", "expected"),
    [
        ("+1.5e-8", 1.0, Line(None, 15_000_000)),
        ("1.5", 1e-8, Line(None, 15_000_000)),
        ("15 ns", 1.0, Line(None, 15_000_000)),
        ("-15,ns", 1.0, Line(None, -15_000_000)),
        ("15;ns\r", 1.0, Line(None, 15_000_000)),
        ("\t0.015\tus ", 1.0, Line(None, 15_000_000)),
        ("0.015 µs", 1.0, Line(None, 15_000_000)),
        (".015 us", 1.0, Line(None, 15_000_000)),
        ("15. ns", 1.0, Line(None, 15_000_000)),
        ("0.000000012345 TI(A->B)", 1e-9, Line(None, 12_345_000)),
        ("2026-11-22T20:00:00Z 1 ps", 1.0, Line(EPOCH, 1000)),
        ("2026-11-22T20:00:00.5Z, 1 ps", 1.0, Line(EPOCH + 500_000_000, 1000)),
        ("61366.833333333333 7 fs", 1.0, Line(EPOCH, 7)),
        ("57753.99999 1e-15", 1.0, Line(parse_utc("2016-12-31T23:59:59.136Z", LEAPS).ns, 1)),
        ("2016-12-31T23:59:60Z 2 fs", 1.0, Line(parse_utc("2016-12-31T23:59:60Z", LEAPS).ns, 2)),
        ("0.5 fs", 1.0, Line(None, 0)),
        ("1.5 fs", 1.0, Line(None, 2)),
    ],
)
def test_every_form_of_the_grammar(text: str, unit_s: float, expected: Line) -> None:
    line = parse_line(text, unit_s, LEAPS)
    assert line is not None
    assert line.x_fs == expected.x_fs
    if expected.epoch is None:
        assert line.epoch is None
    else:
        assert line.epoch is not None
        assert abs(line.epoch - expected.epoch) < 100_000  # twelve digits of a day are 86 ns


@pytest.mark.parametrize("text", ["", "   ", "\r", "# a remark", "% another", "\0\0"])
def test_lines_that_say_nothing(text: str) -> None:
    assert parse_line(text, 1.0, LEAPS) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("hello", "value 'hello'"),
        ("1.5 furlongs", "unit 'furlongs'"),
        ("1 2 3 4", "4 fields"),
        ("nan", "value 'nan'"),
        ("inf s", "value 'inf'"),
        ("1e999", "beyond"),
        ("10000 s", "beyond"),
        ("1_000", "value '1_000'"),
        ("0x10", "value '0x10'"),
        ("٣ ns", "value"),
        ("2026-02-30T00:00:00Z 1 ns", "epoch"),
        ("2015-12-31T23:59:60Z 1 ns", "epoch"),
        ("1.5 ns extra", "3 fields"),
        ("--5", "value '--5'"),
    ],
)
def test_garbage_says_what_it_is(text: str, word: str) -> None:
    with pytest.raises(LineError, match=word.replace("(", r"\(")):
        parse_line(text, 1.0, LEAPS)


def test_a_long_line_is_shown_cut() -> None:
    with pytest.raises(LineError) as caught:
        parse_line("x" * 5000, 1.0, LEAPS)
    assert len(str(caught.value)) < 200


@given(
    st.integers(-(10**18), 10**18), st.sampled_from([("fs", 0), ("ps", 3), ("ns", 6), ("us", 9), ("ms", 12), ("s", 15)])
)
def test_femtoseconds_survive_any_unit(x_fs: int, unit: tuple[str, int]) -> None:
    name, power = unit
    text = f"{Decimal(x_fs).scaleb(-power):f} {name}"
    assert parse_line(text, 1.0, LEAPS) == Line(None, x_fs)


@given(st.text(max_size=60))
def test_whatever_a_counter_writes_only_line_errors_come_out(text: str) -> None:
    try:
        line = parse_line(text, 1.0, LEAPS)
    except LineError as error:
        line = None
        said = str(error)
        if not said:
            pytest.fail("an error without words")
    assert line is None or isinstance(line.x_fs, int)
