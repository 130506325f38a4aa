"""A key exchange as a process, for tests: its state folder, its counters, what it said; and chronyd on both sides."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stations import free_port, wait_for

from timeball.protocols.nts.asking import Agreement
from timeball.station.nts.keclient import KeyExchangeError, exchange_keys
from timeball.station.nts.keyfile import KeySet, keys_file, read_key_set
from timeball.station.nts.shown import ca_file
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.page.pagefile import PageReader
from timeball.station.paths import config_file
from timeball.station.recording.recorder_client import RecorderClient, RecorderUnavailable

PATIENCE_S = 60.0


class Exchange:
    """A station's key exchange on free ports; `settings` are those of [nts]."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None, user: str = "") -> None:
        self.state, self.port = folder / "state", free_port()
        self.settings = {"listen": [f"127.0.0.1:{self.port}"], **(settings or {})}
        self.log = folder / "log"
        (self.state / "run").mkdir(mode=0o700, parents=True)
        ntp = {"listen": ["127.0.0.1:11123"], "user": user}
        config_file(self.state).write_text(json.dumps({"nts": self.settings, "ntp": ntp}))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._page = PageReader(keyexchange_page(self.state), KeyExchangePage, plain=True)

    def start(self, name: str = "keyexchange") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"timeball.station.{name}", "--state", str(self.state)]
        with self.log.open("ab") as log:
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return self.running[name]

    def kill(self) -> None:
        """As the kernel ends a process: no word, no cleaning up."""
        process = self.running.pop("keyexchange")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            assert process.wait(PATIENCE_S) == 0, self.log.read_text()
        self.running.clear()

    def workers(self) -> list[int]:
        pid = self.running["keyexchange"].pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def page(self) -> KeyExchangePage:
        page = self._page.read()
        assert page is not None, self._page.why
        return page

    def until(self, true: Callable[[KeyExchangePage], object]) -> KeyExchangePage:
        """The counters, once something is true of them."""

        def look() -> KeyExchangePage | None:
            page = self._page.read()
            return page if page is not None and true(page) else None

        found: KeyExchangePage = wait_for(look, f"not counted: {self._page.read()}\n{self.say()}", PATIENCE_S)
        return found

    def exchange(self, ca: Path | None = None) -> Agreement:
        return exchange_keys("localhost", self.port, ca or ca_file(self.state), timeout_s=PATIENCE_S)

    def wait(self) -> Agreement:
        """The first exchange that goes well."""

        def attempt() -> Agreement | None:
            try:
                return self.exchange()
            except (KeyExchangeError, OSError):
                return None

        found: Agreement = wait_for(attempt, f"no keys are exchanged\n{self.say()}", PATIENCE_S)
        return found

    def wait_recorder(self) -> None:
        def answers() -> bool:
            try:
                with RecorderClient(self.state, "keyexchange", timeout_s=1.0) as recorder:
                    return recorder.next_seq() >= 1
            except RecorderUnavailable:
                return False

        wait_for(answers, f"no recorder\n{self.say()}", PATIENCE_S)

    def keys(self) -> KeySet:
        return read_key_set(keys_file(self.state))

    def say(self) -> str:
        return self.log.read_text()[-3000:] if self.log.exists() else ""


@contextmanager
def exchanging(folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[Exchange]:
    """A key exchange that answers, ended afterwards whatever happened."""
    folder.mkdir(exist_ok=True)
    one = Exchange(folder, settings)
    one.start()
    try:
        one.wait()
        yield one
    finally:
        for process in one.running.values():
            if process.poll() is None:
                process.terminate()
        for process in one.running.values():
            process.wait(PATIENCE_S)


def key_of(cookie: bytes) -> int:
    """The number of the key that a cookie was sealed under."""
    return int.from_bytes(cookie[:4])
