"""The benchmark harness: discovery, report, exit codes, and times taken in turn. No time is asserted here."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["name", "room", "value", "unit", "peer", "ratio", "target", "ok"]

FINE = """
from bench import Figure, Skip
def figures():
    yield Figure("speed", "fine", 2.0, "s", "snail 10 s", 5.0, "ratio >= 2", True)
    yield Skip("other", "its data is [not] here")
"""
SLOW = """
from bench import Figure
def figures():
    yield Figure("delay", "slow", 9.0, "s", None, None, "< 1 s", False)
"""
BROKEN = """
from bench import Figure
def figures():
    yield Figure("first", "broken", 1.0, "s")
    raise RuntimeError("the peer fell over")
"""


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT))
    yield importlib.import_module("bench.__main__")
    for name in [name for name in sys.modules if name.split(".")[0] == "planted_bench"]:
        del sys.modules[name]


@pytest.fixture
def plant(harness: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    def make(**sources: str) -> ModuleType:
        folder = tmp_path / "planted_bench"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        return importlib.import_module("planted_bench")

    return make


def test_report_and_exit_code_of_figures_that_meet_their_targets(
    harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert harness.main([], plant(fine=FINE, helper="nothing = 1\n"), report) == 0
    (figure,) = json.loads(report.read_text())
    assert list(figure) == KEYS
    assert figure == dict(zip(KEYS, ["speed", "fine", 2.0, "s", "snail 10 s", 5.0, "ratio >= 2", True], strict=True))
    shown = capsys.readouterr().out
    assert "snail 10 s" in shown
    assert "not measured: other: its data is [not] here" in shown


def test_a_room_has_every_module_that_is_of_it(
    harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    planted = plant(fine=FINE, slow=SLOW, deep='ROOM = "fine"\n' + FINE.replace("speed", "depth"))
    assert harness.main(["--room", "fine"], planted, report) == 0
    assert {figure["name"] for figure in json.loads(report.read_text())} == {"speed", "depth"}
    assert harness.main(["--room", "deep"], planted, report) == 0
    assert [figure["name"] for figure in json.loads(report.read_text())] == ["depth"]


def test_a_missed_target_is_exit_3_and_stands_in_the_report(
    harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert harness.main([], plant(fine=FINE, slow=SLOW), report) == 3
    assert [(figure["name"], figure["ok"]) for figure in json.loads(report.read_text())] == [
        ("speed", True),
        ("delay", False),
    ]
    assert "missed" in capsys.readouterr().out


def test_a_broken_benchmark_costs_neither_its_own_earlier_figures_nor_the_others(
    harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert harness.main([], plant(broken=BROKEN, fine=FINE), report) == 3
    assert [figure["name"] for figure in json.loads(report.read_text())] == ["first", "speed"]
    told = capsys.readouterr()
    assert "the benchmark of broken broke" in told.out
    assert "the peer fell over" in told.err


def test_one_room_only(harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert harness.main(["--room", "fine"], plant(broken=BROKEN, fine=FINE), report) == 0
    assert [figure["room"] for figure in json.loads(report.read_text())] == ["fine"]


def test_an_unknown_room_is_told_what_there_is(
    harness: ModuleType, plant: Callable[..., ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert harness.main(["--room", "attic"], plant(fine=FINE, slow=SLOW), report) == 1
    assert "no benchmark of 'attic'; there are: fine, slow" in capsys.readouterr().err
    assert not report.exists()


def test_works_are_timed_in_turn(harness: ModuleType) -> None:
    from bench import medians

    order: list[str] = []
    taken = medians({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 4  # one round to warm up
    assert set(taken) == {"a", "b"}


def test_the_median_is_taken(harness: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import measure

    clock = iter([0.0, 1.0, 10.0, 110.0, 200.0, 202.0])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    assert measure.medians({"work": lambda: None}, rounds=3) == {"work": 2.0}


def test_a_process_that_fails_is_not_timed(harness: ModuleType) -> None:
    import subprocess

    from bench import processes

    with pytest.raises(subprocess.CalledProcessError):
        processes({"fails": [sys.executable, "-c", "raise SystemExit(1)"]}, rounds=1)


def test_the_projects_own_benchmarks_have_figures(harness: ModuleType) -> None:
    assert {"cli", "stability"} <= set(harness.discover())
