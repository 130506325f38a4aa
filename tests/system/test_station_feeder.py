"""The feeder as a process, and a chronyd that follows it: through a late start, a restart, and the end of a lease."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from handpages import HandPages

from clients import needs_root, program
from timeball.cli.root import root as timeball
from timeball.cli.root import run
from timeball.formats import parse_columns
from timeball.protocols.chrony import more
from timeball.station.configuration.outputs import PHC, ChronySock
from timeball.station.configuration.settings import Config
from timeball.station.feeding.chronyd import Chronyd
from timeball.station.feeding.chronydview import by_chronyc, read_chronyd
from timeball.station.feeding.phcsimulated import drift_of, read_phc
from timeball.station.hosttime.hostclocks import raw_ns
from timeball.station.page.feedpage import FeedPage, Outcome, feed_page
from timeball.station.page.pagefile import PageReader
from timeball.station.page.pagelayout import OBSERVER_LEASE_ENDED
from timeball.station.paths import config_file

pytestmark = pytest.mark.system

AHEAD_S = 250e-6
"""Served time is ahead of the host's own by this: what chronyd must find."""


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Feeder:
    """A state folder with pages, and the feeder process on it."""

    def __init__(self, state: Path, *outputs: ChronySock | PHC) -> None:
        self.state = state
        self.pages = HandPages(state, int(AHEAD_S * 1e9))
        config_file(state).write_bytes(Config(outputs=outputs).to_json())
        command = [sys.executable, "-m", "timeball.station.feeder", "--state", str(state)]
        self.log = (state / "feeder.log").open("wb")
        self.process = subprocess.Popen(command, stderr=self.log)

    def page(self, index: int = 0) -> FeedPage | None:
        return PageReader(feed_page(self.state, index), FeedPage).read()

    def wait_for(self, enough: Callable[[FeedPage], bool], what: str, index: int = 0) -> FeedPage:
        found: list[FeedPage] = []

        def look() -> bool:
            assert self.process.poll() is None, (self.state / "feeder.log").read_text()
            page = self.page(index)
            found[:] = [page] if page is not None else []
            return page is not None and enough(page)

        wait_until(look, what)
        return found[0]

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(20)
        self.log.close()
        self.pages.close()
        return code


class ChronydProcess:
    """chronyd, which does not touch the host's clock (-x), with one SOCK reference clock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.socket, self.command_socket = folder / "utc.sock", folder / "chronyd.sock"
        self.samples = folder / "refclocks.log"
        self._config = folder / "chrony.conf"
        self._config.write_text(
            f"refclock SOCK {self.socket} refid UTCk poll -2 filter 1 precision 1e-9 delay 1e-9 trust\n"
            f"port 0\ncmdport 0\nbindcmdaddress {self.command_socket}\npidfile {folder}/pid\n"
            f"logdir {folder}\nlog refclocks\n"
        )
        self.start()

    def start(self) -> None:
        command = [program("chronyd"), "-x", "-d", "-u", "root", "-f", str(self._config)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Feeder, ChronydProcess]]:
    """A feeder that began before its chronyd, and a chronyd that has selected it."""
    needs_root()
    program("chronyd")
    folder = tmp_path_factory.mktemp("fed")
    sock = ChronySock(path=str(folder / "chrony" / "utc.sock"), every_s=0.1)
    feeder = Feeder(folder / "state", sock, PHC(device="simulated:card", every_s=0.1))
    feeder.pages.lease(3600, 3600)
    feeder.wait_for(lambda page: page.absent > 0, "the missing socket was not counted")
    chronyd = ChronydProcess(folder / "chrony")
    feeder.wait_for(lambda page: page.given > 0, "nothing was given")
    wait_until(lambda: selected(chronyd) == "UTCk", "chronyd did not select its source")
    yield feeder, chronyd
    chronyd.stop()
    assert feeder.stop() == 0


def selected(chronyd: ChronydProcess) -> str | None:
    if not chronyd.command_socket.exists():
        return None
    with Chronyd(str(chronyd.command_socket)) as asked:
        return next((one.name for one in read_chronyd(asked).sources if one.state == "selected"), None)


def test_chronyd_finds_the_offset_that_was_fed(fed: tuple[Feeder, ChronydProcess]) -> None:
    feeder, chronyd = fed
    page = feeder.page()
    assert page is not None
    assert abs(page.offset_s - AHEAD_S) < 20e-6
    with Chronyd(str(chronyd.command_socket)) as asked:
        tracking = read_chronyd(asked).tracking
    # chronyd holds its clock itself (-x): what it would still have to add is what it was fed
    assert abs(-tracking.system_minus_ntp_s - AHEAD_S) < 20e-6
    assert (tracking.stratum, tracking.leap, tracking.refid) == (1, 0, "UTCk")


def test_it_needs_no_compiler(fed: tuple[Feeder, ChronydProcess]) -> None:
    """What would take a second to start and 100 MB is not in the process: numba, and the LLVM under it."""
    feeder, _ = fed
    mapped = Path(f"/proc/{feeder.process.pid}/maps").read_text()
    assert "numpy" in mapped
    assert "llvmlite" not in mapped


def test_its_own_tool_says_the_same(fed: tuple[Feeder, ChronydProcess]) -> None:
    _, chronyd = fed
    done = subprocess.run(
        ["chronyc", "-n", "-c", "-h", str(chronyd.command_socket), "tracking"], capture_output=True, text=True
    )
    told = done.stdout.strip().split(",")
    assert told[1] == "UTCk"
    with Chronyd(str(chronyd.command_socket)) as asked:
        view = read_chronyd(asked)
    assert abs(float(told[4]) + view.tracking.system_minus_ntp_s) < 10e-6
    assert view.server_stats is not None
    assert by_chronyc("serverstats", chronyd.command_socket.as_posix())[0].keys() <= view.server_stats.keys()


def test_a_layout_that_is_not_known_is_asked_of_chronyc(
    fed: tuple[Feeder, ChronydProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chronyd = fed
    monkeypatch.setattr(more, "SERVER_STATS_OF", {})
    with Chronyd(str(chronyd.command_socket)) as asked:
        view = read_chronyd(asked)
    assert view.not_told == {}
    assert view.server_stats is not None
    assert view.server_stats["command_hits"] > 0
    monkeypatch.setenv("PATH", "/nowhere")
    with Chronyd(str(chronyd.command_socket)) as asked:
        assert "not known here" in read_chronyd(asked).not_told["serverstats"]


def test_the_watcher_judges_it(fed: tuple[Feeder, ChronydProcess], tmp_path: Path) -> None:
    _, chronyd = fed
    host, record = ["watch-chrony", "--host", str(chronyd.command_socket)], tmp_path / "record.txt"
    assert run([*host, "--json"]) == 0
    assert run([*host, "--limit", "offset=1e-5"]) == 3
    assert run([*host, "--limit", "sources=2"]) == 3
    told = CliRunner().invoke(timeball, [*host, "--interval", "0.1", "--count", "2", "--json", "--record", str(record)])
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(line["fine"], line["selected"]) for line in lines] == [(True, "UTCk")] * 2
    readings = parse_columns(record.read_bytes(), "record").readings
    assert list(readings.clocks) == ["SYSTEM", "NTP"]
    assert all(abs(x + AHEAD_S) < 20e-6 for x in readings.x)


def test_a_chronyd_that_restarts_is_found_again(fed: tuple[Feeder, ChronydProcess]) -> None:
    feeder, chronyd = fed
    chronyd.stop()
    lost = feeder.wait_for(lambda page: page.outcome == Outcome.ABSENT, "the loss was not counted")
    chronyd.start()
    feeder.wait_for(lambda page: page.given > lost.given, "nothing was given to the new chronyd")
    wait_until(lambda: selected(chronyd) == "UTCk", "the new chronyd did not select its source")


def test_a_simulated_clock_is_stepped_once_and_then_followed(fed: tuple[Feeder, ChronydProcess]) -> None:
    feeder, _ = fed
    page = feeder.wait_for(lambda page: page.given > 5 and abs(page.offset_s) < 100e-9, "it does not follow", 1)
    assert page.steps == 1
    assert abs(page.rate + drift_of("card")) < 1e-6


def test_nothing_is_given_after_a_lease_has_ended(fed: tuple[Feeder, ChronydProcess]) -> None:
    feeder, chronyd = fed
    feeder.pages.lease(3600, 0)
    feeder.wait_for(lambda page: page.outcome == Outcome.WITHHELD, "it was not withheld")
    before = feeder.page()
    assert before is not None
    size = len(chronyd.samples.read_bytes())
    after = feeder.wait_for(lambda page: page.withheld >= before.withheld + 10, "the turns stopped")
    assert after.status == OBSERVER_LEASE_ENDED
    assert after.given == before.given
    assert len(chronyd.samples.read_bytes()) - size <= 4096  # what its log held back
    held_as_learned(feeder)
    wait_until(lambda: selected(chronyd) is None, "chronyd still selects a source that is silent")
    assert run(["watch-chrony", "--host", str(chronyd.command_socket)]) == 3
    feeder.pages.lease(3600, 3600)
    feeder.wait_for(lambda page: page.given > after.given, "it did not go on")


def held_as_learned(feeder: Feeder) -> None:
    """The simulated clock is not touched, and runs on by the rate that was learned."""
    feeder.wait_for(lambda page: page.outcome == Outcome.WITHHELD, "the clock is still corrected", 1)
    held, now = read_phc(feeder.state, "card"), raw_ns()
    served_ns = feeder.pages.page.tai_ns + now - feeder.pages.page.raw_ns
    assert abs(held.shown(now)[0] - served_ns) < 2_000
    assert abs(held.rate + held.drift) < 1e-6
    before = feeder.page(1)
    assert before is not None
    feeder.wait_for(lambda page: page.withheld > before.withheld + 5, "the turns stopped", 1)
    assert read_phc(feeder.state, "card") == held
