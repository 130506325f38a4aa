"""Real witnesses for tests: `timeball witness` as a child on a free port, and a log folder with a recorder to follow.

Whoever starts one ends it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stations import free_port

from timeball.station.witnessing.client import WitnessClient

PATIENCE_S = 60.0


class Witness:
    """A witness below `folder`, not yet running."""

    def __init__(self, folder: Path, name: str, kind: str = "ed25519") -> None:
        self.state = folder / name.rpartition("/")[2]
        self.name, self.kind = name, kind
        self.port = free_port()
        self.log = folder / f"{self.state.name}.log"
        self.popen: subprocess.Popen[bytes] | None = None
        self.keys: list[str] = self._json("--keys", "--name", name, "--kind", kind)["keys"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> WitnessClient:
        return WitnessClient(self.url, 10.0)

    def policy_line(self) -> str:
        return f"witness {self.state.name} {self.keys[0]} {self.url}\n"

    def start(self, logs: Sequence[str]) -> dict[str, Any]:
        """Start it and wait until it listens; gives what it said."""
        arguments = [word for vkey in logs for word in ("--log", vkey)]
        command = self._command("--json", "--listen", f"127.0.0.1:{self.port}", *arguments)
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
        assert self.popen.stdout is not None
        ready, _, _ = select.select([self.popen.stdout], [], [], PATIENCE_S)
        assert ready, self.log.read_text()
        line = self.popen.stdout.readline()
        assert line, self.log.read_text()
        return dict(json.loads(line))

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.popen is not None
        self.popen.send_signal(number)
        code = self.popen.wait(30)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self.popen = None
        return code

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "timeball", "witness", "--state", str(self.state), *arguments]

    def _json(self, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            self._command("--json", *arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@contextmanager
def witnessing(*witnesses: Witness) -> Iterator[None]:
    """End the witnesses that run when the context ends, whatever happened."""
    try:
        yield
    finally:
        for witness in witnesses:
            if witness.popen is not None:
                witness.stop(signal.SIGKILL)


def write_policy(path: Path, witnesses: Sequence[Witness], threshold: int) -> None:
    """A tlog-policy file: so many of these witnesses."""
    names = " ".join(witness.state.name for witness in witnesses)
    lines = [witness.policy_line() for witness in witnesses]
    path.write_text("".join(lines) + f"group all-of-us {threshold} {names}\nquorum all-of-us\n")


@contextmanager
def processes(state: Path, *modules: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Some processes of a station on a state folder, the last one stopped first."""
    running = {}
    with (state / "said").open("ab") as said:
        try:
            for module in modules:
                command = [sys.executable, "-m", f"timeball.station.{module}", "--state", str(state)]
                running[module] = subprocess.Popen(command, stdout=said, stderr=said, env=dict(os.environ))
            yield running
        finally:
            for process in reversed(list(running.values())):
                if process.poll() is None:
                    process.terminate()
                    process.wait(30)
