"""Stable32's data files: gaps as zeros, the grid they stand on; and its tables of deviations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from timeball.formats import (
    ColumnOptions,
    FormatError,
    WriteError,
    parse,
    read_stable32_tau,
    recognise,
    write_stable32,
    write_stable32_tau,
)
from timeball.readings import Readings

HEADING = "# Stable32 data file\n# Type: Phase\n# Tau: 2\n"
TABLE = """# STATISTICS FOR FILE: PHASE.DAT
# Phase Data Points 1 thru 1001 of 1001
# Maximum = 4.356529e+00
# Sigma Type: Hadamard Total
# Confidence Factor = 0.683
#
#  AF        Tau         #    Alpha  Min Sigma   Hadamard Sig     Max Sigma
    1   1.0000e+00      998     0   2.8670e-01    2.9439e-01     3.0274e-01
    2   2.0000e+00      995     0   0.0000e+00    2.0297e-01     0.0000e+00
#   4   4.0000e+00      989     0   1.3744e-01    1.4252e-01     1.4821e-01
"""


def pair(epochs: list[int], x: list[float], u: list[float] | None = None) -> Readings:
    return Readings.from_columns(("A", "B"), epochs, [0] * len(x), [1] * len(x), x, u)


def test_zeros_inside_a_phase_record_are_gaps_and_at_its_ends_phases() -> None:
    data = f"{HEADING}0\n1e-9\n0\n-2e-9\n1e-99\n0.0\n".encode()
    assert recognise(data) == "stable32"
    readings = parse(data, "x.dat").readings
    assert readings.x.tolist() == [0.0, 1e-9, -2e-9, 0.0, 0.0]
    assert readings.epoch.tolist() == [0, 2 * 10**9, 6 * 10**9, 8 * 10**9, 10**10]


def test_every_zero_of_a_frequency_record_is_a_gap() -> None:
    data = f"{HEADING.replace('Phase', 'Frequency')}1e-9\n0\n3e-9\n0\n".encode()
    parsed = parse(data, "y.dat")
    assert parsed.header["bridged_gaps"] == 1
    assert parsed.readings.x.tolist() == pytest.approx([0, 2e-9, 6e-9, 1.2e-8], rel=1e-12)  # the gap at the mean, 2e-9


def test_plain_columns_are_read_so_when_asked_and_options_still_hold() -> None:
    data = b"1\n0\n3\n"
    assert parse(data, "x").readings.x.tolist() == [1, 0, 3]
    options = ColumnOptions(tau0_s=5.0, unit_s=1e-9)
    parsed = parse(data, "x", kind="stable32", columns=options)
    assert (parsed.kind, parsed.readings.x.tolist()) == ("stable32", pytest.approx([1e-9, 3e-9]))
    assert parsed.readings.epoch.tolist() == [0, 10 * 10**9]


def test_what_is_written_reads_back_with_its_gaps_names_and_start() -> None:
    start = 1_700_000_037 * 10**9
    readings = pair([start + k * 300 * 10**9 for k in (0, 1, 4)], [1.5e-9, 0.0, -2.5e-9])
    data = b"".join(write_stable32(readings))
    assert data.decode().split("\n")[-6:] == ["1.5e-09", "1e-99", "0.0", "0.0", "-2.5e-09", ""]
    again = parse(data, "back")
    assert (again.kind, again.defects) == ("stable32", [])
    assert again.readings.equals(readings)


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        (pair([], []), "without a reading"),
        (pair([0, 0], [1.0, 2.0]), "one at an epoch"),
        (pair([0, 1, 10**9], [1.0, 2.0, 3.0]), "no even grid"),
        (pair([0], [math.nan]), "finite"),
        (Readings.from_columns(("A", "B", "C"), [0, 1], [0, 1], [1, 2], [1, 2]), "of 2: choose one"),
        (Readings.from_columns(("A b", "B"), [0], [0], [1], [1]), "blanks"),
    ],
)
def test_what_it_cannot_hold_is_refused(readings: Readings, reason: str) -> None:
    with pytest.raises(WriteError, match=reason):
        write_stable32(readings)


def test_a_table_of_deviations() -> None:
    assert recognise(TABLE.encode()) == "stable32-tau"
    table = read_stable32_tau(TABLE.encode(), "t")
    assert (table.file, table.sigma_type, table.confidence) == ("PHASE.DAT", "Hadamard Total", 0.683)
    assert (table.data, table.points, len(table.lines), table.defects) == ("Phase", 1001, 2, ())
    first, second = table.lines
    assert (first.factor, first.tau_s, first.count, first.alpha) == (1, 1.0, 998, 0)
    assert (first.low, first.value, first.high) == (0.2867, 0.29439, 0.30274)
    assert [math.isnan(bound) for bound in (second.low, second.high)] == [True, True]
    with pytest.raises(FormatError, match="table of deviations holds no readings"):
        parse(TABLE.encode(), "t")


@pytest.mark.parametrize(
    "line", ["1 2.0 3 4", "    2   2.0000e+00   556987   2.0017e-08", "8 8.0 1.2e+01 -2 1e-1 2e-1 3e-1"]
)
def test_lines_of_either_form(line: str) -> None:
    text = TABLE[: TABLE.index("    1   1.0")] + line + "\n"
    table = read_stable32_tau(text.encode(), "t")
    assert (len(table.lines), table.defects) == (1, ())
    assert read_stable32_tau(write_stable32_tau(table), "w").lines[0].value == table.lines[0].value


@pytest.mark.parametrize("line", ["1 2.0 3", "0 2.0 3 4", "1 2.0 3.5 4", "1 2.0 3 x", "1 2 3 0.5 1 2 3"])
def test_bad_lines_are_told(line: str) -> None:
    table = read_stable32_tau(f"{TABLE}{line}\n".encode(), "t")
    assert len(table.lines) == 2
    assert [defect.line for defect in table.defects] == [11]


@pytest.mark.parametrize("data", [b"", b"# Sigma Type: Allan\n", b"1 2.0 3 4\n"])
def test_no_table_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_stable32_tau(data, "t")


def test_phases_are_not_taken_for_a_table() -> None:
    assert np.isfinite(parse(b"# Stable32, sigma\n1\n2\n", "x").readings.x).all()
