"""`timeball fit`: what it prints, draws and refuses, on made-up clocks and on a real day."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from timeball.cli.fit import command
from timeball.cli.output import exit_code_of
from timeball.ensemble.errors import EnsembleError
from timeball.formats.rinex_clock.writer import write_rinex_clock
from timeball.simulation.drawn import DrawnLaboratory, draw_laboratory

SEED = 8201


def call(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def lab() -> DrawnLaboratory:
    return draw_laboratory(SEED, 5, days=4, step_s=900.0, missing=0.0, outages=0.0)


@pytest.fixture(scope="module")
def file(lab: DrawnLaboratory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fit") / "clocks.clk"
    path.write_bytes(write_rinex_clock(lab.readings()))
    return path


def test_every_clock_is_told_with_its_noises_and_intervals(file: Path, lab: DrawnLaboratory) -> None:
    done = call(file)
    assert done.exit_code == 0, done.output
    assert "Noise of 5 clocks" in done.output
    assert "drift a day" in done.output
    for clock in lab.clocks:
        assert clock in done.output


def test_of_two_clocks_nothing_is_said_that_their_difference_does_not_tell(file: Path, lab: DrawnLaboratory) -> None:
    done = call(file, "--clocks", ",".join(lab.clocks[:2]))
    assert done.exit_code == 0, done.output
    assert "Which of the two is the quieter their difference does not say" in done.output
    assert "either may have all of it" in done.output
    assert "…" not in done.output


def test_json_holds_the_truth_in_si(file: Path, lab: DrawnLaboratory) -> None:
    done = call(file, "--json", "--confidence", 99)
    document = json.loads(done.stdout)
    assert document["confidence"] == 0.99
    assert document["interval_s"] == 900.0
    held = 0
    for clock in document["clocks"]:
        for kind, found in clock["noise"].items():
            assert found["low"] <= found["value"] <= found["high"]
            held += found["low"] <= getattr(lab.noise[clock["name"]], kind) <= found["high"]
    assert held >= 17  # of 20 at 99 %


def test_toml_is_what_a_configuration_reads(file: Path, lab: DrawnLaboratory) -> None:
    tables = tomllib.loads(call(file, "--toml").stdout)["clock"]
    assert [table["name"] for table in tables] == sorted(lab.clocks)
    found = {clock["name"]: clock["noise"] for clock in json.loads(call(file, "--json").stdout)["clocks"]}
    for table in tables:
        assert table["wfm"] == pytest.approx(found[table["name"]]["wfm"]["value"], rel=1e-3)


def test_it_is_drawn(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "noise.svg"
    assert call(file, "--plot", path).exit_code == 0
    assert "Hadamard deviation" in path.read_text()


def test_one_clock_is_no_ensemble(file: Path) -> None:
    done = call(file, "--clocks", "C01")
    assert isinstance(done.exception, EnsembleError)
    assert exit_code_of(done.exception) == 1


def test_a_real_day_of_hydrogen_masers(shared: Callable[[str], Path]) -> None:
    done = call(shared("rtklib-clk/esa15253.clk.gz"), "--clocks", "AMC2,WTZR,NRC1,HOB2,CRO1,CEBR", "--json")
    clocks = {clock["name"]: clock for clock in json.loads(done.stdout)["clocks"]}
    assert 1e-13 < clocks["AMC2"]["noise"]["wfm"]["high"] < 8e-13
    assert clocks["CEBR"]["noise"]["ffm"]["high"] > clocks["AMC2"]["noise"]["ffm"]["high"]
