"""A disk that fills up under a running station: it goes on answering, records nothing, moves nothing, and recovers.

The state folder is a small file system of its own, which needs root to mount; the rest is a real station.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stations import QUICK, Station, alive, running, wait_for

from timeball.ledger import canonical
from timeball.station.paths import stepper_record
from timeball.station.recording.ledger_reader import LedgerReader

pytestmark = pytest.mark.system

SIZE = "32m"
SCALE_MAX_AGE_S = 20
FULL_FOR_S = 45.0
STEP_NS = 2 * 10**9


SETTINGS = (
    QUICK.replace("scale_max_age_s = 60.0", f"scale_max_age_s = {SCALE_MAX_AGE_S}")
    .replace("tracking_interval_s = 60.0", "tracking_interval_s = 4.0")
    .replace("verdict_every_s = 10.0", "verdict_every_s = 2.0")
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose `state` is a file system of 32 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system to be filled")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(state)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    assert file.write(b"\0" * block)


def leaves(station: Station) -> list[str]:
    """Digest and place of every entry under the signed head."""
    return [f"{index} {envelope}" for index, envelope in LedgerReader(station.state).envelopes()]


def obeyed(station: Station) -> list[int]:
    """Numbers of the commands that the stepper has obeyed, by its own record."""
    try:
        return [json.loads(line)["id"] for line in stepper_record(station.state).read_text().splitlines()]
    except FileNotFoundError:
        return []


def wait_until_nothing_is_recorded(station: Station) -> int:
    """The ledger's size, once it has stood for longer than any process is silent."""

    def stands() -> int:
        size = LedgerReader(station.state).size()
        time.sleep(7.0)
        return size if LedgerReader(station.state).size() == size else 0

    return int(wait_for(stands, "the ledger grows on a full disk"))


def watch(station: Station) -> list[bool]:
    """Whether each NTP reply claimed sync while the disk was full; every one comes, none is wrong."""
    claims = []
    end = time.monotonic() + FULL_FOR_S
    while time.monotonic() < end:
        reply = station.ask()
        assert reply is not None, "the server fell silent on a full disk"
        claims.append(reply.leap != 3)
        if reply.leap != 3:
            assert abs(reply.offset) < 0.05
        else:
            assert reply.stratum in (0, 16)
        time.sleep(0.5)
    return claims


def recorded_epochs(station: Station) -> list[int]:
    """Epochs of the live comparisons: those recorded after the first lease; the computed past comes before."""
    epochs: list[int] = []
    live = False
    for entry in LedgerReader(station.state).entries():
        live = live or entry.envelope.type == "lease"
        if live and entry.envelope.type == "readings" and entry.envelope.by == "collector":
            batch = canonical.decode(entry.payload or b"")["batch"]
            if batch["kind"] == "comparison":
                epochs += [int(epoch) for epoch in batch["epochs"]]
    return epochs


def test_a_full_disk_stops_records_and_steers_but_not_the_answers(folder: Path) -> None:
    with running(folder, SETTINGS) as station:
        wait_for(lambda: obeyed(station), "nothing is steered, so nothing could stop")
        processes = station.processes()
        fill(station.state / "ballast")
        size = wait_until_nothing_is_recorded(station)
        before, moved = leaves(station), obeyed(station)
        assert len(before) == size

        claims = watch(station)
        status = station.status()
        print(status["alarms"], status["leases"])
        assert LedgerReader(station.state).size() == size
        assert obeyed(station) == moved
        # the leases outlive the last scale by no more than is allowed, and then the reason is told
        assert not claims[-1]
        assert not status["time"]["in_sync"]
        assert any("disk" in alarm for alarm in status["alarms"]), status["alarms"]
        assert any("withdrawn" in alarm for alarm in status["alarms"])
        assert station.processes() == processes
        assert all(alive(pid) for pid in processes.values())

        (station.state / "ballast").unlink()
        station.wait_in_sync()
        wait_for(lambda: LedgerReader(station.state).size() > size + 20, "nothing is recorded again")
        wait_for(lambda: len(obeyed(station)) > len(moved), "nothing is steered again")
        assert leaves(station)[:size] == before
        assert station.processes() == processes
        for check in (station.verify, station.replay):
            done = check()
            assert done.returncode == 0, done.stdout + done.stderr
        # what was read while nothing could be recorded waited, and is there without a gap
        epochs = recorded_epochs(station)
        assert epochs == list(range(epochs[0], epochs[-1] + 1, STEP_NS))
        assert not any("disk" in alarm for alarm in station.status()["alarms"])


def test_in_sync_goes_on_while_the_newest_scale_is_young_enough(folder: Path) -> None:
    settings = SETTINGS.replace(f"scale_max_age_s = {SCALE_MAX_AGE_S}", "scale_max_age_s = 600.0")
    with running(folder, settings) as station:
        fill(station.state / "ballast")
        wait_until_nothing_is_recorded(station)
        first = station.ask()
        time.sleep(10.0)
        second = station.ask()
        assert first.leap != 3
        assert second.leap != 3
        assert abs(second.offset) < 0.05
        # nothing new is known, so what is promised grows
        assert second.root_dispersion >= first.root_dispersion
