"""Recorded files replayed at any speed: every reading once, in order, on time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball.formats import parse
from timeball.instants import LeapTable
from timeball.station.configuration.settings import ReplayInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.instruments import replay as replay_module
from timeball.station.instruments.base import InstrumentUnavailableError, Sample
from timeball.station.instruments.replay import Replay

CLOCKS = ("AMC2", "WTZR", "NRC1")


@pytest.fixture(scope="module")
def leaps() -> LeapTable:
    return load_leap_table()


def take_all(replay: Replay, most: int = 1000) -> list[Sample]:
    taken: list[Sample] = []
    for _ in range(most):
        if replay.ended:
            break
        taken += replay.read(hostclocks.raw_ns() + 10**9)
    return taken


def test_a_real_file_is_replayed_whole(shared: Callable[[str], Path], leaps: LeapTable) -> None:
    path = shared("rtklib-clk/esa15253.clk.gz")
    replay = Replay(ReplayInstrument(files=(str(path),), clocks=CLOCKS, speed=0), leaps)
    replay.open()
    samples = take_all(replay)
    expected = parse(path.read_bytes(), str(path), leaps=leaps).readings.select(CLOCKS)
    assert len(samples) == len(expected) > 500
    assert {sample.epoch for sample in samples} == set(expected.epoch.tolist())
    assert [sample.epoch for sample in samples] == sorted(sample.epoch for sample in samples)
    total_fs = sum(sample.x_fs for sample in samples)
    assert abs(total_fs - float(np.sum(expected.x)) * 1e15) < len(samples)
    assert replay.take_ended()
    assert not replay.take_ended()
    assert replay.read(hostclocks.raw_ns()) == []


def test_a_replay_goes_on_after_the_newest_recorded_epoch(shared: Callable[[str], Path], leaps: LeapTable) -> None:
    path = shared("rtklib-clk/esa15253.clk.gz")
    settings = ReplayInstrument(files=(str(path),), clocks=CLOCKS, speed=0)
    whole = Replay(settings, leaps)
    whole.open()
    samples = take_all(whole)
    middle = samples[len(samples) // 2].epoch
    rest = Replay(settings, leaps, middle)
    rest.open()
    assert take_all(rest) == [sample for sample in samples if sample.epoch > middle]
    done = Replay(settings, leaps, samples[-1].epoch)
    done.open()
    assert done.ended


def test_speed_is_laboratory_seconds_a_second(
    shared: Callable[[str], Path], leaps: LeapTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAW is faked: at 300 times real speed an epoch of 300 s comes each second, and none before its time."""
    raw = [0]
    monkeypatch.setattr(replay_module.hostclocks, "raw_ns", lambda: raw[0])
    monkeypatch.setattr(replay_module, "wait_until_raw", lambda until: raw.__setitem__(0, max(raw[0], until)))
    path = shared("rtklib-clk/esa15253.clk.gz")
    replay = Replay(ReplayInstrument(files=(str(path),), clocks=CLOCKS, speed=300), leaps)
    replay.open()
    first = {sample.epoch for sample in replay.read(0)}
    assert len(first) == 1
    assert replay.read(10**9 - 1) == []
    second = {sample.epoch for sample in replay.read(10**9)}
    assert second == {first.pop() + 300 * 10**9}
    raw[0] = 5 * 10**9
    assert len({sample.epoch for sample in replay.read(5 * 10**9)}) == 4


def test_a_file_of_nothing_usable_is_refused(tmp_path: Path, leaps: LeapTable) -> None:
    for name, data in (("empty.clk", b""), ("noise.bin", bytes(range(256)))):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InstrumentUnavailableError, match=name):
            Replay(ReplayInstrument(files=(str(path),)), leaps).open()
    with pytest.raises(InstrumentUnavailableError, match="none"):
        Replay(ReplayInstrument(files=(str(tmp_path / "none.clk"),)), leaps).open()


def test_bad_lines_are_told_and_good_ones_used(tmp_path: Path, shared: Callable[[str], Path], leaps: LeapTable) -> None:
    import gzip

    lines = gzip.decompress(shared("rtklib-clk/esa15253.clk.gz").read_bytes()).decode().splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if line.startswith("AR AMC2")]
    lines[places[3]] = lines[places[3]].replace("E", "?")
    path = tmp_path / "bad.clk"
    path.write_text("".join(lines))
    replay = Replay(ReplayInstrument(files=(str(path),), clocks=("AMC2", "WTZR"), speed=0), leaps)
    replay.open()
    assert replay.faults.count == 1
    assert "bad.clk" in replay.faults.take()[0]
    assert len(take_all(replay)) > 500


def test_a_clock_that_no_file_names_is_refused_with_the_names_there_are(tmp_path: Path, leaps: LeapTable) -> None:
    file = tmp_path / "phases.txt"
    file.write_text("".join(f"{60000 + k} {k}e-9\n" for k in range(3)))
    replay = Replay(ReplayInstrument(files=(str(file),), clocks=("A", "B", "Cs9"), speed=0), leaps)
    with pytest.raises(InstrumentUnavailableError, match="Cs9"):
        replay.open()
