"""How figures are measured: ours and the peer's in turn, in the same run, medians; and how a peer gets here."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Work = Callable[[], object]


def medians(works: Mapping[str, Work], rounds: int = 7) -> dict[str, float]:
    """Time each work once a round, in turn, and give the median seconds of each; one round before does not count.

    In turn, so that whatever slows the machine for a while slows all of them alike.
    """
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def processes(commands: Mapping[str, Sequence[str]], rounds: int = 7) -> dict[str, float]:
    """As `medians`, for whole processes, start and end included; CalledProcessError when one fails."""

    def run(command: Sequence[str]) -> Work:
        return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    return medians({name: run(command) for name, command in commands.items()}, rounds)


def install_debian(command: str, package: str) -> bool:
    """Make sure that a peer's command is here, by apt-get where we may; False when it is not to be had."""
    if shutil.which(command):
        return True
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        subprocess.run(["apt-get", "-qq", *step], env=environment, stdout=subprocess.DEVNULL, check=False)
    return shutil.which(command) is not None


def peak_kib() -> int:
    """The most memory this process ever held (KiB); getrusage's peak is handed down from whoever started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
