"""linuxptp over a veth between two network namespaces: its ptp4l announces what the feeder tells it.

Stamps are made in software, so the grandmaster serves the host's own clock, and the client, which runs free, measures
that clock against itself. The PTP clock that is corrected is simulated; the class that is announced follows from it.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from handpages import TAI_MINUS_UTC_S, HandPages, S

from clients import needs_root, program
from timeball.protocols.ptp import management as ptp
from timeball.station.configuration.outputs import PHC
from timeball.station.feeding.phc import PHCFeed
from timeball.station.feeding.served import ClockView
from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.page.feedpage import Outcome

pytestmark = pytest.mark.system

CONFIG = """[global]
time_stamping software
network_transport L2
logAnnounceInterval -3
logSyncInterval -3
logMinDelayReqInterval -3
announceReceiptTimeout 3
uds_address {uds}
{lines}
[{interface}]
"""
DEADLINE_S = 60.0


@dataclass
class Network:
    """Two namespaces joined by a veth, a ptp4l in each; `grandmaster` and `client` are their Unix sockets."""

    folder: Path
    grandmaster: Path
    client: Path

    def ask(self) -> dict[str, str]:
        """What the client knows: pmc's names and values."""
        own = self.folder / "pmc.sock"
        command = [program("pmc"), "-u", "-b", "0", "-s", str(self.client), "-i", str(own)]
        done = subprocess.run(
            [*command, "GET TIME_STATUS_NP", "GET PARENT_DATA_SET", "GET TIME_PROPERTIES_DATA_SET"],
            capture_output=True,
            text=True,
        )
        return dict(re.findall(r"^\s+([\w.]+)\s+(\S+)$", done.stdout, re.MULTILINE))


def start(commands: list[list[str]], log: Path) -> list[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        return [subprocess.Popen(command, stdout=out, stderr=out) for command in commands]


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_its_own_network(process: subprocess.Popen[bytes]) -> bool:
    """Until then `nsenter` would enter the host's."""
    return Path(f"/proc/{process.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    needs_root()
    ptp4l, folder = program("ptp4l"), tmp_path_factory.mktemp("ptp")
    made = Network(folder, folder / "gm", folder / "cl")
    for name, uds, lines in (("va", made.grandmaster, ""), ("vb", made.client, "slaveOnly 1\nfree_running 1")):
        (folder / f"{name}.cfg").write_text(CONFIG.format(uds=uds, lines=lines, interface=name))
    log = folder / "log"
    holders = start([["unshare", "-n", "sleep", "300"]] * 2, log)
    running = list(holders)
    try:
        wait_until(lambda: all(map(has_its_own_network, holders)))
        first, second = (["nsenter", "-n", "-t", str(holder.pid)] for holder in holders)
        for step in (
            [*first, "ip", "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", str(holders[1].pid)],
            [*first, "ip", "link", "set", "va", "up"],
            [*second, "ip", "link", "set", "vb", "up"],
        ):
            subprocess.run(step, check=True, capture_output=True)
        options = ["-m", "-q"]
        running += start(
            [
                [*first, ptp4l, "-f", str(folder / "va.cfg"), *options],
                [*second, ptp4l, "-f", str(folder / "vb.cfg"), *options],
            ],
            log,
        )
        yield made
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


def turns_until(
    heard: Callable[[dict[str, str]], bool], clock_class: int, feed: PHCFeed, view: ClockView, network: Network
) -> None:
    """Turns until ptp4l has confirmed that class, and what the client knows over the network is as it should be."""
    deadline = time.monotonic() + DEADLINE_S
    known: dict[str, str] = {}
    while not (feed.clock_class == clock_class and heard(known)):
        assert time.monotonic() < deadline, (feed.clock_class, known, (network.folder / "log").read_text()[-2000:])
        feed.turn(view)
        time.sleep(0.1)
        known = network.ask()


def has(known: dict[str, str], **values: str) -> bool:
    """Whether the client knows these of its grandmaster; `gm_` stands for `gm.`."""
    return all(known.get(name.replace("gm_", "gm.")) == value for name, value in values.items())


def found_37_s(known: dict[str, str]) -> bool:
    """The same clock on both sides, and by stamps in software it counts UTC: a client that has heard "this is TAI, and
    UTC is 37 s behind" measures these 37 s, and no more than the noise of such stamps beside them."""
    return abs(int(known.get("master_offset", "0")) - TAI_MINUS_UTC_S * S) < 1_000_000


def test_a_client_hears_of_the_clock_and_of_its_withdrawal(network: Network, tmp_path: Path) -> None:
    pages = HandPages(tmp_path)
    pages.lease(3600, 3600)
    view = ClockView(tmp_path, boot_id())
    feed = PHCFeed(PHC(device="simulated:card", every_s=0.1, ptp4l=str(network.grandmaster)), tmp_path, 0)
    try:
        accuracy = hex(ptp.accuracy_of(1e-6 + 1e-9))
        locked = {"gm_ClockClass": str(ptp.LOCKED), "gm_ClockAccuracy": accuracy, "timeTraceable": "1"}
        served = {"currentUtcOffset": "37", "currentUtcOffsetValid": "1", "ptpTimescale": "1", "timeSource": "0x10"}
        turns_until(lambda known: has(known, **locked, **served) and found_37_s(known), ptp.LOCKED, feed, view, network)

        pages.lease(3600, 0)
        assert feed.turn(view)[0] is Outcome.WITHHELD
        withdrawn = {"gm_ClockClass": str(ptp.DEFAULT), "gm_ClockAccuracy": "0xfe", "timeTraceable": "0"}
        turns_until(lambda known: has(known, **withdrawn, currentUtcOffsetValid="0"), ptp.DEFAULT, feed, view, network)
    finally:
        feed.close()
        pages.close()
    assert not (tmp_path / "run" / "ptp4l.0.sock").exists()
