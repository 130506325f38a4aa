"""The recorder as a real process: many clients, kill -9 while they append, a full disk, a clean stop."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stations import wait_for

from timeball.ledger.errors import CanonicalError
from timeball.station.configuration.settings import Config, Ledger
from timeball.station.paths import config_file, cosigned_checkpoint, recorder_socket
from timeball.station.recording.errors import EntryRefusedError
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.recording.recorder_client import (
    LedgerFull,
    Record,
    RecorderClient,
    RecorderUnavailable,
    SequenceRefusedError,
)

pytestmark = pytest.mark.system
PATIENCE_S = 30.0


def start(state: Path) -> subprocess.Popen[bytes]:
    if not config_file(state).exists():
        config_file(state).parent.mkdir(parents=True, exist_ok=True)
        config_file(state).write_bytes(Config().to_json())
    log = (state / "run/recorder.log").open("ab")
    command = [sys.executable, "-m", "timeball.station.recorder", "--state", str(state)]
    return subprocess.Popen(command, stdout=log, stderr=log)


@contextmanager
def recorder(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(state)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def wait_for_size(reader: LedgerReader, size: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while reader.size() < size:
        assert time.monotonic() < deadline, f"{reader.size()} of {size} entries are under a head"
        time.sleep(0.02)


def verified_size(state: Path) -> int:
    folder = LogFolder.find(state)
    assert folder is not None
    return verify_folder(folder, None).head.size


def test_append_follow_stop(tmp_path: Path) -> None:
    with recorder(tmp_path), RecorderClient(tmp_path, "collector", PATIENCE_S) as client:
        assert client.next_seq() == 1
        assert client.append("readings", 1, {"x_fs": ["1", "-2"]}, 1) == 0
        assert client.append("readings", 1, {"x_fs": ["1", "-2"]}, 1) == 0
        many = [Record("readings", 1, {"fill": "y" * 3000}, seq) for seq in range(2, 3002)]
        assert client.append_many(many) == list(range(1, 3001))
        assert client.append("readings", 2, {}, 3002, supersedes=7) == 3001
        with pytest.raises(SequenceRefusedError) as gap:
            client.append("readings", 1, {}, 4000)
        assert gap.value.expected == 3003
        with pytest.raises(SequenceRefusedError, match="other content"):
            client.append("readings", 1, {"x_fs": []}, 1)
        with pytest.raises(EntryRefusedError):
            client.append("Not A Type", 1, {}, 3003)
        with pytest.raises(CanonicalError):
            client.append("readings", 1, {"x": 1.5}, 3003)
        assert client.next_seq() == 3003
        reader = LedgerReader(tmp_path)
        wait_for_size(reader, 3002)
        last = next(iter(reader.entries(3001)))
        assert (last.envelope.supersedes, last.envelope.version, last.payload) == (7, 2, b"{}")
        # TAI is ahead of UTC, and by less than two minutes
        assert 30e9 < last.envelope.time_ns - time.time_ns() + 30e9 < 150e9
        mode = stat.S_IMODE(recorder_socket(tmp_path).stat().st_mode)
        assert mode == 0o600
    assert not recorder_socket(tmp_path).exists()
    assert verified_size(tmp_path) == 3002
    with pytest.raises(RecorderUnavailable):
        RecorderClient(tmp_path, "collector", 0.1).next_seq()


def test_deep_state_folders_have_a_socket_too(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 30) / ("path" * 30)
    state.mkdir(parents=True)
    with recorder(state), RecorderClient(state, "collector", PATIENCE_S) as client:
        assert client.append("readings", 1, {}, 1) == 0


def test_strangers_on_the_socket_disturb_nobody(tmp_path: Path) -> None:
    with recorder(tmp_path), RecorderClient(tmp_path, "collector", PATIENCE_S) as client:
        client.next_seq()
        for garbage in (b"\xff\xff\xff\xff", b"\0\0\0\2{}", b"\0\0\0\1", os.urandom(300)):
            stranger = socket.socket(socket.AF_UNIX)
            stranger.connect(str(recorder_socket(tmp_path)))
            stranger.sendall(garbage)
            stranger.close()
        assert client.append("readings", 1, {}, 1) == 0


def test_a_second_recorder_does_not_start(tmp_path: Path) -> None:
    with recorder(tmp_path), RecorderClient(tmp_path, "collector", PATIENCE_S) as client:
        client.append("readings", 1, {}, 1)
        second = start(tmp_path)
        assert second.wait(PATIENCE_S) != 0
        assert client.append("readings", 1, {}, 2) == 1


def test_damage_is_told_and_stops_it(tmp_path: Path) -> None:
    with recorder(tmp_path), RecorderClient(tmp_path, "collector", PATIENCE_S) as client:
        client.append("readings", 1, {}, 1)
    (tmp_path / "ledger/tile/0/000.p/1").write_bytes(bytes(32))
    assert start(tmp_path).wait(PATIENCE_S) == 2
    assert "tiles do not lead to the root" in (tmp_path / "run/recorder.log").read_text()


def test_killed_while_appending(tmp_path: Path) -> None:
    """kill -9 at random moments; every acknowledgement, kept outside, is an entry of the log that verifies."""
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    rng = random.Random(seed)
    kept = tmp_path / "acknowledged"
    state = tmp_path / "state"
    state.mkdir()
    stop = threading.Event()

    def append(stream: str) -> None:
        client, seq = RecorderClient(state, stream, PATIENCE_S), 0
        while not stop.is_set():
            seq += 1
            index = client.append("readings", 1, {"seq": seq, "stream": stream, "fill": "z" * (seq % 700)}, seq)
            with lock, kept.open("a") as file:
                file.write(json.dumps([stream, seq, index]) + "\n")

    def acknowledged_bytes() -> int:
        return kept.stat().st_size if kept.exists() else 0

    lock = threading.Lock()
    process = start(state)
    threads = [threading.Thread(target=append, args=(stream,)) for stream in ("collector", "timekeeper", "observer")]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            # while it works: starting takes longer on a busy machine than any moment chosen here
            before = acknowledged_bytes()
            wait_for(lambda before=before: acknowledged_bytes() > before, "nothing was acknowledged", PATIENCE_S)
            time.sleep(rng.uniform(0.0, 0.7))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = start(state)
        time.sleep(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    acknowledged = [json.loads(line) for line in kept.read_text().splitlines()]
    entries = {found.index: found for found in LedgerReader(state).entries()}
    assert verified_size(state) == len(entries)
    assert len(acknowledged) > 100
    for stream, seq, index in acknowledged:
        envelope = entries[index].envelope
        assert (envelope.by, envelope.seq) == (stream, seq), f"acknowledged entry {index} is lost"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(client: RecorderClient) -> int:
    """Append until the disk is full; the last number that was acknowledged."""
    for number in range(1, 1000):
        try:
            client.append("readings", 1, {"fill": "f" * 100_000}, number)
        except LedgerFull:
            return number - 1
    raise AssertionError("the disk did not fill up")


def test_a_full_disk(small_disk: Path) -> None:
    """It refuses, keeps serving, and records again by itself when there is space; nothing acknowledged is lost."""
    ballast = small_disk / "ballast"
    with recorder(small_disk), RecorderClient(small_disk, "collector", PATIENCE_S) as client:
        client.next_seq()
        ballast.write_bytes(bytes(12_000_000))
        seq = fill(client)
        assert seq > 5
        assert client.next_seq() == seq + 1
        with pytest.raises(LedgerFull):
            client.append("readings", 1, {"fill": "f" * 100_000}, seq + 1)
        ballast.unlink()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                client.append("readings", 1, {"fill": "f" * 100_000}, seq + 1)
                break
            except LedgerFull:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        wait_for_size(LedgerReader(small_disk), seq + 1)
    assert verified_size(small_disk) == seq + 1


@pytest.mark.parametrize("named", [True, False])
def test_a_cosigned_head_goes_with_the_policy_it_was_cosigned_for(tmp_path: Path, named: bool) -> None:
    policy = tmp_path / "policy"
    policy.write_text("quorum none\n")
    config_file(tmp_path).parent.mkdir(parents=True)
    config_file(tmp_path).write_bytes(Config(ledger=Ledger(policy=str(policy) if named else "")).to_json())
    cosigned_checkpoint(tmp_path).parent.mkdir()
    cosigned_checkpoint(tmp_path).write_text("an old head")
    with recorder(tmp_path), RecorderClient(tmp_path, "text", PATIENCE_S) as client:
        client.append("text", 1, {}, 1)
        assert cosigned_checkpoint(tmp_path).exists() == named
