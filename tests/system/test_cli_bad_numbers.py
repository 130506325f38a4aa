"""Options that are no numbers, dates beyond all data, values too few or too old: one sentence and exit code 1 each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from timeball.cli.root import run

CIRCULAR = "bipm-circular-t/cirt.456.txt"
SIMULATE = "steer simulate --runs 5 --days 120 "


@pytest.mark.parametrize(
    "line",
    [
        SIMULATE + "--max-change nan",
        SIMULATE + "--law lqg --offset inf",
        SIMULATE + "--law pole --time-constant inf",
        SIMULATE + "--gain-rate nan",
        SIMULATE + "--gain-offset -1",
        "steer propose FILE --lab OP --confidence nan",
        "steer propose FILE --lab OP --at 999999999999",
        "anomalies FILE --grid nan",
        "anomalies FILE --grid inf",
        "anomalies FILE --grid 1e300",
        "anomalies FILE --since nan",
        "fit FILE --confidence nan",
        "psfs FILE --wfm 1e300",
        "psfs FILE --interval 61030 inf",
        "why X FILE --days nan",
    ],
)
def test_an_option_takes_finite_numbers_of_its_range(
    line: str, shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    option, number = next(w for w in line.split()[::-1] if w.startswith("--")), line.rsplit(maxsplit=1)[-1]
    assert run([str(shared(CIRCULAR)) if word == "FILE" else word for word in line.split()]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    sentence = said.err.splitlines()[-1]
    assert option in sentence
    assert number.split("e")[0] in sentence


def test_no_steer_is_proposed_from_values_of_long_ago(
    shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["steer", "propose", str(shared(CIRCULAR)), "--lab", "OP", "--law", "monthly", "--at"]
    assert run([*ask, "61101"]) == 0
    capsys.readouterr()
    assert run([*ask, "61102"]) == 1
    assert "the newest value is of MJD 61039, 63 days before MJD 61102" in capsys.readouterr().err


def test_two_documents_are_not_asked_for_at_once(
    shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", str(shared(CIRCULAR)), "--toml", "--json"]) == 1
    assert "--toml and --json are two documents" in capsys.readouterr().err


def test_one_value_has_no_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "utcr.txt"
    path.write_text("61043 2.2\n")
    assert run(["circular-t", str(path), "--lab", "OP"]) == 0
    said = capsys.readouterr().out
    assert "a rate needs more values" in said
    assert "nan" not in said


def test_the_example_of_psfs_stands_on_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["psfs", "--help"]) == 0
    said = capsys.readouterr().out
    assert "\n  timeball psfs cirt.445.txt cirt.456.txt --interval 61009 61039\n" in said
    assert "\\b" not in said
