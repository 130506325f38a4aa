"""A recorder that comes late: who needs it at the start waits, says so, and goes on; and not for ever."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from timeball.ledger import canonical
from timeball.station.configuration.settings import Config, History
from timeball.station.fold.timekeeping import CONFIG
from timeball.station.fold.upgrades import config_records
from timeball.station.instruments.simulated import open_simulation
from timeball.station.paths import config_file, recorder_socket
from timeball.station.recorder import Recorder
from timeball.station.recording.awaiting import await_next_seq
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.recorder_client import RecorderClient, RecorderUnavailable
from timeball.station.recording.recorder_wire import listen
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.process import Process

PATIENCE_S = 60.0


def wait_for(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder of a station that has run before: its configuration is recorded."""
    config = Config(history=History(days=0))
    folder = tmp_path / "state"
    simulation = open_simulation(folder, config)
    config_file(folder).parent.mkdir(parents=True, exist_ok=True)
    config_file(folder).write_bytes(config.to_json())
    with Store(folder, origin=config.station.origin) as store:
        for number, one in enumerate(config_records(config, None)):
            entry = NewEntry(CONFIG, number + 1, one.type, one.version, canonical.encode(one.payload))
            store.append_many([entry], simulation.tai_ns())
        store.integrate()
    return folder


@contextmanager
def recording(state: Path) -> Iterator[None]:
    """A recorder as a thread."""
    stop = threading.Event()
    with Store(state, origin=Config().station.origin) as store, listen(recorder_socket(state)) as listener:
        head_ns = next(iter(LedgerReader(state).envelopes(0, 1)))[1].time_ns
        recorder = Recorder(store, listener, lambda: head_ns + time.monotonic_ns(), 0.05)
        thread = threading.Thread(target=recorder.serve, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE_S)


def test_the_timekeeper_does_not_die_of_it(state: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "timeball.station.timekeeper", "--state", str(state)]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            wait_for(lambda: "waiting for the recorder" in log.read_text() or process.poll() is not None, "no word")
            assert process.poll() is None, log.read_text()
            with recording(state):
                wait_for(
                    lambda: LedgerReader(state).find_stream_tail("lease") or process.poll() is not None, "no lease"
                )
                assert process.poll() is None, log.read_text()
                assert "the recorder answers after" in log.read_text()
                process.terminate()
                assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def test_the_wait_has_an_end_and_a_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    process = Process("timekeeper", tmp_path, Config())
    client = RecorderClient(tmp_path, "timekeeper", timeout_s=0.05)
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(RecorderUnavailable, match=r"no recorder within \d s of the start"),
    ):
        await_next_seq(process, client, patience_s=0.3)
    assert [record.message for record in caplog.records if "waiting for the recorder" in record.message] != []
    assert sum("waiting" in record.message for record in caplog.records) == 1, "said once"


def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    process = Process("timekeeper", tmp_path, Config())
    threading.Timer(0.1, process.stop.set).start()
    assert await_next_seq(process, RecorderClient(tmp_path, "timekeeper", timeout_s=0.05)) is None
