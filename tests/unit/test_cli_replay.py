"""`timeball replay`: its exit codes and documents; forged ledgers are in tests/attacks. And the shared progress bar."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import rich.console
from ledgers import build_small

from timeball.cli import root
from timeball.cli.progress import progress_bar
from timeball.cli.replay import sentences
from timeball.station.fold.replay import ReplayReport, replay


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("state"), hours=2)


def test_an_honest_ledger_agrees(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["replay", str(state)]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "replayed: 2 scale, 2 steer, 1 snapshot follow from the recorded readings, "
        "decisions exactly and phases to 1 fs\n"
    )
    assert shown.err == "", "no bar in a pipe"


def test_its_json_has_every_field_of_the_report(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["replay", str(state), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"ok", "path", *ReplayReport.__struct_fields__}
    assert document["ok"] is True
    assert document["agreed"] == {"scale": 2, "steer": 2, "snapshot": 1}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_ledger_cannot_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert root.run(["replay", str(tmp_path), *options]) == 2
    assert "no ledger here" in capsys.readouterr().err


def test_a_flipped_bit_is_failed_evidence(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a payload, in an entry, in the checkpoint: replay reads nothing that the signed head does not cover."""
    bundles = [path for path in (state / "ledger" / "tile" / "entries").rglob("*") if path.is_file()]
    for number, file in enumerate([state / "payloads" / "000", bundles[0], state / "ledger" / "checkpoint"]):
        copy = tmp_path / str(number)
        shutil.copytree(state, copy)
        damaged = copy / file.relative_to(state)
        data = bytearray(damaged.read_bytes())
        data[len(data) // 2] ^= 1
        damaged.write_bytes(data)
        assert root.run(["replay", str(copy)]) == 4, file
        assert capsys.readouterr().err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["replay"]) == 1
    assert "PATH" in capsys.readouterr().err


def test_what_was_not_checked_is_said_in_words() -> None:
    report = ReplayReport(9, {"scale": 1}, 3, 2, ["entry 5: gone"])
    assert list(sentences(report)) == [
        "replayed: 1 scale follow from the recorded readings, decisions exactly and phases to 1 fs",
        "  not yet recorded: 3 decisions that follow from the newest readings",
        "  not checked: 2 recorded decisions",
        "  cannot check: entry 5: gone",
    ]
    assert next(iter(sentences(ReplayReport()))).startswith("replayed: no decisions follow")


def test_progress_goes_from_something_to_all(state: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = replay(state, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (report.entries, report.entries)
    assert steps == sorted(steps)


def test_a_bar_is_drawn_for_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_bar("replaying") as progress:
        assert progress is None
    screen = io.StringIO()
    terminal = rich.console.Console(file=screen, force_terminal=True, width=80)
    monkeypatch.setattr(rich.console, "Console", lambda **_named: terminal)
    with progress_bar("replaying") as progress:
        assert progress is not None
        progress(1, 2)
        progress(2, 2)
    assert "replaying" in screen.getvalue()
