"""The server process alone, on a clock page that the test writes: with a time of its own, a known function of RAW."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handpages import TAI_MINUS_UTC_S, HandPages, S, page_like_realtime

from timeball.protocols.ntp import packet as ntp
from timeball.station.page.clockpage import PageReader, TimekeeperPage
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.paths import config_file

__all__ = ["TAI_MINUS_UTC_S", "S", "Server", "Station", "ask", "ask_packet", "free_port", "realtime_page"]


def free_port(family: int = socket.AF_INET, host: str = "127.0.0.1") -> int:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def realtime_page() -> TimekeeperPage:
    """Served time equal to the host's own, by a simulated station whose bound grows; no lease."""
    page = dataclasses.replace(page_like_realtime(), bound_s=1e-4, bound_growth=1e-6)
    return dataclasses.replace(page, stratum=10, refid=0x7F7F0101, simulated=1)


class Station(HandPages):
    """A state folder whose two page writers are the test's own hands."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.page = realtime_page()


class Server:
    """A running server process."""

    def __init__(
        self, state: Path, addresses: list[str], environment: dict[str, str] | None = None, **settings: Any
    ) -> None:
        config_file(state).parent.mkdir(parents=True, exist_ok=True)
        config_file(state).write_text(json.dumps({"ntp": {"listen": addresses, **settings}}))
        self.state = state
        command = [sys.executable, "-m", "timeball.station.server", "--state", str(state)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )

    def wait_until_up(self) -> None:
        reader = PageReader(server_page(self.state), ServerPage)
        deadline = time.monotonic() + 120  # compiling, when nothing is in the cache
        while reader.read() is None:
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        if self.process.stderr:
            self.process.stderr.close()

    def counters_after(self, enough: Callable[[ServerPage], bool]) -> ServerPage:
        reader = PageReader(server_page(self.state), ServerPage)
        deadline = time.monotonic() + 10
        while True:
            page = reader.read()
            if page is not None and enough(page):
                return page
            assert time.monotonic() < deadline, page
            time.sleep(0.05)


def ask(port: int, request: bytes = b"\x23" + bytes(47), host: str = "127.0.0.1") -> bytes | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        client.sendto(request, (host, port))
        with contextlib.suppress(TimeoutError):
            return client.recv(2048)
    return None


def ask_packet(port: int) -> ntp.Packet:
    reply = ask(port)
    assert reply is not None
    return ntp.parse_packet(reply)
