"""The supervisor with real children: killed, hung, failing, orphaned. The children are small, the signals are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from timeball.station.child import Backoff, Child, bound_log, tail
from timeball.station.paths import log_file, processes_file, run_dir
from timeball.station.statelock import StateInUseError, StateLock, end_leftovers
from timeball.station.supervisor import describe_exit

PATIENCE_S = 20.0

SUPERVISE = """
import json, sys
from pathlib import Path
from timeball.station.supervisor import Supervisor, StationStoppedError
from timeball.station.statelock import StateLock, end_leftovers
state, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
with StateLock(state):
    for name in end_leftovers(state, 0.3):
        print(json.dumps({"event": "leftover", "name": name}), flush=True)
    try:
        Supervisor(state, commands, lambda event: print(json.dumps(event), flush=True)).run()
    except StationStoppedError as error:
        print(json.dumps({"event": "refused", "why": str(error)}), flush=True)
        sys.exit(2)
"""
# A child names the state folder in its arguments, as the processes of a station do.
SLEEPER = "import sys, time; print('up', file=sys.stderr, flush=True); time.sleep(1000)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"


def wait_for(what: Callable[[], Any], why: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.02)
    return answer


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Supervised:
    """A supervisor in a process of its own, and what it reports."""

    def __init__(self, state: Path, **children: str) -> None:
        self.state = state
        self.out = state.parent / "events"
        commands = {name: [sys.executable, "-c", code, str(state)] for name, code in children.items()}
        with self.out.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, str(state), json.dumps(commands)],
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        lines = self.out.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [event for event in found if kind in ("", event["event"])]

    def pids(self) -> dict[str, int]:
        try:
            rows = json.loads(processes_file(self.state).read_text())
        except (OSError, ValueError):
            return {}
        return {row["name"]: row["pid"] for row in rows if row["pid"]}

    def wait_up(self, *names: str) -> dict[str, int]:
        return wait_for(lambda: self.pids() if set(names) <= set(self.pids()) else None, f"{names} never came up")

    def end(self) -> None:
        for pid in [self.popen.pid, *self.pids().values()]:
            if alive(pid) and (pid == self.popen.pid or str(self.state) in Path(f"/proc/{pid}/cmdline").read_text()):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(**children: str) -> Supervised:
        started.append(Supervised(tmp_path / "state", **children))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_a_killed_child_is_started_again(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER, server=SLEEPER)
    before = station.wait_up("recorder", "server")
    os.kill(before["server"], signal.SIGKILL)
    after = wait_for(lambda: (p := station.pids()).get("server") not in (None, before["server"]) and p, "no restart")
    assert after["recorder"] == before["recorder"]
    (death,) = station.events("died")
    assert (death["name"], death["why"]) == ("server", "signal SIGKILL")
    assert alive(after["server"])


def test_ctrl_c_stops_all_in_order(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    order = tmp_path / "order"
    noting = (
        "import signal, sys, time\n"
        "def end(*_):\n open({order!r}, 'a').write({name!r} + ' ')\n sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(1000)\n"
    )
    names = ["recorder", "collector", "timekeeper", "actuator", "observer", "server", "console"]
    station = supervise(**{name: noting.format(order=str(order), name=name) for name in names})
    pids = station.wait_up(*names)
    for name in names:
        wait_for(lambda name=name: "ready" in tail(log_file(station.state, name)), f"{name} not ready")
    station.popen.send_signal(signal.SIGINT)
    assert station.popen.wait(PATIENCE_S) == 0
    stopped = order.read_text().split()
    assert sorted(stopped) == sorted(names)
    assert set(stopped[:2]) == {"server", "console"}
    assert stopped[2] == "observer"
    assert stopped[-1] == "recorder"
    assert not any(alive(pid) for pid in pids.values())


def test_a_child_that_will_not_end_is_killed_after_its_grace(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=DEAF)
    pid = station.wait_up("server")["server"]
    wait_for(lambda: "deaf" in tail(log_file(station.state, "server")), "not ready")
    station.popen.send_signal(signal.SIGTERM)
    assert station.popen.wait(PATIENCE_S) == 0
    assert [event["name"] for event in station.events("killed")] == ["server"]
    assert not alive(pid)


def test_a_station_whose_child_cannot_start_stops_with_its_sentence(supervise: Callable[..., Supervised]) -> None:
    refuse = "import sys, time; time.sleep(0.3); print('server: port 123 is taken', file=sys.stderr); sys.exit(2)"
    station = supervise(recorder=SLEEPER, server=refuse)
    pid = station.wait_up("recorder")["recorder"]
    assert station.popen.wait(PATIENCE_S) == 2
    assert station.events("refused") == [{"event": "refused", "why": "server: port 123 is taken"}]
    assert not alive(pid)


def test_a_child_that_keeps_dying_is_no_busy_loop(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server="import sys; print('it hurts', file=sys.stderr); sys.exit(3)", recorder=SLEEPER)
    wait_for(lambda: len(station.events("died")) >= 4, "it should have been restarted")
    began = time.monotonic()
    count = len(station.events("died"))
    time.sleep(2.0)
    # from the fourth death on at least half a second lies between two
    assert len(station.events("died")) - count <= (time.monotonic() - began) / 0.5 + 1
    assert station.events("died")[-1]["lines"][-1] == "it hurts"
    assert alive(station.pids()["recorder"])


def test_children_end_when_their_supervisor_is_killed(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER, server=SLEEPER)
    pids = station.wait_up("recorder", "server")
    station.popen.kill()
    station.popen.wait()
    wait_for(lambda: not any(alive(pids[name]) for name in ("recorder", "server")), "children outlived the supervisor")


def test_a_new_supervisor_ends_who_outlived_a_killed_one(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=DEAF)
    old = station.wait_up("server")["server"]
    wait_for(lambda: "deaf" in tail(log_file(station.state, "server")), "not ready")
    station.popen.kill()
    station.popen.wait()
    assert alive(old)
    again = supervise(server=SLEEPER)
    wait_for(lambda: again.pids().get("server") not in (None, old), "the new one did not start")
    assert not alive(old)
    assert [event["name"] for event in again.events("leftover")] == ["server"]


def test_a_stranger_with_a_listed_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    try:
        run_dir(tmp_path).mkdir()
        processes_file(tmp_path).write_text(json.dumps([{"name": "server", "pid": stranger.pid}]))
        assert end_leftovers(tmp_path, 0.1) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "{}", "[", '[{"pid": "x"}]', "[1]", '[{"name": "server", "pid": null}]'])
def test_a_damaged_table_of_processes_is_no_obstacle(tmp_path: Path, text: str) -> None:
    run_dir(tmp_path).mkdir()
    processes_file(tmp_path).write_text(text)
    assert end_leftovers(tmp_path, 0.1) == []


def test_one_station_a_state_folder(tmp_path: Path) -> None:
    with StateLock(tmp_path), pytest.raises(StateInUseError, match=f"already runs on .* \\(process {os.getpid()}\\)"):
        StateLock(tmp_path).__enter__()
    with StateLock(tmp_path):
        pass


def test_the_lock_goes_with_its_killed_holder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from timeball.station.statelock import StateLock\n"
        "with StateLock(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(1000)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StateInUseError, match=f"process {holder.pid}"):
        StateLock(tmp_path).__enter__()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with StateLock(tmp_path):
        pass


def test_the_first_restart_is_immediate_and_later_ones_wait_longer() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(0.1) for _ in range(8)] == [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert backoff.delay_s(10.0) == 0.0
    assert backoff.delay_s(0.1) == 0.125


def test_logs_stay_small_and_keep_their_end(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"".join(b"line %06d\n" % number for number in range(1000)))
        writer.flush()
        bound_log(log, 100_000)
        assert log.stat().st_size == 12_000
        bound_log(log, 8_000)
        writer.write(b"after the cut\n")
    text = log.read_text()
    assert log.stat().st_size < 3000
    assert text.startswith("... earlier lines were cut\n")
    assert text.endswith("line 000999\nafter the cut\n")
    assert "\0" not in text
    bound_log(tmp_path / "none.log")
    assert tail(tmp_path / "none.log") == ""


def test_a_child_that_cannot_be_started_is_tried_again_later(tmp_path: Path) -> None:
    child = Child("x", [str(tmp_path / "no such program")], tmp_path / "x.log")
    with pytest.raises(OSError, match="no such program"):
        child.start(time.monotonic())
    assert child.reap(time.monotonic()) is None


def test_exits_in_words() -> None:
    assert describe_exit(3) == "exit code 3"
    assert describe_exit(-signal.SIGSEGV) == "signal SIGSEGV"
    assert describe_exit(-200) == "signal 200"
