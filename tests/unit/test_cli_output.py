"""Numbers for people and for machines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from timeball.cli import output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.3e-8, "13 ns"),
        (-6.2e-9, "-6.2 ns"),
        (4.5e-10, "450 ps"),
        (0.0, "0 s"),
        (1.0, "1 s"),
        (90000.0, "90000 s"),
        (0.00125, "1.25 ms"),
        (-2.5e-6, "-2.5 µs"),
        (9.99999e-10, "1 ns"),
        (0.99999e-3, "1 ms"),
        (3e-15, "3 fs"),
        (4.2e-17, "4.2e-17 s"),
        (float("nan"), "?"),
        (float("-inf"), "?"),
    ],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert output.format_seconds(seconds) == text


def test_times_keep_the_digits_asked_for() -> None:
    assert output.format_seconds(1.23456789e-9, digits=6) == "1.23457 ns"


@pytest.mark.parametrize(("tau", "text"), [(300.0, "300"), (983040.0, "983040"), (0.001, "0.001"), (1e-6, "1e-06")])
def test_averaging_times(tau: float, text: str) -> None:
    assert output.format_tau(tau) == text


def test_json_has_plain_numbers_and_null_for_the_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "x": np.float64(1e-9),
        "n": np.int64(7),
        "series": np.array([[1.0, np.nan], [np.inf, 2.0]]),
        "pair": (1, "µ"),
        "flag": np.bool_(True),
        "none": None,
    }
    output.print_json(document)
    shown = capsys.readouterr().out
    assert "µ" in shown
    assert json.loads(shown) == {
        "x": 1e-9,
        "n": 7,
        "series": [[1.0, None], [None, 2.0]],
        "pair": [1, "µ"],
        "flag": True,
        "none": None,
    }


def test_json_keeps_every_bit_of_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(4).standard_normal(50) * 1e-13
    output.print_json(values)
    assert json.loads(capsys.readouterr().out) == values.tolist()


def test_a_table_lines_up() -> None:
    table = output.format_table(("clock", "weight"), [("A", "0.3"), ("LONGER", "12.25")])
    assert table.splitlines() == ["clock   weight", "A          0.3", "LONGER   12.25"]
    assert output.format_table(("a",), []) == "a"
