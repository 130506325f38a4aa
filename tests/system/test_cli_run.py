"""`timeball run` from outside: a taken port, a second run on one state, Ctrl-C, and going on afterwards."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stations import free_port

from timeball.station.recording.ledger_reader import LedgerReader

pytestmark = pytest.mark.system
PATIENCE_S = 60.0


class Run:
    """`timeball run --json` on a state folder without history."""

    def __init__(self, folder: Path, ntp_port: int | None = None) -> None:
        self.folder, self.state = folder, folder / "state"
        self.ntp_port = ntp_port or free_port()
        self.config = folder / "station.toml"
        self.config.write_text(
            f'[history]\ndays = 0\n[ensemble]\ninterval_s = 1.0\n[ntp]\nlisten = ["127.0.0.1:{self.ntp_port}"]\n'
            f'[console]\nlisten = "127.0.0.1:{free_port()}"\n'
        )
        self.popen: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        here = ["--config", str(self.config), "--state", str(self.state), "--json"]
        return [sys.executable, "-m", "timeball", "run", *here]

    def start(self) -> None:
        with (self.folder / "out").open("wb") as out:
            self.popen = subprocess.Popen(self.command(), stdout=out, stderr=subprocess.STDOUT)

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "out").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_for_readings(self) -> int:
        reader = LedgerReader(self.state)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            entry = reader.last("readings")
            if entry is not None:
                return entry.index
            assert time.monotonic() < deadline, (self.folder / "out").read_text()
            time.sleep(0.1)

    def finish(self, number: int = signal.SIGINT) -> int:
        assert self.popen is not None
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE_S)


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    made: list[Run] = []
    yield made
    for one in made:
        if one.popen is not None and one.popen.poll() is None:
            one.popen.kill()
            one.popen.wait()


def test_a_run_stops_on_ctrl_c_refuses_a_second_and_goes_on(tmp_path: Path, runs: list[Run]) -> None:
    station = Run(tmp_path)
    runs.append(station)
    station.start()
    station.wait_for_readings()

    second = subprocess.run(station.command(), capture_output=True, text=True, timeout=PATIENCE_S)
    assert second.returncode == 2
    assert f"a station already runs on {station.state}" in second.stderr

    assert station.finish() == 0
    events = station.events()
    assert events[-1] == {"event": "stopped"}
    assert {event["name"] for event in events if event["event"] == "started"} >= {"recorder", "collector", "server"}
    assert [event for event in events if event["event"] in ("died", "killed")] == []
    size = LedgerReader(station.state).size()

    station.start()
    deadline = time.monotonic() + PATIENCE_S
    reader = LedgerReader(station.state)
    while (entry := reader.last("readings")) is None or entry.index < size:
        assert time.monotonic() < deadline, "the second run recorded nothing"
        time.sleep(0.1)
    # the supervisor is killed: its children go on, and the next run takes them over
    assert station.popen is not None
    station.popen.kill()
    station.popen.wait()
    after_kill = reader.size()
    unchanged = (station.state / "run" / "config.json").stat().st_mtime_ns
    station.start()
    while (entry := reader.last("readings")) is None or entry.index < after_kill:
        assert time.monotonic() < deadline + PATIENCE_S, "the third run recorded nothing"
        time.sleep(0.1)
    while not (adopted := [event for event in station.events() if event["event"] == "adopted"]):
        assert time.monotonic() < deadline + PATIENCE_S, "the third run adopted nobody"
        time.sleep(0.1)
    assert len(adopted[0]["processes"]) == 7
    assert not {event["event"] for event in station.events()} & {"started", "died", "progress", "time of day"}
    assert (station.state / "run" / "config.json").stat().st_mtime_ns == unchanged
    assert station.finish(signal.SIGTERM) == 0


def test_a_taken_port_stops_the_start_with_a_sentence(tmp_path: Path, runs: list[Run]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        station = Run(tmp_path, taken.getsockname()[1])
        runs.append(station)
        station.start()
        assert station.popen is not None
        assert station.popen.wait(PATIENCE_S) == 2
    said = (tmp_path / "out").read_text()
    assert str(station.ntp_port) in said
    assert "server" in said.splitlines()[-1]


def test_a_bad_configuration_is_refused_with_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[ensemble]\nmemroy_s = 1\ncap = 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "timeball", "run", "--config", str(path), "--state", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "ensemble.memroy_s: unknown key; did you mean memory_s?" in done.stderr
    assert "ensemble.cap" in done.stderr
    assert not (tmp_path / "s").exists()
