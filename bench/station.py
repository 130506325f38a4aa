"""A station from nothing: how long until it serves, how fast it lives through its past, and how fast that is replayed.

The default laboratory with its whole past; only the ports are not the default ones. The processes of the station share
the cores with this benchmark, as they would with anything else.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import Figure, Skip
from bench.ntp_servers import free_port
from timeball.station.configuration.config import Config
from timeball.station.fold.replay import replay

ROOM = "station"
PATIENCE_S = 300.0
FIRST_REPLY = "from timeball run to the first NTP reply in sync, fresh state"
PAST = "the laboratory's past, lived through and recorded"
REPLAY = "replay of that ledger"
REQUEST = bytes([0o43]) + bytes(47)
"""An NTP request of version 4, mode client; nothing else in it matters to a server."""


class StationFailed(RuntimeError):
    """The station ended, or never came in sync; its last words."""


def figures() -> Iterator[Figure | Skip]:
    """Give seconds to the first reply in sync, epochs/s of the past, and entries/s of its replay."""
    with tempfile.TemporaryDirectory(prefix="timeball-bench-") as folder:
        state = Path(folder) / "state"
        first_s, past_s = start_once(Path(folder), state)
        target = "< 60 s"
        yield Figure(FIRST_REPLY, ROOM, first_s, "s", target=target, ok=first_s < 60)
        config = Config()
        epochs = config.history.days * 86400 / config.ensemble.interval_s
        yield Figure(PAST, ROOM, epochs / past_s, "epochs/s")
        begun = time.perf_counter()
        report = replay(state)
        yield Figure(REPLAY, ROOM, report.entries / (time.perf_counter() - begun), "entries/s")


def start_once(folder: Path, state: Path) -> tuple[float, float]:
    """Start a station, wait until it is in sync, stop it: seconds to the first reply, seconds for the past."""
    port = free_port()
    config = folder / "station.toml"
    console = free_port()
    config.write_text(f'[ntp]\nlisten = ["127.0.0.1:{port}"]\n[console]\nlisten = "127.0.0.1:{console}"\n')
    begun = time.perf_counter()
    with running(config, state) as station:
        events = Events(station)
        while not in_sync(port):
            if station.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                raise StationFailed(" ".join(events.last))
            time.sleep(0.02)
        first_s = time.perf_counter() - begun
    return first_s, events.past_ended - events.past_began


class Events:
    """What a station reports, with the moments (s) at which its past began and ended; reads in a thread of its own."""

    def __init__(self, station: subprocess.Popen[str]) -> None:
        self.past_began = self.past_ended = 0.0
        self.last: list[str] = []
        threading.Thread(target=self._read, args=(station,), daemon=True).start()

    def _read(self, station: subprocess.Popen[str]) -> None:
        assert station.stdout is not None
        for line in station.stdout:
            self.last = [*self.last, line][-5:]
            event = json.loads(line)
            if event["event"] == "progress" and event["fraction"] == 0:
                self.past_began = time.perf_counter()
            elif event["event"] == "progress" and event["fraction"] == 1:
                self.past_ended = time.perf_counter()


@contextmanager
def running(config: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    """A station on this configuration, stopped in order afterwards."""
    command = [sys.executable, "-m", "timeball", "run", "--json", "--config", str(config), "--state", str(state)]
    station = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        yield station
    finally:
        station.send_signal(signal.SIGINT)
        try:
            station.wait(30)
        except subprocess.TimeoutExpired:
            station.kill()
            station.wait()


def in_sync(port: int) -> bool:
    """Whether a reply comes that claims synchronised time (RFC 5905 section 7.3: leap indicator, stratum)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(REQUEST)
            reply = sock.recv(512)
        except OSError:
            return False
    return len(reply) >= 48 and reply[0] >> 6 != 3 and 1 <= reply[1] <= 15
