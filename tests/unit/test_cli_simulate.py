"""`timeball simulate`: files that parse back, the same for the same seed, with ADEVs on the theory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball import formats
from timeball.cli import root
from timeball.stability import oadev
from timeball.stability.series import series_of

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = root.run(["simulate", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_the_deviations_lie_on_the_theory(run: Run) -> None:
    code, out, _ = run("--model", "5071A", "--days", 10, "--interval", 100, "--seed", 3, "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["seed"], document["tau0_s"], document["samples"]) == (3, 100.0, 8641)
    (clock,) = document["clocks"]
    assert (clock["name"], clock["model"]) == ("SIM1", "5071A")
    many = [point for point in clock["oadev"] if point["tau_s"] <= 10_000]
    assert len(many) == 7
    for point in many:  # 86 or more stretches of τ: 4 standard deviations of a white FM clock
        assert abs(point["sigma"] / point["theory"] - 1) < 4 * (point["tau_s"] / 864_000) ** 0.5
    assert clock["oadev"][0]["theory"] == pytest.approx(2.7e-12, rel=0.01)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(run: Run, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.txt.gz", "b.txt.gz", "c.txt.gz")]
    for path, seed in zip(files, (5, 5, 6), strict=True):
        assert run("--model", "rubidium", "--days", 1, "--seed", seed, "--output", path)[0] == 0
    first, second, third = (path.read_bytes() for path in files)
    assert first == second
    assert first != third


def test_another_clock_beside_it_changes_nothing(run: Run) -> None:
    _, alone, _ = run("--clock", "A=ocxo", "--days", 1, "--json")
    _, together, _ = run("--clock", "B=ocxo", "--clock", "A=ocxo", "--days", 1, "--json")
    clocks = {clock["name"]: clock["oadev"] for clock in json.loads(together)["clocks"]}
    assert clocks["A"] == json.loads(alone)["clocks"][0]["oadev"]
    assert clocks["A"] != clocks["B"]


@pytest.mark.parametrize("name", ["out.txt", "out.clk", "out.clk.gz"])
def test_the_file_holds_what_was_compared(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _, out, _ = run("--clock", "CS7=5071A", "--days", 2, "--interval", 300, "--output", path, "--json")
    assert json.loads(out)["output"] == str(path)
    parsed = formats.parse(path.read_bytes(), name)
    assert parsed.defects == []
    assert parsed.kind == ("columns" if name == "out.txt" else "rinex-clock")
    series = series_of(parsed.readings, "CS7")
    assert series.against == "TAI(TIMEBALL)"
    assert np.unique(np.diff(series.epoch)).tolist() == [300 * 10**9]
    printed = [point["sigma"] for point in json.loads(out)["clocks"][0]["oadev"]]
    np.testing.assert_allclose(oadev(series.x, 300.0).sigma, printed, rtol=1e-12 if name == "out.txt" else 1e-6)


def test_several_clocks_in_one_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "lab.clk"
    run("--model", "5071A", "--clock", "H1=active-maser", "--days", 1, "--output", path)
    parsed = formats.parse(path.read_bytes(), "lab.clk")
    assert set(parsed.readings.clocks) == {"SIM1", "H1", "TAI(TIMEBALL)"}
    assert len(parsed.readings) == 2 * 1441


def test_the_table(run: Run) -> None:
    code, out, _ = run("--model", "active-maser", "--days", 1)
    assert code == 0
    assert "1441 values every 60 s, seed 1" in out
    assert "SIM1: active-maser against TAI(TIMEBALL)" in out
    assert "theory (1)" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give --model or --clock NAME=MODEL; models: 5071A"),
        (["--model", "sundial"], "no model 'sundial'; there are: 5071A"),
        (["--clock", "A"], "not NAME=MODEL"),
        (["--clock", "=ocxo"], "not NAME=MODEL"),
        (["--clock", "A=ocxo", "--clock", "A=5071A"], "two clocks are called 'A'"),
        (["--model", "ocxo", "--days", "0"], "--days"),
        (["--model", "ocxo", "--days", "-1"], "--days"),
        (["--model", "ocxo", "--days", "nan"], "3 to 50000000"),
        (["--model", "ocxo", "--interval", "nan"], "3 to 50000000"),
        (["--model", "ocxo", "--days", "1e9"], "3 to 50000000"),
        (["--model", "ocxo", "--interval", "0"], "--interval"),
        (["--model", "ocxo", "--interval", "1e9"], "3 to 50000000"),
        (["--model", "ocxo", "--seed", "-1"], "--seed"),
        (["--model", "ocxo", "--days", "1", "--output", "/nowhere/at/all"], "cannot be written"),
        (["--clock", "A=ocxo", "--clock", "B=ocxo", "--days", "1", "--output", "x.txt"], "a name in .clk"),
        (["--clock", "TOOLONGNAME=ocxo", "--days", "1", "--output", "x.clk"], "TOOLONGNAME"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_1(
    run: Run, arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert told in err
    assert list(tmp_path.iterdir()) == []
