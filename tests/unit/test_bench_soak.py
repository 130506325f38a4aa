"""What a soak is judged by: leaks and drifts of known size are found, noise and warm-up are not taken for them."""

from __future__ import annotations

import json
import math
import os
import random
import sys
from pathlib import Path

import pytest
from bench.soak_judging import (
    MEMORY_BYTES,
    OFFSET_S,
    answered,
    descriptors,
    flat,
    memory,
    none_of,
    served,
    slope,
    still_there,
)
from bench.soak_report import Seen, keep_logs, offset_figures, process_figures, process_lines
from bench.soak_subjects import Subject, start

from timeball.station.paths import processes_file, run_dir
from timeball.station.reporting.hostfacts import ProcessFacts

POINTS = 400


def noise(scale: float, seed: int = 7) -> list[float]:
    numbers = random.Random(seed)
    return [numbers.gauss(0.0, scale) for _ in range(POINTS)]


def warming_up(level: float, rise: float) -> list[float]:
    """Rises to its level within the first tenth, as a process does that fills its caches."""
    return [level + rise * min(1.0, 10 * place / POINTS) for place in range(POINTS)]


def test_flat_memory_is_flat_whatever_it_did_at_first() -> None:
    values = [a + b for a, b in zip(warming_up(1e8, 5e7), noise(2e5), strict=True)]
    assert memory("server", values).ok


@pytest.mark.parametrize("level", [1e8, 2e9])
def test_a_leak_is_found(level: float) -> None:
    allowed = MEMORY_BYTES + 0.02 * level
    grown = [level + 2.5 * allowed * place / POINTS + shake for place, shake in enumerate(noise(1e5))]
    line = memory("server", grown)
    assert not line.ok
    assert line.sentence == "it grows"
    assert line.last - line.first > line.allowed


def test_memory_given_back_is_no_leak() -> None:
    assert memory("server", [2e8 - 1e8 * place / POINTS for place in range(POINTS)]).ok


def test_one_descriptor_an_hour_is_found() -> None:
    assert descriptors("server", [12.0] * POINTS).ok
    assert not descriptors("server", [12.0 + 24 * place / POINTS for place in range(POINTS)]).ok


@pytest.mark.parametrize("sign", [1, -1])
def test_a_drift_of_served_time_is_found_in_both_directions(sign: int) -> None:
    bias = -5e-6
    assert served([bias + shake for shake in noise(3e-6)]).ok
    drifting = [bias + sign * 3 * OFFSET_S * place / POINTS for place in range(POINTS)]
    assert not served(drifting).ok


def test_gaps_are_left_out_and_too_little_is_not_judged() -> None:
    values = [math.nan if place % 3 else 5.0 for place in range(POINTS)]
    assert flat("x", values, 0.1, "").ok
    few = flat("x", [5.0] * 11, 0.1, "")
    assert not few.ok
    assert "too few" in few.sentence


def test_a_process_that_was_gone_for_a_while_is_found() -> None:
    assert still_there("server", [1.0] * 5).ok
    for values in ([1.0, math.nan, 1.0], [1.0, 1.0, math.nan], [math.nan, 1.0]):
        assert not still_there("server", values).ok


def test_answers_and_counts() -> None:
    assert answered("NTP", 10_000, 9_999, 0.999).ok
    assert not answered("NTP", 10_000, 9_900, 0.999).ok
    assert not answered("NTP", 0, 0, 0.999).ok
    assert none_of("restarts", 0).ok
    assert not none_of("restarts", 1).ok


def test_a_slope_is_that_of_the_line() -> None:
    hours = [place / 100 for place in range(POINTS)]
    assert slope(hours, [5.0 - 3.0 * hour for hour in hours]) == pytest.approx(-3.0)
    assert math.isnan(slope([1.0], [5.0]))
    assert math.isnan(slope([1.0, 1.0], [5.0, 6.0]))


def test_figures_leave_the_warm_up_out_and_know_restarts() -> None:
    hours = [place / 100 for place in range(POINTS)]
    values = [math.nan if place == 300 else (1e8 if place < 90 else 2e8 + 1e6 * hours[place]) for place in range(400)]
    seen = Seen(0.0, 10, 1, 0.0, 1)
    for pid, told in ((10, 0), (11, 0), (12, 2)):
        seen.see(3.99, pid, ProcessFacts(int(2e8), 7.0, 9, 3), told)
    row = process_figures(hours, {"server": values}, {"server": seen})["server"]
    assert row["slope_bytes_per_hour"] == pytest.approx(1e6, rel=0.01)
    assert row["last_seen"]["restarts"] == 2
    assert row["last_seen"]["pid"] == 12
    assert "+1.00" in process_lines({"server": row})[1]
    figures = offset_figures(hours, [1e-6 * hour - 5e-6 for hour in hours])
    assert figures["drift_s_per_day"] == pytest.approx(24e-6)
    assert figures["largest_s"] == pytest.approx(-4e-6)
    assert offset_figures([], [])["median_s"] is None


def test_what_ended_badly_says_why_and_its_logs_are_kept(tmp_path: Path) -> None:
    """Its own process group, its exit code, what the supervisor told but for the progress, the end of each log."""
    state = tmp_path / "state"
    run_dir(state).mkdir(parents=True)
    (run_dir(state) / "recorder.log").write_text("recorder: the disk is full\n")
    words = [{"event": "progress", "fraction": 0.5}, {"event": "died", "name": "recorder", "code": 2}]
    code = f"import os, sys; print({json.dumps(words[0])!r}); print({json.dumps(words[1])!r}); print(os.getpgrp())"
    with start([sys.executable, "-c", f"{code}; sys.exit(2)"], tmp_path / "log") as process:
        process.wait(30)
    subject = Subject(state, process, 0)
    assert subject.ended() == "exit code 2"
    died, group = subject.events()
    assert json.loads(died) == words[1]
    assert int(group) == process.pid != os.getpgrp()
    said = subject.said()
    assert "ended by exit code 2" in said
    assert "recorder: the disk is full" in said
    assert "progress" not in said
    kept = keep_logs(subject, tmp_path / "out")
    assert sorted(one.name for one in kept.iterdir()) == ["log", "recorder.log"]
    assert [row["pid"] for row in subject.rows()] == [process.pid]
    processes_file(state).write_text('[{"name": "recorder", "pid": null, "restarts": 3}]')
    assert subject.rows()[0]["restarts"] == 3
