"""`timeball check`: explains a good configuration, names every fault of a bad one, lists every setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from timeball.cli.root import run
from timeball.station.configuration.configdoc import describe
from timeball.station.configuration.settings import Config


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.toml"
    path.write_text("[ensemble]\nmemroy_s = 1\ncap = 3\n[stering]\n")
    return path


def test_the_defaults_are_explained_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    said = capsys.readouterr().out
    for clock in Config().clock:
        assert f"{clock.name} ({clock.kind})" in said
    assert "127.0.0.1:11123" in said
    assert "http://127.0.0.1:8123" in said
    assert "50 ns a day" in said
    assert "nothing of this is traceable" in said


def test_every_fault_is_named_with_its_key_path(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", str(bad)]) == 1
    said = capsys.readouterr().out
    assert "3 faults" in said
    assert "ensemble.memroy_s: unknown key; did you mean memory_s?" in said
    assert "ensemble.cap: must be a number ≤ 1.0, found 3" in said
    assert "stering: unknown key; did you mean steering?" in said


def test_json_carries_the_same(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", str(bad), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert {error["path"] for error in told["errors"]} == {"ensemble.memroy_s", "ensemble.cap", "stering"}
    assert run(["check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert told["errors"] == []
    assert len(told["words"]) >= 8


def test_every_setting_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--describe"]) == 0
    said = capsys.readouterr().out
    assert all(row.path in said and row.meaning in said for row in describe())
    assert run(["check", "--describe", "--json"]) == 0
    assert [row["path"] for row in json.loads(capsys.readouterr().out)] == [row.path for row in describe()]


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", str(tmp_path / "none.toml")]) == 1
    assert "cannot read" in capsys.readouterr().out


def test_other_kinds_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lab.toml"
    path.write_text(
        '[actuator]\nkind="none"\n[steering]\nenabled=false\n[time_of_day]\nsources=["realtime","rtc"]\n'
        '[[instrument]]\nkind="line"\nport="/dev/ttyUSB0"\na="H1"\nb="H2"\n'
        '[[instrument]]\nkind="line"\nport="tcp://counter:1"\na="OUT"\nb="H2"\nobserver=true\n'
        '[[instrument]]\nkind="host"\nby="phc"\ndevice="/dev/ptp0"\n'
    )
    assert run(["check", "--config", str(path)]) == 0
    said = capsys.readouterr().out
    assert "The collector reads H1 − H2 from /dev/ttyUSB0" in said
    assert "The observer reads OUT − H2 from tcp://counter:1" in said
    assert "read against OUT by phc /dev/ptp0." in said
    assert "Nothing is steered." in said
    assert "there is no actuator" in said
    assert "simulated laboratory" not in said
