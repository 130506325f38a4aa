"""The walk from files to the first bulletin: its files are written, its commands are run, in its order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from guides import COMMAND, Walk, walk

from timeball.cli import root as cli

PAGE = "guide/laboratory.md"
# A station's own folder is not in this walk; tests/unit/test_cli_report.py makes a report of one.
OF_A_STATION = "report STATE"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Walk:
    """The folder after the walk, and what each command printed."""
    text = (root / "docs" / PAGE).read_text(encoding="utf-8")
    return walk(text, tmp_path_factory.mktemp("laboratory"), but=OF_A_STATION)


def test_every_command_ran(walked: Walk) -> None:
    _, printed = walked
    assert {line.split()[0] for line in printed} >= {
        "simulate", "stability", "fit", "scale", "why", "anomalies", "circular-t", "steer", "report",
    }  # fmt: skip
    assert all(printed.values())


def test_the_bulletin_is_there_and_says_what_the_guide_says(walked: Walk) -> None:
    folder, _ = walked
    page = (folder / "january.html").read_text(encoding="utf-8")
    for words in (
        "UTC(TB)",
        "January 2026",
        "by Circular T",
        "Frequency steers",
        "on UTCr of last week",
        "UTC − UTC(TB)",
    ):
        assert words in page, words
    assert (folder / "january.pdf").read_bytes().startswith(b"%PDF-")
    assert (folder / "scale.png").stat().st_size > 10_000


def test_the_bulletins_values_are_those_of_circular_t(walked: Walk) -> None:
    _, printed = walked
    report = next(text for line, text in printed.items() if line.startswith("report"))
    row = next(line for line in report.splitlines() if line.startswith("UTC − UTC(TB), Circular T"))
    assert row.split("Circular T")[1].split() == ["+2.40", "+2.60", "+1.80", "+0.90", "+0.40", "−0.30"]


def test_the_weekly_numbers_are_json(walked: Walk) -> None:
    _, printed = walked
    document = json.loads(next(text for line, text in printed.items() if line.endswith("--json")))
    assert document["period"]["title"] == "2026-01-12 to 2026-01-18"
    assert len(document["marks_tai_ns"]) == 8
    assert {clock["name"] for clock in document["clocks"]} == {"H1", "H2", "Cs1", "Cs2", "Cs3", "Cs4"}


def test_the_command_of_a_station_could_be_typed(page: Callable[[str], str]) -> None:
    assert any(line.startswith(OF_A_STATION) for line in COMMAND.findall(page(PAGE)))
    assert "report" in cli.SUBCOMMANDS
