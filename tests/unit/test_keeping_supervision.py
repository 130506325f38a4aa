"""A recorder that must not go on ends the station with its sentence and exit code 4, and is not tried again at once."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from timeball.cli.root import root as timeball
from timeball.station import paths
from timeball.station.configuration.settings import Config
from timeball.station.recorder import work
from timeball.station.recording.keys import load_or_create_key
from timeball.station.supervision import launch
from timeball.station.supervision.process import (
    EXIT_EVIDENCE,
    CannotStartError,
    EvidenceAgainstError,
    Process,
    run_process,
)
from timeball.station.supervision.supervisor import EVIDENCE_DELAY_S, StationStoppedError, Supervisor

SENTENCE = "recorder: witness w1 has seen more"
REFUSES = [sys.executable, "-c", f"import sys; print('{SENTENCE}', file=sys.stderr); sys.exit(4)"]


def test_the_first_start_ends_the_station(tmp_path: Path) -> None:
    with (
        pytest.raises(StationStoppedError, match=SENTENCE) as caught,
        Supervisor(tmp_path, {"recorder": REFUSES}, lambda _event: None) as supervisor,
    ):
        supervisor.run()
    assert caught.value.code == EXIT_EVIDENCE


def test_later_it_is_tried_again_after_a_minute(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    with Supervisor(tmp_path, {"recorder": REFUSES}, events.append) as supervisor:
        [child] = supervisor.children
        child.restarts = 0  # as if it had run before
        threading.Timer(3.0, supervisor.stop.set).start()
        supervisor.run()
        assert child.due > time.monotonic() + EVIDENCE_DELAY_S - 10
    assert [event["event"] for event in events].count("died") == 1


def test_timeball_run_exits_with_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise StationStoppedError(SENTENCE, EXIT_EVIDENCE)

    monkeypatch.setattr(launch, "run_station", stop)
    done = CliRunner().invoke(timeball, ["run", "--state", str(tmp_path)])
    assert done.exit_code == 4
    assert SENTENCE in done.output


def test_a_process_tells_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths.run_dir(tmp_path).mkdir()
    paths.config_file(tmp_path).write_bytes(Config().to_json())

    def refuse(_process: Process) -> None:
        raise EvidenceAgainstError("a fork")

    assert run_process("recorder", refuse, ["--state", str(tmp_path)]) == 4
    assert capsys.readouterr().err == "recorder: a fork\n"


def test_two_stations_have_two_origins(tmp_path: Path) -> None:
    load_or_create_key(tmp_path, "log", "timeball.example/first")
    second = msgspec.convert({"station": {"origin": "timeball.example/second"}}, Config)
    with pytest.raises(CannotStartError, match=r"log here is timeball.example/first.*two stations have two origins"):
        work(Process("recorder", tmp_path, second))
    assert not (tmp_path / "ledger").exists()
