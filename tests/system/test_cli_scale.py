"""`timeball scale` on real clocks: the main job, what it prints, what it draws, what it refuses."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from timeball.cli.output import exit_code_of
from timeball.cli.scale import command, read_table
from timeball.ensemble.at1.batch import run_at1
from timeball.ensemble.errors import EnsembleError

CLOCKS = "AMC2,WTZR,NRC1,NYAL,HOB2,GODZ,MDVJ,IRKJ,KIR0,CEBR,CRO1,YELL"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def day() -> dict[str, Any]:
    return {}


@pytest.fixture
def report(shared: Callable[[str], Path], day: dict[str, Any]) -> dict[str, Any]:
    if not day:
        done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", CLOCKS, "--json")
        assert done.exit_code == 0, done.output
        day.update(json.loads(done.stdout))
    return day


def sigma_of(report: dict[str, Any], name: str) -> dict[float, float]:
    clock = next(clock for clock in report["clocks"] if clock["name"] == name)
    return {pair["tau_s"]: pair["sigma"] for pair in clock["oadev"]}


def test_the_best_clock_is_seen_better_than_with_equal_weights_or_against_the_reference(report: dict[str, Any]) -> None:
    # equal weights give 4.8e-14 and 1.37e-14, the file's own reference 2.0e-13 and 5.2e-14
    sigma = sigma_of(report, "AMC2")
    assert sigma[300.0] <= 4.1e-14
    assert sigma[2400.0] <= 1.30e-14


def test_the_scale_sees_through_the_reference_of_the_file(report: dict[str, Any]) -> None:
    # YELL's own column is a straight line, for the file was computed against it; its noise is in all other columns
    least = sorted(report["clocks"], key=lambda clock: clock["weight"])[:3]
    assert "YELL" in {clock["name"] for clock in least}


def test_every_clock_has_weight_state_reason_and_deviations(report: dict[str, Any]) -> None:
    assert [clock["name"] for clock in report["clocks"]] == CLOCKS.split(",")
    assert sum(clock["weight"] for clock in report["clocks"]) == pytest.approx(1.0)
    for clock in report["clocks"]:
        assert clock["state"] in {"ok", "at cap", "reduced", "phase step"}
        assert clock["why"]
        assert len(clock["oadev"]) >= 6
    assert (report["epochs"], report["span_s"], report["rejected_lines"]) == (288, 86100.0, 0)
    assert report["first_tai_ns"] == "1238544019000000000"
    assert all(row["why"] and row["clock"] in CLOCKS for row in report["rejections"])
    assert any(row["state"] == "left out" and row["clock"] == "YELL" for row in report["rejections"])


@pytest.mark.parametrize("reference", ["YELL", "MDVJ"])
def test_the_reference_changes_nothing(reference: str, report: dict[str, Any], shared: Callable[[str], Path]) -> None:
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", CLOCKS, "--reference", reference, "--json")
    other = json.loads(done.stdout)
    assert other["reference"] == reference
    for mine, theirs in zip(report["clocks"], other["clocks"], strict=True):
        assert theirs["weight"] == pytest.approx(mine["weight"], rel=1e-6)
        assert theirs["why"] == mine["why"]
        ours = [pair["sigma"] for pair in mine["oadev"]]
        assert [pair["sigma"] for pair in theirs["oadev"]] == pytest.approx(ours, rel=1e-5)


def test_among_all_158_clocks_of_the_day_the_scale_finds_the_masers(shared: Callable[[str], Path]) -> None:
    # most of these run free on quartz, some jump by microseconds: a scale that starts from their mean is lost
    table, _ = read_table([shared("rtklib-clk/esa15253.clk.gz")], None, None)
    assert len(table.clocks) == 158
    weights = run_at1(table).weights
    heaviest = sorted(weights, key=lambda name: -weights[name])
    assert {"ONSA", "AMC2"} == set(heaviest[:2])
    assert weights["THU2"] < 0.005


def test_the_words_come_first_and_then_the_numbers(shared: Callable[[str], Path]) -> None:
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", CLOCKS)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "AT1 scale of 12 clocks: 288 epochs every 300 s over 23.92 h from 2009-04-01 00:00:19 TAI"
    )
    assert lines[1].startswith("It leans most on AMC2")
    assert "YELL" in lines[1]
    assert lines[3].split()[:4] == ["clock", "weight", "300", "s"]
    assert "left out this epoch" in done.stdout


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_picture_names_every_clock_and_says_what_it_shows(
    suffix: str, shared: Callable[[str], Path], tmp_path: Path, report: dict[str, Any]
) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"scale.{suffix}"
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", CLOCKS, "--plot", path)
    assert done.exit_code == 0, done.output
    assert str(path) in done.stdout
    if suffix == "png":
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        return
    told = {(element.text or "").strip() for element in ET.fromstring(path.read_bytes()).iter() if element.text}
    comments = path.read_text()
    for name in CLOCKS.split(","):
        assert name in comments or name in told
    assert "Of 12 clocks the scale leans most on AMC2" in comments
    light = [clock["name"] for clock in report["clocks"] if clock["weight"] < 0.02]
    assert f"; {len(light)} hardly count." in comments


def test_one_clock_alone_is_refused_in_words(shared: Callable[[str], Path]) -> None:
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", "AMC2")
    assert isinstance(done.exception, EnsembleError)
    assert exit_code_of(done.exception) == 1
    assert "at least two clocks with readings, here are 1" in str(done.exception)


def test_plain_columns_are_a_clock_against_its_reference(tmp_path: Path) -> None:
    x = np.cumsum(np.random.default_rng(1).normal(0, 1e-11, 120))
    path = tmp_path / "one.txt"
    path.write_text("".join(f"{value:.15e}\n" for value in x))
    done = call(path, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [clock["weight"] for clock in found["clocks"]] == pytest.approx([0.5, 0.5], abs=0.2)
    # of two clocks nothing but their difference is known, so each is judged as the other is
    first, second = ([pair["sigma"] for pair in clock["oadev"]] for clock in found["clocks"])
    assert first == pytest.approx(second)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--clocks", "AMC2,AMC2"], "named twice: AMC2"),
        (["--clocks", " , "], "no name in it"),
        (["--clocks", "AMC2,WTZR,NOPE"], "NOPE"),
        (["--clocks", "AMC2,WTZR", "--reference", "NOPE"], "NOPE"),
        (["--algorithm", "magic"], "magic"),
    ],
)
def test_wrong_names_are_refused_in_words(arguments: list[str], words: str, shared: Callable[[str], Path]) -> None:
    done = call(shared("rtklib-clk/esa15253.clk.gz"), *arguments)
    assert done.exit_code in {1, 2}
    assert words in done.output


def test_a_picture_that_cannot_be_drawn_is_refused_in_words(shared: Callable[[str], Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", "AMC2,WTZR,NRC1", "--plot", tmp_path / "scale.odd")
    assert done.exit_code == 1
    assert "cannot write the plot" in done.output


def test_a_bad_line_is_reported_and_the_rest_counts(shared: Callable[[str], Path], tmp_path: Path) -> None:
    whole = gzip.decompress(shared("rtklib-clk/esa15253.clk.gz").read_bytes()).decode("ascii")
    at = whole.index("AR AMC2")
    broken = tmp_path / "broken.clk"
    broken.write_text(whole[:at] + whole[at:].replace("0.421222340734E-09", "0.4212x2340734E-09", 1))
    done = call(broken, "--clocks", "AMC2,WTZR,NRC1", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["rejected_lines"] == 1
    assert "0.4212x2340734E-09" in found["defects"][0]["text"]
    assert found["defects"][0]["line"] > 0
