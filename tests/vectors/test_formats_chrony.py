"""Logs that chronyd itself wrote: every line is read or told, and the signs of the four agree with one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from timeball.formats import parse, read_chrony, recognise
from timeball.readings import Readings
from timeball.station.hosttime.leaps import load_leap_table

LOGS = Path(__file__).parent / "chrony-4.3"
LEAPS = load_leap_table()
LINES = {  # lines that are no banner, readings, lines told
    "measurements": (34, 32, 2),
    "statistics": (34, 34, 0),
    "tracking": (34, 33, 1),
    "refclocks": (34, 28, 0),
}


def readings(log: str) -> Readings:
    return parse((LOGS / f"{log}.log").read_bytes(), log, leaps=LEAPS).readings


@pytest.mark.parametrize("log", LINES)
def test_every_line_is_read_or_told(log: str) -> None:
    data = (LOGS / f"{log}.log").read_bytes()
    assert recognise(data) == f"chrony-{log}"
    parsed = parse(data, log, leaps=LEAPS)
    table = read_chrony(data, log, LEAPS)
    assert (len(table.epoch), len(parsed.readings), len(parsed.defects)) == LINES[log]
    assert all(np.isfinite(column).all() for name, column in table.numbers.items() if name != "raw_offset_s")


@pytest.mark.parametrize("log", LINES)
def test_a_log_without_its_banner_is_known_by_its_lines(log: str) -> None:
    data = (LOGS / f"{log}.log").read_bytes()
    lines = b"\n".join(line for line in data.splitlines() if line[:1] == b"2")
    assert recognise(lines) == f"chrony-{log}"
    assert parse(lines, log, leaps=LEAPS).readings.equals(readings(log))


def test_the_first_estimates_stand_where_the_first_packets_put_the_clock() -> None:
    packets, estimates, tracked = readings("measurements"), readings("statistics"), readings("tracking")
    assert packets.clocks == ("local", "127.0.0.1")
    assert packets.x[:3].tolist() == [3.571e-6, 2.600e-6, 1.368e-5]  # printed −3.571e-06: the local clock is fast
    assert packets.x[:3].min() < estimates.x[0] < packets.x[:3].max()
    assert (estimates.x[0], estimates.u[0]) == (2.935e-6, 3.758e-6)
    assert (tracked.x[0], tracked.u[0], tracked.clocks[1]) == (2.935e-6, 3.758e-6, "UTC(chronyd)")
    assert packets.epoch[0] == estimates.epoch[0] == tracked.epoch[0]


def test_a_reference_clock_gives_its_raw_samples_and_the_filtered_ones_stay_in_the_table() -> None:
    samples = readings("refclocks")
    assert samples.clocks == ("local", "TEST")
    assert (samples.x[0], samples.u[0], samples.epoch[0] % 10**9) == (-1.002507e-5, 2.9e-8, 52_913_000)
    table = read_chrony((LOGS / "refclocks.log").read_bytes(), "refclocks", LEAPS)
    assert int((~table.used).sum()) == table.texts["poll"].count("-") == 6
