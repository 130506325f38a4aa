"""The supervisor with real children: killed, hung, failing, orphaned, adopted. Small children, real signals."""

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

from timeball.station.paths import lock_file, log_file, processes_file, run_dir
from timeball.station.supervision.adoption import EXIT_UNKNOWN, Adopted
from timeball.station.supervision.child import Backoff, Child, bound_log, tail
from timeball.station.supervision.orphan import GRACE_VARIABLE, ORPHAN_GRACE_S, Grace, grace_of
from timeball.station.supervision.statelock import StateInUseError, StateLock, is_supervised
from timeball.station.supervision.supervisor import LONGEST_START_S, Supervisor, describe_exit

PATIENCE_S = 20.0

SUPERVISE = """
import json, sys
from pathlib import Path
from timeball.station.supervision.supervisor import Supervisor, StationStoppedError
from timeball.station.supervision.statelock import StateLock
state, commands, why_not = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
try:
    report = lambda event: print(json.dumps(event), flush=True)
    with StateLock(state), Supervisor(state, commands, report) as supervisor:
        supervisor.adopt(why_not)
        supervisor.run()
except KeyboardInterrupt:
    pass  # asked to end between the adopting and the running: ended in order, like a station
except StationStoppedError as error:
    print(json.dumps({"event": "refused", "why": str(error)}), flush=True)
    sys.exit(2)
"""
# A child names the state folder in its arguments, as the processes of a station do.
SLEEPER = "import sys, time; print('up', file=sys.stderr, flush=True); time.sleep(1000)"
# What every process of a station does; SIGTERM then ends it as it would end at the supervisor's word.
WATCHED = (
    "import sys, time; from pathlib import Path; from timeball.station.supervision.orphan import end_when_orphaned\n"
    "end_when_orphaned(Path(sys.argv[1])); print('up', file=sys.stderr, flush=True); time.sleep(1000)"
)
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

    def __init__(self, state: Path, why_not: str = "", grace_s: float = 60.0, **children: str) -> None:
        self.state = state
        self.out = state.parent / "events"
        commands = {name: [sys.executable, "-c", code, str(state)] for name, code in children.items()}
        with self.out.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, str(state), json.dumps(commands), why_not],
                env={**os.environ, GRACE_VARIABLE: str(grace_s)},
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

    def kill(self) -> None:
        """Kill -9 the supervisor alone."""
        self.popen.kill()
        self.popen.wait()

    def end(self) -> None:
        for pid in [self.popen.pid, *self.pids().values()]:
            if alive(pid) and (pid == self.popen.pid or str(self.state) in Path(f"/proc/{pid}/cmdline").read_text()):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(**arguments: Any) -> Supervised:
        started.append(Supervised(tmp_path / "state", **arguments))
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


def test_it_says_why_it_stops(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER)
    station.wait_up("recorder")
    wait_for(lambda: "up" in log_file(station.state, "recorder").read_text(), "the child never ran")
    station.popen.send_signal(signal.SIGHUP)
    assert station.popen.wait(PATIENCE_S) == 0
    assert station.events()[-1] == {"event": "stopping", "why": "signal SIGHUP"}


def test_nobody_who_reads_what_it_tells_is_no_reason_to_end(tmp_path: Path) -> None:
    """Its standard output is a pipe whose reader has gone: children are supervised as before."""
    state, reader = tmp_path / "state", None
    command = [sys.executable, "-c", SUPERVISE, str(state), json.dumps({"recorder": [sys.executable, "-c", SLEEPER]})]
    with subprocess.Popen([*command, ""], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as supervisor:
        try:
            reader = supervisor.stdout
            assert reader is not None
            reader.close()

            def pid() -> int:
                rows = json.loads(processes_file(state).read_text()) if processes_file(state).exists() else []
                return next((row["pid"] or 0 for row in rows if row["name"] == "recorder"), 0)

            first = wait_for(pid, "it never started")
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: pid() not in (0, first) or supervisor.poll() is not None, "not started again")
            assert supervisor.poll() is None
        finally:
            supervisor.terminate()
            supervisor.wait(PATIENCE_S)


def test_who_had_started_well_ends_nobody_else(tmp_path: Path) -> None:
    """An exit code of a bad configuration after a long life is a death like any other."""
    told: list[dict[str, Any]] = []
    supervisor = Supervisor(
        tmp_path / "state", {"server": [sys.executable, "-c", "import sys; sys.exit(2)"]}, told.append
    )
    (child,) = supervisor.children
    child.start(time.monotonic() - 2 * LONGEST_START_S)
    assert child.process is not None
    child.process.wait(PATIENCE_S)
    supervisor._round()
    assert [event["event"] for event in told] == ["died", "started"]
    assert child.process is not None
    child.process.wait(PATIENCE_S)


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


def test_a_new_supervisor_adopts_who_outlived_a_killed_one(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER, server=SLEEPER)
    first = station.wait_up("recorder", "server")
    os.kill(first["server"], signal.SIGKILL)
    before = wait_for(lambda: (p := station.pids()).get("server") not in (None, first["server"]) and p, "no restart")
    rows = json.loads(processes_file(station.state).read_text())
    station.kill()
    assert alive(before["recorder"])
    assert alive(before["server"])

    again = supervise(recorder=SLEEPER, server=SLEEPER)
    (event,) = wait_for(lambda: again.events("adopted"), "nobody was adopted")
    assert {row["name"]: row["pid"] for row in event["processes"]} == {n: before[n] for n in ("recorder", "server")}
    assert {row["name"]: row["restarts"] for row in event["processes"]} == {"recorder": 0, "server": 1}
    wait_for(lambda: again.pids()["supervisor"] == again.popen.pid, "the table is still the old one")
    new_rows = json.loads(processes_file(station.state).read_text())
    assert new_rows[1:] == rows[1:]
    assert again.events("started") == []

    # an adopted child that dies is started again, counted on, and stopped like any other
    os.kill(before["server"], signal.SIGKILL)
    after = wait_for(lambda: (p := again.pids()).get("server") not in (None, before["server"]) and p, "no restart")
    (death,) = again.events("died")
    assert (death["name"], death["code"]) == ("server", None)
    assert death["why"] == "ended; another supervisor had started it"
    assert [event["restarts"] for event in again.events("started")] == [2]
    again.popen.send_signal(signal.SIGTERM)
    assert again.popen.wait(PATIENCE_S) == 0
    assert again.events("killed") == []
    assert not any(alive(pid) for pid in (after["recorder"], after["server"]))


def test_an_adopted_child_that_will_not_end_is_killed(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=DEAF)
    pid = station.wait_up("server")["server"]
    wait_for(lambda: "deaf" in tail(log_file(station.state, "server")), "not ready")
    station.kill()
    again = supervise(server=DEAF)
    wait_for(lambda: again.events("adopted"), "nobody was adopted")
    again.popen.send_signal(signal.SIGINT)
    assert again.popen.wait(PATIENCE_S) == 0
    assert [event["name"] for event in again.events("killed")] == ["server"]
    assert not alive(pid)


def test_one_that_died_with_its_supervisor_is_started_beside_the_adopted(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER, server=SLEEPER)
    before = station.wait_up("recorder", "server")
    station.kill()
    os.kill(before["server"], signal.SIGKILL)
    wait_for(lambda: not alive(before["server"]), "it outlived kill -9")
    again = supervise(recorder=SLEEPER, server=SLEEPER)
    (event,) = wait_for(lambda: again.events("started"), "it was not started")
    assert (event["name"], event["restarts"]) == ("server", 1)
    assert [row["name"] for row in again.events("adopted")[0]["processes"]] == ["recorder"]


def test_with_a_reason_not_to_nobody_is_adopted_and_all_are_ended(supervise: Callable[..., Supervised]) -> None:
    station = supervise(recorder=SLEEPER, server=SLEEPER)
    before = station.wait_up("recorder", "server")
    station.kill()
    again = supervise(why_not="the configuration has changed", recorder=SLEEPER, server=SLEEPER)
    wait_for(lambda: len(again.events("started")) == 2, "the new ones did not start")
    assert again.events("adopted") == []
    (event,) = again.events("not adopted")
    assert (sorted(event["names"]), event["why"]) == (["recorder", "server"], "the configuration has changed")
    assert not any(alive(before[name]) for name in ("recorder", "server"))
    assert {event["restarts"] for event in again.events("started")} == {0}


def test_another_command_line_is_ended_not_adopted(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=DEAF)
    old = station.wait_up("server")["server"]
    wait_for(lambda: "deaf" in tail(log_file(station.state, "server")), "not ready")
    station.kill()
    again = supervise(server=SLEEPER)
    wait_for(lambda: again.pids().get("server") not in (None, old), "the new one did not start")
    assert not alive(old)
    assert [event["names"] for event in again.events("not adopted")] == [["server"]]
    assert [event["name"] for event in again.events("killed")] == ["server"]


def test_one_that_no_table_names_is_found_by_its_command_line(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=SLEEPER)
    old = station.wait_up("server")["server"]
    station.kill()
    processes_file(station.state).unlink()
    again = supervise(server=SLEEPER)
    wait_for(lambda: again.pids().get("server") not in (None, old), "the new one did not start")
    assert not alive(old)
    assert again.events("adopted") == []


def test_software_of_another_version_is_not_adopted(supervise: Callable[..., Supervised]) -> None:
    station = supervise(server=SLEEPER)
    old = station.wait_up("server")["server"]
    station.kill()
    table = processes_file(station.state)
    rows = json.loads(table.read_text())
    table.write_text(json.dumps([{**rows[0], "version": "0.0.1"}, *rows[1:]]))
    again = supervise(server=SLEEPER)
    (event,) = wait_for(lambda: again.events("not adopted"), "it was adopted")
    assert event["why"] == "the software has changed"
    wait_for(lambda: not alive(old), "the old one still runs")


def test_orphans_end_by_themselves_after_the_grace(supervise: Callable[..., Supervised]) -> None:
    station = supervise(grace_s=1.5, recorder=WATCHED, server=WATCHED)
    pids = station.wait_up("recorder", "server")
    for name in ("recorder", "server"):
        wait_for(lambda name=name: "up" in tail(log_file(station.state, name)), f"{name} not ready")
    time.sleep(2.0)
    assert alive(pids["recorder"]), "it ended although it is supervised"
    station.kill()
    killed = time.monotonic()
    wait_for(lambda: not any(alive(pids[name]) for name in ("recorder", "server")), "orphans do not end")
    assert time.monotonic() - killed > 1.0, "they did not wait for a new supervisor"


def test_an_orphan_that_is_adopted_in_time_goes_on(supervise: Callable[..., Supervised]) -> None:
    station = supervise(grace_s=3.0, server=WATCHED)
    pid = station.wait_up("server")["server"]
    wait_for(lambda: "up" in tail(log_file(station.state, "server")), "not ready")
    station.kill()
    again = supervise(grace_s=3.0, server=WATCHED)
    wait_for(lambda: again.events("adopted"), "nobody was adopted")
    time.sleep(4.5)
    assert alive(pid)
    assert again.events("died") == []


def test_a_process_that_will_not_end_as_an_orphan_is_ended(supervise: Callable[..., Supervised]) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WATCHED
    station = supervise(grace_s=0.5, server=deaf)
    pid = station.wait_up("server")["server"]
    wait_for(lambda: "up" in tail(log_file(station.state, "server")), "not ready")
    station.kill()
    wait_for(lambda: not alive(pid), "it does not end")


def test_a_process_whose_state_folder_is_gone_ends(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with StateLock(state):
        env = {**os.environ, GRACE_VARIABLE: "2"}
        orphan = subprocess.Popen([sys.executable, "-c", WATCHED, str(state)], stderr=subprocess.PIPE, env=env)
        assert orphan.stderr is not None
        assert orphan.stderr.readline() == b"up\n"
        state.rename(tmp_path / "gone")
        assert orphan.wait(PATIENCE_S) == -signal.SIGTERM
        orphan.stderr.close()


def test_the_grace_counts_from_the_first_look_that_found_nobody() -> None:
    grace = Grace(30.0)
    assert not grace.is_over(supervised=True, now=0.0)
    assert not grace.is_over(supervised=False, now=1000.0), "its own long absence is not its supervisor's"
    assert not grace.is_over(supervised=False, now=1029.9)
    assert not grace.is_over(supervised=True, now=1029.95)
    assert not grace.is_over(supervised=False, now=1031.0)
    assert not grace.is_over(supervised=False, now=1060.9)
    assert grace.is_over(supervised=False, now=1061.0)


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf"])
def test_a_grace_that_is_no_positive_number_is_the_default(text: str) -> None:
    assert grace_of(text) == ORPHAN_GRACE_S == 30.0
    assert grace_of("2.5") == 2.5


def nothing(_event: dict[str, Any]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("ticks", [{}, {"start_ticks": 12345}])
def test_a_stranger_with_a_listed_number_is_left_alone(tmp_path: Path, ticks: dict[str, int]) -> None:
    # with a recorded start time that is not its own, even one that names the folder is a stranger
    words = [str(tmp_path)] if ticks else []
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", *words])
    try:
        run_dir(tmp_path).mkdir()
        table = [{"name": "supervisor", "pid": 1}, {"name": "server", "pid": stranger.pid, **ticks}]
        processes_file(tmp_path).write_text(json.dumps(table))
        assert Supervisor(tmp_path, {"server": ["no such command"]}, nothing).adopt() == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "{}", "[", '[{"pid": "x"}]', "[1]", '[{"name": "server", "pid": null}]'])
def test_a_damaged_table_of_processes_is_no_obstacle(tmp_path: Path, text: str) -> None:
    run_dir(tmp_path).mkdir()
    processes_file(tmp_path).write_text(text)
    assert Supervisor(tmp_path, {"server": ["no such command"]}, nothing).adopt() == []


@pytest.mark.parametrize("with_descriptor", [True, False])
def test_a_process_of_somebody_else_is_watched_signalled_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, with_descriptor: bool
) -> None:
    if not with_descriptor:
        monkeypatch.delattr(os, "pidfd_open")
    own = subprocess.Popen([sys.executable, "-c", SLEEPER], stderr=subprocess.DEVNULL)
    try:
        adopted = Adopted(own.pid)
        assert adopted.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            adopted.wait(0.1)
        adopted.send_signal(signal.SIGTERM)
        # not reaped yet: a zombie has ended
        assert adopted.wait(PATIENCE_S) == EXIT_UNKNOWN
        assert adopted.poll() == EXIT_UNKNOWN
        assert own.wait() == -signal.SIGTERM
        adopted.kill()
        with pytest.raises(ProcessLookupError):
            Adopted(own.pid)
    finally:
        own.kill()
        own.wait()


def test_looks_at_the_lock_never_hinder_a_supervisor(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from timeball.station.supervision.statelock import is_supervised\n"
        "print('up', flush=True)\nwhile True: is_supervised(Path(sys.argv[1]))"
    )
    with StateLock(tmp_path):
        assert is_supervised(tmp_path)
    assert not is_supervised(tmp_path)
    lookers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for looker in lookers:
            assert looker.stdout is not None
            assert looker.stdout.readline() == b"up\n"
        for _ in range(50):
            with StateLock(tmp_path):
                assert is_supervised(tmp_path)
    finally:
        for looker in lookers:
            looker.kill()
            looker.communicate()
    lock_file(tmp_path).unlink()
    assert not is_supervised(tmp_path)


def test_one_station_a_state_folder(tmp_path: Path) -> None:
    with StateLock(tmp_path), pytest.raises(StateInUseError, match=f"already runs on .* \\(process {os.getpid()}\\)"):
        StateLock(tmp_path).__enter__()
    with StateLock(tmp_path):
        pass


def test_the_lock_goes_with_its_killed_holder(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from timeball.station.supervision.statelock import StateLock\n"
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
    assert [backoff.delay_s(0.1) for _ in range(8)] == [0.0, 0.125, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75]
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
    assert describe_exit(EXIT_UNKNOWN) == "ended; another supervisor had started it"
    assert describe_exit(-200) == "signal 200"
