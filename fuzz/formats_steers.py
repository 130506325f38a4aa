"""Fuzz target: any bytes as a list of frequency steers. Only FormatError may escape."""

from __future__ import annotations

from timeball.formats import FormatError
from timeball.formats.steers import LARGEST, read_steers
from timeball.station.hosttime.leaps import load_leap_table

LEAPS = load_leap_table()


def target(data: bytes) -> None:
    """Read the bytes as they are, and behind a line that is good, so that the fuzzer gets past the first."""
    for variant in (data, b"61341.5 -2.5e-15 after Circular T\n" + data):
        try:
            steers, _ = read_steers(variant, "fuzz", LEAPS)
        except FormatError:
            continue
        assert steers == sorted(steers, key=lambda steer: steer.epoch)
        assert all(abs(steer.change) <= LARGEST for steer in steers)
