"""Words to the service manager, over a real unix datagram socket, and when they are said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from page_writers import write_clock, write_counts

from timeball.station import paths
from timeball.station.configuration.config import Config, parse_config
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.supervision.child import Child
from timeball.station.supervision.notify import STATUS_EVERY_S, Notifier
from timeball.station.supervision.telling import READY_LOOK_S, Teller


class Manager:
    """A service manager: the socket, and what was said on it since the last question."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                lines = self.socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return found
            found.append(dict(line.split("=", 1) for line in lines))

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, **more}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(str(tmp_path / "notify"))
    yield one
    one.socket.close()


def test_without_a_manager_nothing_is_said() -> None:
    notifier = Notifier.from_environment({})
    assert not notifier.listening
    assert not notifier.status_is_due(0.0)
    notifier.ready("up")
    notifier.alive(0.0)
    notifier.stopping("down")


def test_the_names_are_taken_out_of_the_environment(manager: Manager) -> None:
    environment = manager.environment(WATCHDOG_USEC="1", WATCHDOG_PID=str(os.getpid()), PATH="/bin")
    assert Notifier.from_environment(environment).listening
    assert environment == {"PATH": "/bin"}


def test_ready_is_said_once(manager: Manager) -> None:
    notifier = Notifier.from_environment(manager.environment())
    notifier.ready("in sync")
    notifier.ready("in sync")
    assert manager.heard() == [{"READY": "1", "STATUS": "in sync", "MAINPID": str(os.getpid())}]


def test_signs_of_life_come_before_half_the_time_has_passed(manager: Manager) -> None:
    notifier = Notifier.from_environment(manager.environment(WATCHDOG_USEC="10000000"))
    assert notifier.watchdog_s == 10.0
    said = []
    for tenth in range(200):
        notifier.alive(tenth / 10)
        said += [tenth / 10] * len(manager.heard())
    gaps = [after - before for before, after in pairwise(said)]
    assert max(gaps) < 5.0
    assert len(said) < 8


@pytest.mark.parametrize(
    "more", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "-5"}]
)
def test_a_watchdog_that_is_not_ours_gets_nothing(manager: Manager, more: dict[str, str]) -> None:
    notifier = Notifier.from_environment(manager.environment(**more))
    notifier.alive(1e6)
    assert manager.heard() == []


def test_a_sentence_is_said_when_it_changes_and_stays_one_line(manager: Manager) -> None:
    notifier = Notifier.from_environment(manager.environment())
    for words in ("a", "a", "b\nREADY=1", "a"):
        notifier.status(words)
    assert manager.heard() == [{"STATUS": "a"}, {"STATUS": "b READY=1"}, {"STATUS": "a"}]
    assert notifier.status_is_due(0.0)
    assert not notifier.status_is_due(STATUS_EVERY_S / 2)
    assert notifier.status_is_due(STATUS_EVERY_S)


def test_an_abstract_address() -> None:
    one = Manager(f"@timeball-test-{os.getpid()}")
    Notifier.from_environment(one.environment()).stopping("the end")
    assert one.heard() == [{"STOPPING": "1", "STATUS": "the end"}]
    one.socket.close()


@pytest.mark.parametrize("address", ["", "/", "relative", "@", "/nowhere/at/all"])
def test_an_address_of_nobody_is_no_reason_to_stop(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready("up")
    notifier.stopping("down")


def test_a_manager_that_does_not_read_holds_nobody_up(manager: Manager) -> None:
    notifier = Notifier.from_environment(manager.environment())
    for count in range(5000):
        notifier.status(str(count))
    assert len(manager.heard()) < 5000  # the rest was lost, and nobody waited


# -- the station's own words


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Child]]:
    """Two processes that run, of which one is called the server."""
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    found = [Child(name, command, tmp_path / f"{name}.log") for name in ("recorder", "server")]
    for child in found:
        child.process = subprocess.Popen(command)
    yield found
    for child in found:
        if child.process is not None:
            child.process.kill()
            child.process.wait(10)


def teller(state: Path, manager: Manager, config: Config | None = None, **more: str) -> Teller:
    paths.run_dir(state).mkdir(parents=True, exist_ok=True)
    return Teller(state, config or Config(), Notifier.from_environment(manager.environment(**more)))


def test_ready_waits_for_every_process_and_for_the_servers_answer(
    tmp_path: Path, manager: Manager, children: list[Child]
) -> None:
    told, server = teller(tmp_path, manager), children[1].process
    assert server is not None
    told.turn(children, 0.0)
    assert all("READY" not in words for words in manager.heard()), "no server has written its page"
    write_counts(server_page(tmp_path), ServerPage, pid=server.pid + 1)
    told.turn(children, READY_LOOK_S)
    assert all("READY" not in words for words in manager.heard()), "the page is an earlier server's"
    write_counts(server_page(tmp_path), ServerPage, pid=server.pid)
    recorder, children[0].process = children[0].process, None
    told.turn(children, 2 * READY_LOOK_S)
    [words] = manager.heard()
    assert "READY" not in words
    assert words["STATUS"].endswith("1 of 2 processes run, not recorder")
    assert int(words["EXTEND_TIMEOUT_USEC"]) > 60e6
    children[0].process = recorder
    told.turn(children, 3 * READY_LOOK_S)
    [words] = manager.heard()
    assert words["READY"] == "1"
    assert words["STATUS"] == "withdrawn: no timekeeper's page of this boot; 2 processes run"


def test_what_is_served_is_said_afterwards(tmp_path: Path, manager: Manager, children: list[Child]) -> None:
    told, server = teller(tmp_path, manager), children[1].process
    assert server is not None
    write_counts(server_page(tmp_path), ServerPage, pid=server.pid)
    told.turn(children, 0.0)
    write_clock(tmp_path, bound_s=2e-6)
    told.turn(children, 100.0)
    assert manager.heard()[-1] == {"STATUS": "in sync, bound 2 µs; 2 processes run"}
    told.stopping()
    assert manager.heard()[-1]["STOPPING"] == "1"


def test_every_turn_is_a_sign_of_life(tmp_path: Path, manager: Manager, children: list[Child]) -> None:
    told = teller(tmp_path, manager, WATCHDOG_USEC="1000000")
    for turn in range(9):
        told.turn(children, turn / 4)
    assert sum("WATCHDOG" in words for words in manager.heard()) >= 4


def test_the_past_is_told_tenth_by_tenth(tmp_path: Path, manager: Manager) -> None:
    told = teller(tmp_path, manager)
    for percent in range(101):
        told.progress(percent / 100, "the past")
    heard = manager.heard()
    assert [words["STATUS"] for words in heard][:2] == ["computing the past: 0%", "computing the past: 10%"]
    assert len(heard) == 11


def test_a_replay_serves_no_time(tmp_path: Path, manager: Manager, children: list[Child]) -> None:
    config = parse_config('[[instrument]]\nkind = "replay"\nfiles = ["/a.clk"]\n[actuator]\nkind = "none"\n')
    teller(tmp_path, manager, config).turn(children, 0.0)
    assert "no time is served" in manager.heard()[0]["STATUS"]
