"""The same station on a recorded file, at any speed: every epoch becomes a step of the scale, and no time is served.

A file brings neither an output signal nor live time, and the station says so. What it makes of the file is held against
the fold in one process, fed the file at one stroke: the same epochs, the same weights, to the last bit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stations import Station, alive, kill, wait_for

from timeball.formats import parse
from timeball.formats.rinex_clock.writer import write_rinex_clock
from timeball.ledger import canonical
from timeball.readings import Readings
from timeball.simulation.defaults import DEFAULT_CLOCKS, default_laboratory
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.settings import REPLAYED
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.rules import rules_of
from timeball.station.fold.timekeeping import Timekeeping
from timeball.station.recording.ledger_reader import LedgerReader

pytestmark = pytest.mark.system

GENESIS_NS = 1_700_000_000 * 10**9 // (300 * 10**9) * 300 * 10**9
STEP_NS = 60 * 10**9
EPOCHS = 600
SEED = 20_261_122
REAL = (
    ("G02", "rubidium"),
    ("G24", "rubidium"),
    ("G25", "rubidium"),
    ("G30", "rubidium"),
    ("AMC2", "active-maser"),
    ("ALIC", "5071A"),
)


def settings_of(file: Path, clocks: Sequence[tuple[str, str]], interval_s: int, speed: int) -> str:
    """A station whose only instrument is a file."""
    named = "\n".join(f'[[clock]]\nname = "{name}"\nkind = "{kind}"' for name, kind in clocks)
    chosen = ", ".join(f'"{name}"' for name, _ in clocks)
    return f"""
[ensemble]
interval_s = {interval_s}
snapshot_every = 10
[lease]
scale_max_age_s = {2 * interval_s}
[actuator]
kind = "none"
{named}
[[instrument]]
kind = "replay"
files = ["{file}"]
clocks = [{chosen}]
speed = {speed}
"""


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RINEX clock file of the simulated clocks, with one clock in it that no station names."""
    print(f"seed {SEED}")
    world = default_laboratory(SEED, GENESIS_NS).world
    epochs = GENESIS_NS + np.arange(1, EPOCHS + 1, dtype=np.int64) * STEP_NS
    names = [name for name, _ in DEFAULT_CLOCKS]
    phases = np.column_stack([*(world.phases(name, epochs) for name in names), np.linspace(0.0, 1e-6, EPOCHS)])
    width = len(names) + 1
    readings = Readings.from_columns(
        (*names, "XX", "GPST(SIM)"),
        np.repeat(epochs, width),
        np.tile(np.arange(width, dtype=np.int32), EPOCHS),
        np.full(EPOCHS * width, width, np.int32),
        phases.ravel(),
        np.full(EPOCHS * width, np.nan),
    )
    file = tmp_path_factory.mktemp("recorded") / "sim.clk"
    file.write_bytes(write_rinex_clock(readings))
    return file


@contextmanager
def replaying(folder: Path, settings: str) -> Iterator[Station]:
    """A station that need not come in sync; ended afterwards whatever happened."""
    station = Station(folder, settings)
    station.start()
    try:
        yield station
    finally:
        if station.popen is not None and station.popen.poll() is None:
            station.stop()


def payloads(station: Station, kind: str, stream: str) -> list[dict[str, Any]]:
    """What a stream has recorded, in order."""
    entries = LedgerReader(station.state).entries()
    return [
        canonical.decode(entry.payload or b"")
        for entry in entries
        if (entry.envelope.type, entry.envelope.by) == (kind, stream)
    ]


def scale_epochs(station: Station) -> list[int]:
    return [int(epoch) for scale in payloads(station, "scale", "timekeeping") for epoch in scale["epochs"]]


def wait_for_epochs(station: Station, count: int) -> None:
    reader, seen, epochs = LedgerReader(station.state), 0, 0

    def there() -> bool:
        """Read on from where the last look ended: all from the beginning each time would slow the station down."""
        nonlocal seen, epochs
        assert station.popen is not None
        assert station.popen.poll() is None, station.log.read_text()
        for entry in reader.entries(seen):
            seen = entry.index + 1
            if (entry.envelope.type, entry.envelope.by) == ("scale", "timekeeping"):
                epochs += len(canonical.decode(entry.payload or b"")["epochs"])
        return epochs >= count

    wait_for(there, f"the scale has not reached epoch {count} of the file")


def assert_scale_is_the_folds(station: Station, file: Path, clocks: Sequence[str]) -> None:
    """Epochs, weights and phases of the ledger are those of one fold over the whole file."""
    readings = parse(file.read_bytes(), file.name).readings.select(clocks)
    expected = Timekeeping(rules_of(parse_config(station.config.read_text())))
    [whole] = [one for one in expected.take_readings(0, comparison_batch(readings)) if one.type == "scale"]
    assert scale_epochs(station) == np.unique(readings.epoch).tolist()
    scales = payloads(station, "scale", "timekeeping")
    assert scales[-1]["clocks"] == whole.payload["clocks"]
    assert set(scales[-1]["clocks"]) == set(clocks)
    for column in ("weights", "x_fs"):
        assert [row for scale in scales for row in scale[column]] == whole.payload[column]
    assert scales[-1]["rates"] == whole.payload["rates"]


def assert_fed_the_same_batches_gives_the_same(station: Station) -> None:
    """The recorded batches, fed to another fold one after the other, give the recorded decisions."""
    keeper = Timekeeping(rules_of(parse_config(station.config.read_text())))
    weights = []
    for entry in LedgerReader(station.state).entries():
        if (entry.envelope.type, entry.envelope.by) == ("readings", "collector"):
            batch = canonical.decode(entry.payload or b"")["batch"]
            decisions = keeper.take_readings(entry.index, batch)
            weights += [one.payload["weights"] for one in decisions if one.type == "scale"]
    assert weights
    assert weights == [scale["weights"] for scale in payloads(station, "scale", "timekeeping")]


def assert_no_time_is_claimed(station: Station) -> None:
    """NTP, the status in JSON and in words: withdrawn, and why; the scale is shown all the same."""
    reply = wait_for(station.ask, "no NTP reply")
    assert reply.leap == 3
    assert reply.stratum in (0, 16)
    status = station.status()
    assert not status["time"]["in_sync"]
    assert status["time"]["why"] == REPLAYED
    assert status["time"]["utc"] is None
    assert status["station"]["verdict"] == f"withdrawn: {REPLAYED}"
    assert not status["station"]["simulated"]
    assert not status["leases"]["timekeeper"]["valid"]
    assert status["leases"]["timekeeper"]["why"] == REPLAYED
    assert f"time is withdrawn: {REPLAYED}" in status["alarms"]
    assert sum(clock["weight"] for clock in status["clocks"]) == pytest.approx(1)
    assert all(clock["x_s"] is not None for clock in status["clocks"])
    words = station.timeball("status", "--state", str(station.state))
    assert words.returncode == 3
    assert REPLAYED in words.stdout
    assert "None" not in words.stdout
    assert status["scale"]["epoch_utc"] in words.stdout


def assert_evidence_holds(station: Station) -> None:
    for done in (station.verify(), station.replay()):
        assert done.returncode == 0, done.stdout + done.stderr
        assert "cannot check" not in done.stdout


def assert_nothing_died(station: Station) -> None:
    assert "died" not in station.log.read_text()
    assert all(alive(pid) for pid in station.processes().values())


def test_a_file_as_fast_as_possible(synthetic: Path, tmp_path: Path) -> None:
    names = [name for name, _ in DEFAULT_CLOCKS]
    with replaying(tmp_path, settings_of(synthetic, DEFAULT_CLOCKS, 60, speed=0)) as station:
        wait_for_epochs(station, EPOCHS)
        assert_no_time_is_claimed(station)
        assert_nothing_died(station)
        assert_evidence_holds(station)
        assert_scale_is_the_folds(station, synthetic, names)
        assert_fed_the_same_batches_gives_the_same(station)
        # a whole restart finds the end of the file recorded, and adds nothing
        station.stop()
        station.start()
        wait_for(lambda: alive(station.processes().get("collector", 0)), "no collector after the restart")
        wait_for(lambda: "the last epoch" in last_run(station), "the file was not found at its end")
        assert len(scale_epochs(station)) == EPOCHS


def last_run(station: Station) -> str:
    """What the collector has logged since the ledger was opened for the second time."""
    text = (station.state / "run" / "collector.log").read_text()
    return text.partition("\n")[2]


def test_a_file_at_a_speed_with_the_collector_killed_in_its_middle(synthetic: Path, tmp_path: Path) -> None:
    names = [name for name, _ in DEFAULT_CLOCKS]
    with replaying(tmp_path, settings_of(synthetic, DEFAULT_CLOCKS, 60, speed=3000)) as station:
        wait_for_epochs(station, 100)
        before = station.processes()["collector"]
        kill(before)
        wait_for(lambda: station.processes()["collector"] not in (0, before), "the collector was not started again")
        assert len(scale_epochs(station)) < EPOCHS
        wait_for_epochs(station, EPOCHS)
        # paced by the speed, the file came in many batches
        assert len(payloads(station, "scale", "timekeeping")) > 50
        assert len(payloads(station, "snapshot", "timekeeping")) > 2
        recorded = [
            int(epoch) for one in payloads(station, "readings", "collector") for epoch in one["batch"]["epochs"]
        ]
        assert recorded == [GENESIS_NS + k * STEP_NS for k in range(1, EPOCHS + 1)]
        assert_scale_is_the_folds(station, synthetic, names)
        assert_fed_the_same_batches_gives_the_same(station)
        assert_no_time_is_claimed(station)
        assert_evidence_holds(station)


def test_a_day_of_real_clocks(shared: Callable[[str], Path], tmp_path: Path) -> None:
    file = shared("rtklib-clk/esa15253.clk.gz")
    with replaying(tmp_path, settings_of(file, REAL, 300, speed=0)) as station:
        wait_for_epochs(station, 288)
        assert_scale_is_the_folds(station, file, [name for name, _ in REAL])
        assert_fed_the_same_batches_gives_the_same(station)
        assert_no_time_is_claimed(station)
        assert_evidence_holds(station)
        assert_nothing_died(station)


@pytest.mark.parametrize("speed", [0, 3000])
def test_a_clock_that_nobody_configured_carries_nothing(synthetic: Path, tmp_path: Path, speed: int) -> None:
    settings = settings_of(synthetic, DEFAULT_CLOCKS[:3], 60, speed).replace("clocks = [", "# clocks = [")
    with replaying(tmp_path, settings) as station:
        wait_for_epochs(station, 50)
        [first, *_] = payloads(station, "readings", "collector")
        assert "XX" in {name for pair in first["batch"]["pairs"] for name in pair}
        assert {name for scale in payloads(station, "scale", "timekeeping") for name in scale["clocks"]} == {
            name for name, _ in DEFAULT_CLOCKS[:3]
        }


def test_a_clock_that_no_file_names_is_told_in_one_sentence(synthetic: Path, tmp_path: Path) -> None:
    settings = settings_of(synthetic, [*DEFAULT_CLOCKS, ("Cs9", "5071A")], 60, speed=0)
    config, state = tmp_path / "station.toml", tmp_path / "state"
    config.write_text(settings + '[ntp]\nlisten = ["127.0.0.1:1"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "timeball", "run", "--config", str(config), "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "400"},
    )
    assert done.returncode == 2
    assert "no such clock in these readings: Cs9" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
