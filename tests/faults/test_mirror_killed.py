"""The mirror killed at any moment, over a log that grows: it holds its last head whole, and goes on by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from served import files_served, published, timeball_serves

from timeball.cli import root
from timeball.ledger import canonical
from timeball.station.publishing.following import follow
from timeball.station.publishing.mirror import Mirror, Update
from timeball.station.publishing.mirrorfiles import MirrorFiles
from timeball.station.publishing.source import Source
from timeball.station.recording.store import NewEntry, Store

PATIENCE_S = 60.0


def append(state: Path, first: int, last: int) -> None:
    with Store(state) as store:
        made = [NewEntry("collector", n, "readings", 1, canonical.encode({"n": n})) for n in range(first, last + 1)]
        store.append_many(made, 5)
        store.integrate()


class Killed(BaseException):
    """Nobody catches it: the process is gone."""


def test_killed_before_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write of two updates is once the one that a life did not reach; the next life finishes."""
    state = tmp_path / "state"
    heads = []
    for first, last in ((1, 250), (251, 530)):
        append(state, first, last)
        heads.append(published(state, tmp_path / f"head{last}"))
    true_write, left = MirrorFiles.write, [0]

    def write(self: MirrorFiles, name: str, data: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        true_write(self, name, data)

    monkeypatch.setattr(MirrorFiles, "write", write)
    with files_served(heads[0]) as one, files_served(heads[1]) as two:
        for before, url, size in ((None, one, 250), (one, two, 530), (None, two, 530)):
            for moment in range(1, 40):
                folder = tmp_path / f"{size}{before is None}{moment}"
                if before is not None:
                    Mirror(Source(before), folder).update()
                if not killed_at(left, moment, url, folder):
                    break
                held = Mirror(Source(url), folder)
                assert (held.head.size if held.head else None) == (250 if before else None)
                assert before is None or root.run(["verify", str(folder)]) == 0
                held.update()
                assert root.run(["verify", str(folder)]) == 0
                assert held_size(folder) == size
            assert moment > 4


def killed_at(left: list[int], moment: int, url: str, folder: Path) -> bool:
    """Whether an update was killed at a write; afterwards nothing is."""
    left[0] = moment
    try:
        Mirror(Source(url), folder).update()
    except Killed:
        return True
    finally:
        left[0] = 10**9
    return False


def test_a_process_killed_again_and_again_while_the_log_grows(tmp_path: Path) -> None:
    seed = 20261122
    rng = np.random.default_rng(seed)
    state, folder = tmp_path / "state", tmp_path / "mirror"
    append(state, 1, 2000)
    size = 2000
    with timeball_serves(state) as url:
        command = [sys.executable, "-m", "timeball", "ledger", "mirror", url, str(folder), "--follow", "--every", "0.1"]
        for _ in range(3):
            process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
            time.sleep(float(rng.uniform(0.3, 2.0)))
            added = int(rng.integers(1, 600))
            append(state, size + 1, size + added)
            size += added
            time.sleep(float(rng.uniform(0.0, 0.5)))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            if (folder / "ledger/checkpoint").exists():
                assert root.run(["verify", str(folder)]) == 0, f"seed {seed}"
        # something is left to do, so that who is told to stop has begun
        append(state, size + 1, size + 10)
        size += 10
        process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        while held_size(folder) < size:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        events = [json.loads(line) for line in process.stdout]
        assert all(event["event"] == "new" for event in events)
    assert root.run(["verify", str(folder), "--since", str(state / "ledger/checkpoint")]) == 0


def held_size(folder: Path) -> int:
    try:
        return int((folder / "ledger/checkpoint").read_text().split("\n")[1])
    except FileNotFoundError:
        return 0


def test_network_trouble_is_waited_out(tmp_path: Path) -> None:
    """No server, a server that answers rubbish, then the log: it is told, and nothing is kept before it is good."""
    state = tmp_path / "state"
    append(state, 1, 20)
    served, broken = published(state, tmp_path / "served"), [True]

    def alter(path: str, data: bytes) -> bytes:
        return b"<html>maintenance</html>" if broken[0] and path == "checkpoint" else data

    told: list[Update | Exception] = []
    stop = threading.Event()

    def tell(outcome: Update | Exception) -> None:
        told.append(outcome)
        broken[0] = False
        if isinstance(outcome, Update):
            stop.set()

    with files_served(served, alter) as url:
        follow(Mirror(Source(url), tmp_path / "mirror"), stop, 0.1, tell)
    assert isinstance(told[0], Exception)
    assert isinstance(told[-1], Update)
    assert told[-1].added == 20
    assert root.run(["ledger", "mirror", "http://127.0.0.1:1", str(tmp_path / "mirror")]) == 2
    assert root.run(["ledger", "mirror", "ftp://nowhere", str(tmp_path / "mirror")]) == 1


def test_what_a_power_cut_left_is_fetched_again(tmp_path: Path) -> None:
    """Files beyond the stored head whose bytes were never synced: empty, torn, or another's."""
    state, folder = tmp_path / "state", tmp_path / "mirror"
    append(state, 1, 700)
    served = published(state, tmp_path / "served")
    for name in ("ledger/tile/0/001", "ledger/tile/entries/001", "payloads/001"):
        for left in (b"", (served / name.removeprefix("ledger/")).read_bytes()[:-7], b"x" * 8192):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(left)
            with files_served(served) as url:
                assert Mirror(Source(url), folder).update().added == 700
            assert root.run(["verify", str(folder)]) == 0
            (folder / "ledger/checkpoint").unlink()
