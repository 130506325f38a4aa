"""A counter behind a real pty, a collector and a recorder as real processes: what it said stands in the ledger.

The processes are killed while the counter goes on; every reading that was acknowledged is there once, signed.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from timeball.ledger import canonical
from timeball.ledger.batch import verify_batch
from timeball.ledger.note import parse_vkey
from timeball.station.configuration.config import parse_config
from timeball.station.paths import config_file, run_dir
from timeball.station.recording.ledger_reader import LedgerReader

pytestmark = pytest.mark.system
PATIENCE_S = 40.0

SETTINGS = """
[ensemble]
interval_s = 1.0
cap = 1.0
[[clock]]
name = "H1"
kind = "active-maser"
[[clock]]
name = "H2"
kind = "active-maser"
[actuator]
kind = "none"
[ledger]
checkpoint_interval_s = 0.1
[time_of_day]
sources = ["realtime", "rtc"]
[[instrument]]
kind = "line"
port = "{port}"
a = "H1"
b = "H2"
u_s = 1e-11
"""


class Bench:
    """A counter, a recorder, a collector."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self.slave = slave
        run_dir(state).mkdir(parents=True)
        config_file(state).write_bytes(parse_config(SETTINGS.format(port=self.port)).to_json())
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.second = 1_795_377_600
        self.reader = LedgerReader(state)

    def start(self, name: str) -> None:
        """The collector gets a second source of time of day: this test machine may have no battery clock."""
        code = (
            "import sys\nfrom pathlib import Path\nfrom timeball.station.hosttime import hostclocks, timeofday\n"
            "timeofday._rtc = timeofday._realtime\n"
            f"import timeball.station.{name} as module\nfrom timeball.station.supervision.process import run_process\n"
            f"sys.exit(run_process({name!r}, module.work))"
        )
        with (self.state / f"{name}.out").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-c", code, "--state", str(self.state)], stdout=log, stderr=log
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        popen = self.running.pop(name)
        popen.send_signal(number)
        return popen.wait(PATIENCE_S)

    def say(self) -> None:
        """The counter reports a second: x grows by 1 ps a second, and a line of garbage comes with it."""
        self.second += 1
        day, rest = divmod(self.second, 86400)
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(day * 86400 + rest))
        os.write(self.master, f"{text} {self.second % 100_000} ps\r\nGARBAGE\r\n".encode())

    def batches(self) -> list[dict[str, Any]]:
        found, vkey = [], None
        for entry in self.reader.entries():
            assert entry.payload is not None
            payload = canonical.decode(entry.payload)
            if entry.envelope.type == "key":
                vkey = payload["vkey"]
            if entry.envelope.type == "readings":
                assert vkey is not None
                found.append(verify_batch(payload, parse_vkey(vkey)))
        return found

    def epochs(self) -> list[int]:
        return [int(epoch) // 10**9 - 37 for batch in self.batches() for epoch in batch["epochs"]]

    def say_until(self, what: Callable[[], bool], why: str) -> None:
        """Let a second of the counter pass each tenth of a real one, until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, f"{why}\n{self.outputs()}"
            self.say()
            time.sleep(0.1)

    def outputs(self) -> str:
        return "\n".join(path.read_text() for path in self.state.glob("*.out"))

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "state")
    yield made
    made.close()


def test_what_a_counter_says_stands_signed_in_the_ledger_whoever_is_killed(bench: Bench) -> None:
    bench.start("recorder")
    bench.start("collector")
    bench.say_until(lambda: len(bench.epochs()) >= 5, "no readings in the ledger")

    bench.kill("recorder")
    before = len(bench.epochs())
    for _ in range(5):
        bench.say()
        time.sleep(0.1)
    last_said = bench.second
    bench.start("recorder")
    bench.say_until(lambda: last_said in bench.epochs(), "what was said while the recorder was down is not there")
    assert len(bench.epochs()) >= before + 5

    acknowledged = set(bench.epochs())
    bench.kill("collector")
    said_to_the_dead = bench.second
    bench.start("collector")
    bench.say_until(lambda: max(bench.epochs()) > said_to_the_dead + 3, "the collector did not go on")

    epochs = bench.epochs()
    assert acknowledged <= set(epochs)
    assert len(epochs) == len(set(epochs))
    for batch in bench.batches():
        assert batch["pairs"] == [["H1", "H2"]]
        assert batch["u_fs"] == ["10000"]
        for epoch, (x_fs,) in zip(batch["epochs"], batch["x_fs"], strict=True):
            assert int(x_fs) == (int(epoch) // 10**9 - 37) % 100_000 * 1000
    envelopes = [envelope for _, envelope in bench.reader.envelopes()]
    mine = [envelope.seq for envelope in envelopes if envelope.by == "collector"]
    assert mine == list(range(1, len(mine) + 1))
    assert sum(envelope.type == "key" for envelope in envelopes) == 1
    assert bench.kill("collector", signal.SIGTERM) == 0
    assert bench.kill("recorder", signal.SIGTERM) == 0
    assert "GARBAGE" in bench.outputs()


def test_a_device_that_is_not_there_stops_the_start_with_a_sentence(bench: Bench) -> None:
    text = SETTINGS.format(port=bench.port) + '[[instrument]]\nkind="host"\nby="pps"\ndevice="/dev/none"\n'
    config_file(bench.state).write_bytes(parse_config(text).to_json())
    bench.start("collector")
    assert bench.running.pop("collector").wait(PATIENCE_S) == 2
    assert "there is no /dev/none" in bench.outputs()
