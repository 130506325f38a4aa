"""The NTP servers that bench/server.py asks, each a process on one core: ours, chronyd, and the least one in C.

All serve the host's own clock, so that the true offset of every reply is zero.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench import install_debian
from timeball.station.hosttime.hostclocks import boot_id, boottime_ns, bracket, raw_ns
from timeball.station.page.clockpage import ObserverPage, PageReader, PageWriter, TimekeeperPage
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.paths import config_file, observer_page, timekeeper_page

SOURCE = Path(__file__).parent / "peers" / "responder.c"
LEASE_NS = 600 * 10**9
# An access list and limits as a public server has them; nothing here comes near the limits.
PUBLIC: dict[str, Any] = {
    "deny": [f"198.18.{i}.0/24" for i in range(256)] + [f"2001:db8:{i:x}::/48" for i in range(256)],
    "source_rate": 1e7,
    "source_burst": 10000.0,
    "prefix_rate": 1e7,
    "prefix_burst": 1e6,
}


class HostClock:
    """The clock page of a station whose UTC is the host's REALTIME: then the offset of every server should be 0."""

    def __init__(self, state: Path) -> None:
        self._timekeeper = PageWriter(timekeeper_page(state), TimekeeperPage)
        self._observer = PageWriter(observer_page(state), ObserverPage)
        self.renew()

    def renew(self) -> None:
        """Refer the page to REALTIME as it is now, and grant both leases."""
        self.grant(LEASE_NS, LEASE_NS)

    def withdraw(self) -> None:
        """End both leases."""
        self.grant(-1, -1)

    def grant(self, timekeeper_ns: int, observer_ns: int) -> int:
        """Grant each lease for so long, or end it; RAW at which the first of them ends."""
        pair = min((bracket() for _ in range(3)), key=lambda each: each.width_ns)
        boot, slept_ns = boot_id().words, boottime_ns() - raw_ns()
        ends = pair.raw_ns + observer_ns, pair.raw_ns + slept_ns + observer_ns
        self._observer.write(ObserverPage(boot, *ends, 0))
        ends = pair.raw_ns + timekeeper_ns, pair.raw_ns + slept_ns + timekeeper_ns
        counters = (pair.raw_ns, pair.raw_ns + slept_ns, pair.realtime_ns + 37 * 10**9, 0)
        self._timekeeper.write(
            TimekeeperPage(boot, *counters, 0.0, 1e-4, 0.0, 0.0, 0.0, 37, 0, 0, 10, 0x7F7F0101, 1, *ends)
        )
        return pair.raw_ns + min(timekeeper_ns, observer_ns)


@contextmanager
def our_server(state: Path, port: int, core: int, ntp: Mapping[str, Any] | None = None) -> Iterator[int]:
    """A server process pinned to one core; gives its process id. Its page is HostClock's on the same `state`."""
    settings = {"ntp": {"listen": [f"127.0.0.1:{port}"], **(ntp or {})}}
    config_file(state).write_text(json.dumps(settings))
    command = [sys.executable, "-m", "timeball.station.server", "--state", str(state)]
    reader = PageReader(server_page(state), ServerPage)
    with running(command, core, lambda: reader.read() is not None and answers(port), 120) as pid:
        yield pid


@contextmanager
def chronyd(folder: Path, port: int, core: int, lines: tuple[str, ...] = ()) -> Iterator[int]:
    """A chronyd that serves the host's clock, pinned to one core; gives its process id."""
    folder.mkdir(mode=0o700, exist_ok=True)
    basic = [f"port {port}", "bindaddress 127.0.0.1", "allow 127.0.0.0/8", "local stratum 1", "cmdport 0"]
    basic += [f"bindcmdaddress {folder}/sock", f"pidfile {folder}/pid"]
    (folder / "conf").write_text("\n".join([*basic, *lines]) + "\n")
    command = ["chronyd", "-x", "-d", "-u", "root", "-f", str(folder / "conf")]
    with running(command, core, lambda: answers(port), 10) as pid:
        yield pid


def has_chronyd() -> bool:
    """Whether chronyd can be had and started here."""
    return install_debian("chronyd", "chrony") and os.geteuid() == 0


@contextmanager
def c_responder(folder: Path, port: int, core: int) -> Iterator[int]:
    """bench/peers/responder.c, compiled in `folder`, pinned to one core; gives its process id."""
    program = folder / "responder"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    with running([str(program), str(port)], core, lambda: answers(port), 10) as pid:
        yield pid


def has_compiler() -> bool:
    """Whether the C responder can be built."""
    return shutil.which("gcc") is not None


@contextmanager
def running(command: list[str], core: int, ready: Callable[[], bool], patience_s: float) -> Iterator[int]:
    """Run a process on one core, wait until it is ready, end it after use. A negative core pins nothing."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process,
    ):
        try:
            if core >= 0:
                os.sched_setaffinity(process.pid, {core})  # at once: the threads it will start inherit this
            deadline = time.monotonic() + patience_s
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    why = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
                    raise RuntimeError(f"{' '.join(command)} did not come up: {why[0]}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def answers(port: int) -> bool:
    """Whether an NTP server answers there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        try:
            client.send(b"\x23" + bytes(47))
            return len(client.recv(64)) == 48
        except OSError:
            return False


def free_port() -> int:
    """A port of the loopback that nobody holds, over UDP or TCP: a connection that ended may hold one for a minute."""
    for _ in range(100):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as streams,
            suppress(OSError),
        ):
            datagrams.bind(("127.0.0.1", 0))
            streams.bind(datagrams.getsockname())
            return int(streams.getsockname()[1])
    raise RuntimeError("no port of the loopback is free")


def cpu_s(pid: int) -> float:
    """Processor time of a process and all its threads so far (the scheduler's account, in ns)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_kib(pid: int) -> int:
    """Memory of a process that lies in RAM."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))
