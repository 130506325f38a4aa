"""`timeball scale --algorithm all` on real clocks, and what it says of several comparators."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from timeball.cli.scale import ALGORITHMS as CHOICES
from timeball.cli.scale import command, read_table
from timeball.ensemble.algorithms import ALGORITHMS, algorithm
from timeball.ensemble.beside import against_equal_weights, difference
from timeball.readings import PhaseTable
from timeball.stability import oadev

MASERS = "AMC2,WTZR,NRC1,NYAL"
GRG = "nav-solutions-data/CLK/V3/GRG0MGXFIN_20201770000_01D_30S_CLK.CLK.gz"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_every_algorithm_can_be_chosen() -> None:
    assert set(CHOICES) == {*ALGORITHMS, "all"}


def test_the_algorithms_stand_side_by_side_with_their_yardsticks(shared: Callable[[str], Path]) -> None:
    day = shared("rtklib-clk/esa15253.clk.gz")
    done = call(day, "--clocks", MASERS, "--algorithm", "all", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    names = {report["algorithm"] for report in found["algorithms"].values()}
    assert names == {algorithm(key).name for key in ALGORITHMS}
    equal = {each["name"]: each["oadev"][0]["sigma"] for each in found["equal_weights"]}
    partner = {each["name"]: each["oadev"][0] for each in found["best_partner"]}
    assert partner["AMC2"]["partner"] in MASERS.split(",")
    for key, report in found["algorithms"].items():
        ratios = [clock["oadev"][0]["sigma"] / equal[clock["name"]] for clock in report["clocks"]]
        assert np.median(ratios) < (1.0 if key == "at1" else 1.15), key
    assert {(each["of"], each["minus"]) for each in found["differences"]} >= {("ALGOS", "AT1")}
    assert all(0 < each["rms_s"] < 1e-9 for each in found["differences"])
    assert any(sentence.startswith("ALGOS predicts a whole window ahead") for sentence in found["why"])


def test_in_words_and_a_picture_too(shared: Callable[[str], Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    day, path = shared("rtklib-clk/esa15253.clk.gz"), tmp_path / "all.svg"
    done = call(day, "--clocks", "AMC2,WTZR,NRC1", "--algorithm", "all", "--plot", path)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].endswith("3 clocks, 288 epochs, the same readings.")
    assert lines[1].startswith("Steadier than the plain mean at 300 s: AT1 for ")
    assert "equal 300 s" in lines[3]
    assert any(line.startswith("- ALGOS minus AT1: ") for line in lines)
    assert lines[-1] == f"Drawn: {path}"
    drawn = path.read_text()
    assert all(word in drawn for word in ("Scale minus AT1", "From the same 3 clocks ", "NRC1", "Kalman"))


@pytest.mark.data
def test_a_day_of_75_satellites_has_the_deviations_that_are_known(shared: Callable[[str], Path]) -> None:
    table, _ = read_table([shared(GRG)], None, None)
    runs = {key: algorithm(key).run(table, None).steps for key in ("at1", "algos")}
    known = {"E": (2.0e-13, 1.6e-14), "G": (2.1e-12, 7.7e-14)}
    for steps, (system, expected) in itertools.product(runs.values(), known.items()):
        columns = [j for j, name in enumerate(steps.clocks) if name[0] == system and name[1:].isdigit()]
        medians = np.median([oadev(steps.x[:, j], 30.0, [1, 100]).sigma for j in columns], axis=0)
        np.testing.assert_allclose(medians, expected, rtol=0.1)


def column_file(folder: Path, first: str, second: str, x: np.ndarray) -> Path:
    path = folder / f"{first}-{second}.txt"
    head = f"# kind = phase\n# unit = s\n# time = seconds\n# clock = {first}\n# reference = {second}\n"
    path.write_text(head + "".join(f"{300 * i} {value:.18e}\n" for i, value in enumerate(x)))
    return path


def test_loops_are_adjusted_and_islands_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = dict(zip("ABCXY", np.cumsum(rng.normal(0, 1e-11, (5, 60)), axis=1), strict=True))
    pairs = ("AB", "BC", "AC", "XY")
    files = [column_file(tmp_path, p[0], p[1], truth[p[0]] - truth[p[1]] + (6e-9 if p == "AC" else 0)) for p in pairs]
    done = call(*files, "--json")
    assert done.exit_code == 0, done.output
    # the misclosure of 6 ns goes to the three comparators alike
    assert "3 pairs of clocks are compared in loops" in done.stderr
    assert "residuals of 2 ns rms at most" in done.stderr
    assert "Never compared with the others, and so not in the scale: X, Y." in done.stderr
    weights = {clock["name"]: clock["weight"] for clock in json.loads(done.stdout)["clocks"]}
    assert weights["X"] == weights["Y"] == 0
    assert sum(weights.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", [1])
def test_the_yardsticks_are_what_they_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 1e-11, (600, 5)), axis=0) + np.outer(np.arange(600), rng.normal(0, 1e-9, 5))
    x -= x[:, [0]]
    epochs = np.arange(600, dtype=np.int64) * 300 * 10**9
    table = PhaseTable(epochs, tuple("ABCDE"), x, np.zeros(600, dtype=np.int32), "A")
    plain = against_equal_weights(table, "B") - (x[:, 1] - x[:, [0, 2, 3, 4]].mean(axis=1))
    np.testing.assert_allclose(np.diff(plain, 2), 0, atol=1e-20)
    # a clock that is missing for a while takes its noise with it and no more
    gap = x.copy()
    gap[200:300, 3] = np.nan
    holed = against_equal_weights(PhaseTable(epochs, table.clocks, gap, table.pivot, "A"), "B")
    assert np.abs(np.diff(holed - plain - (x[:, 1] - x[:, [0, 2, 3, 4]].mean(axis=1)))).max() < 1e-10
    one, other = (algorithm(key).run(table, None).steps for key in ("at1", "algos"))
    apart = difference(one, other)
    straight = np.polyfit(np.arange(600), (other.x - one.x)[:, 2], 1)
    expected = (other.x - one.x)[:, 2] - np.polyval(straight, np.arange(600))
    np.testing.assert_allclose(apart, expected, atol=1e-18)
